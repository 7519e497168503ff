//! How long a run will still take, from what has been measured so far.

use rftm_models::EpochReport;

use crate::cell::Cell;
use crate::estimate::{Estimator, epochs_left, side_by_side};
use crate::record::Finished;

/// The seconds still to go, cell by cell.
#[derive(Debug)]
pub(crate) struct Remaining<'a> {
    estimator: Estimator<'a>,
    jobs: usize,
    /// One entry a cell of the run.
    cells: Vec<State<'a>>,
}

#[derive(Debug)]
enum State<'a> {
    Waiting(&'a Cell),
    Running(f64),
    Ended,
}

impl<'a> Remaining<'a> {
    pub(crate) fn new(estimator: Estimator<'a>, cells: impl Iterator<Item = &'a Cell>, jobs: usize) -> Self {
        Self { estimator, jobs, cells: cells.map(State::Waiting).collect() }
    }

    /// Notes an epoch of cell `index`; the seconds that cell will still take.
    pub(crate) fn epoch(&mut self, index: usize, cell: &Cell, report: &EpochReport) -> f64 {
        self.estimator.learn_epoch(cell, report.seconds);
        let left = epochs_left(self.estimator.epochs(cell), report, &cell.train) as f64 * report.seconds;
        self.cells[index] = State::Running(left);
        left
    }

    pub(crate) fn finished(&mut self, index: usize, cell: &Cell, finished: &Finished) {
        self.estimator.learn_end(cell, finished);
        self.cells[index] = State::Ended;
    }

    pub(crate) fn failed(&mut self, index: usize) {
        self.cells[index] = State::Ended;
    }

    /// The seconds of all cells that have not ended.
    pub(crate) fn all(&self) -> f64 {
        let left = |cell: &State<'_>| match cell {
            State::Waiting(cell) => self.estimator.seconds(cell),
            State::Running(seconds) => *seconds,
            State::Ended => 0.0,
        };
        side_by_side(self.cells.iter().map(left), self.jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Catalogue;
    use crate::ledger::Ledger;
    use rftm_data::DatasetId;
    use rftm_models::ModelKind;

    fn report(epoch: usize, best_epoch: usize) -> EpochReport {
        let loss = 0.5;
        EpochReport {
            epoch,
            train_loss: loss,
            validation_loss: loss,
            best_validation_loss: loss,
            best_epoch,
            seconds: 2.0,
        }
    }

    #[test]
    fn what_is_left_shrinks_with_the_epochs_and_never_passes_the_limit() {
        let catalogue = Catalogue::builtin().unwrap();
        let dataset = catalogue.protocol.dataset(DatasetId::Mnist).unwrap();
        let variant = catalogue.variant(catalogue.definition("table1").unwrap());
        let cell = catalogue.cell(dataset, 0, ModelKind::Ae, 1997, variant);
        let estimator = Estimator::new(&catalogue.protocol, &Ledger::default(), "a CPU", 1);
        let per_cell = estimator.seconds(&cell);
        let mut remaining = Remaining::new(estimator, [&cell, &cell].into_iter(), 2);
        assert_eq!(remaining.all(), per_cell, "two cells in two jobs");
        let (usual, most) = (catalogue.protocol.estimate.epochs, cell.train.max_epochs);
        assert_eq!(remaining.epoch(0, &cell, &report(1, 1)), (usual - 1) as f64 * 2.0);
        assert_eq!(remaining.epoch(0, &cell, &report(usual + 5, usual + 5)), 10.0 * 2.0, "patience is left in full");
        assert_eq!(remaining.epoch(0, &cell, &report(usual + 5, usual + 1)), 6.0 * 2.0, "four epochs without progress");
        assert_eq!(remaining.epoch(0, &cell, &report(most - 1, most - 1)), 2.0, "the limit is near");
        assert_eq!(
            remaining.all(),
            2.0 * usual as f64,
            "the waiting cell goes by the measured epochs, and is the longest"
        );
        remaining.failed(1);
        assert_eq!(remaining.all(), 2.0, "one job alone cannot share its work");
        remaining.failed(0);
        assert_eq!(remaining.all(), 0.0);
    }
}
