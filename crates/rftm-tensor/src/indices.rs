use std::ops::Deref;
use std::sync::Arc;

use crate::buffer::Buffer;
use crate::pool;

/// A list of indices in pooled memory, like a tensor's.
pub struct Indices {
    /// `Some` until dropped.
    buffer: Option<Arc<Buffer<u32>>>,
}

impl Indices {
    /// `len` indices of unspecified value.
    #[must_use]
    pub fn scratch(len: usize) -> Self {
        Self { buffer: Some(pool::take(len)) }
    }

    /// The indices, to write.
    pub fn values_mut(&mut self) -> &mut [u32] {
        let buffer = self.buffer.as_mut().expect("present until dropped");
        Arc::get_mut(buffer).expect("never shared")
    }
}

impl Deref for Indices {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.buffer.as_ref().expect("present until dropped")
    }
}

impl Drop for Indices {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            pool::give(buffer);
        }
    }
}

impl std::fmt::Debug for Indices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
