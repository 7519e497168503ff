use crate::error::check_finite;
use crate::{MetricError, Result};

/// Counts in bins of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The `bins + 1` ascending edges. A bin holds its left edge; only the last bin holds its right edge, too.
    pub edges: Vec<f64>,
    /// Values in each bin.
    pub counts: Vec<u64>,
    /// Values outside the range, in no bin.
    pub outside: u64,
}

/// Counts `values` in `bins` bins of equal width over `low..=high` (NumPy's `histogram` with a range).
///
/// Two groups of scores compare only in the same bins: take the range over both.
///
/// # Errors
/// Empty or non-finite values; [`MetricError::Argument`] for no bins or a range that is not finite and ascending.
pub fn histogram(values: &[f64], bins: usize, (low, high): (f64, f64)) -> Result<Histogram> {
    check_finite(values)?;
    if bins == 0 {
        return Err(MetricError::Argument { name: "bins", value: 0.0, range: "[1, inf)" });
    }
    let width = high - low;
    if !(width.is_finite() && width > 0.0) {
        return Err(MetricError::Argument { name: "high - low", value: width, range: "(0, inf)" });
    }
    let mut edges: Vec<f64> = (0..=bins).map(|bin| low + bin as f64 * (width / bins as f64)).collect();
    edges[bins] = high;
    let mut result = Histogram { edges, counts: vec![0; bins], outside: 0 };
    for &value in values {
        if value < low || value > high {
            result.outside += 1;
            continue;
        }
        // The edges decide, not `(value - low) / width`, which rounds values at an edge into either bin.
        let bin = result.edges.partition_point(|edge| *edge <= value).clamp(1, bins) - 1;
        result.counts[bin] += 1;
    }
    Ok(result)
}

/// `(x - min) / (max - min)`: the values moved to [0, 1], as score figures show them. All 0 if the values are equal.
///
/// # Errors
/// Empty or non-finite input; [`MetricError::Argument`] if `max - min` overflows.
pub fn min_max(values: &[f64]) -> Result<Vec<f64>> {
    check_finite(values)?;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = high - low;
    if !width.is_finite() {
        return Err(MetricError::Argument { name: "max - min", value: width, range: "[0, inf)" });
    }
    let scale = if width > 0.0 { width } else { 1.0 };
    Ok(values.iter().map(|value| (value - low) / scale).collect())
}
