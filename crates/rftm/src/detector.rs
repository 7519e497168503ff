use std::fmt;
use std::path::Path;

use rftm_models::{Model, Scorer, gather};
use rftm_nn::StateDict;
use rftm_tensor::Tensor;

use crate::features::Prepared;
use crate::file::{self, Content};
use crate::threshold::{p_value, rate_range};
use crate::{Builder, Card, Data, Error, Features, Layout, Result, Rule, Threshold};

/// Fitted on normal samples; says of others how anomalous they are. **Higher = more anomalous**, everywhere.
pub struct Detector {
    card: Card,
    model: Model,
    /// That of the model, whose tensors it shares: to be written.
    state: StateDict,
    scorer: Scorer,
    /// Ascending.
    calibration: Vec<f32>,
}

/// The most samples scored at once, and the most numbers in them: what bounds the memory that scoring takes.
const BATCH: usize = 256;
const BATCH_NUMBERS: usize = 1 << 20;

impl Detector {
    /// A detector to be.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(card: Card, mut model: Model, calibration: Vec<f32>) -> Result<Self> {
        let (state, scorer) = (StateDict::of(&mut model, ""), model.scorer()?);
        Ok(Self { card, model, state, scorer, calibration })
    }

    pub(crate) fn calibrate(&mut self, sorted: Vec<f32>) -> Result<()> {
        self.calibration = sorted;
        self.set_threshold(self.card.threshold.rule)
    }

    /// The anomaly score of every sample: the mean squared error of its reconstruction, in units of the scaled features
    /// (Eq. 1, squared and divided by the number of features, so the order is the same). Higher = more anomalous.
    ///
    /// A score does not depend on the other samples, on the batch, or on the number of threads.
    ///
    /// # Errors
    /// Data of another kind than those of the fit, a missing value where none is allowed, or pixels that are all in [0, 1]
    /// with fractions among them (models take 0 to 255).
    pub fn score(&self, data: &Data) -> Result<Vec<f32>> {
        self.card.features.check(data, 1)?;
        self.score_samples(data, &all(data)?)
    }

    pub(crate) fn score_samples(&self, data: &Data, samples: &[u32]) -> Result<Vec<f32>> {
        let mut scores = Vec::with_capacity(samples.len());
        self.each_batch(data, samples, |x, y| {
            scores.extend((0..x.rows_cols().0).map(|row| mean_square(x.row(row), y.row(row))));
            Ok(())
        })?;
        Ok(scores)
    }

    /// Runs the model over some samples in order; `each` gets them as the model saw them, and what it made of them.
    pub(crate) fn each_batch(
        &self,
        data: &Data,
        samples: &[u32],
        mut each: impl FnMut(&Tensor, &Tensor) -> Result<()>,
    ) -> Result<()> {
        let prepared = Prepared::new(data, &self.card.features, samples);
        let rows: Vec<u32> = (0..).take(samples.len()).collect();
        let most = (BATCH_NUMBERS / self.card.features.width()).clamp(1, BATCH);
        let mut rest = rows.as_slice();
        // Powers of two: threads keep buffers by their length, and a stream comes in batches of every size.
        while let Some(log) = rest.len().checked_ilog2() {
            let (rows, others) = rest.split_at((1 << log).min(most));
            rest = others;
            let x = gather(&prepared, rows)?;
            each(&x, &self.scorer.reconstruct(&x)?)?;
        }
        Ok(())
    }

    /// Whether each sample is anomalous: its score exceeds the [threshold](Self::threshold).
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn predict(&self, data: &Data) -> Result<Vec<bool>> {
        Ok(self.score(data)?.into_iter().map(|score| self.is_anomalous(score)).collect())
    }

    /// Whether a sample of this score is anomalous. NaN is: nothing is known of such a sample, least that it is normal.
    #[must_use]
    pub fn is_anomalous(&self, score: f32) -> bool {
        self.card.threshold.exceeded_by(score)
    }

    /// The conformal p-value of a score `s`: `(1 + #{calibration scores >= s}) / (n + 1)`.
    ///
    /// The guarantee: if a new normal sample and the n calibration samples are exchangeable (drawn alike and
    /// independently, for example), then `P(p <= a) <= a` for every `a`, whatever the model. The probability is over
    /// calibration and new sample together. It says nothing of anomalies, nothing of normal samples after the
    /// world has changed, and it does not hold for windows of a series, which depend on each other: there read it as a rank.
    #[must_use]
    pub fn p_value(&self, score: f32) -> f64 {
        p_value(score, &self.calibration)
    }

    /// Where the share of normal samples above the threshold may truly lie, if the threshold is of a false-positive
    /// rate: its 5 % and 95 % points over calibrations with other samples. The rate itself holds on average over them.
    ///
    /// With the threshold at the r-th smallest of n calibration scores the share is distributed as Beta(n + 1 - r, r).
    /// `None` for other rules, and for windows of a series, which depend on each other.
    #[must_use]
    pub fn false_positive_range(&self) -> Option<[f64; 2]> {
        match (&self.card.features.layout, self.card.threshold.rule) {
            (Layout::Series { .. }, _) => None,
            (_, Rule::FalsePositiveRate(rate)) => rate_range(rate, self.calibration.len()),
            _ => None,
        }
    }

    /// The scores of the calibration samples, ascending.
    #[must_use]
    pub fn calibration(&self) -> &[f32] {
        &self.calibration
    }

    /// The score above which a sample is called anomalous.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.card.threshold
    }

    /// Finds another threshold; nothing is trained.
    ///
    /// # Errors
    /// A number out of range, or a rate that so few calibration scores cannot promise.
    pub fn set_threshold(&mut self, rule: Rule) -> Result<()> {
        self.card.threshold = Threshold::new(rule, &self.calibration)?;
        Ok(())
    }

    /// What is known about the model.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// From the numbers of a sample to what the model sees.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.card.features
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model's state, by name.
    pub(crate) fn state(&self) -> &StateDict {
        &self.state
    }

    /// Saves the detector as one file, which appears whole or not at all.
    ///
    /// # Errors
    /// If the file system refuses, or something in it is no finite number, which [`load`](Self::load) would refuse.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (card, state, calibration) = (self.card.clone(), self.state.clone(), self.calibration.clone());
        file::save(path.as_ref(), Content { card, state, calibration })
    }

    /// Loads a detector. Its scores are the same bits as before it was saved.
    ///
    /// # Errors
    /// A file that cannot be read, is no model, is of a newer format, or is damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let damaged = |problem: String| Error::Damaged { path: path.to_owned(), problem };
        let Content { card, state, calibration } = file::load(path)?;
        // Before a model is made: a small file must not ask for gigabytes.
        let least = card.spec.least_numbers().map_err(|error| damaged(error.to_string()))?;
        let numbers: usize = state.tensors.values().map(Tensor::len).sum();
        if numbers < least {
            return Err(damaged(format!(
                "it holds {numbers} numbers, the model that it describes has at least {least}"
            )));
        }
        let mut model =
            Model::new(&card.spec, card.training.config.seed).map_err(|error| damaged(error.to_string()))?;
        state.apply(&mut model).map_err(|error| damaged(error.to_string()))?;
        if card.spec.architecture.sample_shape() != card.features.shape() {
            return Err(damaged("its parts do not fit each other".to_owned()));
        }
        Self::new(card, model, calibration)
    }
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("card", &self.card).finish_non_exhaustive()
    }
}

/// The numbers of all samples.
pub(crate) fn all(data: &Data) -> Result<Vec<u32>> {
    let count = u32::try_from(data.len()).map_err(|_| Error::unsuitable("data", "more than 2^32 samples"))?;
    Ok((0..count).collect())
}

fn mean_square(x: &[f32], y: &[f32]) -> f32 {
    let square = |(&x, &y): (&f32, &f32)| (f64::from(x) - f64::from(y)).powi(2);
    (x.iter().zip(y).map(square).sum::<f64>() / x.len() as f64) as f32
}
