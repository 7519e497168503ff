use rftm_tensor::norm::{self, Norm};
use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// What batch normalisation needs besides its input: scale, shift, and the activation that follows.
#[derive(Debug)]
pub struct BatchNorm<'a, E: Element> {
    /// Scale per channel.
    pub gamma: &'a Var<E>,
    /// Shift per channel.
    pub beta: &'a Var<E>,
    /// Added to the variance.
    pub eps: f64,
    /// Slope of a LeakyReLU applied in the same pass; `None` for no activation.
    pub slope: Option<f64>,
}

/// Batch normalisation with the statistics of this batch, and LeakyReLU, in one operation:
/// `y = leaky((x - mean) / sqrt(variance + eps) * gamma + beta)`, mean and biased variance per channel (last axis).
///
/// Returns the output, and mean and biased variance for the running statistics.
///
/// # Shapes
/// `x` (N, C) or (N, H, W, C), `gamma`, `beta` (C); statistics (C).
///
/// # Errors
/// If the shapes do not fit, or there is only one value per channel: its normalised value would be 0 whatever it is.
pub fn batch_norm<E: Element>(
    tape: &mut Tape<E>,
    x: &Var<E>,
    options: BatchNorm<'_, E>,
) -> Result<(Var<E>, Tensor<E>, Tensor<E>)> {
    let channels = channels(x.value(), options.gamma.value(), options.beta.value())?;
    if x.value().len() < 2 * channels {
        return Err(Error::invalid(
            "batch norm",
            format!(
                "training needs at least 2 values per channel, input {} has {}",
                x.shape(),
                x.value().len() / channels
            ),
        ));
    }
    let (mean, variance) = norm::statistics(x.value(), channels);
    let mut inv_std = Tensor::scratch([channels]);
    for (inv_std, &variance) in inv_std.data_mut().iter_mut().zip(variance.data()) {
        *inv_std = E::from_f64(1.0 / (variance.to_f64() + options.eps).sqrt());
    }
    let record = Normalise {
        x: x.value().clone(),
        mean: mean.clone(),
        inv_std,
        gamma: options.gamma.value().clone(),
        beta: options.beta.value().clone(),
        slope: E::from_f64(options.slope.unwrap_or(1.0)),
        inputs: [x.node(), options.gamma.node(), options.beta.node()],
    };
    let y = norm::forward(x.value(), record.norm());
    let inputs = record.inputs;
    Ok((tape.record(y, &inputs, || record), mean, variance))
}

fn channels<E: Element>(x: &Tensor<E>, gamma: &Tensor<E>, beta: &Tensor<E>) -> Result<usize> {
    let (channels, _) = gamma.rows_cols();
    gamma.expect_shape("batch norm", "gamma", [channels])?;
    beta.expect_shape("batch norm", "beta", [channels])?;
    if x.shape().rank() < 2 || x.dims().last() != Some(&channels) || channels == 0 {
        return Err(Error::shape("batch norm", "x", format!("(N, .., {channels})"), x.shape()));
    }
    Ok(channels)
}

struct Normalise<E: Element> {
    x: Tensor<E>,
    mean: Tensor<E>,
    inv_std: Tensor<E>,
    gamma: Tensor<E>,
    beta: Tensor<E>,
    slope: E,
    inputs: [Option<NodeId>; 3],
}

impl<E: Element> Normalise<E> {
    fn norm(&self) -> Norm<'_, E> {
        Norm { mean: &self.mean, inv_std: &self.inv_std, gamma: &self.gamma, beta: &self.beta, slope: self.slope }
    }
}

impl<E: Element> Backward<E> for Normalise<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let (dx, dgamma, dbeta) = norm::backward(&self.x, dy, self.norm());
        let [x, gamma, beta] = self.inputs;
        sink.add(gamma, || Ok(dgamma))?;
        sink.add(beta, || Ok(dbeta))?;
        sink.add(x, || Ok(dx))
    }
}
