//! The real runner: the one place that knows data, models and metrics together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rftm_data::{Dataset, DatasetId};
use rftm_models::{EpochReport, Model, Observer, TrainOutcome, train};
use rftm_nn::StateError;

use crate::cell::{Cell, check_content};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::Finished;
use crate::runner::{CellError, CellOutcome, CellProgress, CellRunner};
use crate::scores::Scores;
use crate::verify::metrics;

/// Trains and scores with the data sets it was given.
#[derive(Debug)]
pub struct RealRunner {
    datasets: BTreeMap<DatasetId, Arc<Dataset>>,
}

impl RealRunner {
    /// A runner for the cells of `plan` that are on these data sets.
    ///
    /// # Errors
    /// [`Error::DataChecksum`] if a data set is not the one the cells are defined on.
    pub fn new(datasets: impl IntoIterator<Item = Dataset>, plan: &Plan) -> Result<Self> {
        let datasets: BTreeMap<_, _> = datasets.into_iter().map(|dataset| (dataset.id, Arc::new(dataset))).collect();
        for (_, cell) in &plan.cells {
            if let Some(dataset) = datasets.get(&cell.dataset) {
                check_content(dataset, &cell.data_checksum)?;
            }
        }
        Ok(Self { datasets })
    }
}

impl CellRunner for RealRunner {
    fn run(&self, cell: &Cell, checkpoint: &Path, progress: &dyn CellProgress) -> Result<CellOutcome, CellError> {
        let failed = |error: &dyn std::fmt::Display| CellError::Failed(error.to_string());
        let id = cell.dataset;
        let dataset = self.datasets.get(&id).ok_or_else(|| failed(&format!("the data set {id} was not loaded")))?;
        let parts = cell.parts(dataset).map_err(|error| failed(&error))?;
        let file = checkpoint.join("training.safetensors");
        let mut model = Model::new(&cell.model, cell.train.seed).map_err(|error| failed(&error))?;
        let mut observer = Forward { progress };
        let trained = train(&mut model, &cell.train, &parts.train, &parts.validation, Some(&file), &mut observer)
            .map_err(training_error)?;
        let report = match trained {
            TrainOutcome::Finished(report) => report,
            TrainOutcome::Interrupted { epoch } => return Ok(CellOutcome::Interrupted { epoch: epoch + 1 }),
        };
        let begin = Instant::now();
        let scores = model.scores(&parts.test).map_err(|error| failed(&error))?;
        let scores = Scores { scores, anomalous: parts.anomalous };
        let metrics = metrics(&scores).map_err(|error| failed(&error))?;
        // The history reaches back over interruptions, unlike a clock started here.
        let training: f64 = report.history.iter().map(|epoch| epoch.seconds).sum();
        let finished = Finished {
            metrics,
            epochs: report.epochs,
            best_epoch: report.best_epoch,
            best_validation_loss: report.best_validation_loss,
            hit_epoch_limit: report.hit_epoch_limit,
            parameters: model.parameters(),
            weights: model.digest(),
            warnings: report.warnings,
            seconds: training + begin.elapsed().as_secs_f64(),
        };
        Ok(CellOutcome::Finished(Box::new(finished), scores))
    }
}

fn training_error(error: rftm_models::Error) -> CellError {
    match error {
        rftm_models::Error::State(StateError::Io { path, source }) => {
            CellError::Disk(Error::Io { action: "use the checkpoint", path, source })
        }
        error => CellError::Failed(error.to_string()),
    }
}

/// Passes what the trainer says on to the driver.
struct Forward<'a> {
    progress: &'a dyn CellProgress,
}

impl Observer for Forward<'_> {
    fn epoch(&mut self, report: &EpochReport) {
        self.progress.epoch(report);
    }

    fn should_stop(&self) -> bool {
        self.progress.should_stop()
    }
}
