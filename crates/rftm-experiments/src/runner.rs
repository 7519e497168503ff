//! Runs the cells of a plan that the ledger does not have yet.

use std::any::Any;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rftm_models::EpochReport;

use crate::cell::{Cell, Key};
use crate::definition::Catalogue;
use crate::environment::Host;
use crate::error::{Error, IoContext, Result};
use crate::estimate::Estimator;
use crate::eta::Remaining;
use crate::events::{Event, Reporter};
use crate::files;
use crate::ledger::LedgerWriter;
use crate::plan::Plan;
use crate::record::{Finished, Outcome, Record};
use crate::scores::{Scores, write_scores};

/// Trains and scores one cell. The seam between the driver and the models.
pub trait CellRunner: Sync {
    /// Runs `cell` on the current rayon pool, saving to and going on from the folder `checkpoint`.
    ///
    /// # Errors
    /// [`CellError::Failed`] with the reason: the other cells go on. [`CellError::Disk`] ends the run.
    fn run(&self, cell: &Cell, checkpoint: &Path, progress: &dyn CellProgress) -> Result<CellOutcome, CellError>;
}

/// What a running cell tells and asks.
pub trait CellProgress: Sync {
    /// An epoch has ended.
    fn epoch(&self, report: &EpochReport);
    /// Whether the cell is to save and return at the next opportunity.
    fn should_stop(&self) -> bool;
}

/// How a cell ended.
#[derive(Clone, Debug)]
pub enum CellOutcome {
    /// Trained and scored.
    Finished(Box<Finished>, Scores),
    /// Stopped on request.
    Interrupted {
        /// The epoch it will go on with, counted from 1.
        epoch: usize,
    },
}

/// Why a cell failed.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// Something about the cell itself; it is recorded with this reason.
    #[error("{0}")]
    Failed(String),
    /// Its checkpoint could not be written or read. That says nothing about the cell, and would befall the next one, too.
    #[error(transparent)]
    Disk(Error),
}

/// The folders a run writes to.
#[derive(Clone, Debug)]
pub struct Workplace {
    /// Results: ledger, scores, tables.
    pub out: PathBuf,
    /// Checkpoints of unfinished cells, a folder each.
    pub checkpoints: PathBuf,
}

impl Workplace {
    /// The folder of the checkpoint of `key`.
    #[must_use]
    pub fn checkpoint(&self, key: &Key) -> PathBuf {
        self.checkpoints.join(key.as_str())
    }
}

/// How many cells run side by side, and with how many threads each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// Cells side by side.
    pub jobs: usize,
    /// Threads inside a cell.
    pub threads: usize,
}

impl Parallelism {
    /// One cell at a time has all `cores`; several share them with one thread each.
    #[must_use]
    pub fn new(jobs: usize, threads: Option<usize>, cores: usize) -> Self {
        let jobs = jobs.max(1);
        Self { jobs, threads: threads.unwrap_or(if jobs == 1 { cores } else { 1 }).max(1) }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Cells that the ledger had already.
    pub skipped: usize,
    /// Cells finished now.
    pub finished: usize,
    /// Cells that failed now, with their reasons.
    pub failed: Vec<(Cell, String)>,
    /// Cells that were stopped, with the epoch they will go on with.
    pub interrupted: Vec<(Cell, usize)>,
    /// Cells that were not begun because the run was stopped.
    pub not_begun: usize,
}

/// All that a run needs.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Definitions and protocol.
    pub catalogue: &'a Catalogue,
    /// The cells.
    pub plan: &'a Plan,
    /// What trains and scores a cell.
    pub runner: &'a dyn CellRunner,
    /// The folders.
    pub workplace: &'a Workplace,
    /// Jobs and threads.
    pub parallelism: Parallelism,
    /// Machine and commit, for the record.
    pub host: &'a Host,
    /// Becomes true when the user wants to stop.
    pub stop: &'a AtomicBool,
    /// Who watches.
    pub reporter: &'a dyn Reporter,
}

impl Run<'_> {
    /// Runs every cell of the plan that the ledger lacks or has as failed.
    ///
    /// Lines are appended in the order in which cells end. When `stop` becomes true, running cells end; their last whole epochs are saved.
    ///
    /// # Errors
    /// Before any training: the ledger is locked or damaged, or a folder cannot be written. Later: a result or a checkpoint
    /// could not be written (the disk is full); running cells are then stopped, and their checkpoints stay.
    pub fn execute(&self) -> Result<Summary> {
        let (workplace, parallelism) = (self.workplace, self.parallelism);
        let (writer, torn) = LedgerWriter::open(&workplace.out)?;
        files::ensure_writable(&workplace.out.join("scores"))?;
        files::ensure_writable(&workplace.checkpoints)?;
        if let Some(torn) = torn {
            self.reporter.event(&Event::TornLine(&torn));
        }
        let lacking = |(key, _): &&(Key, Cell)| writer.ledger().finished(key).is_none();
        let waiting: Vec<&(Key, Cell)> = self.plan.cells.iter().filter(lacking).collect();
        let skipped = self.plan.cells.len() - waiting.len();
        let cells = || waiting.iter().map(|(_, cell)| cell);
        let estimator = Estimator::new(&self.catalogue.protocol, writer.ledger(), &self.host.cpu, parallelism.threads);
        let (seconds, basis) = estimator.total(cells(), parallelism.jobs);
        self.reporter.event(&Event::Begin { cells: waiting.len(), skipped, parallelism, seconds, basis });
        let remaining = Remaining::new(estimator, cells(), parallelism.jobs);
        let state = State { writer, remaining, summary: Summary { skipped, ..Summary::default() }, fatal: None };
        let shared = Shared {
            run: self,
            waiting: &waiting,
            next: AtomicUsize::new(0),
            halt: AtomicBool::new(false),
            state: Mutex::new(state),
        };
        let jobs = parallelism.jobs.min(waiting.len());
        let pools = (0..jobs).map(|_| pool(parallelism.threads)).collect::<Result<Vec<_>>>()?;
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| shared.work(pool));
            }
        });
        let State { mut summary, fatal, .. } = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        summary.not_begun = waiting.len() - summary.finished - summary.failed.len() - summary.interrupted.len();
        match fatal {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }
}

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let wrong = |error: rayon::ThreadPoolBuildError| Error::Threads { threads, message: error.to_string() };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(wrong)
}

struct State<'a> {
    writer: LedgerWriter,
    remaining: Remaining<'a>,
    summary: Summary,
    fatal: Option<Error>,
}

struct Shared<'a> {
    run: &'a Run<'a>,
    waiting: &'a [&'a (Key, Cell)],
    next: AtomicUsize,
    /// Set when a result could not be written: going on would train for nothing.
    halt: AtomicBool,
    state: Mutex<State<'a>>,
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        // A panic while the lock was held cannot leave half a record: lines are appended whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.run.stop.load(Ordering::Relaxed) || self.halt.load(Ordering::Relaxed)
    }

    fn work(&self, pool: &rayon::ThreadPool) {
        while !self.stopping() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((key, cell)) = self.waiting.get(index) else { return };
            if let Err(error) = self.one(pool, index, key, cell) {
                self.halt.store(true, Ordering::Relaxed);
                self.lock().fatal.get_or_insert(error);
            }
        }
    }

    fn one(&self, pool: &rayon::ThreadPool, index: usize, key: &Key, cell: &Cell) -> Result<()> {
        self.run.reporter.event(&Event::Started { key, cell });
        let environment = self.run.host.now(self.run.parallelism.threads, self.run.parallelism.jobs);
        let checkpoint = self.run.workplace.checkpoint(key);
        fs::create_dir_all(&checkpoint).at("create the folder", &checkpoint)?;
        let progress = Progress { shared: self, index, key, cell };
        let ended =
            catch_unwind(AssertUnwindSafe(|| pool.install(|| self.run.runner.run(cell, &checkpoint, &progress))));
        let outcome = match ended {
            Ok(Ok(CellOutcome::Interrupted { epoch })) => {
                self.run.reporter.event(&Event::Interrupted { key, cell, epoch });
                self.lock().summary.interrupted.push((cell.clone(), epoch));
                return Ok(());
            }
            Ok(Ok(CellOutcome::Finished(finished, scores))) => match unusable(&finished, &scores) {
                None => {
                    // Before the ledger line: a line in the ledger promises that its scores are there.
                    write_scores(&self.run.workplace.out, key, &scores)?;
                    Outcome::Finished(*finished)
                }
                Some(error) => Outcome::Failed { error },
            },
            Ok(Err(CellError::Failed(error))) => Outcome::Failed { error },
            Ok(Err(CellError::Disk(error))) => return Err(error),
            Err(panic) => Outcome::Failed { error: format!("panicked: {}", panic_message(&*panic)) },
        };
        self.record(index, Record { key: key.clone(), cell: cell.clone(), outcome, environment })?;
        // Only now: until the line is on the disk the checkpoint is all there is. A failed cell's goes, too, so that the
        // next try cannot trip over it again.
        remove_folder(&checkpoint)
    }

    fn record(&self, index: usize, record: Record) -> Result<()> {
        let mut state = self.lock();
        state.writer.append(record.clone())?;
        match &record.outcome {
            Outcome::Finished(finished) => {
                state.summary.finished += 1;
                state.remaining.finished(index, &record.cell, finished);
            }
            Outcome::Failed { error } => {
                state.summary.failed.push((record.cell.clone(), error.clone()));
                state.remaining.failed(index);
            }
        }
        let done = state.summary.finished + state.summary.failed.len();
        let left = state.remaining.all();
        drop(state);
        self.run.reporter.event(&Event::Ended { record: &record, done, cells: self.waiting.len(), left });
        Ok(())
    }
}

struct Progress<'a, 'run> {
    shared: &'a Shared<'run>,
    index: usize,
    key: &'a Key,
    cell: &'a Cell,
}

impl CellProgress for Progress<'_, '_> {
    fn epoch(&self, report: &EpochReport) {
        let (cell_left, left) = {
            let mut state = self.shared.lock();
            (state.remaining.epoch(self.index, self.cell, report), state.remaining.all())
        };
        let (key, cell) = (self.key, self.cell);
        self.shared.run.reporter.event(&Event::Epoch { key, cell, report, cell_left, left });
    }

    fn should_stop(&self) -> bool {
        self.shared.stopping()
    }
}

/// Why a finished cell must not count, if so.
fn unusable(finished: &Finished, scores: &Scores) -> Option<String> {
    // A model that says the same of everything has metrics all the same, and they look like those of a weak model.
    if let [first, rest @ ..] = &scores.scores[..]
        && rest.iter().all(|score| score == first)
    {
        return Some(format!("all {} test scores are {first}: the model tells nothing apart", scores.scores.len()));
    }
    if !finished.metrics.is_finite() {
        return Some(format!("metrics are not finite: {:?}", finished.metrics));
    }
    let loss = finished.best_validation_loss;
    (!loss.is_finite()).then(|| format!("the best validation loss is {loss}"))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
        _ => Ok(()),
    }
}
