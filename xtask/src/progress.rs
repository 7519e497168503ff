//! Progress of a run: bars on a terminal, plain lines elsewhere. Both go to standard error; tables go to standard output.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rftm_experiments::{Event, Key, Outcome, Record, Reporter, duration, utc_now};
use rftm_models::EpochReport;

/// The longest silence about a running cell is this plus an epoch.
const EVERY: Duration = Duration::from_secs(10);

/// The reporter that fits where standard error goes.
pub(crate) fn reporter() -> Box<dyn Reporter> {
    if std::io::stderr().is_terminal() { Box::new(Bars::new()) } else { Box::new(Lines::default()) }
}

/// Plain lines with time stamps.
#[derive(Default)]
struct Lines {
    last: Mutex<BTreeMap<Key, Instant>>,
}

impl Reporter for Lines {
    fn event(&self, event: &Event<'_>) {
        if let Event::Epoch { key, .. } = event {
            let mut last = lock(&self.last);
            if last.get(*key).is_some_and(|last| last.elapsed() < EVERY) {
                return;
            }
            last.insert((*key).clone(), Instant::now());
        }
        eprintln!("{} {}", utc_now(), describe(event));
    }
}

/// One bar for the run and one for each running cell; what has ended scrolls above them.
struct Bars {
    all: MultiProgress,
    run: ProgressBar,
    cells: Mutex<BTreeMap<Key, ProgressBar>>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let run = all.add(ProgressBar::no_length());
        // A template that does not parse leaves the default style, which shows the same with less.
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} cells, {elapsed} so far, {msg}") {
            run.set_style(style);
        }
        Self { all, run, cells: Mutex::default() }
    }

    fn say(&self, event: &Event<'_>) {
        // Where the terminal refuses a line there is nowhere to say so.
        let _ = self.all.println(describe(event));
    }

    fn remove(&self, key: &Key) {
        if let Some(bar) = lock(&self.cells).remove(key) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

impl Reporter for Bars {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Begin { cells, seconds, .. } => {
                self.say(event);
                self.run.set_length(*cells as u64);
                self.run.set_message(left(*seconds));
                self.run.enable_steady_tick(Duration::from_secs(1));
            }
            Event::Started { key, cell } => {
                let bar = self.all.insert_before(&self.run, ProgressBar::new(cell.train.max_epochs as u64));
                if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_message(format!("{cell}: begins"));
                bar.enable_steady_tick(Duration::from_millis(250));
                lock(&self.cells).insert((*key).clone(), bar);
            }
            Event::Epoch { key, left: seconds, .. } => {
                if let Some(bar) = lock(&self.cells).get(*key) {
                    bar.set_message(describe(event));
                }
                self.run.set_message(left(*seconds));
            }
            Event::Ended { record, done, left: seconds, .. } => {
                self.remove(&record.key);
                self.say(event);
                self.run.set_position(*done as u64);
                self.run.set_message(left(*seconds));
            }
            Event::Interrupted { key, .. } => {
                self.remove(key);
                self.say(event);
            }
            _ => self.say(event),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.run.finish_and_clear();
    }
}

fn left(seconds: f64) -> String {
    format!("about {} left", duration(seconds))
}

fn describe(event: &Event<'_>) -> String {
    match event {
        Event::TornLine(torn) => format!("warning: {torn}"),
        Event::Begin { cells: 0, skipped, .. } => format!("nothing to run: all {skipped} cells are in the ledger"),
        Event::Begin { cells, skipped, parallelism, seconds, basis } => {
            let (jobs, threads) = (parallelism.jobs, parallelism.threads);
            let time = duration(*seconds);
            format!(
                "{cells} cells to run, {skipped} in the ledger already; jobs {jobs}, threads {threads} each; about {time} \
                 ({basis})"
            )
        }
        Event::Started { key, cell } => format!("{cell}: begins ({key})"),
        Event::Epoch { cell, report, cell_left, left, .. } => {
            let (cell_left, left) = (duration(*cell_left), duration(*left));
            format!("{cell}: {}, about {cell_left} left (all: {left})", losses(report))
        }
        Event::Ended { record, done, cells, left, .. } => {
            format!("{}; {done} of {cells} done, about {} left", ended(record), duration(*left))
        }
        Event::Interrupted { cell, epoch, .. } => format!("{cell}: stopped and saved, will go on with epoch {epoch}"),
    }
}

fn losses(report: &EpochReport) -> String {
    let EpochReport { epoch, train_loss, validation_loss, best_validation_loss, best_epoch, seconds } = report;
    format!(
        "epoch {epoch}, loss {train_loss:.5}, validation {validation_loss:.5} (best {best_validation_loss:.5} in epoch \
         {best_epoch}), {seconds:.1} s/epoch"
    )
}

fn ended(record: &Record) -> String {
    match &record.outcome {
        Outcome::Finished(finished) => {
            let [auroc, auprc, f1] =
                [finished.metrics.auroc, finished.metrics.auprc, finished.metrics.f1].map(|metric| 100.0 * metric);
            let warnings: String = finished.warnings.iter().map(|warning| format!("; warning: {warning}")).collect();
            format!(
                "{}: AUROC {auroc:.2}, AUPRC {auprc:.2}, F1 {f1:.2} after {} epochs in {}{warnings}",
                record.cell,
                finished.epochs,
                duration(finished.seconds)
            )
        }
        Outcome::Failed { error } => format!("{}: FAILED, {error}", record.cell),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
