use rftm_autograd::{Param, Tape, Var, ops};
use rftm_rng::Rng;
use rftm_tensor::{Element, Result, Tensor};

use crate::{Freezer, Inference, Module, Visitor, init};

/// `y = x w^T + b`.
///
/// # Shapes
/// Input (N, in), output (N, out); `weight` (out, in), `bias` (out).
#[derive(Debug)]
pub struct Linear<E: Element = f32> {
    weight: Param<E>,
    bias: Param<E>,
}

impl<E: Element> Linear<E> {
    /// A layer with PyTorch's initialisation: weight and bias from `U(-1/sqrt(in), 1/sqrt(in))`.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        let (weight, bias) = init::layer([outputs, inputs].into(), outputs, inputs, rng);
        Self { weight, bias }
    }
}

impl<E: Element> Module<E> for Linear<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let (weight, bias) = (tape.param(&self.weight), tape.param(&self.bias));
        ops::linear(tape, &x, &weight, Some(&bias))
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        ops::linear_values(&x, &self.weight.value, Some(&self.bias.value))
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        freezer.linear(&self.weight.value, &self.bias.value)
    }

    fn description(&self) -> String {
        "Linear".to_owned()
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("weight", &mut self.weight);
        visitor.param("bias", &mut self.bias);
    }
}
