use rftm_autograd::{Tape, Var};
use rftm_tensor::{Element, Result, Tensor};

use crate::{Freezer, Inference, Module, Segment, Visitor};

/// Modules one after the other; parts are named by their position.
#[derive(Default)]
pub struct Sequential<E: Element = f32> {
    modules: Vec<Box<dyn Module<E>>>,
}

impl<E: Element> Sequential<E> {
    /// Nothing yet: the identity.
    #[must_use]
    pub fn new() -> Self {
        Self { modules: Vec::new() }
    }

    /// With one more module at the end.
    #[must_use]
    pub fn with(mut self, module: impl Module<E> + 'static) -> Self {
        self.modules.push(Box::new(module));
        self
    }

    /// How many modules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether it is the identity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }
}

impl<E: Element> Module<E> for Sequential<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        self.modules.iter_mut().try_fold(x, |x, module| module.forward(tape, x))
    }

    fn infer(&self, x: Tensor<E>, inference: Inference) -> Result<Tensor<E>> {
        self.modules.iter().try_fold(x, |x, module| module.infer(x, inference))
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        self.modules.iter().try_for_each(|module| module.freeze(freezer))
    }

    fn description(&self) -> String {
        self.modules.iter().map(|module| module.description()).collect::<Vec<_>>().join("\n")
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        for (index, module) in self.modules.iter_mut().enumerate() {
            visitor.enter(Segment::Index(index));
            module.visit(visitor);
            visitor.leave();
        }
    }

    /// Appends instead of nesting, so that `a.then(b).then(c)` has parts 0, 1 and 2.
    fn then(self, next: impl Module<E> + 'static) -> Sequential<E> {
        self.with(next)
    }
}

impl<E: Element> std::fmt::Debug for Sequential<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sequential of {} modules", self.modules.len())
    }
}
