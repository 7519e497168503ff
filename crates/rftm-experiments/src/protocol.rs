//! What all experiments share: data sets, hyper-parameters, seeds.

use std::collections::BTreeMap;

use rftm_data::DatasetId;
use rftm_models::{Architecture, Convention, ModelKind, TrainConfig};
use serde::Deserialize;

/// The shared part of all definitions, from `definitions/protocol.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// The seeds of the paper's runs.
    pub seeds: Vec<u64>,
    /// Seed of the split into training and validation data.
    pub split_seed: u64,
    /// The convention of a run that names none.
    pub convention: Convention,
    /// Training hyper-parameters.
    pub train: Training,
    /// What an estimate assumes where nothing was measured.
    pub estimate: Assumptions,
    /// The data sets.
    #[serde(rename = "dataset")]
    pub datasets: Vec<DatasetProtocol>,
}

/// Training hyper-parameters; the seed comes with the cell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Samples a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// The most epochs.
    pub max_epochs: usize,
}

/// What an estimate assumes where nothing was measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumptions {
    /// Speed of one thread.
    pub gflop_per_second_and_thread: f64,
    /// Epochs until early stopping.
    pub epochs: usize,
}

/// One data set and the hyper-parameters that depend on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetProtocol {
    /// Its id.
    pub id: DatasetId,
    /// Its name as people write it.
    pub title: String,
    /// SHA-256 of its uncompressed content; a run on other content is refused.
    pub checksum: String,
    /// Training samples before the anomaly is removed.
    pub train_samples: usize,
    /// Class names by label, from the manifest of the data sets.
    #[serde(skip)]
    pub classes: Vec<String>,
    /// Arithmetic of one training step, by model, in GFLOP: for estimates only.
    pub step_gflop: BTreeMap<ModelKind, f64>,
    /// The autoencoder that all models for this data set share.
    pub architecture: Architecture,
    /// RFTM's first memory.
    pub hippocampus: Unit,
    /// RFTM's second memory.
    pub cortex: Unit,
    /// Slots of MemAE's memory.
    pub memae_capacity: usize,
}

/// Hyper-parameters {N, k, nu} of one RFTM unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Slots, N.
    pub capacity: usize,
    /// Slots read by a query, k.
    pub top_k: usize,
    /// Share of the slots forgotten in a training pass, nu.
    pub forgetting_rate: f64,
}

impl Training {
    /// The training of a cell with `seed`, of `max_epochs` at most.
    #[must_use]
    pub fn config(&self, seed: u64, max_epochs: usize) -> TrainConfig {
        let &Self { batch_size, learning_rate, patience, .. } = self;
        TrainConfig { seed, batch_size, learning_rate, patience, max_epochs }
    }
}

impl DatasetProtocol {
    /// The name of the class `label`.
    #[must_use]
    pub fn class_name(&self, label: u8) -> Option<&str> {
        self.classes.get(usize::from(label)).map(String::as_str)
    }
}

impl Protocol {
    /// The data set `id`, if it is described.
    #[must_use]
    pub fn dataset(&self, id: DatasetId) -> Option<&DatasetProtocol> {
        self.datasets.iter().find(|dataset| dataset.id == id)
    }
}
