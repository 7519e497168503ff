//! Figure 1: one training for every width of the bottleneck and every model, each with its own file of data.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rftm_data::{Dataset, DatasetId, Part, Subset};
use rftm_experiments::{Cell, DatasetProtocol};
use rftm_metrics::{auroc, mean_std, quantile};
use rftm_models::{
    Architecture, Capacities, MemorySpec, ModelKind, ModelSpec, SCORING_BATCH, TrainConfig, reconstruct,
};
use rftm_rng::{rng, sample_sorted};

use super::cells::CellJob;
use super::outputs::to_pixels;
use super::training::{Progress, Training};
use super::{Capture, Datasets};
use crate::error::{Error, Result};
use crate::figure::{Figure, WIDTH_EXAMPLES, WIDTH_MODELS, WIDTH_POWERS, widths_folder};
use crate::sheet::{Source, hex};

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
        format!("{}-{:03}", self.kind, self.width)
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
}

/// The trainings whose files are not there yet. One that cannot be read is written again.
pub(crate) fn jobs(capture: &Capture<'_>) -> Vec<WidthJob> {
    let mut lacking = Vec::new();
    for width in WIDTH_POWERS.map(|power| 1 << power) {
        for kind in WIDTH_MODELS {
            let job = WidthJob { kind, width };
            if !matches!(Source::read(&job.path(capture)), Ok(Some(_))) {
                lacking.push(job);
            }
        }
    }
    lacking
}

/// Trains one width on all classes, scores both test sets, and writes the file.
pub(crate) fn run(capture: &Capture<'_>, job: WidthJob, datasets: &Datasets, progress: Progress<'_>) -> Result<()> {
    let subject = capture.subject;
    let [normal, other] = [subject.dataset, subject.other].map(|id| known(capture, datasets, id));
    let ((protocol, normal), (_, other)) = (normal?, other?);
    let shared = &capture.catalogue.protocol;
    let Architecture::Mlp { widths } = &protocol.architecture else {
        let message = format!("{} has no fully connected autoencoder", normal.id);
        return Err(Error::Data { figure: "fig1", message });
    };
    // 784-512-256-b: the paper's hidden layers stay as they are.
    let hidden = &widths[..widths.len().saturating_sub(1)];
    let widths = [hidden, &[job.width]].concat();
    let memory = MemorySpec::of(job.kind, shared.convention, Capacities::default());
    let spec = ModelSpec::mlp(&widths, memory, shared.convention);
    let config = TrainConfig {
        seed: subject.seed,
        batch_size: shared.train.batch_size,
        learning_rate: shared.train.learning_rate,
        patience: shared.train.patience,
        max_epochs: capture.max_epochs.unwrap_or(shared.train.max_epochs),
    };
    let subset = |dataset, part, indices| Subset::new(dataset, part, indices, shared.convention.scaling(), true);
    let [train, validation] = split(normal.train.len(), shared.split_seed, normal.class_names.len())
        .map(|indices| subset(normal, Part::Train, indices));
    let training = Training {
        name: &job.to_string(),
        spec: &spec,
        config: &config,
        folder: job.folder(capture),
        snapshots: false,
        stop: capture.stop,
        progress: Some(progress),
    };
    let mut trained = training.run(&train, &validation)?;

    let mut sheet = capture.sheet(Figure::Fig1, &["what", "set", "value", "pixels"]);
    let layers = widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
    for (name, value) in [
        ("model", job.kind.to_string()),
        ("neurons", job.width.to_string()),
        ("layers", layers),
        ("seed", subject.seed.to_string()),
        ("convention", shared.convention.to_string()),
        ("epochs", trained.report.epochs.to_string()),
        ("best epoch", trained.report.best_epoch.to_string()),
        ("weights", trained.model.digest()),
    ] {
        sheet.note(name, value);
    }
    let mut scores = Vec::new();
    for (name, dataset, class) in [("normal", normal, WIDTH_EXAMPLES[0]), ("anomalous", other, WIDTH_EXAMPLES[1])] {
        sheet.note(name, format!("test images of {}, SHA-256 {}", dataset.id, dataset.checksum));
        let all = subset(dataset, Part::Test, (0..dataset.test.len() as u32).collect());
        let errors: Vec<f64> = trained.model.scores(&all)?.into_iter().map(f64::from).collect();
        sheet.push(vec!["mean".into(), name.into(), mean_std(&errors, 0)?.mean.to_string(), String::new()]);
        for percent in [5, 25, 50, 75, 95] {
            let value = quantile(&errors, f64::from(percent) / 100.0)?;
            sheet.push(vec![format!("q{percent:02}"), name.into(), value.to_string(), String::new()]);
        }
        let first = dataset.test.labels.iter().position(|label| *label == class).unwrap_or(0);
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

fn known<'a>(
    capture: &'a Capture<'_>,
    datasets: &'a Datasets,
    id: DatasetId,
) -> Result<(&'a DatasetProtocol, &'a Arc<Dataset>)> {
    let unknown = || Error::Data { figure: "fig1", message: format!("{id} is not in the protocol") };
    let protocol = capture.catalogue.protocol.dataset(id).ok_or_else(unknown)?;
    let dataset = capture.dataset(datasets, id)?;
    if dataset.checksum != protocol.checksum {
        let (found, expected) = (dataset.checksum.clone(), protocol.checksum.clone());
        return Err(Error::DataChecksum { id, found, expected });
    }
    Ok((protocol, dataset))
}

/// What is trained on and what validates: a tenth, rounded up, as where a class is held out, whose streams have the numbers
/// of the classes. No class is, so the stream has the next number.
fn split(count: usize, seed: u64, classes: usize) -> [Vec<u32>; 2] {
    let mut validation = Vec::new();
    sample_sorted(count, count.div_ceil(10), &mut rng(seed, "split", classes as u64), &mut validation);
    let train = (0..count as u32).filter(|index| validation.binary_search(index).is_err()).collect();
    [train, validation]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_validates_and_nothing_is_lost() {
        let [train, validation] = split(101, 2022, 10);
        assert_eq!((train.len(), validation.len()), (90, 11));
        let mut all = [train, validation].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..101));
        assert_ne!(split(101, 2022, 10), split(101, 2022, 9));
    }
}
