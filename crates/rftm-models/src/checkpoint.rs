//! A training between two epochs, as a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rftm_nn::{Adam, Module, Moments, StateDict, StateError};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::identity::{EMPTY_READS, Hash};
use crate::train::{EpochReport, TrainConfig, TrainReport};

/// Where a training stands, besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// What makes it this training: a checkpoint of another one must not be taken up.
    config: TrainConfig,
    samples: [usize; 2],
    /// Of the model before its first step, and of the data; none where there is no checkpoint.
    identity: Option<String>,
    pub(crate) history: Vec<EpochReport>,
}

impl Position {
    /// Before the first epoch.
    pub(crate) fn start(config: &TrainConfig, samples: [usize; 2], identity: Option<String>) -> Self {
        Self { config: *config, samples, identity, history: Vec::new() }
    }

    /// Files an epoch; says whether it is the best so far. A tie is an improvement.
    pub(crate) fn record(&mut self, epoch: usize, train_loss: f64, validation_loss: f64) -> bool {
        let before = self.history.last();
        let improved = before.is_none_or(|before| validation_loss <= before.best_validation_loss);
        let (best_validation_loss, best_epoch) = match before {
            Some(before) if !improved => (before.best_validation_loss, before.best_epoch),
            _ => (validation_loss, epoch),
        };
        self.history.push(EpochReport {
            epoch,
            train_loss,
            validation_loss,
            best_validation_loss,
            best_epoch,
            seconds: 0.0,
        });
        improved
    }

    /// Notes how long the last epoch took.
    pub(crate) fn took(&mut self, time: Duration) {
        if let Some(last) = self.history.last_mut() {
            last.seconds = time.as_secs_f64();
        }
    }

    fn is_out_of_patience(&self, config: &TrainConfig) -> bool {
        self.history.last().is_some_and(|last| last.epoch - last.best_epoch >= config.patience)
    }

    pub(crate) fn is_over(&self, config: &TrainConfig) -> bool {
        self.history.len() >= config.max_epochs || self.is_out_of_patience(config)
    }

    /// The report on a model that was asked for no epoch: of its weights as they were at the `start`.
    pub(crate) fn untrained(self, validation_loss: f64, model: &mut dyn Module, start: &StateDict) -> TrainReport {
        TrainReport {
            epochs: 0,
            best_epoch: 0,
            best_validation_loss: validation_loss,
            hit_epoch_limit: false,
            warnings: empty_reads(model, start),
            history: self.history,
        }
    }

    /// The report on `model` after its last epoch, whose training began with the state `start`.
    pub(crate) fn report(self, config: &TrainConfig, model: &mut dyn Module, start: &StateDict) -> TrainReport {
        let hit_epoch_limit = !self.is_out_of_patience(config);
        let mut warnings = Vec::new();
        if hit_epoch_limit {
            warnings.push(format!("stopped by the limit of {} epochs, not by early stopping", config.max_epochs));
        }
        warnings.extend(empty_reads(model, start));
        let last = self.history.last();
        TrainReport {
            epochs: self.history.len(),
            best_epoch: last.map_or(0, |last| last.best_epoch),
            best_validation_loss: last.map_or(f64::NAN, |last| last.best_validation_loss),
            hit_epoch_limit,
            warnings,
            history: self.history,
        }
    }

    /// Why this is not the position of the training that starts at `start`.
    fn is_foreign_to(&self, start: &Self) -> Option<&'static str> {
        if self.config != start.config || self.samples != start.samples {
            Some("checkpoint of a training with other data or hyper-parameters")
        } else if self.identity != start.identity {
            Some("checkpoint of a training of another model or with other data")
        } else {
            None
        }
    }
}

/// A warning for every memory that has answered with nothing since `start`.
fn empty_reads(model: &mut dyn Module, start: &StateDict) -> Vec<String> {
    let counters = StateDict::of(model, "").counters.into_iter();
    let before = |name: &String| start.counters.get(name).copied().unwrap_or(0);
    counters
        .filter(|(name, _)| name.ends_with(EMPTY_READS))
        .map(|(name, count)| (count.saturating_sub(before(&name)), name))
        .filter(|&(count, _)| count > 0)
        .map(|(count, name)| format!("{name}: {count} latents found no slot and read the zero vector"))
        .collect()
}

/// Everything needed to go on: current and best weights, the optimiser's moments, the position.
///
/// Random streams need nothing: shuffles depend on the number of the epoch, masks on counters in the model's state.
pub(crate) struct Checkpoint {
    state: StateDict,
    position: Position,
}

/// Prefixes of the names of the three groups of tensors.
const CURRENT: &str = "model/";
const BEST: &str = "best/";
const FIRST: &str = "adam/first/";
const SECOND: &str = "adam/second/";
const STEPS: &str = "adam/steps";

impl Checkpoint {
    pub(crate) fn of(model: &mut dyn Module, adam: &Adam, best: &StateDict, position: &Position) -> Self {
        let mut state = StateDict { tensors: BTreeMap::new(), counters: BTreeMap::new(), note: String::new() };
        put(&mut state, CURRENT, &StateDict::of(model, ""));
        put(&mut state, BEST, best);
        let (steps, moments) = adam.state();
        state.counters.insert(STEPS.into(), steps);
        for (index, Moments { first, second }) in moments.into_iter().enumerate() {
            state.tensors.insert(format!("{FIRST}{index:05}"), first);
            state.tensors.insert(format!("{SECOND}{index:05}"), second);
        }
        Self { state, position: position.clone() }
    }

    /// Saved whole or not at all.
    pub(crate) fn save(mut self, path: &Path) -> Result<(), Error> {
        let position = serde_json::to_string(&self.position).map_err(|error| Error::Checkpoint {
            path: path.to_owned(),
            problem: format!("the position cannot be written as JSON: {error}"),
        })?;
        self.state.note = format!("{}\n{position}", content(&self.state, &position));
        Ok(self.state.save(path)?)
    }

    /// The checkpoint at `path`, if there is one; it must belong to the training that starts at `start`.
    pub(crate) fn load(path: &Path, start: &Position) -> Result<Option<Self>, Error> {
        let wrong = |problem: String| Error::Checkpoint { path: path.to_owned(), problem };
        let state = match StateDict::load(path) {
            Err(StateError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(StateError::Damaged { source, .. }) => return Err(wrong(format!("damaged checkpoint ({source})"))),
            other => other?,
        };
        // Earlier versions wrote the position alone.
        let Some((digest, position)) = state.note.split_once('\n').filter(|_| !state.note.starts_with('{')) else {
            return Err(wrong("no checkpoint of a training, or one written by an earlier version".into()));
        };
        if digest != content(&state, position) {
            return Err(wrong("damaged checkpoint (its content is not what was written)".into()));
        }
        let position: Position =
            serde_json::from_str(position).map_err(|error| wrong(format!("no checkpoint of a training ({error})")))?;
        match position.is_foreign_to(start) {
            Some(problem) => Err(wrong(problem.into())),
            None => Ok(Some(Self { state, position })),
        }
    }

    /// Puts model and optimiser back to where they were; gives position and best weights.
    pub(crate) fn resume(self, model: &mut dyn Module, adam: &mut Adam) -> Result<(Position, StateDict), Error> {
        take(&self.state, CURRENT).apply(model)?;
        let moments = |prefix| take(&self.state, prefix).tensors.into_values();
        let both = moments(FIRST).zip(moments(SECOND)).map(|(first, second)| Moments { first, second });
        adam.restore(self.state.counters.get(STEPS).copied().unwrap_or(0), both.collect());
        Ok((self.position, take(&self.state, BEST)))
    }
}

/// A digest of all that a checkpoint holds: one changed bit would train on to other results, and nobody would notice.
fn content(state: &StateDict, position: &str) -> String {
    let mut hash = Hash::new();
    hash.state(state);
    hash.text(position);
    hash.finish()
}

fn put(state: &mut StateDict, prefix: &str, part: &StateDict) {
    let name = |name: &String| format!("{prefix}{name}");
    state.tensors.extend(part.tensors.iter().map(|(key, tensor)| (name(key), tensor.clone())));
    state.counters.extend(part.counters.iter().map(|(key, counter)| (name(key), *counter)));
}

fn take(state: &StateDict, prefix: &str) -> StateDict {
    fn part<T: Clone>(all: &BTreeMap<String, T>, prefix: &str) -> BTreeMap<String, T> {
        let named = all.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())));
        named.collect()
    }
    StateDict { tensors: part(&state.tensors, prefix), counters: part(&state.counters, prefix), note: String::new() }
}
