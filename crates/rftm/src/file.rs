//! A model file: one safetensors file. Nothing in it is executed when it is read.
//!
//! Tensors: `model.*`, and `calibration`, the scores in ascending order. The metadata has one key, `rftm`, with JSON:
//!
//! ```json
//! {"format": 1, "sha256": "...", "card": {...}}
//! ```
//!
//! The digest is over the text of the card and all tensors, so a changed bit anywhere is noticed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rftm_nn::{StateDict, StateError};
use rftm_tensor::Tensor;
use safetensors::SafeTensorError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{Card, Error, Result, write_atomic};

/// The format this library writes, and the latest it reads.
pub const FORMAT_VERSION: u64 = 1;

const MODEL: &str = "model.";
const CALIBRATION: &str = "calibration";

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u64,
    sha256: String,
    card: Box<RawValue>,
}

/// Of every version it must be possible to tell that it is another one.
#[derive(Deserialize)]
struct AnyFormat {
    format: u64,
}

/// What a file holds.
pub(crate) struct Content {
    pub(crate) card: Card,
    pub(crate) state: StateDict,
    pub(crate) calibration: Vec<f32>,
}

pub(crate) fn save(path: &Path, content: Content) -> Result<()> {
    let wrong = |error: serde_json::Error| Error::setting("model", format!("the header cannot be written: {error}"));
    let Content { card, state, calibration } = content;
    let mut file = StateDict { note: String::new(), ..state };
    file.tensors = file.tensors.into_iter().map(|(name, tensor)| (format!("{MODEL}{name}"), tensor)).collect();
    file.counters = file.counters.into_iter().map(|(name, counter)| (format!("{MODEL}{name}"), counter)).collect();
    let length = calibration.len();
    file.tensors.insert(CALIBRATION.to_owned(), Tensor::from_vec(calibration, [length])?);
    let card = serde_json::value::to_raw_value(&card).map_err(wrong)?;
    let sha256 = digest(card.get(), &file);
    file.note = serde_json::to_string(&Envelope { format: FORMAT_VERSION, sha256, card }).map_err(wrong)?;
    let bytes = file.to_bytes()?;
    write_atomic(path, |out| out.write_all(&bytes))
}

pub(crate) fn load(path: &Path) -> Result<Content> {
    let read = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let other = |problem: String| Error::NotADetector { path: path.to_owned(), problem };
    let damaged = |problem: String| Error::Damaged { path: path.to_owned(), problem };
    let bytes = fs::read(path).map_err(read)?;
    let mut file = StateDict::from_bytes(&bytes, path).map_err(|error| match error {
        StateError::Damaged { source, .. } => match source {
            // The first bytes are no header at all: some other kind of file.
            SafeTensorError::InvalidHeader(_)
            | SafeTensorError::InvalidHeaderDeserialization(_)
            | SafeTensorError::HeaderTooLarge => other("no safetensors file".to_owned()),
            source => damaged(source.to_string()),
        },
        error => other(error.to_string()),
    })?;
    let AnyFormat { format } =
        serde_json::from_str(&file.note).map_err(|_| other("a safetensors file without its header".to_owned()))?;
    if format != FORMAT_VERSION {
        return Err(Error::NewerFormat { path: path.to_owned(), found: format, supported: FORMAT_VERSION });
    }
    let envelope: Envelope = serde_json::from_str(&file.note).map_err(|error| damaged(error.to_string()))?;
    if digest(envelope.card.get(), &file) != envelope.sha256 {
        return Err(damaged("the checksum does not match".to_owned()));
    }
    let card: Card = serde_json::from_str(envelope.card.get()).map_err(|error| damaged(error.to_string()))?;
    let missing = || damaged(format!("there is no tensor {CALIBRATION}"));
    let calibration = file.tensors.remove(CALIBRATION).ok_or_else(missing)?.data().to_vec();
    let strip = |name: String| name.strip_prefix(MODEL).map(str::to_owned).unwrap_or(name);
    let state = StateDict {
        tensors: file.tensors.into_iter().map(|(name, tensor)| (strip(name), tensor)).collect(),
        counters: file.counters.into_iter().map(|(name, counter)| (strip(name), counter)).collect(),
        note: String::new(),
    };
    Ok(Content { card, state, calibration })
}

fn digest(card: &str, file: &StateDict) -> String {
    let mut hash = Sha256::new();
    hash.update(card.as_bytes());
    for (name, tensor) in &file.tensors {
        hash.update(format!("\0{name}{:?}", tensor.dims()));
        tensor.data().iter().for_each(|value| hash.update(value.to_le_bytes()));
    }
    for (name, counter) in &file.counters {
        hash.update(format!("\0{name}"));
        hash.update(counter.to_le_bytes());
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
