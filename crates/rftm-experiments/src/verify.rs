//! Checks a results folder against itself: keys against configurations, metrics against scores.

use std::path::Path;

use crate::cell::REVISION;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, TornLine, results_folder};
use crate::record::{Metrics, Record};
use crate::scores::{Scores, read_scores, scores_path};

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Finished cells.
    pub finished: usize,
    /// Failed cells.
    pub failed: usize,
    /// Finished cells whose metrics were computed again from their scores.
    pub recomputed: usize,
    /// Finished cells of another revision of the code.
    pub outdated: usize,
    /// What does not hold.
    pub problems: Vec<String>,
    /// A torn last line.
    pub torn: Option<TornLine>,
}

/// Recomputes every key and, where there are scores, every metric of the ledger in `out`.
///
/// # Errors
/// [`Error::NoLedger`] and those of [`Ledger::read`]; a damaged or missing score file is a problem in the result.
pub fn verify(out: &Path) -> Result<Verification> {
    let (ledger, torn) = Ledger::read_existing(out)?;
    let folder = results_folder(out);
    let mut result = Verification { torn, ..Verification::default() };
    for (first, second) in ledger.contradictions() {
        let (Record { key, cell, .. }, difference) = (first, first.difference(second).unwrap_or_default());
        result.problems.push(format!("{key} ({cell}): two results, the first counts; {difference}"));
    }
    for record in ledger.records() {
        let Record { key, cell, .. } = record;
        if *key != cell.key() {
            result.problems.push(format!("{key} ({cell}): its configuration has the key {}", cell.key()));
        }
        let Some(finished) = record.finished() else {
            result.failed += 1;
            continue;
        };
        result.finished += 1;
        result.outdated += usize::from(cell.revision != REVISION);
        if !scores_path(folder, key).exists() {
            result.problems.push(format!("{key} ({cell}): there are no scores"));
            continue;
        }
        match read_scores(folder, key).and_then(|scores| metrics(&scores)) {
            Ok(metrics) if metrics == finished.metrics => result.recomputed += 1,
            Ok(metrics) => result
                .problems
                .push(format!("{key} ({cell}): its scores give {metrics:?}, the ledger says {:?}", finished.metrics)),
            Err(error) => result.problems.push(format!("{key} ({cell}): {error}")),
        }
    }
    Ok(result)
}

/// The metrics of `scores`.
///
/// # Errors
/// [`Error::Metrics`] if they are undefined: non-finite scores, only one class.
pub fn metrics(scores: &Scores) -> Result<Metrics> {
    let values: Vec<f64> = scores.scores.iter().map(|&score| f64::from(score)).collect();
    let rftm_metrics::Summary { auroc, auprc, f1, threshold } =
        rftm_metrics::Summary::new(&scores.anomalous, &values).map_err(Error::Metrics)?;
    Ok(Metrics { auroc, auprc, f1, threshold })
}
