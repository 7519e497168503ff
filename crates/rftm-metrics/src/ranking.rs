//! The one sort behind every ranking metric: cumulative counts at each distinct score.

use crate::error::check_finite;
use crate::{MetricError, Result};

/// Counts of what the rule `score >= threshold` calls positive, thresholds descending.
pub(crate) struct Ranking {
    pub(crate) levels: Vec<Level>,
    pub(crate) positives: u64,
    pub(crate) negatives: u64,
}

/// One distinct score and everything at or above it.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    pub(crate) threshold: f64,
    pub(crate) true_positives: u64,
    pub(crate) false_positives: u64,
}

impl Level {
    pub(crate) fn predicted(self) -> u64 {
        self.true_positives + self.false_positives
    }

    /// TP / (TP + FP); never 0/0, because a level has at least one sample.
    pub(crate) fn precision(self) -> f64 {
        self.true_positives as f64 / self.predicted() as f64
    }
}

impl Ranking {
    pub(crate) fn new(labels: &[bool], scores: &[f64]) -> Result<Self> {
        if labels.len() != scores.len() {
            return Err(MetricError::LengthMismatch { labels: labels.len(), scores: scores.len() });
        }
        check_finite(scores)?;
        let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
        order.sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));

        let mut levels: Vec<Level> = Vec::new();
        let (mut true_positives, mut false_positives) = (0, 0);
        for (threshold, positive) in order {
            true_positives += u64::from(positive);
            false_positives += u64::from(!positive);
            let level = Level { threshold, true_positives, false_positives };
            match levels.last_mut() {
                // `==`, not the bits: 0.0 and -0.0 are one score.
                Some(last) if last.threshold == threshold => *last = level,
                _ => levels.push(level),
            }
        }
        Ok(Self { levels, positives: true_positives, negatives: false_positives })
    }

    pub(crate) fn require_both_classes(&self) -> Result<()> {
        if self.positives == 0 || self.negatives == 0 {
            return Err(MetricError::OneClass { positives: self.positives, negatives: self.negatives });
        }
        Ok(())
    }

    /// Recall, by scikit-learn's convention 1 everywhere when there is nothing to recall.
    pub(crate) fn recall(&self, level: Level) -> f64 {
        if self.positives == 0 { 1.0 } else { level.true_positives as f64 / self.positives as f64 }
    }
}
