//! What a run tells whoever watches it. This crate prints nothing.

use rftm_models::EpochReport;

use crate::cell::{Cell, Key};
use crate::estimate::Basis;
use crate::ledger::TornLine;
use crate::record::Record;
use crate::runner::Parallelism;

/// Receives the events of a run, from several threads.
pub trait Reporter: Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// What happened. Times are in seconds.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The ledger's last line was torn and has been dropped.
    TornLine(&'a TornLine),
    /// The run begins.
    Begin {
        /// Cells to run.
        cells: usize,
        /// Cells that the ledger has already.
        skipped: usize,
        /// Jobs and threads.
        parallelism: Parallelism,
        /// How long it will take.
        seconds: f64,
        /// What that rests on.
        basis: Basis,
    },
    /// A cell begins.
    Started {
        /// Its key.
        key: &'a Key,
        /// The cell.
        cell: &'a Cell,
    },
    /// A cell has trained an epoch.
    Epoch {
        /// Its key.
        key: &'a Key,
        /// The cell.
        cell: &'a Cell,
        /// Losses and time.
        report: &'a EpochReport,
        /// How long the cell will still take.
        cell_left: f64,
        /// How long the run will still take.
        left: f64,
    },
    /// A cell has finished or failed, and its line is in the ledger.
    Ended {
        /// The line.
        record: &'a Record,
        /// Cells ended so far.
        done: usize,
        /// Cells of this run.
        cells: usize,
        /// How long the run will still take.
        left: f64,
    },
    /// A cell was stopped and has saved.
    Interrupted {
        /// Its key.
        key: &'a Key,
        /// The cell.
        cell: &'a Cell,
        /// The epoch it will go on with.
        epoch: usize,
    },
}
