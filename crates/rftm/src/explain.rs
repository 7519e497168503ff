use std::fmt;

use serde::Serialize;

use crate::detector::Detector;
use crate::features::indicator;
use crate::{Column, Data, Error, Features, Layout, Result};

/// Why a sample has its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Number of the sample, from 0.
    pub sample: usize,
    /// Its score. Higher = more anomalous.
    pub score: f32,
    /// Its conformal p-value.
    pub p_value: f64,
    /// Whether the score exceeds the threshold.
    pub anomalous: bool,
    /// Every number of the sample with its share in the score, the largest share first.
    pub contributions: Vec<Contribution>,
    /// Shares in the score in the order of the sample's numbers; they sum to 1 (or are all 0, for a score of 0).
    pub shares: Vec<f64>,
    /// The sample as the model expected it, in the units of the data.
    pub expected: Vec<f32>,
    /// The normal patterns it was compared with: slots of the memory, decoded, the heaviest first. None for a plain
    /// autoencoder.
    pub patterns: Vec<Pattern>,
}

/// What one number of a sample adds to its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contribution {
    /// Which number of the sample.
    pub index: usize,
    /// Its name: a column; of a series the column and the row of the window, from 0.
    pub name: String,
    /// What was observed.
    pub observed: Value,
    /// What the model expected.
    pub expected: Value,
    /// Its share in the score, 0 to 1.
    pub share: f64,
}

/// A slot of the memory, decoded: a normal pattern as the model knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pattern {
    /// Number of the slot.
    pub slot: usize,
    /// Its share in what the memory answered.
    pub weight: f32,
    /// The decoded slot in the units of the data.
    pub values: Vec<f32>,
}

/// A number of a sample, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f32),
    /// A category.
    Category(String),
    /// Nothing: the value was missing.
    Missing,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(0.0) => f.pad("0"),
            Self::Number(x) if (1e-3..1e6).contains(&x.abs()) => {
                // Four significant digits, which is more than an expectation is worth.
                let digits = (3 - x.abs().log10().floor() as i32).max(0) as usize;
                f.pad(&format!("{x:.digits$}"))
            }
            Self::Number(x) => f.pad(&format!("{x:.3e}")),
            Self::Category(name) => f.pad(name),
            Self::Missing => f.pad("(missing)"),
        }
    }
}

impl Detector {
    /// Explains some samples, with at most so many patterns each.
    ///
    /// Contributions are residuals: where the sample is not as the model expected it. A number can be unexpected because
    /// *another* is odd, so read them as "look here", not as a cause.
    ///
    /// # Errors
    /// As [`score`](Self::score), or a number that is no sample's.
    pub fn explain(&self, data: &Data, samples: &[usize], patterns: usize) -> Result<Vec<Explanation>> {
        self.features().check(data, 1)?;
        if let Some(sample) = samples.iter().find(|&&sample| sample >= data.len()) {
            return Err(Error::setting("sample", format!("{sample} of {}, counted from 0", data.len())));
        }
        let chosen: Vec<u32> = samples.iter().map(|&sample| sample as u32).collect();
        let scores = self.score_samples(data, &chosen)?;
        let mut all = Vec::with_capacity(samples.len());
        let indicators = self.features().indicators(data.layout());
        self.each_batch(data, &chosen, |x, y| {
            let slots = self.model().patterns(x, patterns)?;
            for (row, slots) in slots.into_iter().enumerate() {
                let sample = samples[all.len()];
                let decoded = |slot: rftm_models::Pattern| Pattern {
                    slot: slot.slot,
                    weight: slot.weight,
                    values: self.features().decode(&slot.decoded),
                };
                let (score, shares) = (scores[all.len()], self.features().shares(x.row(row), y.row(row)));
                let expected = self.features().decode(y.row(row));
                let observed = self.features().known(data.sample(sample), &indicators);
                let contributions = self.features().contributions(&observed, &expected, &shares);
                let (p_value, anomalous) = (self.p_value(score), self.is_anomalous(score));
                let patterns = slots.into_iter().map(decoded).collect();
                all.push(Explanation { sample, score, p_value, anomalous, contributions, shares, expected, patterns });
            }
            Ok(())
        })?;
        Ok(all)
    }
}

impl Features {
    /// How many numbers a model sees for each number of a sample.
    fn spans(&self) -> impl Iterator<Item = usize> {
        let columns = self.layout.row_width();
        (0..self.layout.sample_width()).map(move |index| self.span(index % columns))
    }

    /// A sample in the units of the data, from the numbers of a model; of a category the likeliest, which is
    /// [`Column::UNSEEN`] where that is "anything else".
    pub(crate) fn decode(&self, scaled: &[f32]) -> Vec<f32> {
        let mut at = 0;
        let columns = self.layout.row_width();
        let value = |(number, span): (usize, usize)| {
            let original = |index: usize| self.affine(index).undo(scaled[index]);
            let (first, end) = (at, at + span);
            at = end;
            if self.layout.levels(number % columns).is_none() {
                return original(first);
            }
            let likeliest = (first..end).max_by(|&a, &b| original(a).total_cmp(&original(b)));
            let known = likeliest.filter(|&index| index + 1 < end);
            known.map_or(Column::UNSEEN, |index| (index - first) as f32)
        };
        self.spans().enumerate().map(value).collect()
    }

    /// The share of each number of a sample in the squared error.
    fn shares(&self, x: &[f32], y: &[f32]) -> Vec<f64> {
        let mut squares = x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2));
        let errors: Vec<f64> = self.spans().map(|span| squares.by_ref().take(span).sum()).collect();
        let total: f64 = errors.iter().sum();
        errors.iter().map(|error| if total > 0.0 { error / total } else { 0.0 }).collect()
    }

    /// A sample whose categories are numbered as the model does it.
    fn known(&self, raw: &[f32], indicators: &[Vec<usize>]) -> Vec<f32> {
        let one = |(index, &value): (usize, &f32)| match self.layout.levels(index % self.layout.row_width()) {
            Some(levels) if !value.is_nan() => match indicator(value, &indicators[index], levels.len()) {
                place if place < levels.len() => place as f32,
                _ => Column::UNSEEN,
            },
            _ => value,
        };
        raw.iter().enumerate().map(one).collect()
    }

    fn contributions(&self, observed: &[f32], expected: &[f32], shares: &[f64]) -> Vec<Contribution> {
        let one = |index: usize| Contribution {
            index,
            name: self.name(index),
            observed: self.value(index, observed[index]),
            expected: self.value(index, expected[index]),
            share: shares[index],
        };
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        order.into_iter().map(one).collect()
    }

    /// What a number of a sample is called.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        let columns = self.layout.row_width();
        match &self.layout {
            Layout::Series { columns: names, .. } => format!("{}[{}]", names[index % columns], index / columns),
            other => other.name(index),
        }
    }

    /// A number of a sample, as it is shown.
    #[must_use]
    pub fn value(&self, index: usize, value: f32) -> Value {
        match self.layout.levels(index % self.layout.row_width()) {
            _ if value.is_nan() => Value::Missing,
            None => Value::Number(value),
            Some(levels) => {
                let name = levels.iter().zip(0_u32..).find(|(_, level)| value == *level as f32);
                Value::Category(name.map_or_else(|| UNKNOWN.to_owned(), |(name, _)| name.clone()))
            }
        }
    }
}

/// A category without an indicator.
const UNKNOWN: &str = "(rare or not seen in training)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_four_digits() {
        let check = |x: f32, expected: &str| assert_eq!(Value::Number(x).to_string(), expected);
        check(0.0, "0");
        check(1.5, "1.500");
        check(-123.456, "-123.5");
        check(99999.0, "99999");
        check(0.0123, "0.01230");
        check(1e-7, "1.000e-7");
        check(2.5e9, "2.500e9");
    }
}
