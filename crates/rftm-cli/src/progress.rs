//! What is seen on a terminal while something takes long; nothing where standard error is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rftm::{EpochReport, Observer};

use crate::args::ReadArgs;

/// Counts what has passed, with its rate.
pub(crate) struct Counter(ProgressBar);

impl Counter {
    pub(crate) fn new(what: &'static str, read: &ReadArgs) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(read.quiet));
        bar.set_style(style(&format!("{{human_pos}} {what}, {{per_sec}}")));
        Self(bar)
    }

    pub(crate) fn of(what: &'static str, total: Option<u64>, read: &ReadArgs) -> Self {
        let counter = Self::new(what, read);
        if let Some(total) = total {
            counter.0.set_length(total);
            counter.0.set_style(style(&format!(
                "{{bar:30}} {{human_pos}} of {{human_len}} {what}, {{per_sec}}, {{eta}} left"
            )));
        }
        counter
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.inc(count);
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(5) }
}

fn style(template: &str) -> ProgressStyle {
    // A template that does not parse would be a mistake of ours; a bare bar is no reason to stop somebody's training.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Shows a training, and stops it when Ctrl-C comes.
pub(crate) struct Watch {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn new(epochs: usize, quiet: bool, stop: Arc<AtomicBool>) -> Self {
        let bar = ProgressBar::with_draw_target(Some(epochs as u64), target(quiet));
        bar.set_style(style("{bar:30} epoch {human_pos} of at most {human_len}, {eta} left at most, {msg} {prefix}"));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, stop }
    }
}

impl Observer for Watch {
    fn epoch(&mut self, report: &EpochReport) {
        self.bar.set_position(report.epoch as u64);
        let EpochReport { validation_loss, best_validation_loss, best_epoch, .. } = report;
        self.bar
            .set_message(format!("error {validation_loss:.4}, best {best_validation_loss:.4} in epoch {best_epoch}"));
    }

    fn step(&mut self, step: usize, steps: usize) {
        // Of long epochs the steps are shown: a million rows have thousands.
        if steps >= 500 {
            self.bar.set_prefix(format!("step {step} of {steps}"));
        }
    }

    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A flag that Ctrl-C sets.
pub(crate) fn interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    ctrlc::set_handler(move || set.store(true, Ordering::Relaxed))?;
    Ok(flag)
}
