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
/// Empty or non-finite input; [`MetricError::TooFew`] unless there are more than `ddof` values;
/// [`MetricError::Overflow`] where the deviation itself is beyond the largest `f64`.
pub fn mean_std(values: &[f64], ddof: usize) -> Result<MeanStd> {
    check_finite(values)?;
    if values.len() <= ddof {
        return Err(MetricError::TooFew { values: values.len(), ddof });
    }
    let found = two_passes(values, ddof);
    if found.mean.is_finite() && found.std.is_finite() {
        return Ok(found);
    }
    // A sum or a square has overflowed, not yet the result: once more in units of the largest value.
    let unit = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let scaled: Vec<f64> = values.iter().map(|value| value / unit).collect();
    let found = two_passes(&scaled, ddof);
    let std = found.std * unit;
    if std.is_finite() { Ok(MeanStd { mean: found.mean * unit, std }) } else { Err(MetricError::Overflow) }
}

fn two_passes(values: &[f64], ddof: usize) -> MeanStd {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    MeanStd { mean, std: (squares / (values.len() - ddof) as f64).sqrt() }
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
    if !(high - low).is_finite() {
        // They have different signs, so this sum stays between them.
        return Ok(low * (1.0 - share) + high * share);
    }
    // From the nearer end, as NumPy does, so that the result never leaves [low, high].
    Ok(if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_values_do_not_overflow() {
        let (low, high) = (f64::MIN, f64::MAX);
        for (q, expected) in [(0.0, low), (0.5, 0.0), (1.0, high)] {
            assert_eq!(quantile(&[high, low], q).unwrap(), expected, "{q}");
        }
        let power = 2.0_f64.powi(1023);
        assert_eq!(quantile(&[power, -power], 0.25).unwrap(), -power / 2.0);
        assert_eq!(mean_std(&[high, high, high], 1).unwrap(), MeanStd { mean: high, std: 0.0 });
        assert_eq!(mean_std(&[high, low], 0).unwrap(), MeanStd { mean: 0.0, std: high });
        assert_eq!(mean_std(&[0.0, power], 0).unwrap(), MeanStd { mean: power / 2.0, std: power / 2.0 });
        assert_eq!(mean_std(&[high, low], 1), Err(MetricError::Overflow));
    }
}
