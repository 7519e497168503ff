use rftm_models::{ModelSpec, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::{Features, Threshold};

/// All that a model file says about its model, besides tensors. Written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Version of the library that fitted it.
    pub library: String,
    /// Encoder, decoder, memory.
    pub spec: ModelSpec,
    /// Columns, categories, what becomes of missing values, scaling.
    pub features: Features,
    /// The score above which a sample is called anomalous.
    pub threshold: Threshold,
    /// How the training went.
    pub training: Training,
    /// What the training data were.
    pub origin: Origin,
}

/// How a training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Seed, batch, learning rate, patience, most epochs.
    pub config: TrainConfig,
    /// Samples that trained.
    pub samples: usize,
    /// Samples held out to stop in time.
    pub validation: usize,
    /// Samples held out to calibrate.
    pub calibration: usize,
    /// Epochs run.
    pub epochs: usize,
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
    /// Mean squared error of the validation samples after that epoch, over samples and scaled numbers. It is their mean
    /// score but for one thing: here a number beyond ten deviations counts as ten.
    pub validation_loss: f64,
    /// What whoever uses the model should know.
    pub warnings: Vec<String>,
}

/// Where training data came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name of the file or folder, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// SHA-256 of the bytes that were read; of data given as numbers that of these, little-endian.
    pub sha256: String,
    /// Of a table that was read from a file, what it was before columns were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<SourceTable>,
}

/// A table as it stood in its file. Columns without names are told apart by their places alone, so data to score must have as
/// many, or just those that the model uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceTable {
    /// All its columns.
    pub columns: usize,
    /// Whether they had names; else they are called by their numbers, from 1.
    pub named: bool,
}
