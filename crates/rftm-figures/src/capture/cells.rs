//! The cells of Figures 3 to 7: cells of the protocol, with the keys they have in Table 1.

use std::path::PathBuf;

use rftm_data::HoldOut;
use rftm_experiments::{Cell, Key, Scores, read_scores, scores_path};
use rftm_models::ModelKind;

use super::training::{Progress, Trained, Training};
use super::{Capture, Datasets};
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::sheet::Sheet;

/// A cell with its key.
#[derive(Clone, Debug)]
pub(crate) struct CellJob {
    pub(crate) key: Key,
    pub(crate) cell: Cell,
}

impl CellJob {
    /// The cell of a model.
    pub(crate) fn new(capture: &Capture<'_>, kind: ModelKind) -> Result<Self> {
        let (catalogue, subject) = (capture.catalogue, capture.subject);
        let wrong = |message: String| Error::Data { figure: "capture", message };
        let definition = catalogue.definition("table1").ok_or_else(|| wrong("there is no table1".to_owned()))?;
        let dataset = catalogue.protocol.dataset(subject.dataset);
        let dataset = dataset.ok_or_else(|| wrong(format!("{} is not in the protocol", subject.dataset)))?;
        let mut variant = catalogue.variant(definition);
        variant.max_epochs = capture.max_epochs.unwrap_or(variant.max_epochs);
        let cell = catalogue.cell(dataset, subject.class, kind, subject.seed, variant);
        Ok(Self { key: cell.key(), cell })
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        format!("{} ({})", self.cell, self.key)
    }

    /// Says in a header which cell it is.
    pub(crate) fn note(&self, sheet: &mut Sheet) {
        sheet.note("cell", format!("{}: {}", self.cell, self.key));
    }

    pub(crate) fn folder(&self, capture: &Capture<'_>) -> PathBuf {
        capture.weights.join(self.key.as_str())
    }
}

/// The models of a figure, in the paper's order.
pub(crate) fn models(figure: Figure) -> &'static [ModelKind] {
    match figure {
        Figure::Fig3 | Figure::Fig4 | Figure::Fig5 | Figure::Curves => &ModelKind::ALL,
        Figure::Fig6 | Figure::Fig7 | Figure::Usage => &[ModelKind::Rftm],
        Figure::Residuals => &[ModelKind::Ae, ModelKind::Rftm],
        Figure::Fig1 | Figure::Auroc => &[],
    }
}

/// The cells that `figure` needs the weights of. Distributions and curves need scores only, which the ledger may have.
pub(crate) fn jobs(capture: &Capture<'_>, figure: Figure) -> Result<Vec<CellJob>> {
    let jobs = models(figure).iter().map(|kind| CellJob::new(capture, *kind)).collect::<Result<Vec<_>>>()?;
    let scored = |job: &CellJob| {
        matches!(figure, Figure::Fig3 | Figure::Fig4)
            && capture.ledger.finished(&job.key).is_some()
            && scores_path(capture.out, &job.key).is_file()
    };
    Ok(jobs.into_iter().filter(|job| !scored(job)).collect())
}

/// The data of a cell.
pub(crate) fn parts(capture: &Capture<'_>, cell: &Cell, datasets: &Datasets) -> Result<HoldOut> {
    Ok(cell.parts(capture.dataset(datasets, cell.dataset)?)?)
}

/// The trained model of a cell: trained here, or before. It must be the model that the ledger has.
pub(crate) fn trained(
    capture: &Capture<'_>,
    job: &CellJob,
    datasets: &Datasets,
    progress: Option<Progress<'_>>,
) -> Result<(Trained, HoldOut)> {
    let parts = parts(capture, &job.cell, datasets)?;
    let training = Training {
        name: &job.name(),
        spec: &job.cell.model,
        config: &job.cell.train,
        folder: job.folder(capture),
        snapshots: job.cell.kind() == ModelKind::Rftm,
        stop: capture.stop,
        progress,
    };
    let mut trained = training.run(&parts.train, &parts.validation)?;
    if let Some(finished) = capture.ledger.finished(&job.key) {
        let found = trained.model.digest();
        if found != finished.weights {
            let (cell, key, expected) = (job.cell.to_string(), job.key.to_string(), finished.weights.clone());
            return Err(Error::Digest { cell, key, found, expected });
        }
    }
    Ok((trained, parts))
}

/// The test scores of a cell: the ledger's, or those of the model that was trained here, which are the same.
pub(crate) fn scores(capture: &Capture<'_>, job: &CellJob, datasets: &Datasets) -> Result<Scores> {
    if capture.ledger.finished(&job.key).is_some() && scores_path(capture.out, &job.key).is_file() {
        return Ok(read_scores(capture.out, &job.key)?);
    }
    let (trained, parts) = trained(capture, job, datasets, None)?;
    Ok(Scores { scores: trained.model.scores(&parts.test)?, anomalous: parts.anomalous })
}
