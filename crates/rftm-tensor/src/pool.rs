//! Buffers come back: each thread keeps the buffers of dropped tensors, by length, and hands them out again.
//!
//! A training step makes and drops tensors of the same lengths every time, so after the first few it allocates
//! nothing. Lengths are matched exactly: a nearest-fit pool would save memory only where shapes keep changing, and
//! there the cap below bounds what is kept.

use std::sync::Arc;

use crate::buffer::Buffer;
use crate::element::Pooled;

/// At most this many bytes wait in one thread's pool; what comes back beyond it is freed.
const CAPACITY_BYTES: usize = 1 << 29;

/// The waiting buffers of one thread and element type, sorted by length.
pub struct Pool<E: Pooled> {
    shelves: Vec<(usize, Vec<Arc<Buffer<E>>>)>,
    bytes: usize,
}

impl<E: Pooled> Pool<E> {
    pub(crate) const fn new() -> Self {
        Self { shelves: Vec::new(), bytes: 0 }
    }

    fn take(&mut self, len: usize) -> Option<Arc<Buffer<E>>> {
        let shelf = self.shelves.binary_search_by_key(&len, |shelf| shelf.0).ok()?;
        let buffer = self.shelves[shelf].1.pop()?;
        self.bytes -= len * size_of::<E>();
        Some(buffer)
    }

    fn give(&mut self, buffer: Arc<Buffer<E>>) {
        let (len, bytes) = (buffer.len(), buffer.len() * size_of::<E>());
        if self.bytes + bytes > CAPACITY_BYTES {
            return;
        }
        self.bytes += bytes;
        match self.shelves.binary_search_by_key(&len, |shelf| shelf.0) {
            Ok(shelf) => self.shelves[shelf].1.push(buffer),
            Err(place) => self.shelves.insert(place, (len, vec![buffer])),
        }
    }
}

/// A buffer of `len` elements that nobody else holds. Its contents are whatever the last owner left.
pub(crate) fn take<E: Pooled>(len: usize) -> Arc<Buffer<E>> {
    let waiting = E::pool().try_with(|pool| pool.borrow_mut().take(len)).ok().flatten();
    waiting.unwrap_or_else(|| Arc::new(Buffer::zeroed(len)))
}

/// Takes back a buffer; one that is still shared is simply let go.
pub(crate) fn give<E: Pooled>(mut buffer: Arc<Buffer<E>>) {
    if Arc::get_mut(&mut buffer).is_some() && !buffer.is_empty() {
        // At thread exit the pool may be gone already; then the buffer is freed.
        let _ = E::pool().try_with(|pool| pool.borrow_mut().give(buffer));
    }
}

/// Frees the buffers that wait in this thread's pools, for example after training and before serving.
pub fn release_pool() {
    fn release<E: Pooled>() {
        let _ = E::pool().try_with(|pool| *pool.borrow_mut() = Pool::new());
    }
    release::<f32>();
    release::<f64>();
    release::<u32>();
}

/// How many bytes wait in this thread's pools.
#[must_use]
pub fn pooled_bytes() -> usize {
    fn bytes<E: Pooled>() -> usize {
        E::pool().try_with(|pool| pool.borrow().bytes).unwrap_or(0)
    }
    bytes::<f32>() + bytes::<f64>() + bytes::<u32>()
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, pooled_bytes, release_pool};

    #[test]
    fn a_dropped_buffer_serves_the_next_tensor_of_its_length() {
        release_pool();
        let first = Tensor::<f32>::zeros([3, 5]);
        let place = first.data().as_ptr();
        let shared = first.clone();
        drop(first);
        assert_eq!(pooled_bytes(), 0, "still shared");
        drop(shared);
        assert_eq!(pooled_bytes(), 60);
        assert_eq!(Tensor::<f32>::scratch([5, 3]).data().as_ptr(), place);
        assert_ne!(Tensor::<f32>::zeros([16]).data().as_ptr(), place);
        release_pool();
        assert_eq!(pooled_bytes(), 0);
    }
}
