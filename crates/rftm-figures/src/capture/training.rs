//! One training with a folder of its own, in which its weights stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rftm_data::Samples;
use rftm_models::{EpochReport, Model, ModelSpec, Observer, TrainConfig, TrainOutcome, TrainReport, train};
use rftm_nn::StateDict;

use crate::error::{Error, IoContext, Result};

use super::clock::Clock;
use super::watch::{Event, Watch};

/// The file of the weights, which is the trainer's checkpoint: training again from it ends at once, with the weights of
/// the best epoch and the whole history.
const FILE: &str = "training.safetensors";

/// A trained model.
pub(crate) struct Trained {
    pub(crate) model: Model,
    pub(crate) report: TrainReport,
    /// Epochs that were trained now; those before came with the saved weights.
    pub(crate) epochs_here: usize,
    pub(crate) folder: PathBuf,
}

/// What is trained and who watches.
pub(crate) struct Training<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a ModelSpec,
    pub(crate) config: &'a TrainConfig,
    pub(crate) folder: PathBuf,
    /// Whether the weights after epochs 1, 2, 4, 8, ... are kept, too.
    pub(crate) snapshots: bool,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) progress: Option<Progress<'a>>,
}

/// Where the epochs of a training are told.
#[derive(Clone, Copy)]
pub(crate) struct Progress<'a> {
    /// Its place among the trainings of the capture.
    pub(crate) job: usize,
    pub(crate) clock: &'a Clock,
    pub(crate) watch: &'a dyn Watch,
}

/// Whether a training has begun in `folder`.
pub(crate) fn has_begun(folder: &Path) -> bool {
    folder.join(FILE).is_file()
}

impl Training<'_> {
    /// Trains, or goes on, or reads what is finished.
    pub(crate) fn run(self, samples: &dyn Samples, validation: &dyn Samples) -> Result<Trained> {
        fs::create_dir_all(&self.folder).at("create the folder", &self.folder)?;
        let mut model = Model::new(self.spec, self.config.seed)?;
        let checkpoint = self.folder.join(FILE);
        let mut observer = Follow { training: &self, failed: None, epochs: 0 };
        let outcome = train(&mut model, self.config, samples, validation, Some(&checkpoint), &mut observer)?;
        let Follow { failed, epochs: epochs_here, .. } = observer;
        if let Some(error) = failed {
            return Err(error);
        }
        match outcome {
            TrainOutcome::Finished(report) => Ok(Trained { model, report, epochs_here, folder: self.folder }),
            TrainOutcome::Interrupted { epoch } => {
                if let Some(Progress { watch, .. }) = self.progress {
                    watch.event(&Event::Interrupted { name: self.name, epoch: epoch + 1 });
                }
                Err(Error::Stopped)
            }
        }
    }
}

impl Trained {
    /// The epochs of which the weights were kept, ascending.
    pub(crate) fn snapshots(&self) -> Vec<usize> {
        let epochs = (0..).map(|power| 1_usize << power).take_while(|epoch| *epoch <= self.report.epochs);
        epochs.filter(|epoch| snapshot(&self.folder, *epoch).is_file()).collect()
    }

    /// The model as it was after `epoch`.
    pub(crate) fn at(&self, epoch: usize, seed: u64) -> Result<Model> {
        let mut model = Model::new(self.model.spec(), seed)?;
        StateDict::load(&snapshot(&self.folder, epoch))?.apply(&mut model)?;
        Ok(model)
    }
}

fn snapshot(folder: &Path, epoch: usize) -> PathBuf {
    folder.join(format!("epoch-{epoch:03}.safetensors"))
}

struct Follow<'a> {
    training: &'a Training<'a>,
    failed: Option<Error>,
    epochs: usize,
}

impl Observer for Follow<'_> {
    fn epoch(&mut self, report: &EpochReport) {
        self.epochs += 1;
        let Training { name, config, progress, .. } = self.training;
        if let Some(Progress { job, clock, watch }) = *progress {
            let (training_left, left) = clock.epoch(job, report, config);
            watch.event(&Event::Epoch { name, report, training_left, left });
        }
    }

    fn state(&mut self, epoch: usize, state: &mut dyn FnMut() -> StateDict) {
        if self.training.snapshots && epoch.is_power_of_two() {
            let saved = state().save(&snapshot(&self.training.folder, epoch));
            self.failed = self.failed.take().or(saved.err().map(Error::from));
        }
    }

    fn should_stop(&self) -> bool {
        self.failed.is_some() || self.training.stop.load(Ordering::Relaxed)
    }
}
