use rftm_data::Samples;
use rftm_models::{
    Architecture, MemorySpec, Model, ModelKind, ModelSpec, Observer, Silent, TrainConfig, TrainOutcome, train,
};
use sha2::{Digest, Sha256};

use crate::detector::Detector;
use crate::features::{FIT_LIMIT, Prepared};
use crate::file::hex;
use crate::split::Split;
use crate::{
    Card, Column, Data, Error, Features, Layout, Missing, Origin, Result, Rule, Scaling, Threshold, Training, defaults,
};

/// What a detector is to be. Everything has a default ([`defaults`]), most of them by the size of the data.
#[derive(Debug, Clone)]
pub struct Builder {
    kind: ModelKind,
    seed: u64,
    scaling: Scaling,
    missing: Missing,
    architecture: Option<Architecture>,
    widths: Option<Vec<usize>>,
    memory: Option<MemorySpec>,
    rule: Option<Rule>,
    batch_size: Option<usize>,
    learning_rate: Option<f64>,
    patience: Option<usize>,
    max_epochs: Option<usize>,
    origin: Option<Origin>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            kind: ModelKind::Rftm,
            seed: defaults::SEED,
            scaling: Scaling::default(),
            missing: Missing::default(),
            architecture: None,
            widths: None,
            memory: None,
            rule: None,
            batch_size: None,
            learning_rate: None,
            patience: None,
            max_epochs: None,
            origin: None,
        }
    }
}

impl Builder {
    /// The model, with the default memory of its kind; RFTM unless said otherwise. Of this and [`memory`](Self::memory)
    /// the later call counts.
    #[must_use]
    pub fn kind(self, kind: ModelKind) -> Self {
        Self { kind, memory: None, ..self }
    }

    /// Root of all randomness. The same seed, data and machine give the same bits.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How columns are brought to a common size. Pixels always become `x / 127.5 - 1`.
    #[must_use]
    pub fn scaling(self, scaling: Scaling) -> Self {
        Self { scaling, ..self }
    }

    /// What becomes of missing values; refused unless said otherwise.
    #[must_use]
    pub fn missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// Widths of the encoder's layers from the first hidden one to the latent, of images their channels; the decoder
    /// mirrors them. Of this and [`architecture`](Self::architecture) the later call counts.
    #[must_use]
    pub fn widths(self, widths: &[usize]) -> Self {
        Self { widths: Some(widths.to_vec()), architecture: None, ..self }
    }

    /// Encoder and decoder as a whole. The first width is that of the encoded samples ([`Features::width`]).
    #[must_use]
    pub fn architecture(self, architecture: Architecture) -> Self {
        Self { architecture: Some(architecture), widths: None, ..self }
    }

    /// What stands between them, and with it the kind of the model.
    #[must_use]
    pub fn memory(self, memory: MemorySpec) -> Self {
        Self { kind: memory.kind(), memory: Some(memory), ..self }
    }

    /// Above which score a sample is called anomalous.
    #[must_use]
    pub fn threshold(self, rule: Rule) -> Self {
        Self { rule: Some(rule), ..self }
    }

    /// Samples a step.
    #[must_use]
    pub fn batch_size(self, samples: usize) -> Self {
        Self { batch_size: Some(samples), ..self }
    }

    /// Step length of Adam.
    #[must_use]
    pub fn learning_rate(self, rate: f64) -> Self {
        Self { learning_rate: Some(rate), ..self }
    }

    /// Epochs without a lower validation loss after which training stops.
    #[must_use]
    pub fn patience(self, epochs: usize) -> Self {
        Self { patience: Some(epochs), ..self }
    }

    /// The most epochs.
    #[must_use]
    pub fn max_epochs(self, epochs: usize) -> Self {
        Self { max_epochs: Some(epochs), ..self }
    }

    /// Where the data came from, to be saved with the model.
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Splits the data, learns the scaling, and decides everything that was left open: what [`fit`](Self::fit) would do.
    ///
    /// # Errors
    /// Samples of which there are too few or more than 2^32, a missing value where none is allowed, a column without any
    /// value, pixels from 0 to 1, samples that are all the same to the model ([`Error::NoVariation`]), an architecture that
    /// is not for them, or a threshold that is out of range or that so few calibration scores cannot promise.
    pub fn plan<'a>(&self, data: &'a Data) -> Result<Plan<'a>> {
        let split = Split::new(data, self.seed)?;
        let features = Features::learn(data, &split.rows, self.scaling, self.missing)?;
        features.check(data, 1)?;
        let layout = data.layout();
        vary(layout, &Prepared::new(data, &features, &split.train))?;
        let architecture = match (&self.architecture, &self.widths) {
            (Some(architecture), _) => architecture.clone(),
            (None, Some(widths)) => of_widths(layout, features.width(), widths),
            (None, None) => defaults::architecture(layout, features.width()),
        };
        if architecture.sample_shape() != features.shape() {
            let (given, needed) = (architecture.sample_shape(), features.shape());
            return Err(Error::setting(
                "architecture",
                format!("it is for samples of {given:?}; these are {needed:?}"),
            ));
        }
        let memory = self.memory.clone().unwrap_or_else(|| defaults::memory(self.kind, layout));
        let base = ModelSpec::mlp(&[], memory, defaults::CONVENTION);
        let default = defaults::train(layout, split.train.len(), self.batch_size, self.seed);
        let config = TrainConfig {
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            patience: self.patience.unwrap_or(default.patience),
            max_epochs: self.max_epochs.unwrap_or(default.max_epochs),
            ..default
        };
        let rule = self.rule.unwrap_or_else(|| defaults::threshold(split.calibration.len()));
        // A rule that cannot be kept should be known before an hour of training: any scores tell.
        Threshold::new(rule, &vec![0.0; split.calibration.len()])?;
        let origin = self.origin.clone().unwrap_or_else(|| Origin { sha256: checksum(data), ..Origin::default() });
        Ok(Plan { data, features, spec: ModelSpec { architecture, ..base }, config, rule, split, origin })
    }

    /// Fits a detector. Every sample should be normal; labels have no place here.
    ///
    /// # Errors
    /// As [`plan`](Self::plan), a setting out of range, or a training that diverges.
    pub fn fit(&self, data: &Data) -> Result<Detector> {
        self.plan(data)?.fit(&mut Silent)
    }
}

/// Encoder and decoder for samples of `width` numbers, with these layers.
fn of_widths(layout: &Layout, width: usize, widths: &[usize]) -> Architecture {
    let layers = |first: usize| [&[first], widths].concat();
    match *layout {
        Layout::Images { channels, height, width } => Architecture::conv([height, width], &layers(channels)),
        Layout::Table { .. } | Layout::Series { .. } => Architecture::Mlp { widths: layers(width) },
    }
}

/// What a [`Builder`] decided for some data.
pub struct Plan<'a> {
    data: &'a Data,
    features: Features,
    spec: ModelSpec,
    config: TrainConfig,
    rule: Rule,
    split: Split,
    origin: Origin,
}

impl Plan<'_> {
    /// Encoder, decoder and memory.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Seed, batch, learning rate, patience, most epochs.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// How many samples train, stop the training in time, and calibrate.
    #[must_use]
    pub fn samples(&self) -> [usize; 3] {
        [&self.split.train, &self.split.validation, &self.split.calibration].map(Vec::len)
    }

    /// Trains and calibrates on the data the plan was made for; the observer may stop it.
    ///
    /// # Errors
    /// A setting out of range, a training that diverges, or [`Error::Interrupted`].
    pub fn fit(self, observer: &mut dyn Observer) -> Result<Detector> {
        let Self { data, features, spec, config, rule, split, origin } = self;
        let prepared = |samples| Prepared::new(data, &features, samples);
        let mut model = Model::new(&spec, config.seed)?;
        model.ignore(&features.silent());
        // What cannot score should be known before an hour of training.
        model.scorer()?;
        let validation = prepared(&split.validation).limited(FIT_LIMIT);
        let rows = match features.scaling {
            // Outliers do not widen this scale, so they would come in full: one of 10 000 deviations in a batch of 256 makes
            // the running variances of batch normalisation so large that normal rows vanish beside it.
            Scaling::Robust => prepared(&split.train).limited(FIT_LIMIT),
            Scaling::Zscore | Scaling::Minmax => prepared(&split.train),
        };
        let outcome = train(&mut model, &config, &rows, &validation, None, observer)?;
        let mut report = match outcome {
            TrainOutcome::Finished(report) => report,
            TrainOutcome::Interrupted { epoch } => return Err(Error::Interrupted { epoch }),
        };
        let [variance, silent] = validation.variance();
        report.warnings.extend(idle(report.best_validation_loss - silent, variance));
        report.warnings.extend(moved(data, &split.rows));
        report.warnings.extend(scattered(&features.layout));
        let training = Training {
            config,
            samples: split.train.len(),
            validation: split.validation.len(),
            calibration: split.calibration.len(),
            epochs: report.epochs,
            best_epoch: report.best_epoch,
            validation_loss: report.best_validation_loss,
            warnings: report.warnings,
        };
        // Replaced as soon as the model can score.
        let threshold = Threshold { rule, value: 0.0 };
        let card = Card { library: env!("CARGO_PKG_VERSION").to_owned(), spec, features, threshold, training, origin };
        let mut detector = Detector::new(card, model, Vec::new())?;
        let mut scores = detector.score_samples(data, &split.calibration)?;
        scores.sort_unstable_by(f32::total_cmp);
        detector.calibrate(scores)?;
        Ok(detector)
    }
}

/// Scaled numbers closer than this are the same: those of a column that varies lie whole deviations apart, unless it
/// varies by less than 32 bits can be scaled by.
const SAME: f32 = 1e-6;

/// Refuses samples that are all the same to the model: a batch of them has no variance to normalise by, and the loss
/// explodes. In the data they may differ: in rare categories, in a gap and what fills it, in the sign of a zero.
fn vary(layout: &Layout, samples: &Prepared<'_>) -> Result<()> {
    let width = samples.shape().iter().product();
    let (mut first, mut other) = (vec![0.0; width], vec![0.0_f32; width]);
    samples.fill(&[0], &mut first);
    for sample in (1..).take(samples.len() - 1) {
        samples.fill(&[sample], &mut other);
        if first.iter().zip(&other).any(|(a, b)| (a - b).abs() > SAME) {
            return Ok(());
        }
    }
    let what = match layout {
        Layout::Table { .. } => "rows",
        Layout::Images { .. } => "images",
        Layout::Series { .. } => "windows",
    };
    Err(Error::NoVariation { what, samples: samples.len() })
}

/// A model whose error is above this share of the variance has learned nothing to speak of.
const IDLE: f64 = 0.9;

/// What to say of a model that does not reconstruct clearly better than the mean sample would.
fn idle(loss: f64, variance: f64) -> Option<String> {
    (loss > IDLE * variance && variance > 0.0).then(|| {
        format!(
            "the error, {loss:.4}, is not clearly below {variance:.4}, that of guessing the mean: the model has learned \
             little. More epochs or patience may help, or the numbers do not depend on each other"
        )
    })
}

/// What to say of columns of numbers that are the same in all rows that train, and not in all others.
fn moved(data: &Data, rows: &[u32]) -> Vec<String> {
    let layout = data.layout();
    if matches!(layout, Layout::Images { .. }) {
        return Vec::new();
    }
    let others = data.values().len() / layout.row_width() - rows.len();
    let warning = |index: usize| {
        let mut known = rows.iter().map(|&row| data.row(row as usize)[index]).filter(|value| !value.is_nan());
        let value = known.next()?;
        let differs = |other: f32| other != value && !other.is_nan();
        if layout.levels(index).is_some() || known.any(differs) {
            return None;
        }
        let count = data.column(index).filter(|&other| differs(other)).count();
        (count > 0).then(|| {
            format!(
                "column {:?} is {value} in all training rows but not in {count} of the {others} others: a change of it \
                 counts up to ten deviations; leave it out if it is normal",
                layout.name(index)
            )
        })
    };
    (0..layout.row_width()).filter_map(warning).collect()
}

/// What to say of columns of categories none of which is common enough to be learned.
fn scattered(layout: &Layout) -> Vec<String> {
    let Layout::Table { columns } = layout else { return Vec::new() };
    let empty = columns.iter().filter(|column| column.levels.as_ref().is_some_and(Vec::is_empty));
    let warning = |column: &Column| {
        format!(
            "column {:?} has no category that {} training rows have: all its values are the same to the model; leave it \
             out, or join categories",
            column.name,
            defaults::FEWEST_OF_CATEGORY
        )
    };
    empty.map(warning).collect()
}

fn checksum(data: &Data) -> String {
    let mut hash = Sha256::new();
    data.values().iter().for_each(|value| hash.update(value.to_le_bytes()));
    hex(&hash.finalize())
}
