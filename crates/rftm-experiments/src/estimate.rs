//! How long cells take: measured on this machine where the ledger knows, otherwise from the arithmetic of a step.

use std::collections::BTreeMap;
use std::fmt;

use rftm_data::DatasetId;
use rftm_models::{EpochReport, ModelKind, TrainConfig};

use crate::arm::Arm;
use crate::cell::Cell;
use crate::definition::Variant;
use crate::ledger::Ledger;
use crate::protocol::Protocol;
use crate::record::Finished;
use crate::spec;

/// Predicts seconds and epochs of cells.
#[derive(Clone, Debug)]
pub struct Estimator<'a> {
    protocol: &'a Protocol,
    threads: usize,
    measured: BTreeMap<Like, Measured>,
}

/// Cells that take equally long: data set, model, arm, padding.
type Like = (DatasetId, ModelKind, Arm, Option<usize>);

fn like(cell: &Cell) -> Like {
    let Variant { arm, padding, .. } = spec::variant_of(cell);
    (cell.dataset, cell.kind(), arm, padding)
}

/// Without sparsification every query reads every slot: 5.3 s an epoch where the whole model took 2.1 s (Fashion-MNIST, one
/// thread of an AMD EPYC).
const DENSE: f64 = 2.5;

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    epochs: usize,
    seconds: f64,
    /// Epochs of cells that ended by early stopping, which is what limits a run that may go on for longer.
    stopped_cells: usize,
    stopped_epochs: usize,
}

/// What an estimate rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// Cells whose time per epoch was measured on this machine with as many threads.
    pub measured: usize,
    /// Cells whose time follows from the arithmetic of a step and an assumed speed.
    pub assumed: usize,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.measured, self.assumed) {
            (0, _) => write!(f, "from the arithmetic of a step at an assumed speed; nothing measured yet"),
            (_, 0) => write!(f, "from cells measured on this machine"),
            (measured, assumed) => {
                write!(f, "{measured} cells from measurements on this machine, {assumed} from an assumed speed")
            }
        }
    }
}

impl<'a> Estimator<'a> {
    /// Learns from the cells that `ledger` has from this `cpu` with as many `threads` inside a cell.
    #[must_use]
    pub fn new(protocol: &'a Protocol, ledger: &Ledger, cpu: &str, threads: usize) -> Self {
        let mut estimator = Self { protocol, threads, measured: BTreeMap::new() };
        for record in ledger.records() {
            if let Some(finished) = record.finished()
                && finished.epochs > 0
                && record.environment.cpu == cpu
                && record.environment.threads == threads
            {
                let measured = estimator.measured.entry(like(&record.cell)).or_default();
                measured.epochs += finished.epochs;
                measured.seconds += finished.seconds;
                estimator.learn_end(&record.cell, finished);
            }
        }
        estimator
    }

    /// Takes an epoch that has just been trained into account.
    pub(crate) fn learn_epoch(&mut self, cell: &Cell, seconds: f64) {
        let measured = self.measured.entry(like(cell)).or_default();
        measured.epochs += 1;
        measured.seconds += seconds;
    }

    /// Takes a cell that has just finished into account.
    pub(crate) fn learn_end(&mut self, cell: &Cell, finished: &Finished) {
        // An untrained network says nothing about early stopping either.
        if !finished.hit_epoch_limit && finished.epochs > 0 {
            let measured = self.measured.entry(like(cell)).or_default();
            measured.stopped_cells += 1;
            measured.stopped_epochs += finished.epochs;
        }
    }

    /// The epochs the cell will probably train.
    #[must_use]
    pub fn epochs(&self, cell: &Cell) -> usize {
        let usual = match self.measured.get(&like(cell)) {
            Some(measured) if measured.stopped_cells > 0 => measured.stopped_epochs / measured.stopped_cells,
            _ => self.protocol.estimate.epochs,
        };
        usual.min(cell.train.max_epochs)
    }

    /// Seconds of one epoch of the cell, and whether they were measured.
    #[must_use]
    pub fn seconds_per_epoch(&self, cell: &Cell) -> (f64, bool) {
        match self.measured.get(&like(cell)) {
            Some(measured) if measured.epochs > 0 => (measured.seconds / measured.epochs as f64, true),
            _ => (assumed_seconds_per_epoch(self.protocol, cell) / self.threads as f64, false),
        }
    }

    /// Seconds of the whole cell.
    #[must_use]
    pub fn seconds(&self, cell: &Cell) -> f64 {
        self.seconds_per_epoch(cell).0 * self.epochs(cell) as f64
    }

    /// Seconds of all `cells` with `jobs` side by side, at least those of the longest, and what that rests on.
    #[must_use]
    pub fn total<'c>(&self, cells: impl Iterator<Item = &'c Cell>, jobs: usize) -> (f64, Basis) {
        let mut basis = Basis::default();
        let each = cells.map(|cell| {
            if self.seconds_per_epoch(cell).1 {
                basis.measured += 1
            } else {
                basis.assumed += 1
            }
            self.seconds(cell)
        });
        (side_by_side(each, jobs), basis)
    }
}

/// The epochs a training still needs: at the latest when patience runs out without an improvement, but not before the
/// `usual` number of epochs.
#[must_use]
pub fn epochs_left(usual: usize, report: &EpochReport, train: &TrainConfig) -> usize {
    let patience = train.patience.saturating_sub(report.epoch.saturating_sub(report.best_epoch));
    let most = train.max_epochs.saturating_sub(report.epoch);
    usual.saturating_sub(report.epoch).max(patience).min(most)
}

/// The seconds of trainings that each need as many as `each` says: evenly shared among `jobs`, but at least the longest.
#[must_use]
pub fn side_by_side(each: impl Iterator<Item = f64>, jobs: usize) -> f64 {
    let (mut total, mut longest) = (0.0_f64, 0.0_f64);
    for seconds in each {
        (total, longest) = (total + seconds, longest.max(seconds));
    }
    longest.max(total / jobs as f64)
}

/// Seconds of the whole cell on one thread, from the protocol alone: the same on every machine.
#[must_use]
pub(crate) fn assumed_seconds(protocol: &Protocol, cell: &Cell) -> f64 {
    assumed_seconds_per_epoch(protocol, cell) * protocol.estimate.epochs.min(cell.train.max_epochs) as f64
}

fn assumed_seconds_per_epoch(protocol: &Protocol, cell: &Cell) -> f64 {
    let Some(dataset) = protocol.dataset(cell.dataset) else { return 0.0 };
    // One class is removed, then a tenth is held out. Scoring the tenth costs a third of training on it: 0.9 + 0.1 / 3.
    let samples = dataset.train_samples as f64 * (1.0 - 1.0 / dataset.classes.len() as f64) * (0.9 + 0.1 / 3.0);
    let gflop = dataset.step_gflop.get(&cell.kind()).copied().unwrap_or_default();
    let dense = if Arm::of(&cell.model.memory) == Arm::NoSparsification { DENSE } else { 1.0 };
    dense * samples / cell.train.batch_size as f64 * gflop / protocol.estimate.gflop_per_second_and_thread
}

/// Seconds as people read them: "45 s", "12 min", "3 h 05 min", "2 d 4 h".
#[must_use]
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole, whole.div_ceil(60)) {
        (0..90, _) => format!("{whole} s"),
        (_, minutes @ 0..90) => format!("{minutes} min"),
        (_, minutes @ 0..2880) => format!("{} h {:02} min", minutes / 60, minutes % 60),
        (_, minutes) => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (seconds, expected) in [
            (-1.0, "0 s"),
            (0.4, "0 s"),
            (89.4, "89 s"),
            (90.0, "2 min"),
            (5_340.0, "89 min"),
            (5_341.0, "1 h 30 min"),
            (10_800.0, "3 h 00 min"),
            (200_000.0, "2 d 7 h"),
        ] {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
