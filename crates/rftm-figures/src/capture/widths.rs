//! Figure 1: one training for every width of the bottleneck and every model, each with its own file of data.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rftm_data::{Dataset, DatasetId, Part, Subset, split};
use rftm_experiments::{Cell, DatasetProtocol, check_content};
use rftm_memory::UnitConfig;
use rftm_metrics::{auroc, mean_std, quantile};
use rftm_models::{
    Architecture, Capacities, MemorySpec, ModelKind, ModelSpec, SCORING_BATCH, TrainConfig, reconstruct,
};

use super::cells::CellJob;
use super::outputs::to_pixels;
use super::training::{Progress, Training};
use super::{Capture, Datasets};
use crate::error::{Error, Result};
use crate::figure::{Figure, WIDTH_EXAMPLES, WIDTH_MODELS, WIDTH_POWERS, width_id, widths_folder};
use crate::sheet::hex;
use crate::width::{self, COLUMNS, Header, Origin, QUANTILES, SETS, Setting, TestSet, Width};

/// A model and the width of its bottleneck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WidthJob {
    kind: ModelKind,
    width: usize,
}

impl fmt::Display for WidthJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fig1, {} with {} neurons", self.kind, self.width)
    }
}

impl WidthJob {
    fn id(self) -> String {
        width_id(self.kind, self.width)
    }

    /// The folder of its weights.
    pub(crate) fn folder(self, capture: &Capture<'_>) -> PathBuf {
        let trial = capture.max_epochs.map(|epochs| format!("-{epochs}-epochs")).unwrap_or_default();
        capture.weights.join(format!("fig1-{}{trial}", self.id()))
    }

    /// The cell that takes as long: the width of the bottleneck hardly counts.
    pub(crate) fn like(self, capture: &Capture<'_>) -> Result<Cell> {
        CellJob::new(capture, self.kind).map(|job| job.cell)
    }

    fn path(self, capture: &Capture<'_>) -> PathBuf {
        widths_folder(capture.out).join(format!("{}.csv", self.id()))
    }

    fn memory(self, capture: &Capture<'_>) -> MemorySpec {
        MemorySpec::of(self.kind, capture.catalogue.protocol.convention, Capacities::default())
    }

    /// What its file must say.
    fn header(self, capture: &Capture<'_>) -> Result<Header> {
        let (subject, shared) = (capture.subject, &capture.catalogue.protocol);
        let [normal, other] = [subject.dataset, subject.other].map(|id| described(capture, id));
        let (normal, other) = (normal?, other?);
        let Architecture::Mlp { widths } = &normal.architecture else {
            let message = format!("{} has no fully connected autoencoder", normal.id);
            return Err(Error::Data { figure: "fig1", message });
        };
        let TrainConfig { seed, batch_size, learning_rate, patience, max_epochs } = config(capture);
        Ok(Header {
            kind: self.kind,
            neurons: self.width,
            memory: told(&self.memory(capture)),
            setting: Setting {
                // 784-512-256-b: the paper's hidden layers stay as they are.
                layers: widths[..widths.len().saturating_sub(1)].to_vec(),
                seed,
                convention: shared.convention,
                training: format!(
                    "batches of {batch_size}, learning rate {learning_rate}, at most {max_epochs} epochs, patience {patience}, \
                     split seed {}",
                    shared.split_seed
                ),
                sets: [normal, other].map(|set| TestSet { id: set.id, checksum: set.checksum.clone() }),
                trial: capture.trial(),
            },
        })
    }
}

fn config(capture: &Capture<'_>) -> TrainConfig {
    let train = &capture.catalogue.protocol.train;
    train.config(capture.subject.seed, capture.max_epochs.unwrap_or(train.max_epochs))
}

/// A memory in words.
fn told(memory: &MemorySpec) -> String {
    let unit = |(name, unit): (&str, &Option<UnitConfig>)| {
        let UnitConfig { capacity, top_k, forgetting_rate, .. } = unit.as_ref()?;
        let read = top_k.map_or("all".to_owned(), |k| k.to_string());
        Some(format!("{name} of {capacity} slots, {read} read, a share of {forgetting_rate} forgotten"))
    };
    match memory {
        MemorySpec::None => "none".to_owned(),
        MemorySpec::Twin { hippocampus, cortex, .. } => {
            let units = [("hippocampus", hippocampus), ("cortex", cortex)];
            units.into_iter().filter_map(unit).collect::<Vec<_>>().join("; ")
        }
        other => format!("{other:?}"),
    }
}

/// The trainings without a file, or whose file cannot be drawn, or is of another training than would be run now. What is
/// written again comes from the saved weights where they are there.
pub(crate) fn jobs(capture: &Capture<'_>) -> Result<Vec<WidthJob>> {
    let mut lacking = Vec::new();
    for width in WIDTH_POWERS.map(|power| 1 << power) {
        for kind in WIDTH_MODELS {
            let job = WidthJob { kind, width };
            let header = job.header(capture)?;
            if !matches!(Width::read(&job.path(capture)), Ok(Some(known)) if known.header == header) {
                lacking.push(job);
            }
        }
    }
    Ok(lacking)
}

/// Trains one width on all classes, scores both test sets, and writes the file.
pub(crate) fn run(capture: &Capture<'_>, job: WidthJob, datasets: &Datasets, progress: Progress<'_>) -> Result<()> {
    let began = capture.host.now(capture.parallelism.threads, capture.parallelism.jobs);
    let subject = capture.subject;
    let [normal, other] = [subject.dataset, subject.other].map(|id| loaded(capture, datasets, id));
    let (normal, other) = (normal?, other?);
    let shared = &capture.catalogue.protocol;
    let header = job.header(capture)?;
    let widths = [&header.setting.layers[..], &[job.width]].concat();
    let spec = ModelSpec::mlp(&widths, job.memory(capture), shared.convention);
    let subset = |dataset, part, indices| Subset::new(dataset, part, indices, shared.convention.scaling(), true);
    // Where a class is held out, its number is that of the stream. None is, so the stream has the next number.
    let stream = normal.class_names.len() as u64;
    let [train, validation] =
        split(normal.train.len(), shared.split_seed, stream).map(|indices| subset(normal, Part::Train, indices));
    let training = Training {
        name: &job.to_string(),
        spec: &spec,
        config: &config(capture),
        folder: job.folder(capture),
        snapshots: false,
        stop: capture.stop,
        progress: Some(progress),
    };
    let mut trained = training.run(&train, &validation)?;

    let mut sheet = capture.sheet(Figure::Fig1, &COLUMNS);
    header.write(&mut sheet);
    let digest = trained.model.digest();
    Origin::new(&trained.report, trained.epochs_here, digest, began).write(&mut sheet);
    let mut scores = Vec::new();
    for (name, (dataset, class)) in SETS.into_iter().zip([normal, other].into_iter().zip(WIDTH_EXAMPLES)) {
        let all = subset(dataset, Part::Test, (0..dataset.test.len() as u32).collect());
        let errors: Vec<f64> = trained.model.scores(&all)?.into_iter().map(f64::from).collect();
        sheet.push(vec!["mean".into(), name.into(), mean_std(&errors, 0)?.mean.to_string(), String::new()]);
        for percent in QUANTILES {
            let value = quantile(&errors, f64::from(percent) / 100.0)?;
            sheet.push(vec![width::quantile(percent), name.into(), value.to_string(), String::new()]);
        }
        let first = dataset.test.labels.iter().position(|label| *label == class).ok_or_else(|| Error::Data {
            figure: "fig1",
            message: format!("{} has no test image of class {class} for an example", dataset.id),
        })?;
        let one = subset(dataset, Part::Test, vec![first as u32]);
        let image = to_pixels(&reconstruct(&trained.model, &one, SCORING_BATCH)?, shared.convention.scaling());
        sheet.push(vec!["input".into(), name.into(), first.to_string(), hex(one.pixels(0))]);
        sheet.push(vec!["output".into(), name.into(), errors[first].to_string(), hex(&image)]);
        scores.push(errors);
    }
    let labels: Vec<bool> = scores.iter().zip([false, true]).flat_map(|(s, label)| vec![label; s.len()]).collect();
    let area = auroc(&labels, &scores.concat())?;
    sheet.push(vec!["auroc".into(), "both".into(), area.to_string(), String::new()]);
    sheet.write(&job.path(capture))
}

fn described<'a>(capture: &'a Capture<'_>, id: DatasetId) -> Result<&'a DatasetProtocol> {
    let unknown = || Error::Data { figure: "fig1", message: format!("{id} is not in the protocol") };
    capture.catalogue.protocol.dataset(id).ok_or_else(unknown)
}

fn loaded<'a>(capture: &Capture<'_>, datasets: &'a Datasets, id: DatasetId) -> Result<&'a Arc<Dataset>> {
    let (expected, dataset) = (&described(capture, id)?.checksum, capture.dataset(datasets, id)?);
    check_content(dataset, expected)?;
    Ok(dataset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use rftm_data::{SearchPath, load};
    use rftm_experiments::{Catalogue, Host, Ledger, Parallelism};

    use crate::capture::clock::Clock;
    use crate::capture::{Event, Job, Subject, Watch};
    use crate::drawings;

    /// Hears epochs.
    struct Count(AtomicUsize);

    impl Watch for Count {
        fn event(&self, event: &Event<'_>) {
            self.0.fetch_add(usize::from(matches!(event, Event::Epoch { .. })), Ordering::Relaxed);
        }
    }

    /// One width on glyphs, captured and drawn: it is done then, but not for another subject, nor for the whole training, nor
    /// once its file is damaged; and what is captured again comes from the weights.
    #[test]
    fn a_training_is_done_if_its_file_is_what_would_be_written() {
        let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
        let (folder, count) = (tempfile::tempdir().unwrap(), Count(AtomicUsize::new(0)));
        let [out, weights] = ["out", "weights"].map(|name| folder.path().join(name));
        let host = Host { commit: "0123456789abcdef".into(), dirty: true, cpu: "a CPU".into(), cores: 2 };
        let glyphs = DatasetId::Glyphs;
        let capture = Capture {
            catalogue: &catalogue,
            ledger: &ledger,
            subject: Subject { dataset: glyphs, other: glyphs, ..Subject::default() },
            max_epochs: Some(1),
            out: &out,
            weights: &weights,
            parallelism: Parallelism { jobs: 1, threads: 2 },
            host: &host,
            stop: &stop,
            watch: &count,
        };
        let dataset = load(glyphs, &SearchPath::only(folder.path())).unwrap();
        let datasets = Datasets::from([(glyphs, Arc::new(dataset))]);
        let job = WidthJob { kind: ModelKind::Rftm, width: 4 };
        let captured = || {
            let clock = Clock::new(&capture, [Job::Width(job)].iter());
            run(&capture, job, &datasets, Progress { job: 0, clock: &clock, watch: &count }).unwrap();
            fs::read_to_string(job.path(&capture)).unwrap()
        };
        let lacking = |capture: &Capture<'_>| jobs(capture).unwrap().len();
        assert_eq!(lacking(&capture), 18);
        let text = captured();
        assert_eq!((lacking(&capture), count.0.load(Ordering::Relaxed)), (17, 1));

        let drawn = drawings(&catalogue, &ledger, &out);
        assert!(drawn.failures.is_empty(), "{:?}", drawn.failures);
        for expected in ["**A trial, at most 1 epochs", "1 of 18 trainings", "`0123456789+`", "a CPU, threads 2."] {
            assert!(drawn.drawn[0].caption.contains(expected), "{expected} is not in {}", drawn.drawn[0].caption);
        }

        assert_eq!(lacking(&Capture { max_epochs: None, ..capture }), 18, "a trial is not the protocol's training");
        let subject = capture.subject;
        assert_eq!(lacking(&Capture { subject: Subject { seed: 1, ..subject }, ..capture }), 18);
        assert_eq!(lacking(&Capture { subject: Subject { other: DatasetId::Mnist, ..subject }, ..capture }), 18);
        for (from, to) in [
            ("# seed: 1997\n", ""),
            ("# seed: 1997", "# seed: 1998"),
            ("# convention: release", "# convention: text"),
            ("-256-4", "-128-4"),
            ("SHA-256 1", "SHA-256 2"),
            ("# commit: ", "# comment: "),
            ("# memory: hippocampus of 50", "# memory: hippocampus of 60"),
            ("auroc,both", "auroc,all"),
        ] {
            assert!(text.contains(from), "{from} is not in {text}");
            fs::write(job.path(&capture), text.replacen(from, to, 1)).unwrap();
            assert_eq!(lacking(&capture), 18, "{from} became {to:?}");
        }
        let again = captured();
        assert_eq!((lacking(&capture), count.0.load(Ordering::Relaxed)), (17, 1), "nothing is trained again");
        let same = |text: &str| -> String {
            let time = |line: &&str| ["# captured", "# epochs here"].iter().any(|name| line.starts_with(name));
            text.lines().filter(|line| !time(line)).collect()
        };
        assert_eq!(same(&again), same(&text));
        assert!(again.contains("# epochs here: 0\n"), "the file says that the weights were there");
    }
}
