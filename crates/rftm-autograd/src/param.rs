use std::sync::atomic::{AtomicU64, Ordering};

use rftm_tensor::{Element, Tensor};

/// What a parameter is known by: unique in the process, kept when the parameter moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamId(u64);

/// A trainable tensor.
#[derive(Debug)]
pub struct Param<E: Element = f32> {
    id: ParamId,
    /// The current value.
    pub value: Tensor<E>,
}

impl<E: Element> Param<E> {
    /// A new parameter with this value.
    #[must_use]
    pub fn new(value: Tensor<E>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: ParamId(NEXT.fetch_add(1, Ordering::Relaxed)), value }
    }

    /// The identity under which the tape files its gradient.
    #[must_use]
    pub fn id(&self) -> ParamId {
        self.id
    }
}
