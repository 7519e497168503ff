//! What is timed: whole training steps, and scoring.

use anyhow::Result;
use rand::Rng as _;
use rftm_autograd::{Tape, Var, ops};
use rftm_models::{Model, ModelSpec, Scorer};
use rftm_nn::{Adam, Module};
use rftm_tensor::{Shape, Tensor};

use crate::clock::timed;

/// Root of all random streams here.
const SEED: u64 = 1;

/// `len` numbers from [0, 1), the same for the same `index`.
#[must_use]
pub fn values(len: usize, index: u64) -> Vec<f32> {
    let mut stream = rftm_rng::rng(SEED, "bench", index);
    (0..len).map(|_| stream.random()).collect()
}

/// A tensor of such numbers.
///
/// # Errors
/// If the shape is too large.
pub fn tensor(dims: &[usize], index: u64) -> Result<Tensor> {
    let shape = Shape::new(dims)?;
    Ok(Tensor::from_vec(values(shape.len(), index), shape)?)
}

/// A batch of random samples for a model.
///
/// # Errors
/// If the shape is too large.
pub fn samples(spec: &ModelSpec, batch: usize) -> Result<Tensor> {
    let mut dims = vec![batch];
    dims.extend(spec.architecture.sample_shape());
    tensor(&dims, 0)
}

/// A model in training on one batch.
pub struct Training {
    model: Model,
    tape: Tape,
    adam: Adam,
    x: Tensor,
}

/// Where the time of a step went, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    /// Forward, with the loss.
    pub forward: f64,
    /// Backward.
    pub backward: f64,
    /// Adam.
    pub update: f64,
}

impl Split {
    /// The whole step.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.forward + self.backward + self.update
    }
}

impl Training {
    /// A fresh model and a random batch.
    ///
    /// # Errors
    /// If the specification does not make a model.
    pub fn new(spec: &ModelSpec, batch: usize) -> Result<Self> {
        let x = samples(spec, batch)?;
        Ok(Self { model: Model::new(spec, SEED)?, tape: Tape::new(), adam: Adam::default(), x })
    }

    /// One step of Adam on the mean squared error and the model's penalties, as the trainer does it.
    ///
    /// # Errors
    /// If the batch does not fit the model: one sample is too few for batch normalisation.
    pub fn step(&mut self) -> Result<Split> {
        let Self { model, tape, adam, x } = self;
        let (forward, loss) = timed(|| {
            tape.clear();
            let y = model.forward(tape, Var::constant(x.clone()))?;
            let loss = ops::mse(tape, &y, x)?;
            ops::penalised(tape, loss)
        });
        let loss = loss?;
        let (backward, gradients) = timed(|| tape.backward(&loss));
        let mut gradients = gradients?;
        let (update, result) = timed(|| adam.step(model, &mut gradients));
        result?;
        Ok(Split { forward, backward, update })
    }
}

/// A model that scores one batch.
pub struct Scoring {
    model: Model,
    scorer: Scorer,
    x: Tensor,
}

impl Scoring {
    /// A fresh model and a random batch.
    ///
    /// # Errors
    /// If the specification does not make a model.
    pub fn new(spec: &ModelSpec, batch: usize) -> Result<Self> {
        let model = Model::new(spec, SEED)?;
        Ok(Self { scorer: model.scorer()?, model, x: samples(spec, batch)? })
    }

    /// Numbers that a score must read at least once: all that was trained. In MiB.
    pub fn weights_mib(&mut self) -> f64 {
        (self.model.parameters() * size_of::<f32>()) as f64 / f64::from(1 << 20)
    }

    /// The anomaly scores of the batch. The only place that knows how scoring is done.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn scores(&self) -> Result<Vec<f32>> {
        Ok(self.scorer.scores(&self.x)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rftm_models::{Convention, MemorySpec};

    #[test]
    fn steps_and_scores_are_real() {
        let spec = ModelSpec::mlp(&[12, 8, 4], MemorySpec::None, Convention::Release);
        let mut training = Training::new(&spec, 4).unwrap();
        let before = training.model.digest();
        let split = training.step().unwrap();
        assert_ne!(before, training.model.digest());
        assert!(split.forward > 0.0 && split.backward > 0.0 && split.update > 0.0);
        assert!(Training::new(&spec, 1).unwrap().step().is_err(), "one sample cannot be normalised");
        let mut scoring = Scoring::new(&spec, 5).unwrap();
        let scores = scoring.scores().unwrap();
        assert!(scores.len() == 5 && scores.iter().all(|&score| score > 0.0));
        assert_eq!(scoring.weights_mib(), (4 * training.model.parameters()) as f64 / 1024.0 / 1024.0);
        assert_ne!(values(4, 1), values(4, 2));
    }
}
