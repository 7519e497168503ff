use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Result;

/// How numbers are brought to a common size before a model sees them. Learned from the training part of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// Mean 0, standard deviation 1. The default: the score is a mean over columns, and this makes a column of every
    /// unit weigh the same in it, while a value far outside stays far outside.
    #[default]
    Zscore,
    /// Median 0, interquartile range 1.349 (that of a standard normal): for training rows that contain outliers. They count as ten
    /// deviations while the model trains, and in full when rows are scored.
    Robust,
    /// Smallest value -1, largest 1: for columns with fixed bounds.
    Minmax,
}

impl Scaling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Zscore, Self::Robust, Self::Minmax];

    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zscore => "zscore",
            Self::Robust => "robust",
            Self::Minmax => "minmax",
        }
    }
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scaling {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let unknown = || format!("unknown scaling {text:?}; there are zscore, robust and minmax");
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(unknown)
    }
}

/// `(x - shift) * scale`, no farther from 0 than `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// What becomes 0.
    pub shift: f32,
    /// One over the length that becomes 1.
    pub scale: f32,
    /// What lies farther out counts as this: 10 for a column that never changed in training, a million for any other.
    #[serde(default = "anywhere", skip_serializing_if = "is_anywhere")]
    pub limit: f32,
}

/// A scaled number beyond this counts as this: a million deviations are as odd as can be, and a model's arithmetic
/// stays finite.
pub(crate) const SCALED_LIMIT: f32 = 1e6;

fn anywhere() -> f32 {
    SCALED_LIMIT
}

/// Most numbers of a file have this limit; it is written only where it is another one.
fn is_anywhere(limit: &f32) -> bool {
    *limit == SCALED_LIMIT
}

/// A column that never changed in training has no deviation to measure a difference by. Any difference is odd, so one in
/// ten thousand of the value counts as a whole deviation.
const CONSTANT: f64 = 1e-4;

/// The same for a column that was always 0, where "one in ten thousand" says nothing.
const ALWAYS_ZERO: f64 = 1e-3;

/// A change of a constant column counts at most so many deviations, as a category that was not seen does: in thousands of
/// them, one calibration row would put the threshold above everything. It is the same in every row that is scored. A
/// length learned from rows that were held out would treat those better than new ones, and p-values rest on nothing but
/// that calibration rows and new ones are treated alike.
const MOVED: f32 = 10.0;

/// Deviation below which the indicator of a category is not stretched, not even if no row or every row has it: a category
/// of one row in ten thousand would outweigh a hundred other columns.
const CATEGORY_FLOOR: f64 = 0.1;

/// Lengths whose inverse is a number of 32 bits with all its digits, either way. What varies by less is constant.
const LENGTHS: (f64, f64) = (1e-30, 1e37);

impl Affine {
    fn new(shift: f64, length: f64) -> Self {
        let scale = (1.0 / length.clamp(LENGTHS.0, LENGTHS.1)) as f32;
        Self { shift: shift as f32, scale, limit: SCALED_LIMIT }
    }

    /// The number a model sees; NaN of NaN.
    ///
    /// # Panics
    /// If the limit is negative or NaN, which that of a [`Features`](crate::Features) never is.
    #[must_use]
    pub fn apply(self, x: f32) -> f32 {
        ((x - self.shift) * self.scale).clamp(-self.limit, self.limit)
    }

    /// Back to the original unit, of a number within the limit.
    #[must_use]
    pub fn undo(self, scaled: f32) -> f32 {
        scaled / self.scale + self.shift
    }

    /// Pixels in 0..=255 to [-1, 1], as everywhere in this project.
    pub(crate) const PIXELS: Self = Self { shift: 127.5, scale: 1.0 / 127.5, limit: SCALED_LIMIT };

    fn constant(value: f64) -> Self {
        let length = if value == 0.0 { ALWAYS_ZERO } else { CONSTANT * value.abs() };
        Self { limit: MOVED, ..Self::new(value, length) }
    }

    /// Whether it was learned from a column that never changed; of an indicator, from one that all rows had, or none.
    pub(crate) fn is_silent(self, indicator: bool) -> bool {
        if indicator { self.shift == 0.0 || self.shift == 1.0 } else { self.limit == MOVED }
    }

    /// Learned from the values of a column in training rows, of which there is at least one.
    ///
    /// # Errors
    /// Values that are not finite.
    pub(crate) fn learn(scaling: Scaling, values: &[f32]) -> Result<Self> {
        let first = values[0];
        if values.iter().all(|&value| value == first) {
            return Ok(Self::constant(f64::from(first)));
        }
        Ok(match scaling {
            Scaling::Zscore => Self::deviation(values),
            Scaling::Minmax => {
                let (low, high) = values.iter().fold((first, first), |(low, high), &x| (low.min(x), high.max(x)));
                let (low, high) = (f64::from(low), f64::from(high));
                Self::new(low.midpoint(high), (high - low) / 2.0)
            }
            Scaling::Robust => {
                let (median, range) = (quantile(values, 0.5)?, quantile(values, 0.75)? - quantile(values, 0.25)?);
                // More than half of the values are the same: the quartiles say nothing about the rest.
                if range > 0.0 { Self::new(median, range / 1.349) } else { Self::deviation(values) }
            }
        })
    }

    /// Two passes: the textbook's one loses all digits of a column such as a time stamp.
    fn deviation(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        Self::new(mean, variance.sqrt())
    }

    /// For the indicators of a column's categories, which these shares of the rows have: the deviation of all of them
    /// together becomes 1, as that of a numeric column. Each on its own would make a column of fifty categories weigh as
    /// much as fifty others.
    pub(crate) fn indicators(shares: &[f64]) -> impl Iterator<Item = Self> {
        let length = shares.iter().map(|&share| variance(share)).sum::<f64>().sqrt().max(CATEGORY_FLOOR);
        shares.iter().map(move |&share| Self::new(share, length))
    }

    /// For the indicator of everything else, which this share of the rows has: the rarer, the odder.
    pub(crate) fn anything_else(share: f64) -> Self {
        Self::new(share, variance(share).sqrt().max(CATEGORY_FLOOR))
    }
}

/// Of an indicator that is 1 in a share of the rows.
fn variance(share: f64) -> f64 {
    share * (1.0 - share)
}

/// A quantile, with linear interpolation.
pub(crate) fn quantile(values: &[f32], q: f64) -> Result<f64> {
    let values: Vec<f64> = values.iter().copied().map(f64::from).collect();
    Ok(rftm_metrics::quantile(&values, q)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scaling_puts_its_landmarks_in_place() {
        let check = |scaling, values: &[f32], at: &[(f32, f32)]| {
            let affine = Affine::learn(scaling, values).unwrap();
            for &(x, expected) in at {
                assert!((affine.apply(x) - expected).abs() < 1e-5, "{scaling} {x}: {}", affine.apply(x));
                assert!((affine.undo(expected) - x).abs() < 1e-4 * (1.0 + x.abs()), "{scaling} back to {x}");
            }
        };
        check(Scaling::Zscore, &[1.0, 3.0], &[(2.0, 0.0), (3.0, 1.0), (1.0, -1.0)]);
        check(Scaling::Minmax, &[1.0, 2.0, 5.0], &[(1.0, -1.0), (5.0, 1.0), (3.0, 0.0)]);
        check(Scaling::Robust, &[5.0, 1.0, 2.0, 4.0, 3.0], &[(3.0, 0.0), (5.0, 1.349)]);
        check(Scaling::Robust, &[0.0, 0.0, 0.0, 0.0, 5.0], &[(1.0, 0.0), (3.0, 1.0)]);
    }

    #[test]
    fn any_change_of_a_constant_column_is_many_deviations() {
        for scaling in Scaling::ALL {
            let check = |constant: f32, new: f32| {
                let affine = Affine::learn(scaling, &[constant; 4]).unwrap();
                assert_eq!(affine.apply(constant), 0.0);
                assert!(affine.apply(new).abs() > 9.0, "{constant} to {new}: {}", affine.apply(new));
                // It is odd, but not beyond all measure, however far it goes.
                assert_eq!([f32::MAX, -f32::MAX].map(|far| affine.apply(far)), [10.0, -10.0]);
                assert!(affine.apply(f32::NAN).is_nan());
            };
            check(0.0, 1.0);
            check(1000.0, 1001.0);
            check(-3.5e-6, -3.6e-6);
            let small = Affine::learn(scaling, &[1000.0; 4]).unwrap().apply(1000.5);
            assert!((small - 5.0).abs() < 0.01, "a small change counts less: {small}");
        }
        assert!(Affine::anything_else(0.0).apply(1.0) > 9.0);
        assert!(Affine::anything_else(1.0).apply(0.0) < -9.0);
        for share in [0.0, 1e-4, 1.0] {
            let affine = Affine::anything_else(share);
            assert!(affine.apply(1.0).abs().max(affine.apply(0.0).abs()) < 10.1, "{share}");
        }
    }

    #[test]
    fn categories_together_weigh_as_much_as_a_number() {
        for shares in [vec![0.5, 0.5], vec![0.02; 50], vec![0.9, 0.05, 0.05]] {
            // The mean square of the scaled indicators over the rows.
            let each = Affine::indicators(&shares).zip(&shares);
            let total: f32 = each
                .map(|(affine, &share)| {
                    let share = share as f32;
                    share * affine.apply(1.0).powi(2) + (1.0 - share) * affine.apply(0.0).powi(2)
                })
                .sum();
            assert!((total - 1.0).abs() < 1e-4, "{shares:?}: {total}");
        }
    }

    #[test]
    fn lengths_beyond_32_bits_leave_usable_numbers() {
        for scaling in Scaling::ALL {
            for values in [
                [1e-42_f32; 3],
                [-3e38; 3],
                [0.0, 3e-44, 6e-44],
                [-f32::MAX, 0.0, f32::MAX],
                [f32::MIN_POSITIVE, 1e-39, 2e-39],
            ] {
                let affine = Affine::learn(scaling, &values).unwrap();
                let scaled = values.map(|x| affine.apply(x));
                assert!(
                    affine.scale.is_normal() && (1.0 / affine.scale).is_normal(),
                    "{scaling} {values:?}: {affine:?}"
                );
                assert!(affine.shift.is_finite() && scaled.iter().all(|x| x.abs() < 100.0), "{values:?}: {scaled:?}");
            }
        }
    }

    #[test]
    fn a_time_stamp_keeps_its_deviation() {
        let values: Vec<f32> = (0..1000).map(|second| 1.7e9 + 1024.0 * second as f32).collect();
        let affine = Affine::learn(Scaling::Zscore, &values).unwrap();
        assert!((affine.apply(values[999]) - 3_f32.sqrt()).abs() < 1e-2);
    }
}
