//! A cell: one training run, named by a hash of everything that can change its result.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rftm_data::{Dataset, DatasetId, HoldOut, hold_out};
use rftm_models::{Convention, ModelKind, ModelSpec, TrainConfig};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::arm::Arm;
use crate::error::{Error, Result};
use crate::{render, spec};

/// Names the numerics of this code base. Bump it when a change alters results without altering any configuration
/// (another summation order, another random stream): recorded cells then no longer count as done.
pub const REVISION: u32 = 1;

/// One training run: data, anomalous class, model, training, seed.
///
/// The whole struct enters the [key](Cell::key), so it must hold all that can change the result and nothing that cannot
/// (no thread count, no folder). A field added later must be left out of the JSON while it has the meaning that older
/// cells had implicitly; otherwise every recorded key changes. A test pins some keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// [`REVISION`] of the code that runs the cell.
    pub revision: u32,
    /// The data set.
    pub dataset: DatasetId,
    /// SHA-256 of the data set's uncompressed content.
    pub data_checksum: String,
    /// Seed of the split into training and validation data.
    pub split_seed: u64,
    /// The class that is the anomaly.
    pub class: u8,
    /// The readings of the paper's ambiguities.
    pub convention: Convention,
    /// The model and all its hyper-parameters.
    pub model: ModelSpec,
    /// The training and all its hyper-parameters, the seed included.
    pub train: TrainConfig,
}

impl Cell {
    /// The first 16 hex digits of the SHA-256 of the cell as canonical JSON (keys sorted, no white space).
    ///
    /// 64 bits: among a million cells two share a key with probability 3e-8.
    #[must_use]
    pub fn key(&self) -> Key {
        // `serde_json::Value` keeps objects sorted by key, which makes the text canonical.
        let canonical = serde_json::to_value(self).expect("a cell is plain data");
        let digest = Sha256::digest(canonical.to_string().as_bytes());
        Key(digest.iter().take(KEY_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect())
    }

    /// What the cell trains on, validates by and scores.
    ///
    /// # Errors
    /// [`Error::DataChecksum`] if `dataset` is not the one the cell is defined on, and those of [`hold_out`].
    pub fn parts(&self, dataset: &Arc<Dataset>) -> Result<HoldOut> {
        check_content(dataset, &self.data_checksum)?;
        let flat = spec::is_flat(&self.model);
        Ok(hold_out(dataset, self.class, self.convention.scaling(), self.split_seed, flat)?)
    }

    /// The kind of the model.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        self.model.kind()
    }

    /// The reading of the paper, such as "`release`, forgetting at inference", for people.
    #[must_use]
    pub fn reading(&self) -> String {
        render::reading(spec::variant_of(self))
    }
}

/// Reads "mnist class 0, rftm, seed 1997" or "mnist class 0, rftm without cortex, seed 1997", for people.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let untrained = if self.train.max_epochs == 0 { "untrained " } else { "" };
        write!(f, "{} class {}, {untrained}{}", self.dataset, self.class, self.kind())?;
        let arm = Arm::of(&self.model.memory);
        if arm != Arm::Full {
            write!(f, " {arm}")?;
        }
        write!(f, ", seed {}", self.train.seed)
    }
}

/// Refuses a data set whose content does not have the checksum `expected`.
///
/// # Errors
/// [`Error::DataChecksum`].
pub fn check_content(dataset: &Dataset, expected: &str) -> Result<()> {
    if dataset.checksum == expected {
        return Ok(());
    }
    let (origin, found) = (dataset.origin.clone(), dataset.checksum.clone());
    Err(Error::DataChecksum { id: dataset.id, origin, found, expected: expected.to_owned() })
}

const KEY_DIGITS: usize = 16;

/// The name of a cell: 16 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_key = text.len() == KEY_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_key { Ok(Self(text.to_owned())) } else { Err(format!("{text:?} is no key of {KEY_DIGITS} hex digits")) }
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}
