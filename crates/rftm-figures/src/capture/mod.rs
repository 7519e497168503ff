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
mod watch;
mod widths;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rftm_data::{Dataset, DatasetId};
use rftm_experiments::{Basis, Catalogue, Cell, Host, Ledger, Lock, Parallelism};

use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::sheet::Sheet;

use cells::CellJob;
use clock::Clock;
use training::{Progress, has_begun};
use widths::WidthJob;

pub use watch::{Event, Watch};

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

/// All that a capture needs.
#[derive(Clone, Copy)]
pub struct Capture<'a> {
    /// Definitions and protocol.
    pub catalogue: &'a Catalogue,
    /// What has been run.
    pub ledger: &'a Ledger,
    /// What the figures are about.
    pub subject: Subject,
    /// Another number of epochs than the protocol's: other cells, for trying things out.
    pub max_epochs: Option<usize>,
    /// The results folder.
    pub out: &'a Path,
    /// The folder of weights.
    pub weights: &'a Path,
    /// Jobs and threads.
    pub parallelism: Parallelism,
    /// The machine and the code: for estimates, and for the data of trainings that the ledger does not have.
    pub host: &'a Host,
    /// Becomes true when the user wants to stop.
    pub stop: &'a AtomicBool,
    /// Who watches.
    pub watch: &'a dyn Watch,
}

/// The trainings that figures take their data from. One whose weights are there, all of them, is only read.
#[derive(Debug)]
pub struct Work {
    /// Each with the figures that need it. Those that have begun come first: they are soon through.
    jobs: Vec<(Job, Vec<Figure>)>,
    /// The data sets that it needs.
    pub datasets: BTreeSet<DatasetId>,
}

impl Work {
    /// The trainings, for people.
    pub fn names(&self) -> impl ExactSizeIterator<Item = String> {
        self.jobs.iter().map(|(job, _)| job.name())
    }
}

/// What a capture came to.
#[derive(Debug, Default)]
pub struct Captured {
    /// The files written, those of Figure 1's trainings aside.
    pub written: Vec<PathBuf>,
    /// What failed.
    pub failures: Vec<Failure>,
}

/// A training or a figure that failed.
#[derive(Debug)]
pub struct Failure {
    /// The figures that lack it.
    pub figures: Vec<Figure>,
    /// The training, if it was one.
    pub training: Option<String>,
    /// Why.
    pub error: Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<&str> = self.figures.iter().map(|figure| figure.id()).collect();
        let training = self.training.as_ref().map(|training| format!("{training}: ")).unwrap_or_default();
        write!(f, "{}: {training}{}", figures.join(", "), self.error)
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
            Self::Cell(job) => job.name(),
            Self::Width(job) => job.to_string(),
        }
    }

    /// The cell that says how long it takes.
    fn like(&self, capture: &Capture<'_>) -> Option<Cell> {
        match self {
            Self::Cell(job) => Some(job.cell.clone()),
            Self::Width(job) => job.like(capture).ok(),
        }
    }

    fn has_begun(&self, capture: &Capture<'_>) -> bool {
        has_begun(&match self {
            Self::Cell(job) => job.folder(capture),
            Self::Width(job) => job.folder(capture),
        })
    }
}

/// Loaded data sets.
pub type Datasets = BTreeMap<DatasetId, Arc<Dataset>>;

impl Capture<'_> {
    /// What has to be trained, and which data sets are needed, for `figures`.
    ///
    /// # Errors
    /// If the subject is not in the protocol.
    pub fn work(&self, figures: &[Figure]) -> Result<Work> {
        let mut work = Work { jobs: Vec::new(), datasets: BTreeSet::new() };
        for &figure in figures {
            for job in cells::jobs(self, figure)? {
                work.datasets.insert(job.cell.dataset);
                let same = |(known, _): &&mut (Job, _)| matches!(known, Job::Cell(known) if known.key == job.key);
                match work.jobs.iter_mut().find(same) {
                    Some((_, figures)) if figures.contains(&figure) => {}
                    Some((_, figures)) => figures.push(figure),
                    None => work.jobs.push((Job::Cell(Box::new(job)), vec![figure])),
                }
            }
        }
        if figures.contains(&Figure::Fig1) {
            let jobs = widths::jobs(self)?;
            if !jobs.is_empty() {
                work.datasets.extend([self.subject.dataset, self.subject.other]);
            }
            work.jobs.extend(jobs.into_iter().map(|job| (Job::Width(job), vec![Figure::Fig1])));
        }
        work.jobs.sort_by_key(|(job, _)| !job.has_begun(self));
        Ok(work)
    }

    /// The seconds that `work` will probably take, and what that rests on.
    #[must_use]
    pub fn seconds(&self, work: &Work) -> (f64, Basis) {
        let clock = self.clock(&work.jobs);
        (clock.all(), clock.basis)
    }

    fn clock(&self, jobs: &[(Job, Vec<Figure>)]) -> Clock {
        Clock::new(self, jobs.iter().map(|(job, _)| job))
    }

    /// Trains what is lacking and writes the data of `figures`. What fails stops only the figures that need it.
    ///
    /// # Errors
    /// [`Error::Stopped`] if `stop` became true; a subject that is not in the protocol; threads that cannot be started;
    /// [`Error::Busy`] if another capture trains into the same folder.
    pub fn run(&self, figures: &[Figure], datasets: &Datasets) -> Result<Captured> {
        let work = self.work(figures)?;
        let _lock = if work.jobs.is_empty() { None } else { Some(self.lock()?) };
        let mut captured = Captured { written: Vec::new(), failures: self.train(&work.jobs, datasets)? };
        for &figure in figures {
            // Without its training it would train again, and fail again.
            if captured.failures.iter().any(|failure| failure.figures.contains(&figure)) {
                continue;
            }
            match self.write(figure, datasets) {
                Ok(path) => captured.written.extend(path),
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(error) => captured.failures.push(Failure { figures: vec![figure], training: None, error }),
            }
        }
        Ok(captured)
    }

    /// Keeps other captures from training the same cell into the same folder.
    fn lock(&self) -> Result<Lock> {
        Lock::take(self.weights).map_err(|error| match error {
            rftm_experiments::Error::Locked { path } => Error::Busy { path },
            error => error.into(),
        })
    }

    /// Writes the data of a figure; the file, if it has one of its own.
    fn write(&self, figure: Figure, datasets: &Datasets) -> Result<Option<PathBuf>> {
        let sheet = match figure {
            // Every training has written its own file; the bars come from the ledger.
            Figure::Fig1 | Figure::Auroc => return Ok(None),
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
        Ok(Some(path))
    }

    /// Runs the jobs side by side; those that failed. Each trains on its own threads, so results do not depend on how many
    /// there are.
    fn train(&self, jobs: &[(Job, Vec<Figure>)], datasets: &Datasets) -> Result<Vec<Failure>> {
        let (watch, parallelism) = (self.watch, self.parallelism);
        let clock = self.clock(jobs);
        watch.event(&Event::Begin { trainings: jobs.len(), parallelism, seconds: clock.all(), basis: clock.basis });
        let next = AtomicUsize::new(0);
        let failures = Mutex::new(BTreeMap::new());
        let pools = (0..parallelism.jobs.min(jobs.len()))
            .map(|_| rayon::ThreadPoolBuilder::new().num_threads(parallelism.threads).build())
            .collect::<Result<Vec<_>, _>>()?;
        let work = |pool: &rayon::ThreadPool| loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((job, figures)) = jobs.get(index) else { return Ok(()) };
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let name = &job.name();
            watch.event(&Event::Started { name });
            let progress = Progress { job: index, clock: &clock, watch };
            let error = match pool.install(|| self.one(job, datasets, progress)) {
                Err(Error::Stopped) => return Err(Error::Stopped),
                result => result.err(),
            };
            let (done, left) = clock.ended(index);
            watch.event(&Event::Ended { name, error: error.as_ref(), done, trainings: jobs.len(), left });
            if let Some(error) = error {
                let failure = Failure { figures: figures.clone(), training: Some(name.clone()), error };
                failures.lock().unwrap_or_else(PoisonError::into_inner).insert(index, failure);
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = pools.iter().map(|pool| scope.spawn(|| work(pool))).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>()
        })?;
        Ok(failures.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect())
    }

    fn one(&self, job: &Job, datasets: &Datasets, progress: Progress<'_>) -> Result<()> {
        match job {
            Job::Cell(cell) => cells::trained(self, cell, datasets, Some(progress)).map(drop),
            Job::Width(width) => widths::run(self, *width, datasets, progress),
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
        if let Some(trial) = self.trial() {
            sheet.note("trial", trial);
        }
        sheet
    }

    /// What is said of data that are not the protocol's.
    fn trial(&self) -> Option<String> {
        self.max_epochs.map(|epochs| format!("at most {epochs} epochs: not the protocol's training"))
    }
}
