use rftm_autograd::{Param, Tape, Var, ops};
use rftm_tensor::norm::{self, Norm};
use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Freezer, Inference, Module, Visitor};

/// Share of the new batch in the running statistics; PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation (Ioffe and Szegedy, 2015) per channel, optionally with the LeakyReLU that follows it in the same
/// pass over memory.
///
/// In training `y = leaky((x - mean) / sqrt(variance + 1e-5) * weight + bias)` with mean and biased variance of the
/// batch; the running statistics move a tenth of the way to the batch's mean and unbiased variance. In evaluation the
/// running statistics take the batch's place.
///
/// # Shapes
/// Input and output (N, C) or (N, H, W, C); `weight`, `bias`, `running_mean`, `running_var` (C).
///
/// # Errors
/// Training on a single value per channel is refused.
#[derive(Debug)]
pub struct BatchNorm<E: Element = f32> {
    weight: Param<E>,
    bias: Param<E>,
    running_mean: Tensor<E>,
    running_var: Tensor<E>,
    slope: Option<f64>,
}

impl<E: Element> BatchNorm<E> {
    /// Added to the variance before its root is taken; PyTorch's default.
    pub const EPS: f64 = 1e-5;

    /// Normalises `channels` channels: weight 1, bias 0, running mean 0, running variance 1.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self {
            weight: Param::new(Tensor::full([channels], E::ONE)),
            bias: Param::new(Tensor::zeros([channels])),
            running_mean: Tensor::zeros([channels]),
            running_var: Tensor::full([channels], E::ONE),
            slope: None,
        }
    }

    /// With a LeakyReLU of this slope behind it.
    #[must_use]
    pub fn with_leaky_relu(self, slope: f64) -> Self {
        Self { slope: Some(slope), ..self }
    }
}

impl<E: Element> Module<E> for BatchNorm<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let (gamma, beta) = (tape.param(&self.weight), tape.param(&self.bias));
        let options = ops::BatchNorm { gamma: &gamma, beta: &beta, eps: Self::EPS, slope: self.slope };
        let (y, mean, variance) = ops::batch_norm(tape, &x, options)?;
        let count = (y.value().len() / mean.len()) as f64;
        blend(&mut self.running_mean, &mean, 1.0);
        blend(&mut self.running_var, &variance, count / (count - 1.0));
        Ok(y)
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        let channels = self.running_mean.len();
        if channels == 0 || x.shape().rank() < 2 || x.dims().last() != Some(&channels) {
            return Err(Error::shape("batch norm", "x", format!("(N, .., {channels})"), x.shape()));
        }
        let mut inv_std = Tensor::scratch([channels]);
        for (inv_std, variance) in inv_std.data_mut().iter_mut().zip(self.running_var.data()) {
            *inv_std = E::from_f64(1.0 / (variance.to_f64() + Self::EPS).sqrt());
        }
        Ok(norm::forward(
            &x,
            Norm {
                mean: &self.running_mean,
                inv_std: &inv_std,
                gamma: &self.weight.value,
                beta: &self.bias.value,
                slope: E::from_f64(self.slope.unwrap_or(1.0)),
            },
        ))
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        let (mut scale, mut shift) = (self.weight.value.clone(), self.bias.value.clone());
        for (scale, variance) in scale.data_mut().iter_mut().zip(self.running_var.data()) {
            *scale = E::from_f64(scale.to_f64() / (variance.to_f64() + Self::EPS).sqrt());
        }
        for ((shift, &scale), &mean) in shift.data_mut().iter_mut().zip(scale.data()).zip(self.running_mean.data()) {
            *shift -= mean * scale;
        }
        freezer.affine(scale, shift)?;
        self.slope.map_or(Ok(()), |slope| freezer.leaky_relu(slope))
    }

    fn description(&self) -> String {
        format!("BatchNorm {{ slope: {:?} }}", self.slope)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("weight", &mut self.weight);
        visitor.param("bias", &mut self.bias);
        visitor.buffer("running_mean", &mut self.running_mean);
        visitor.buffer("running_var", &mut self.running_var);
    }
}

/// Moves a running statistic towards `factor * batch`.
fn blend<E: Element>(running: &mut Tensor<E>, batch: &Tensor<E>, factor: f64) {
    for (running, batch) in running.data_mut().iter_mut().zip(batch.data()) {
        *running = E::from_f64((1.0 - MOMENTUM) * running.to_f64() + MOMENTUM * factor * batch.to_f64());
    }
}
