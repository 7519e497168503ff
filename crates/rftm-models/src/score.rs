use rftm_data::{Batches, LastRow, Samples};
use rftm_nn::{Frozen, Inference, Module};
use rftm_tensor::{MAX_RANK, Shape, Tensor, elementwise, reduce};

use crate::Error;

/// Samples scored at once.
pub const SCORING_BATCH: usize = 256;

/// The anomaly score of every sample, Eq. 1: `|| decoder(memory(encoder(x))) - x ||_2`. Higher = more anomalous.
///
/// Each sample is scored by itself, whatever the batch, unless a memory forgets in evaluation
/// ([`forget_in_evaluation`](rftm_memory::UnitConfig::forget_in_evaluation)): then every batch has its own mask, and a score depends
/// on `batch_size` and on the sample's place in the order.
///
/// # Errors
/// If there are no samples, or they do not fit the model.
pub fn scores(model: &dyn Module, samples: &dyn Samples, batch_size: usize) -> Result<Vec<f32>, Error> {
    let mut scores = Vec::with_capacity(samples.len());
    each_batch(model, samples, batch_size, |x, y| Ok(elementwise::row_distances(y, x, &mut scores)?))?;
    Ok(scores)
}

/// What the model makes of some samples.
///
/// # Errors
/// If there are no samples, or they do not fit the model.
pub fn reconstruct(model: &dyn Module, samples: &dyn Samples, batch_size: usize) -> Result<Vec<f32>, Error> {
    let mut all = Vec::with_capacity(samples.len() * samples.features());
    each_batch(model, samples, batch_size, |_, y| {
        all.extend_from_slice(y.data());
        Ok(())
    })?;
    Ok(all)
}

/// A frozen model: the fast way to score, one sample or many.
///
/// Scores equal those of [`scores`] up to rounding (within 1e-4 of their size) and do not depend on the batch. Where
/// rounding decides which of two nearly equal slots a memory reads, or whether a weight is pruned, a rare sample's score
/// differs by more.
#[derive(Debug)]
pub struct Scorer {
    frozen: Frozen,
}

impl Scorer {
    /// Freezes a model as it is now.
    ///
    /// # Errors
    /// If a part of it cannot be frozen.
    pub fn new(model: &dyn Module) -> Result<Self, Error> {
        Ok(Self { frozen: Frozen::new(model)? })
    }

    /// What the model makes of a batch.
    ///
    /// # Errors
    /// If the samples do not fit the model.
    pub fn reconstruct(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(self.frozen.infer(x.clone())?)
    }

    /// The anomaly score of every sample of a batch. Higher = more anomalous.
    ///
    /// # Errors
    /// If the samples do not fit the model.
    pub fn scores(&self, x: &Tensor) -> Result<Vec<f32>, Error> {
        let mut scores = Vec::with_capacity(x.rows_cols().0);
        elementwise::row_distances(&self.reconstruct(x)?, x, &mut scores)?;
        Ok(scores)
    }
}

/// The mean squared error over all samples and features, in evaluation mode. Each sample counts alike, so the last,
/// smaller batch does not weigh more than its share. Beside it the mean square of the samples, to compare it with.
pub(crate) fn validation_loss(
    model: &dyn Module,
    samples: &dyn Samples,
    batch_size: usize,
) -> Result<(f64, f64), Error> {
    let (mut total, mut squares) = (0.0, 0.0);
    each_batch(model, samples, batch_size, |x, y| {
        total += elementwise::mse(y, x)? * x.len() as f64;
        squares += mean_square(x) * x.len() as f64;
        Ok(())
    })?;
    let count = (samples.len() * samples.features()) as f64;
    Ok((total / count, squares / count))
}

/// The mean of the squared elements.
pub(crate) fn mean_square(x: &Tensor) -> f64 {
    f64::from(reduce::dot(x.data(), x.data())) / x.len() as f64
}

/// Runs the model over all samples in order; `each` gets input and reconstruction.
fn each_batch(
    model: &dyn Module,
    samples: &dyn Samples,
    batch_size: usize,
    mut each: impl FnMut(&Tensor, &Tensor) -> Result<(), Error>,
) -> Result<(), Error> {
    let batches = Batches::new(samples.len(), batch_size, LastRow::Keep)?;
    for (rows, pass) in batches.iter().zip(0..) {
        let x = gather(samples, rows)?;
        let y = model.infer(x.clone(), Inference { pass })?;
        each(&x, &y)?;
    }
    Ok(())
}

/// Some samples as a tensor, in memory from the pool: what a model takes.
///
/// # Shapes
/// Result (rows, ...) with the axes of a sample.
///
/// # Errors
/// If samples have more axes than a tensor has beside its first.
///
/// # Panics
/// If a row is not below `samples.len()`.
pub fn gather(samples: &dyn Samples, rows: &[u32]) -> Result<Tensor, Error> {
    let shape = samples.shape();
    let mut dims = [rows.len(); MAX_RANK];
    let rank = 1 + shape.len();
    let Some(inner) = dims.get_mut(1..rank) else {
        let problem = format!("samples of {} axes; at most {} are supported", shape.len(), MAX_RANK - 1);
        return Err(Error::Config { parameter: "samples", problem });
    };
    inner.copy_from_slice(shape);
    let mut x = Tensor::scratch(Shape::new(&dims[..rank])?);
    samples.fill(rows, x.data_mut());
    Ok(x)
}
