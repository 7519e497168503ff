use rftm_autograd::{Tape, Var, ops};
use rftm_tensor::{Element, Result, Shape, Tensor};

use crate::{Freezer, Inference, Module, Visitor};

/// The same elements of every sample in another shape: between the images of a convolution and the rows of a linear layer.
///
/// # Shapes
/// Input (N, ...) with as many elements a sample as the new shape has, output (N, then that shape). Images are (H, W, C).
#[derive(Debug, Clone, Copy)]
pub struct Reshape {
    /// Shape of one sample, behind a batch of one.
    sample: Shape,
}

impl Reshape {
    /// To samples of this shape: `[2048]` flattens images of 2 x 2 pixels and 512 channels, `[2, 2, 512]` is the way back.
    ///
    /// # Errors
    /// More axes than a tensor may have beside its batch, or more elements than memory has addresses.
    pub fn new(sample: &[usize]) -> Result<Self> {
        let with_batch: Vec<usize> = std::iter::once(1).chain(sample.iter().copied()).collect();
        Ok(Self { sample: Shape::new(&with_batch)? })
    }

    fn of<E: Element>(self, x: &Tensor<E>) -> Result<Shape> {
        self.sample.with_batch(x.rows_cols().0)
    }
}

impl<E: Element> Module<E> for Reshape {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let shape = self.of(x.value())?;
        ops::reshape(tape, &x, shape)
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        x.reshape(self.of(&x)?)
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        let reshape = *self;
        freezer.custom(Box::new(move |x| x.reshape(reshape.of(&x)?)))
    }

    fn description(&self) -> String {
        format!("{self:?}")
    }

    fn visit(&mut self, _: &mut dyn Visitor<E>) {}
}
