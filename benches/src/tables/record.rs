//! What is measured, one JSON line each. The document is made from these lines and from nothing else.

use anyhow::Result;
use rftm_metrics::{auroc, average_precision};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::Detector;
use crate::machine::Circumstances;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A run of `tables` begins.
    Run(Run),
    /// A detector on a split.
    Outcome(Outcome),
    /// A detector that did not score a split.
    Failed {
        /// The table.
        table: String,
        /// The split's seed.
        seed: u64,
        /// The detector's name.
        detector: String,
        /// Why.
        reason: String,
    },
}

/// A run's circumstances, and how it measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Machine, code and command.
    #[serde(flatten)]
    pub circumstances: Circumstances,
    /// Threads of every detector.
    pub threads: usize,
}

/// Times of a detector on a split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds to fit.
    pub fit_s: f64,
    /// Seconds to score all test rows at once.
    pub score_s: f64,
    /// Milliseconds to score one row alone, the median of many.
    pub single_ms: f64,
}

/// A detector on a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The table.
    pub table: String,
    /// The split's seed.
    pub seed: u64,
    /// The detector's name.
    pub detector: String,
    /// Rows it was fitted on.
    pub train: usize,
    /// Rows it scored.
    pub test: usize,
    /// How many of them are anomalies.
    pub anomalies: usize,
    /// Columns.
    pub columns: usize,
    /// Area under the ROC curve.
    pub auroc: f64,
    /// Average precision.
    pub average_precision: f64,
    /// Times.
    #[serde(flatten)]
    pub measured: Measured,
    /// Versions, of a peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
}

impl Outcome {
    /// From scores and labels of the test rows.
    ///
    /// # Errors
    /// If the scores are not as many as the labels, or one is not a number.
    pub fn new(
        (table, seed, detector): (&str, u64, &str),
        split: &super::data::Split,
        scores: &[f64],
        measured: Measured,
        versions: Option<String>,
    ) -> Result<Self> {
        let labels = &split.anomalous;
        Ok(Self {
            table: table.to_owned(),
            seed,
            detector: detector.to_owned(),
            train: split.train.nrows(),
            test: labels.len(),
            anomalies: labels.iter().filter(|&&label| label).count(),
            columns: split.train.ncols(),
            auroc: auroc(labels, scores)?,
            average_precision: average_precision(labels, scores)?,
            measured,
            versions,
        })
    }
}

/// The last outcome for every table, seed and detector: what was measured again replaces what stood there. Detectors in
/// the order of [`Detector::ALL`].
#[must_use]
pub fn latest(records: &[Record]) -> BTreeMap<(String, Detector, u64), Outcome> {
    let outcomes = records.iter().filter_map(|record| match record {
        Record::Outcome(outcome) => Some(outcome),
        _ => None,
    });
    let keyed = outcomes.filter_map(|outcome| {
        let detector = outcome.detector.parse().ok()?;
        Some(((outcome.table.clone(), detector, outcome.seed), outcome.clone()))
    });
    keyed.collect()
}
