use rftm_autograd::{Tape, Var, ops};
use rftm_tensor::{Element, Result, Tensor, elementwise};

use crate::{Freezer, Inference, Module, Visitor};

/// `y = x` where `x > 0`, `slope * x` elsewhere. After a batch normalisation,
/// [`BatchNorm::with_leaky_relu`](crate::BatchNorm::with_leaky_relu) does both in one pass.
#[derive(Debug, Clone, Copy)]
pub struct LeakyRelu {
    slope: f64,
}

impl LeakyRelu {
    /// With this slope for negative inputs.
    #[must_use]
    pub fn new(slope: f64) -> Self {
        Self { slope }
    }
}

impl Default for LeakyRelu {
    /// PyTorch's slope, 0.01.
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl<E: Element> Module<E> for LeakyRelu {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        Ok(ops::leaky_relu(tape, &x, E::from_f64(self.slope)))
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        Ok(elementwise::leaky_relu(&x, E::from_f64(self.slope)))
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        freezer.leaky_relu(self.slope)
    }

    fn description(&self) -> String {
        format!("{self:?}")
    }

    fn visit(&mut self, _: &mut dyn Visitor<E>) {}
}
