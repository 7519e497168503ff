//! The memory behind a tensor: a fixed number of elements, aligned to a cache line so that no vector load is split.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::element::Pooled;

/// One cache line, and one AVX-512 register.
const ALIGNMENT: usize = 64;

/// An owned, initialised, cache-line-aligned slice.
pub(crate) struct Buffer<E: Pooled> {
    start: NonNull<E>,
    len: usize,
}

// SAFETY: a `Buffer` owns its memory like a `Box<[E]>`; `Pooled` values are `Send` and `Sync`.
unsafe impl<E: Pooled> Send for Buffer<E> {}
// SAFETY: as above; a shared `Buffer` only hands out shared slices.
unsafe impl<E: Pooled> Sync for Buffer<E> {}

impl<E: Pooled> Buffer<E> {
    pub(crate) fn zeroed(len: usize) -> Self {
        if len == 0 {
            return Self { start: NonNull::dangling(), len };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout has a size above zero; all-zero bytes are the number 0 for every `Pooled` type.
        let start = unsafe { alloc_zeroed(layout) }.cast::<E>();
        Self { start: NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)), len }
    }

    fn layout(len: usize) -> Layout {
        // `Shape` has checked that the length fits; bytes may still overflow, which is out of memory all the same.
        Layout::array::<E>(len).and_then(|layout| layout.align_to(ALIGNMENT)).expect("tensor larger than memory")
    }
}

impl<E: Pooled> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        // SAFETY: `start` points to `len` initialised elements that live as long as `self` (or dangles with `len` 0).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<E: Pooled> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<E: Pooled> Drop for Buffer<E> {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated in `zeroed` with this same layout, and dropped once.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zeroed_and_aligned() {
        for len in [0, 1, 15, 1000] {
            let buffer = Buffer::<f64>::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&value| value == 0.0));
            assert!(len == 0 || buffer.as_ptr().addr().is_multiple_of(ALIGNMENT));
        }
    }
}
