//! The file of one training of Figure 1.
//!
//! Capture writes it, drawing reads it, and whether a training is done is asked of the same code: no file can be good
//! enough to be left alone and too bad to be drawn.

use std::collections::BTreeMap;
use std::path::Path;

use rftm_data::DatasetId;
use rftm_experiments::Environment;
use rftm_models::{Convention, ModelKind, TrainReport};

use crate::error::{Error, Result};
use crate::figure::{Figure, WIDTH_MODELS, WIDTH_POWERS, width_id};
use crate::sheet::{Field, Row, SCORE, SHARE, Sheet, Source};

/// The two test sets, as the file calls them.
pub(crate) const SETS: [&str; 2] = ["normal", "anomalous"];

/// The quantiles of the scores, in percent.
pub(crate) const QUANTILES: [u32; 5] = [5, 25, 50, 75, 95];

/// The columns. A row is one number or image of one test set.
pub(crate) const COLUMNS: [&str; 4] = ["what", "set", "value", "pixels"];

/// Pixels of an image: those of MNIST and Fashion-MNIST.
pub(crate) const PIXELS: usize = 28 * 28;

/// A test set by its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestSet {
    pub(crate) id: DatasetId,
    pub(crate) checksum: String,
}

/// What all trainings of the figure share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The widths before the bottleneck.
    pub(crate) layers: Vec<usize>,
    pub(crate) seed: u64,
    pub(crate) convention: Convention,
    /// The hyper-parameters, for people and for comparing.
    pub(crate) training: String,
    /// The data of normal and anomalous images.
    pub(crate) sets: [TestSet; 2],
    /// Said if it is not the protocol's training.
    pub(crate) trial: Option<String>,
}

/// What was trained: two files of equal headers hold equal numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: ModelKind,
    /// The width of the bottleneck.
    pub(crate) neurons: usize,
    /// The memory, for people and for comparing.
    pub(crate) memory: String,
    pub(crate) setting: Setting,
}

impl Header {
    /// The name of its file, without extension.
    pub(crate) fn id(&self) -> String {
        width_id(self.kind, self.neurons)
    }

    /// All layers, as "784-512-256-8".
    pub(crate) fn layers(&self) -> String {
        let all = self.setting.layers.iter().chain([&self.neurons]);
        all.map(ToString::to_string).collect::<Vec<_>>().join("-")
    }

    /// Says in a sheet, which says of what figure and whether a trial it is, the rest.
    pub(crate) fn write(&self, sheet: &mut Sheet) {
        let Setting { seed, convention, training, sets, .. } = &self.setting;
        sheet.note("model", self.kind.name());
        sheet.note("neurons", self.neurons.to_string());
        sheet.note("layers", self.layers());
        sheet.note("memory", &self.memory);
        sheet.note("training", training);
        sheet.note("seed", seed.to_string());
        sheet.note("convention", convention.name());
        for (name, TestSet { id, checksum }) in SETS.into_iter().zip(sets) {
            sheet.note(name, format!("test images of {id}, SHA-256 {checksum}"));
        }
    }

    fn read(source: &Source) -> Result<Self> {
        let (kind, neurons) = (source.only("model")?, source.only("neurons")?);
        let header = Self {
            kind: kind.get()?,
            neurons: neurons.get()?,
            memory: source.only("memory")?.text().to_owned(),
            setting: Setting {
                layers: layers(source.only("layers")?, neurons.get()?)?,
                seed: source.only("seed")?.get()?,
                convention: source.only("convention")?.get()?,
                training: source.only("training")?.text().to_owned(),
                sets: [set(source.only(SETS[0])?)?, set(source.only(SETS[1])?)?],
                trial: source.note("trial").map(str::to_owned),
            },
        };
        if !WIDTH_MODELS.contains(&header.kind) {
            return Err(kind.wrong(format!("{} is no model of the figure", header.kind)));
        }
        if !WIDTH_POWERS.map(|power| 1 << power).any(|width: usize| width == header.neurons) {
            return Err(neurons.wrong(format!("{} is no width of the figure", header.neurons)));
        }
        Ok(header)
    }
}

/// The widths before the bottleneck.
fn layers(field: Field<'_>, neurons: usize) -> Result<Vec<usize>> {
    let all: Option<Vec<usize>> = field.text().split('-').map(|width| width.parse().ok()).collect();
    match all.as_deref().and_then(<[usize]>::split_last) {
        Some((&last, layers)) if last == neurons && !layers.is_empty() => Ok(layers.to_vec()),
        _ => Err(field.wrong(format!("layers are {:?}; they are widths that end with {neurons}", field.text()))),
    }
}

fn set(field: Field<'_>) -> Result<TestSet> {
    let parts = field.text().strip_prefix("test images of ").and_then(|set| set.split_once(", SHA-256 "));
    let set = parts.and_then(|(id, checksum)| Some(TestSet { id: id.parse().ok()?, checksum: checksum.to_owned() }));
    set.ok_or_else(|| field.wrong(format!("{:?} names no data set and checksum", field.text())))
}

/// How and where it was trained. Such a training has no line in the ledger, so its file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) epochs: usize,
    pub(crate) best_epoch: usize,
    /// Epochs trained by the capture that wrote the file; the others were trained before, and their weights saved.
    pub(crate) epochs_here: usize,
    /// Digest of the weights.
    pub(crate) weights: String,
    /// When the capture began with it, in UTC.
    pub(crate) captured: String,
    /// The commit of the code, with a + if its sources differed.
    pub(crate) commit: String,
    pub(crate) cpu: String,
    pub(crate) threads: usize,
}

impl Origin {
    pub(crate) fn new(report: &TrainReport, epochs_here: usize, weights: String, at: Environment) -> Self {
        Self {
            epochs: report.epochs,
            best_epoch: report.best_epoch,
            epochs_here,
            weights,
            captured: at.started,
            commit: format!("{}{}", at.commit, if at.dirty { "+" } else { "" }),
            cpu: at.cpu,
            threads: at.threads,
        }
    }

    /// The commit, short enough for a caption.
    pub(crate) fn short_commit(&self) -> String {
        let commit = self.commit.trim_end_matches('+');
        let mark = if commit.len() < self.commit.len() { "+" } else { "" };
        format!("{}{mark}", commit.get(..10).unwrap_or(commit))
    }

    pub(crate) fn write(&self, sheet: &mut Sheet) {
        sheet.note("epochs", self.epochs.to_string());
        sheet.note("best epoch", self.best_epoch.to_string());
        sheet.note("epochs here", self.epochs_here.to_string());
        sheet.note("weights", &self.weights);
        sheet.note("captured", &self.captured);
        sheet.note("commit", &self.commit);
        sheet.note("cpu", &self.cpu);
        sheet.note("threads", self.threads.to_string());
    }

    fn read(source: &Source) -> Result<Self> {
        let text = |name: &str| source.only(name).map(|note| note.text().to_owned());
        Ok(Self {
            epochs: source.only("epochs")?.get()?,
            best_epoch: source.only("best epoch")?.get()?,
            epochs_here: source.only("epochs here")?.get()?,
            weights: text("weights")?,
            captured: text("captured")?,
            commit: text("commit")?,
            cpu: text("cpu")?,
            threads: source.only("threads")?.get()?,
        })
    }
}

/// A file that was read. Pairs are of normal and anomalous images.
#[derive(Clone, Debug)]
pub(crate) struct Width {
    pub(crate) header: Header,
    pub(crate) origin: Origin,
    /// Mean scores.
    pub(crate) mean: [f64; 2],
    pub(crate) auroc: f64,
    /// The numbers of the example images.
    pub(crate) examples: [usize; 2],
    pub(crate) input: [Vec<u8>; 2],
    pub(crate) output: [Vec<u8>; 2],
}

impl Width {
    /// Reads the file at `path`; none if there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Sheet`] unless everything is there once, can be,
    /// and is the training that the file's name says.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        Source::of(Figure::Fig1, path)?.map(|source| Self::of(path, &source)).transpose()
    }

    fn of(path: &Path, source: &Source) -> Result<Self> {
        let (header, origin) = (Header::read(source)?, Origin::read(source)?);
        if path.file_stem().is_none_or(|name| name.to_string_lossy() != header.id()) {
            return Err(source.wrong(1, format!("the training {}, which has a file of that name", header.id())));
        }
        let rows = rows(source)?;
        let row = |what, set| rows.get(&(what, set)).copied().ok_or_else(|| lacks(source, what, set));
        for row in rows.values() {
            row.number_in("value", SCORE)?;
        }
        let pair = |what| SETS.map(|set| row(what, set));
        let [normal, other] = pair("mean").map(|row| row?.number_in("value", SCORE));
        let [first, second] = pair("input").map(|row| row?.get("value"));
        let image = |what| {
            let [normal, other] = pair(what).map(|row| row?.pixels("pixels", PIXELS));
            Ok::<_, Error>([normal?, other?])
        };
        Ok(Self {
            mean: [normal?, other?],
            auroc: row("auroc", "both")?.number_in("value", SHARE)?,
            examples: [first?, second?],
            input: image("input")?,
            output: image("output")?,
            header,
            origin,
        })
    }
}

/// The name of a quantile.
pub(crate) fn quantile(percent: u32) -> String {
    format!("q{percent:02}")
}

/// The rows by what they say of which test set: each once and no other.
fn rows(source: &Source) -> Result<BTreeMap<(&str, &str), Row<'_>>> {
    let names: Vec<String> =
        ["mean", "input", "output"].map(str::to_owned).into_iter().chain(QUANTILES.map(quantile)).collect();
    let of_set = |set| names.iter().map(move |name| (name.as_str(), set));
    let wanted: Vec<(&str, &str)> = SETS.into_iter().flat_map(of_set).chain([("auroc", "both")]).collect();
    let mut rows = BTreeMap::new();
    for row in source.rows() {
        let (what, set) = (row.text("what")?, row.text("set")?);
        if !wanted.contains(&(what, set)) {
            return Err(row.wrong(format!("{what} of {set} is nothing that such a file says")));
        }
        if rows.insert((what, set), row).is_some() {
            return Err(row.wrong(format!("{what} of {set} is there twice")));
        }
    }
    match wanted.into_iter().find(|wanted| !rows.contains_key(wanted)) {
        Some((what, set)) => Err(lacks(source, what, set)),
        None => Ok(rows),
    }
}

fn lacks(source: &Source, what: &str, set: &str) -> Error {
    source.lacks(&format!("{what} of {set}"))
}
