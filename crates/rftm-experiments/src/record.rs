//! What the ledger keeps of a cell that ran.

use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Key};
use crate::environment::Environment;

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The cell's key, as it was when the cell ran.
    pub key: Key,
    /// The full configuration.
    pub cell: Cell,
    /// What came of it.
    pub outcome: Outcome,
    /// Where, when and with which code it ran.
    pub environment: Environment,
}

impl Record {
    /// The results, if the cell finished.
    #[must_use]
    pub fn finished(&self) -> Option<&Finished> {
        match &self.outcome {
            Outcome::Finished(finished) => Some(finished),
            Outcome::Failed { .. } => None,
        }
    }

    /// How the results of two records of one cell differ, which should be the same wherever they were computed; none if
    /// they agree or one has no results.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let (a, b) = (self.finished()?, other.finished()?);
        if a.metrics != b.metrics {
            Some(format!("metrics differ, {:?} and {:?}", a.metrics, b.metrics))
        } else if a.weights != b.weights {
            Some(format!("weights differ, {} and {}", a.weights, b.weights))
        } else {
            None
        }
    }
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Trained and scored.
    Finished(Finished),
    /// Stopped by an error or a panic; the next run tries again.
    Failed {
        /// The reason.
        error: String,
    },
}

/// The results of a finished cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Detection quality on the test set.
    pub metrics: Metrics,
    /// Epochs trained.
    pub epochs: usize,
    /// The epoch whose weights were kept, counted from 1.
    pub best_epoch: usize,
    /// Validation loss of that epoch.
    pub best_validation_loss: f64,
    /// Whether training ended at the epoch limit, not by early stopping.
    pub hit_epoch_limit: bool,
    /// Trainable parameters.
    pub parameters: usize,
    /// SHA-256 of the final weights.
    pub weights: String,
    /// What the training found worth a warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Seconds of training and scoring, over all interrupted parts.
    pub seconds: f64,
}

impl Finished {
    /// Of training and scoring; none for a network that was not trained.
    #[must_use]
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        (self.epochs > 0).then(|| self.seconds / self.epochs as f64)
    }
}

/// Detection quality as fractions (not percent); anomalies are the positive class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Area under the ROC curve.
    pub auroc: f64,
    /// Average precision (step interpolation).
    pub auprc: f64,
    /// Best F1 over all thresholds.
    pub f1: f64,
    /// The score threshold of that F1.
    pub threshold: f64,
}

impl Metrics {
    /// One of the reported metrics.
    #[must_use]
    pub fn get(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Auroc => self.auroc,
            Metric::Auprc => self.auprc,
            Metric::F1 => self.f1,
        }
    }

    /// One of the reported metrics in percent.
    #[must_use]
    pub fn percent(&self, metric: Metric) -> f64 {
        100.0 * self.get(metric)
    }

    /// Whether every number is finite; others cannot be written as JSON and mean a failed cell.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        [self.auroc, self.auprc, self.f1, self.threshold].iter().all(|value| value.is_finite())
    }
}

/// The metrics of the paper's tables, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Area under the ROC curve.
    Auroc,
    /// Average precision.
    Auprc,
    /// Best F1.
    F1,
}

impl Metric {
    /// All of them, in the paper's order.
    pub const ALL: [Self; 3] = [Self::Auroc, Self::Auprc, Self::F1];

    /// As it stands above a column.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Auroc => "AUROC",
            Self::Auprc => "AUPRC",
            Self::F1 => "F1",
        }
    }

    /// As it stands in CSV files.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Auroc => "auroc",
            Self::Auprc => "auprc",
            Self::F1 => "f1",
        }
    }
}
