//! What a table consists of.

use rftm_data::DatasetId;
use rftm_models::ModelKind;

use crate::cell::{Cell, Key};
use crate::definition::Variant;
use crate::paper::{MeanStd, agrees};

/// One data set under one variant.
#[derive(Clone, Debug)]
pub struct Table {
    /// The definition it belongs to.
    pub definition: String,
    /// The data set.
    pub dataset: DatasetId,
    /// Its name as people write it.
    pub dataset_title: String,
    /// The choices of the run.
    pub variant: Variant,
    /// What the two sides are.
    pub sides: Sides,
    /// Why its numbers must not be compared with the paper's, if so.
    pub caution: Option<String>,
    /// Rows by class, then model; the averages come last.
    pub rows: Vec<Row>,
    /// In how many classes each model is the best.
    pub wins: Vec<Wins>,
    /// Classes that have no result at all and therefore no rows, by name.
    pub absent: Vec<String>,
    /// Whether this is the protocol's reading.
    pub is_default: bool,
    /// Cells that failed, with the reason.
    pub failures: Vec<(Cell, String)>,
    /// Cells with something to be known about their result.
    pub warnings: Vec<(Cell, String)>,
}

/// What a table compares, the reference first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// The paper's numbers with ours.
    PaperAndOurs,
    /// The scores of untrained networks with those of trained ones.
    UntrainedAndTrained,
}

impl Sides {
    /// Their names.
    #[must_use]
    pub const fn names(self) -> [&'static str; 2] {
        match self {
            Self::PaperAndOurs => ["paper", "ours"],
            Self::UntrainedAndTrained => ["untrained", "trained"],
        }
    }
}

/// One class and one model, over the seeds.
#[derive(Clone, Debug)]
pub struct Row {
    /// The class.
    pub class: RowClass,
    /// The model.
    pub model: ModelKind,
    /// Both sides for each of [`Metric::ALL`](crate::Metric::ALL).
    pub values: [Comparison; 3],
    /// Seeds that have finished; of an average, those of all its rows.
    pub seeds: Vec<u64>,
    /// Of untrained networks: the seeds of the trained ones that have finished.
    pub trained_seeds: Option<Vec<u64>>,
    /// Seeds that the definition asks for.
    pub seeds_asked: usize,
    /// Whether a seed failed.
    pub failed: bool,
    /// Ledger keys behind the row, by seed.
    pub keys: Vec<Key>,
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowClass {
    /// One anomalous class.
    Class {
        /// Its label.
        label: u8,
        /// Its name.
        name: String,
    },
    /// The mean over the classes above that have a result.
    Average {
        /// Classes with a result.
        done: usize,
        /// Classes in the table.
        asked: usize,
    },
}

impl RowClass {
    /// The label of a single class.
    #[must_use]
    pub fn label(&self) -> Option<u8> {
        match self {
            Self::Class { label, .. } => Some(*label),
            Self::Average { .. } => None,
        }
    }
}

/// A number beside ours, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The other: the paper's, or that of the untrained network.
    pub reference: Option<MeanStd>,
    /// Ours.
    pub ours: Option<MeanStd>,
    /// Ours minus the other, over the seeds of both where the other has seeds of ours.
    pub difference: Option<f64>,
    /// Which of the two is the best of its class among all models of the definition.
    pub best: [bool; 2],
}

impl Comparison {
    /// Of independent numbers.
    pub(crate) fn new(reference: Option<MeanStd>, ours: Option<MeanStd>) -> Self {
        let difference = ours.zip(reference).map(|(ours, reference)| ours.mean - reference.mean);
        Self { reference, ours, difference, best: [false; 2] }
    }

    /// Whether ours lies within 2 of the reference's standard deviations plus 1 point.
    #[must_use]
    pub fn is_within(&self) -> Option<bool> {
        Some(agrees(self.difference?, self.reference?.std?))
    }

    pub(crate) fn sides(&self) -> [Option<MeanStd>; 2] {
        [self.reference, self.ours]
    }
}

/// In how many classes a model is the best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wins {
    /// The model.
    pub model: ModelKind,
    /// On both sides, for each of [`Metric::ALL`](crate::Metric::ALL).
    pub counts: [[usize; 2]; 3],
    /// Classes that have a result of every model, with the same seeds, which alone count.
    pub classes: usize,
}
