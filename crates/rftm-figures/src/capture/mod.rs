//! Capture: trains what a figure shows where that is not done yet, and writes the figure's data.
//!
//! The only stage that needs data sets and minutes. The weights of every training stay in a folder outside version
//! control, so that figures share them and a capture that was stopped goes on.

mod cells;
mod clock;
mod embedding;
mod internals;
mod outputs;
mod scores;
mod training;
mod widths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rftm_data::{Dataset, DatasetId};
use rftm_experiments::{Catalogue, Ledger, Parallelism};

use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::sheet::Sheet;

use cells::CellJob;
use clock::Clock;
use widths::WidthJob;

/// What the figures are about. The paper does not say which cell Figures 3, 4, 6 and 7 show; Figure 5 has digit 2 as the
/// anomaly, and one cell for all lets a reader go from a score to its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The data set; the normal one of Figure 1.
    pub dataset: DatasetId,
    /// The anomalous data set of Figure 1.
    pub other: DatasetId,
    /// The anomalous class.
    pub class: u8,
    /// The seed.
    pub seed: u64,
    /// How many test images t-SNE gets: the first ones.
    pub embedded: usize,
}

impl Default for Subject {
    fn default() -> Self {
        Self { dataset: DatasetId::Mnist, other: DatasetId::FashionMnist, class: 2, seed: 1997, embedded: 3000 }
    }
}

/// Hears what a capture does. It comes from several threads.
pub trait Watch: Sync {
    /// An epoch is over; such lines come often.
    fn progress(&self, line: &str);
    /// Something worth keeping on the screen.
    fn say(&self, line: &str);
}

/// All that a capture needs.
#[derive(Clone, Copy)]
pub struct Capture<'a> {
    /// Definitions and protocol.
    pub catalogue: &'a Catalogue,
    /// What has been run.
    pub ledger: &'a Ledger,
    /// What the figures are about.
    pub subject: Subject,
    /// Fewer epochs than the protocol's: other cells, for trying things out.
    pub max_epochs: Option<usize>,
    /// The results folder.
    pub out: &'a Path,
    /// The folder of weights.
    pub weights: &'a Path,
    /// Jobs and threads.
    pub parallelism: Parallelism,
    /// Becomes true when the user wants to stop.
    pub stop: &'a AtomicBool,
    /// Who watches.
    pub watch: &'a dyn Watch,
}

/// The trainings that a capture still lacks.
#[derive(Debug)]
pub struct Work {
    jobs: Vec<Job>,
    /// The data sets that it needs.
    pub datasets: BTreeSet<DatasetId>,
}

impl Work {
    /// The trainings, for people.
    pub fn names(&self) -> impl ExactSizeIterator<Item = String> {
        self.jobs.iter().map(Job::name)
    }
}

/// One training.
#[derive(Clone, Debug)]
enum Job {
    Cell(Box<CellJob>),
    Width(WidthJob),
}

impl Job {
    fn name(&self) -> String {
        match self {
            Self::Cell(job) => format!("{} ({})", job.cell, job.key),
            Self::Width(job) => job.to_string(),
        }
    }
}

/// Loaded data sets.
pub type Datasets = BTreeMap<DatasetId, Arc<Dataset>>;

impl Capture<'_> {
    /// What has to be trained, and which data sets are needed, for `figures`.
    ///
    /// # Errors
    /// If the subject is not in the protocol, or a file of data is damaged.
    pub fn work(&self, figures: &[Figure]) -> Result<Work> {
        let mut work = Work { jobs: Vec::new(), datasets: BTreeSet::new() };
        let mut seen = BTreeSet::new();
        for &figure in figures {
            for job in cells::jobs(self, figure)? {
                work.datasets.insert(job.cell.dataset);
                if seen.insert(job.key.clone()) {
                    work.jobs.push(Job::Cell(Box::new(job)));
                }
            }
        }
        if figures.contains(&Figure::Fig1) {
            let jobs = widths::jobs(self)?;
            if !jobs.is_empty() {
                work.datasets.extend([self.subject.dataset, self.subject.other]);
            }
            work.jobs.extend(jobs.into_iter().map(Job::Width));
        }
        Ok(work)
    }

    /// Trains what is lacking and writes the data of `figures`; the files written.
    ///
    /// # Errors
    /// [`Error::Stopped`] if `stop` became true; the first training that failed; weights that are not the ledger's; files
    /// that cannot be written.
    pub fn run(&self, figures: &[Figure], datasets: &Datasets) -> Result<Vec<PathBuf>> {
        let work = self.work(figures)?;
        self.train(&work.jobs, datasets)?;
        let mut written = Vec::new();
        for &figure in figures {
            let sheet = match figure {
                // Every training has written its own file; the bars come from the ledger.
                Figure::Fig1 | Figure::Auroc => continue,
                Figure::Fig3 => scores::distributions(self, datasets)?,
                Figure::Fig4 => scores::curves(self, datasets)?,
                Figure::Fig5 => outputs::reconstructions(self, datasets)?,
                Figure::Fig6 => internals::slots(self, datasets)?,
                Figure::Fig7 => embedding::stages(self, datasets)?,
                Figure::Curves => outputs::histories(self, datasets)?,
                Figure::Usage => internals::usage(self, datasets)?,
                Figure::Residuals => outputs::residuals(self, datasets)?,
            };
            let path = figure.data(self.out);
            sheet.write(&path)?;
            written.push(path);
        }
        Ok(written)
    }

    /// Runs the jobs side by side. Each trains on its own threads, so results do not depend on how many there are.
    fn train(&self, jobs: &[Job], datasets: &Datasets) -> Result<()> {
        let clock = Clock::new(jobs.len(), self.parallelism.jobs, self.catalogue);
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        let fail = |error| {
            // The first error counts: those after it are jobs that were told to stop.
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        };
        let pools = (0..self.parallelism.jobs.min(jobs.len()))
            .map(|_| rayon::ThreadPoolBuilder::new().num_threads(self.parallelism.threads).build())
            .collect::<Result<Vec<_>, _>>()?;
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let stopped = failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                        if stopped || self.stop.load(Ordering::Relaxed) {
                            return fail(Error::Stopped);
                        }
                        if let Err(error) = pool.install(|| self.one(job, datasets, &clock)) {
                            return fail(error);
                        }
                    }
                });
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn one(&self, job: &Job, datasets: &Datasets, clock: &Clock) -> Result<()> {
        match job {
            Job::Cell(cell) => cells::trained(self, cell, datasets, Some(clock)).map(drop),
            Job::Width(width) => widths::run(self, *width, datasets, clock),
        }
    }

    fn dataset<'a>(&self, datasets: &'a Datasets, id: DatasetId) -> Result<&'a Arc<Dataset>> {
        let missing = || Error::Data { figure: "capture", message: format!("the data set {id} was not loaded") };
        datasets.get(&id).ok_or_else(missing)
    }

    /// A sheet for `figure` with what every header says.
    fn sheet(&self, figure: Figure, columns: &[&str]) -> Sheet {
        let mut sheet = Sheet::new(columns);
        sheet.note("figure", figure.id());
        sheet.note("command", figure.command());
        if let Some(epochs) = self.max_epochs {
            sheet.note("trial", format!("at most {epochs} epochs: not the protocol's training"));
        }
        sheet
    }
}
