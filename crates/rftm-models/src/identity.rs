//! What makes a training this one and no other.

use rftm_data::Samples;
use rftm_nn::{Module, StateDict};
use sha2::{Digest, Sha256};

use crate::score::gather;
use crate::{Error, SCORING_BATCH};

/// How the names of the counters end that count answers without a slot. They are for people; no training depends on them.
pub(crate) const EMPTY_READS: &str = "empty_reads";

/// SHA-256 over the model as it is now (its description, its state) and over every number of the samples. MNIST's 60000 x 784
/// take 0.2 s, most of it in the hash.
pub(crate) fn identity(model: &mut dyn Module, parts: [&dyn Samples; 2]) -> Result<String, Error> {
    let mut hash = Hash::new();
    hash.text(&model.description());
    let mut state = StateDict::of(model, "");
    state.counters.retain(|name, _| !name.ends_with(EMPTY_READS));
    hash.state(&state);
    for samples in parts {
        hash.text(&format!("{:?}", samples.shape()));
        let rows: Vec<u32> = (0..samples.len() as u32).collect();
        for rows in rows.chunks(SCORING_BATCH) {
            hash.values(gather(samples, rows)?.data());
        }
    }
    Ok(hash.finish())
}

/// SHA-256 of names and numbers.
pub(crate) struct Hash(Sha256);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Ends in a zero byte, so that no two texts after one another are a third.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.update(text.as_bytes());
        self.0.update([0]);
    }

    fn values(&mut self, values: &[f32]) {
        let mut bytes = [0; 4096];
        for values in values.chunks(bytes.len() / 4) {
            for (bytes, value) in bytes.chunks_exact_mut(4).zip(values) {
                bytes.copy_from_slice(&value.to_le_bytes());
            }
            self.0.update(&bytes[..4 * values.len()]);
        }
    }

    /// All tensors of a state, by name.
    pub(crate) fn tensors(&mut self, state: &StateDict) {
        for (name, tensor) in &state.tensors {
            self.text(name);
            self.values(tensor.data());
        }
    }

    /// All tensors and counters of a state, by name.
    pub(crate) fn state(&mut self, state: &StateDict) {
        self.tensors(state);
        for (name, counter) in &state.counters {
            self.text(name);
            self.0.update(counter.to_le_bytes());
        }
    }

    /// In hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
