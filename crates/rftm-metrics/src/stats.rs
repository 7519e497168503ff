use crate::error::check_finite;
use crate::{MetricError, Result};

/// A mean and the standard deviation around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanStd {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with the `ddof` asked for.
    pub std: f64,
}

/// Mean and standard deviation, `sqrt(sum (x - mean)^2 / (n - ddof))`, in two passes.
///
/// `ddof` 0 describes these values (NumPy's default), 1 estimates the population they were drawn from.
///
/// # Errors
/// Empty or non-finite input; [`MetricError::TooFew`] unless there are more than `ddof` values.
pub fn mean_std(values: &[f64], ddof: usize) -> Result<MeanStd> {
    check_finite(values)?;
    if values.len() <= ddof {
        return Err(MetricError::TooFew { values: values.len(), ddof });
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    Ok(MeanStd { mean, std: (squares / (values.len() - ddof) as f64).sqrt() })
}

/// The `q`-quantile with linear interpolation between the two nearest values (NumPy's default, Hyndman-Fan type 7).
///
/// # Errors
/// Empty or non-finite input; [`MetricError::Argument`] unless `q` lies in [0, 1].
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    check_finite(values)?;
    if !(0.0..=1.0).contains(&q) {
        return Err(MetricError::Argument { name: "q", value: q, range: "[0, 1]" });
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = q * (sorted.len() - 1) as f64;
    let below = place.floor();
    let share = place - below;
    let low = sorted[below as usize];
    let high = sorted[(below as usize + 1).min(sorted.len() - 1)];
    // From the nearer end, as NumPy does, so that the result never leaves [low, high].
    Ok(if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) })
}
