use std::path::Path;
use std::time::Instant;

use rftm_autograd::{Tape, Var, ops};
use rftm_data::{Batches, LastRow, Samples};
use rftm_nn::{Adam, AdamConfig, Module, StateDict};
use rftm_rng::rng;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::checkpoint::{Checkpoint, Position};
use crate::identity::identity;
use crate::score::{gather, mean_square, validation_loss};

/// How to train; the defaults are the paper's (section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Root of the stream of shuffles. (Weights and masks come from the seed the model was built with.)
    pub seed: u64,
    /// Samples a step.
    pub batch_size: usize,
    /// Step length of Adam.
    pub learning_rate: f64,
    /// Epochs without a lower validation loss after which training stops.
    pub patience: usize,
    /// The most epochs. With 0 no step is taken: the model is measured with the weights it was built with.
    pub max_epochs: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self { seed: 1997, batch_size: 256, learning_rate: 1e-3, patience: 10, max_epochs: 300 }
    }
}

impl TrainConfig {
    fn check(&self) -> Result<(), Error> {
        let problem = |parameter, problem: String| Err(Error::Config { parameter, problem });
        match self {
            Self { batch_size: 0 | 1, .. } => {
                problem("batch_size", format!("{}; batch normalisation needs at least 2", self.batch_size))
            }
            Self { patience: 0, .. } => problem("patience", "0 epochs; at least 1 is needed".into()),
            Self { learning_rate, .. } if !(*learning_rate > 0.0 && learning_rate.is_finite()) => {
                problem("learning_rate", format!("{learning_rate} is not a positive number"))
            }
            _ => Ok(()),
        }
    }
}

/// One epoch of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Its number, from 1.
    pub epoch: usize,
    /// Mean loss over the training samples while the weights were changing, with the penalties that the model asks for.
    pub train_loss: f64,
    /// Mean squared error alone over the validation samples after it, in evaluation: it decides when to stop. Of a model with
    /// penalties it cannot be compared with `train_loss`.
    pub validation_loss: f64,
    /// The lowest validation loss so far.
    pub best_validation_loss: f64,
    /// The epoch of the lowest validation loss.
    pub best_epoch: usize,
    /// How long it took, validation included.
    pub seconds: f64,
}

/// Someone who watches a training and may stop it.
pub trait Observer {
    /// An epoch is over, and saved.
    fn epoch(&mut self, report: &EpochReport);
    /// Epoch `epoch` is over and about to be saved; `state` copies the weights as they are now, for whoever wants them.
    fn state(&mut self, _epoch: usize, _state: &mut dyn FnMut() -> StateDict) {}
    /// Step `step` of `steps` is done.
    fn step(&mut self, _step: usize, _steps: usize) {}
    /// Asked after every step; on `true` the training stops where it is and can go on from its last epoch.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn epoch(&mut self, _: &EpochReport) {}
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainOutcome {
    /// By itself; the model has the weights of the best epoch.
    Finished(TrainReport),
    /// The observer stopped it. The model is as it was before the call: with a checkpoint the same call goes on after this
    /// epoch, without one, or after no whole epoch, it begins again.
    Interrupted {
        /// The last whole epoch, 0 if there was none.
        epoch: usize,
    },
}

/// A finished training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// How many epochs were run.
    pub epochs: usize,
    /// The epoch whose weights were kept; 0 for the weights that the model was built with.
    pub best_epoch: usize,
    /// Its validation loss.
    pub best_validation_loss: f64,
    /// Whether training ended because of `max_epochs` and not because it had stopped improving.
    pub hit_epoch_limit: bool,
    /// What a reader of the result should know.
    pub warnings: Vec<String>,
    /// All epochs, those before an interruption included.
    pub history: Vec<EpochReport>,
}

/// Trains a model to reconstruct its input: Adam on the mean squared error (Eq. 2) and the penalties that the model itself asks
/// for ([`Tape::penalise`]), early stopping on the mean squared error of the validation samples in evaluation mode, best
/// weights restored. An epoch as good as the best one counts as an improvement.
///
/// With a `checkpoint` path the state is saved there after every epoch, and a training that finds its file goes on from
/// it to the same bits as one that was never interrupted. The file belongs to the model as it comes in
/// ([`Module::description`], weights, counters), to every number of the samples, and to `config`.
///
/// # Errors
/// A hyper-parameter out of range, samples that do not fit the model, a loss that is not finite or has exploded
/// ([`Error::Diverged`]), or a checkpoint that cannot be read, written, or belongs to another training. After an error the
/// model is somewhere in between.
pub fn train(
    model: &mut dyn Module,
    config: &TrainConfig,
    train: &dyn Samples,
    validation: &dyn Samples,
    checkpoint: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<TrainOutcome, Error> {
    config.check()?;
    let mut batches = Batches::new(train.len(), config.batch_size, LastRow::Drop)?;
    check_validation(train, validation, config)?;
    let mut adam = Adam::new(AdamConfig { learning_rate: config.learning_rate, ..AdamConfig::default() })?;
    let identity = checkpoint.map(|_| identity(model, [train, validation])).transpose()?;
    let mut position = Position::start(config, [train.len(), validation.len()], identity);
    let start = StateDict::of(model, "");
    let mut best = start.clone();
    if let Some(saved) = checkpoint.map(|path| Checkpoint::load(path, &position)).transpose()?.flatten() {
        (position, best) = saved.resume(model, &mut adam)?;
    }
    if config.max_epochs == 0 {
        let (loss, mean_square) = validation_loss(model, validation, config.batch_size)?;
        let loss = bounded(loss, mean_square, 0, 0)?;
        return Ok(TrainOutcome::Finished(position.untrained(loss, model, &start)));
    }
    let mut tape = Tape::new();
    while !position.is_over(config) {
        let begin = Instant::now();
        let epoch = position.history.len() + 1;
        batches.reshuffle(&mut rng(config.seed, "shuffle", epoch as u64));
        let Some(train_loss) = train_epoch(model, &mut adam, &mut tape, train, &batches, epoch, observer)? else {
            start.apply(model)?;
            return Ok(TrainOutcome::Interrupted { epoch: epoch - 1 });
        };
        let (loss, mean_square) = validation_loss(model, validation, config.batch_size)?;
        let validation_loss = bounded(loss, mean_square, epoch, 0)?;
        let improved = position.record(epoch, train_loss, validation_loss);
        if improved {
            best = StateDict::of(model, "");
        }
        position.took(begin.elapsed());
        // Before the checkpoint: a training that goes on from it must not have skipped a state.
        observer.state(epoch, &mut || StateDict::of(model, ""));
        if let Some(path) = checkpoint {
            Checkpoint::of(model, &adam, &best, &position).save(path)?;
        }
        if let Some(report) = position.history.last() {
            observer.epoch(report);
        }
    }
    let report = position.report(config, model, &start);
    best.apply(model)?;
    Ok(TrainOutcome::Finished(report))
}

/// Validation samples are used after a whole epoch; what is wrong with them is known before.
fn check_validation(train: &dyn Samples, validation: &dyn Samples, config: &TrainConfig) -> Result<(), Error> {
    Batches::new(validation.len(), config.batch_size, LastRow::Keep)?;
    if validation.shape() == train.shape() {
        return Ok(());
    }
    let problem =
        format!("samples of shape {:?}, those to train on have shape {:?}", validation.shape(), train.shape());
    Err(Error::Config { parameter: "validation", problem })
}

/// A loss so many times the mean square of the data (and of 1, for data that are nearly 0) has exploded: the
/// reconstruction is a thousand times as large as what it should be. No training comes back from there to a useful model.
const EXPLODED: f64 = 1e6;

/// The loss, if training can go on from it; step 0 is the validation.
fn bounded(loss: f64, mean_square: f64, epoch: usize, step: usize) -> Result<f64, Error> {
    // Not the other way round: a loss that is not a number is less than nothing.
    if loss < EXPLODED * (1.0 + mean_square) { Ok(loss) } else { Err(Error::Diverged { epoch, step, loss }) }
}

/// One pass over the training samples; the mean loss, or `None` if the observer stopped it.
fn train_epoch(
    model: &mut dyn Module,
    adam: &mut Adam,
    tape: &mut Tape,
    samples: &dyn Samples,
    batches: &Batches,
    epoch: usize,
    observer: &mut dyn Observer,
) -> Result<Option<f64>, Error> {
    let (mut total, mut count) = (0.0, 0);
    for (step, rows) in (1..).zip(batches.iter()) {
        tape.clear();
        let x = gather(samples, rows)?;
        let y = model.forward(tape, Var::constant(x.clone()))?;
        let loss = ops::mse(tape, &y, &x)?;
        let loss = ops::penalised(tape, loss)?;
        let value = bounded(loss.value().item()?.into(), mean_square(&x), epoch, step)?;
        adam.step(model, &mut tape.backward(&loss)?)?;
        total += value * rows.len() as f64;
        count += rows.len();
        observer.step(step, batches.len());
        if observer.should_stop() {
            return Ok(None);
        }
    }
    Ok(Some(total / count as f64))
}
