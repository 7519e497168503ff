use rftm_autograd::{Param, Tape, Var, ops};
use rftm_rng::Rng;
use rftm_tensor::{Element, Result, Tensor};

use crate::{ConvOptions, Freezer, Inference, Module, Visitor, init};

/// 2-D convolution.
///
/// # Shapes
/// Input (N, H, W, in), output (N, H', W', out) with `H' = (H + 2 padding - kernel) / stride + 1`;
/// `weight` (out, kernel, kernel, in), `bias` (out).
#[derive(Debug)]
pub struct Conv2d<E: Element = f32> {
    weight: Param<E>,
    bias: Param<E>,
    options: ConvOptions,
}

impl<E: Element> Conv2d<E> {
    /// A layer with a square kernel and PyTorch's initialisation, whose bound is `1/sqrt(in * kernel^2)`.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, kernel: usize, options: ConvOptions, rng: &mut Rng) -> Self {
        let shape = [outputs, kernel, kernel, inputs].into();
        let (weight, bias) = init::layer(shape, outputs, inputs * kernel * kernel, rng);
        Self { weight, bias, options }
    }
}

impl<E: Element> Module<E> for Conv2d<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let (weight, bias) = (tape.param(&self.weight), tape.param(&self.bias));
        ops::conv2d(tape, &x, &weight, Some(&bias), self.options)
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        ops::conv2d_values(&x, &self.weight.value, Some(&self.bias.value), self.options)
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        freezer.conv(&self.weight.value, &self.bias.value, self.options, false)
    }

    fn description(&self) -> String {
        format!("Conv2d {:?}", self.options)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("weight", &mut self.weight);
        visitor.param("bias", &mut self.bias);
    }
}

/// 2-D transposed convolution.
///
/// # Shapes
/// Input (N, H, W, in), output (N, H', W', out) with `H' = (H - 1) stride - 2 padding + kernel + output_padding`;
/// `weight` (in, kernel, kernel, out), `bias` (out).
#[derive(Debug)]
pub struct ConvTranspose2d<E: Element = f32> {
    weight: Param<E>,
    bias: Param<E>,
    options: ConvOptions,
}

impl<E: Element> ConvTranspose2d<E> {
    /// A layer with a square kernel and PyTorch's initialisation, whose bound is `1/sqrt(out * kernel^2)`: PyTorch
    /// takes the second axis of its (in, out, kernel, kernel) weight for the inputs.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, kernel: usize, options: ConvOptions, rng: &mut Rng) -> Self {
        let shape = [inputs, kernel, kernel, outputs].into();
        let (weight, bias) = init::layer(shape, outputs, outputs * kernel * kernel, rng);
        Self { weight, bias, options }
    }
}

impl<E: Element> Module<E> for ConvTranspose2d<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let (weight, bias) = (tape.param(&self.weight), tape.param(&self.bias));
        ops::conv_transpose2d(tape, &x, &weight, Some(&bias), self.options)
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        ops::conv_transpose2d_values(&x, &self.weight.value, Some(&self.bias.value), self.options)
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        freezer.conv(&self.weight.value, &self.bias.value, self.options, true)
    }

    fn description(&self) -> String {
        format!("ConvTranspose2d {:?}", self.options)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("weight", &mut self.weight);
        visitor.param("bias", &mut self.bias);
    }
}
