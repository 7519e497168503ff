use crate::error::check_finite;
use crate::{MetricError, Result, quantile};

/// A mean and the interval in which resampled means lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Arithmetic mean of the values as they are.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The percentile bootstrap of a mean (Efron, 1979): `resamples` times as many values as there are are drawn with
/// repetition; the interval goes from the `(1 - confidence) / 2` quantile of their means to the `(1 + confidence) / 2`
/// quantile, both interpolated as by [`quantile`].
///
/// For a paired comparison the values are differences of pairs. `below(n)` draws an index from `0..n`, each equally
/// likely; the same stream gives the same interval. Larger answers count modulo `n`.
///
/// # Errors
/// Empty or non-finite input; [`MetricError::Overflow`] where a sum of the values is beyond the largest `f64`; [`MetricError::Argument`] unless `resamples` is at least 1 and `confidence` lies in (0, 1).
pub fn bootstrap_mean(
    values: &[f64],
    resamples: usize,
    confidence: f64,
    mut below: impl FnMut(usize) -> usize,
) -> Result<Interval> {
    check_finite(values)?;
    if resamples == 0 {
        return Err(MetricError::Argument { name: "resamples", value: 0.0, range: "[1, inf)" });
    }
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(MetricError::Argument { name: "confidence", value: confidence, range: "(0, 1)" });
    }
    let count = values.len();
    let mut mean = || (0..count).map(|_| values[below(count) % count]).sum::<f64>() / count as f64;
    let means: Vec<f64> = (0..resamples).map(|_| mean()).collect();
    let tail = (1.0 - confidence) / 2.0;
    let mean = values.iter().sum::<f64>() / count as f64;
    if !means.iter().chain([&mean]).all(|mean| mean.is_finite()) {
        return Err(MetricError::Overflow);
    }
    Ok(Interval { mean, low: quantile(&means, tail)?, high: quantile(&means, 1.0 - tail)? })
}
