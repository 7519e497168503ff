use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

use crate::defaults::HELD_OUT;
use crate::scaling::quantile;
use crate::{Error, Result};

/// How the score is found above which a sample is called anomalous; from the calibration scores alone, so it can be
/// changed at any time without training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// On average over calibrations at most this share of *normal* samples is called anomalous: those with p-value at
    /// most this are. Among n calibration scores the threshold is the `ceil((1 - rate)(n + 1))`-th smallest. How far one
    /// calibration may be off says [`Detector::false_positive_range`](crate::Detector::false_positive_range).
    FalsePositiveRate(f64),
    /// This quantile of the calibration scores, with linear interpolation.
    Quantile(f64),
    /// This share of the training rows is believed to be anomalous itself, and so of the calibration scores: the
    /// quantile of 1 minus it. 0 for clean data: nothing that calibration has seen is anomalous.
    Contamination(f64),
    /// This score.
    Value(f64),
}

/// The score above which a sample is called anomalous, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// How it was found.
    pub rule: Rule,
    /// The score.
    pub value: f64,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // 1/41 has too many digits to be read.
            Self::FalsePositiveRate(rate) => write!(f, "false-positive rate {}", (rate * 1e6).round() / 1e6),
            Self::Quantile(q) => write!(f, "quantile {q} of the calibration scores"),
            Self::Contamination(share) => write!(f, "contamination {share}"),
            Self::Value(_) => f.write_str("given value"),
        }
    }
}

impl Threshold {
    /// From calibration scores in ascending order.
    ///
    /// # Errors
    /// A number out of range, or a rate that so few scores cannot promise.
    pub(crate) fn new(rule: Rule, sorted: &[f32]) -> Result<Self> {
        let value = match rule {
            Rule::FalsePositiveRate(rate) => of_rate(rate, sorted)?,
            Rule::Quantile(q) if (0.0..=1.0).contains(&q) => quantile(sorted, q)?,
            Rule::Quantile(q) => return Err(Error::setting("quantile", format!("{q} is not in [0, 1]"))),
            Rule::Contamination(share) if (0.0..=0.5).contains(&share) => quantile(sorted, 1.0 - share)?,
            Rule::Contamination(share) => {
                return Err(Error::setting("contamination", format!("{share} is not in [0, 0.5]")));
            }
            Rule::Value(value) if value.is_finite() => value,
            Rule::Value(value) => return Err(Error::setting("threshold", format!("{value} is not a finite number"))),
        };
        Ok(Self { rule, value })
    }

    /// Whether a sample of this score is called anomalous. NaN is.
    #[must_use]
    pub fn exceeded_by(&self, score: f32) -> bool {
        score.is_nan() || f64::from(score) > self.value
    }
}

/// Which of so many calibration scores in ascending order is the threshold of a rate, from 1; it may be one too many.
fn rank(rate: f64, count: usize) -> usize {
    // The guard keeps 0.99 * 100, which is 99.00000000000001 for a computer, from becoming 100.
    ((1.0 - rate) * (count as f64 + 1.0) - 1e-9).ceil().max(1.0) as usize
}

/// The 5 % and 95 % points of the true rate of false positives, Beta(count + 1 - rank, rank), over calibrations.
pub(crate) fn rate_range(rate: f64, count: usize) -> Option<[f64; 2]> {
    let rank = rank(rate, count);
    let above = (count + 1).checked_sub(rank)?;
    let beta = Beta::new(above as f64, rank as f64).ok()?;
    Some([0.05, 0.95].map(|share| beta.inverse_cdf(share)))
}

fn of_rate(rate: f64, sorted: &[f32]) -> Result<f64> {
    if !(rate > 0.0 && rate < 1.0) {
        return Err(Error::setting("false-positive rate", format!("{rate} is not between 0 and 1")));
    }
    let count = sorted.len();
    match sorted.get(rank(rate, count) - 1) {
        Some(&score) => Ok(score.into()),
        None => {
            let (needed, least) = ((1.0 / rate - 1e-9).ceil() as usize - 1, 1.0 / (count as f64 + 1.0));
            let remedy = if needed > HELD_OUT {
                format!("more than {HELD_OUT} are never held out: name a quantile or a value")
            } else {
                "fit on more rows, or name a quantile or a value".to_owned()
            };
            let problem = format!(
                "{rate} cannot be promised by {count} calibration scores: that takes {needed}. These reach {} at best; \
                 {remedy}",
                three_digits(least)
            );
            Err(Error::setting("false-positive rate", problem))
        }
    }
}

/// A number in (0, 1] with three significant digits, however small it is.
fn three_digits(x: f64) -> String {
    let digits = (2.0 - x.log10().floor()).max(0.0) as usize;
    format!("{x:.digits$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `(1 + #{calibration scores >= s}) / (n + 1)`, from calibration scores in ascending order. NaN is above all.
pub(crate) fn p_value(score: f32, sorted: &[f32]) -> f64 {
    let below = sorted.partition_point(|&calibration| score.is_nan() || calibration < score);
    (1 + sorted.len() - below) as f64 / (sorted.len() + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hundred() -> Vec<f32> {
        (1..=100).map(|score| score as f32).collect()
    }

    #[test]
    fn each_rule_finds_its_score() {
        let check = |rule, scores: &[f32], expected: f64| {
            assert_eq!(Threshold::new(rule, scores).unwrap(), Threshold { rule, value: expected });
        };
        check(Rule::FalsePositiveRate(0.01), &hundred()[..99], 99.0);
        check(Rule::FalsePositiveRate(0.05), &hundred()[..99], 95.0);
        check(Rule::FalsePositiveRate(0.999), &hundred()[..99], 1.0);
        check(Rule::Quantile(0.5), &hundred(), 50.5);
        check(Rule::Contamination(0.0), &hundred(), 100.0);
        check(Rule::Contamination(0.5), &hundred(), 50.5);
        check(Rule::Value(-3.0), &hundred(), -3.0);
    }

    #[test]
    fn a_rate_is_exceeded_exactly_where_the_p_value_falls_to_it() {
        let scores: Vec<f32> = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8].map(|s| s as f32).to_vec();
        let mut sorted = scores.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        for rate in [0.05, 0.1, 0.25, 0.3, 0.5, 0.95] {
            let threshold = Threshold::new(Rule::FalsePositiveRate(rate), &sorted).unwrap();
            for score in (0..22).map(|half| half as f32 / 2.0) {
                let p = p_value(score, &sorted);
                assert_eq!(threshold.exceeded_by(score), p <= rate + 1e-12, "rate {rate}, score {score}, p {p}");
            }
        }
    }

    #[test]
    fn p_values_count_ties_against_the_sample() {
        for (score, expected) in [(0.0, 1.0), (1.0, 1.0), (100.0, 2.0 / 101.0), (101.0, 1.0 / 101.0)] {
            assert_eq!(p_value(score, &hundred()), expected, "{score}");
        }
    }

    #[test]
    fn nan_is_anomalous() {
        for rule in [Rule::FalsePositiveRate(0.05), Rule::Value(1e9)] {
            assert!(Threshold::new(rule, &hundred()).unwrap().exceeded_by(f32::NAN));
        }
        assert_eq!(p_value(f32::NAN, &hundred()), 1.0 / 101.0);
    }

    #[test]
    fn the_true_rate_lies_where_the_beta_distribution_says() {
        // Beta(1, n) and Beta(n, 1) have quantiles in closed form; the others are scipy.stats.beta.ppf.
        let tail = |n: f64| [0.05_f64, 0.95].map(|share| 1.0 - (1.0 - share).powf(1.0 / n));
        for (rate, count, expected) in [
            (0.01, 99, tail(99.0)),
            (0.01, 100, tail(100.0)),
            (0.999, 99, [0.05_f64, 0.95].map(|share| share.powf(1.0 / 99.0))),
            (0.05, 99, [0.020_108_76, 0.090_073_56]),
            (0.01, 20_000, [0.008_870_84, 0.011_183_85]),
        ] {
            let range = rate_range(rate, count).unwrap();
            for (found, expected) in range.iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-4, "{rate} of {count}: {range:?}");
            }
        }
        assert_eq!(rate_range(0.001, 100), None, "no such threshold");
    }

    #[test]
    fn a_rate_is_shown_however_small() {
        for (count, expected) in [(2, "0.333"), (99, "0.01"), (60, "0.0164"), (20_000, "0.00005"), (12_344, "0.000081")]
        {
            assert_eq!(three_digits(1.0 / (f64::from(count) + 1.0)), expected, "{count}");
        }
    }

    #[test]
    fn what_cannot_be_promised_is_refused() {
        let check = |rule, expected: &str| {
            let message = Threshold::new(rule, &hundred()).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        };
        check(
            Rule::FalsePositiveRate(0.001),
            "false-positive rate: 0.001 cannot be promised by 100 calibration scores: that takes 999. These reach 0.0099 at \
             best; fit on more rows, or name a quantile or a value",
        );
        check(
            Rule::FalsePositiveRate(1e-5),
            "false-positive rate: 0.00001 cannot be promised by 100 calibration scores: that takes 99999. These reach \
             0.0099 at best; more than 20000 are never held out: name a quantile or a value",
        );
        check(Rule::FalsePositiveRate(0.0), "false-positive rate: 0 is not between 0 and 1");
        check(Rule::FalsePositiveRate(f64::NAN), "false-positive rate: NaN");
        check(Rule::Quantile(1.5), "quantile: 1.5 is not in [0, 1]");
        check(Rule::Contamination(0.6), "contamination: 0.6 is not in [0, 0.5]");
        check(Rule::Value(f64::INFINITY), "threshold: inf is not a finite number");
    }
}
