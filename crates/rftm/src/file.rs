//! A model file: one safetensors file. Nothing in it is executed when it is read.
//!
//! Tensors: `model.*`, and `calibration`, the scores in ascending order. The metadata has one key, `rftm`, with JSON:
//!
//! ```json
//! {"format": 3, "sha256": "...", "card": {...}}
//! ```
//!
//! Format 3 says of a table what it was in its file ([`Origin::table`](crate::Origin)), format 2 has limits in the scaling
//! ([`Affine::limit`](crate::Affine)) where they are not a million. Models of earlier formats score as they always did: what
//! a file says means the same in all.
//!
//! The digest is over the text of the card and all tensors, so a changed bit there is noticed.

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

/// The format this library writes, and the latest it reads; it reads every earlier one, too.
pub const FORMAT_VERSION: u64 = 3;

/// The first there was.
const FIRST_FORMAT: u64 = 1;

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

impl Content {
    /// Whether its parts can be worked with, and if not, why. Names and shapes of the state's tensors are the model's to
    /// judge.
    fn verify(&self) -> std::result::Result<(), String> {
        self.card.features.verify()?;
        let ordered = !self.calibration.is_empty() && self.calibration.is_sorted();
        if !ordered || !self.calibration.iter().all(|score| score.is_finite()) {
            return Err("its calibration scores are not finite numbers in ascending order".to_owned());
        }
        match self.state.tensors.iter().find(|(_, tensor)| !tensor.data().iter().all(|x| x.is_finite())) {
            Some((name, _)) => Err(format!("tensor {name} is not of finite numbers")),
            None if !self.card.threshold.value.is_finite() => Err("its threshold is no finite number".to_owned()),
            None => Ok(()),
        }
    }
}

pub(crate) fn save(path: &Path, content: Content) -> Result<()> {
    let wrong =
        |error: serde_json::Error| Error::Unsavable { problem: format!("the header cannot be written: {error}") };
    content.verify().map_err(|problem| Error::Unsavable { problem: format!("{problem}; it was not saved") })?;
    let Content { card, state, calibration } = content;
    let mut file = StateDict { note: String::new(), ..state };
    file.tensors = file.tensors.into_iter().map(|(name, tensor)| (format!("{MODEL}{name}"), tensor)).collect();
    file.counters = file.counters.into_iter().map(|(name, counter)| (format!("{MODEL}{name}"), counter)).collect();
    let length = calibration.len();
    file.tensors.insert(CALIBRATION.to_owned(), Tensor::from_vec(calibration, [length])?);
    let card = serde_json::value::to_raw_value(&card).map_err(wrong)?;
    // JSON has no infinity and no NaN; better to know now than when the file is read.
    serde_json::from_str::<Card>(card.get()).map_err(wrong)?;
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
            | SafeTensorError::HeaderTooLarge => {
                other("no safetensors file, or its first bytes are damaged".to_owned())
            }
            source => damaged(source.to_string()),
        },
        error => other(error.to_string()),
    })?;
    let AnyFormat { format } =
        serde_json::from_str(&file.note).map_err(|_| other("a safetensors file without its header".to_owned()))?;
    if format < FIRST_FORMAT {
        return Err(other(format!("model format {format}; the first is {FIRST_FORMAT}")));
    }
    if format > FORMAT_VERSION {
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
    let content = Content { card, state, calibration };
    content.verify().map_err(damaged)?;
    Ok(content)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Data, Detector, Threshold};
    use rftm_models::Architecture;

    #[test]
    fn what_could_not_be_loaded_is_not_saved_and_what_is_of_no_use_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let values = (0..40).map(|x| x as f32).collect();
        let detector = Detector::builder().max_epochs(1).fit(&Data::table(["x"], values).unwrap()).unwrap();
        detector.save(&path).unwrap();
        let check = |change: fn(&mut Content), expected: &str| {
            let mut content = load(&path).unwrap();
            content.verify().unwrap();
            change(&mut content);
            assert_eq!(content.verify().err().as_deref(), (!expected.is_empty()).then_some(expected));
            let other = folder.path().join("other");
            let error = save(&other, content).unwrap_err();
            assert!(matches!(error, Error::Unsavable { .. }), "{error}");
            let message = error.to_string();
            assert!(message.starts_with("model: ") && !other.exists(), "{message}");
        };
        let scores = "its calibration scores are not finite numbers in ascending order";
        check(|it| it.calibration.clear(), scores);
        check(|it| it.calibration.reverse(), scores);
        check(|it| it.calibration[7] = f32::NAN, scores);
        check(|it| it.calibration[7] = f32::INFINITY, scores);
        check(
            |it| it.card.threshold = Threshold { value: f64::NAN, ..it.card.threshold },
            "its threshold is no finite number",
        );
        check(
            |it| it.state.tensors.values_mut().next().unwrap().data_mut()[0] = f32::NAN,
            "tensor decoder.0.bias is not of finite numbers",
        );
        check(
            |it| it.card.features.layout = Data::table([""; 2], vec![]).unwrap().layout().clone(),
            "its scaling does not fit its columns",
        );
        // What only the text shows.
        check(|it| it.card.training.validation_loss = f64::INFINITY, "");
    }

    #[test]
    fn a_small_file_makes_no_large_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let values = (0..40).map(|x| x as f32).collect();
        let detector = Detector::builder().max_epochs(1).fit(&Data::table(["x"], values).unwrap()).unwrap();
        detector.save(&path).unwrap();
        let mut content = load(&path).unwrap();
        content.card.spec.architecture = Architecture::Mlp { widths: vec![1, 1 << 14, 1 << 13] };
        save(&path, content).unwrap();
        let message = Detector::load(&path).unwrap_err().to_string();
        assert!(message.contains("numbers, the model that it describes has at least 1"), "{message}");
    }
}
