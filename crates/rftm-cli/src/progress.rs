//! What is seen on a terminal while something takes long; nothing where standard error is none.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rftm::{EpochReport, Observer};

/// Counts what has passed, with its rate.
pub(crate) struct Counter(ProgressBar);

impl Counter {
    pub(crate) fn new(what: &'static str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(quiet));
        bar.set_style(style(&format!("{{human_pos}} {what}, {{per_sec}}")));
        Self(bar)
    }

    pub(crate) fn of(what: &'static str, total: Option<u64>, quiet: bool) -> Self {
        let counter = Self::new(what, quiet);
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

/// Counts scores, and says on standard error how many a second there were. Ctrl-C asks from a thread of its own.
pub(crate) struct Tally {
    begin: Instant,
    count: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { begin: Instant::now(), count: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn say(&self) {
        let (count, seconds) = (self.count.load(Ordering::Relaxed), self.begin.elapsed().as_secs_f64());
        let rate = count as f64 / seconds;
        tell!("{count} scores in {seconds:.2} s, {rate:.0} a second");
    }
}

/// Comes due again and again, for what is said in a log; on a terminal there is a bar.
pub(crate) struct Due {
    every: Duration,
    last: Instant,
}

impl Due {
    pub(crate) fn every(seconds: u64) -> Self {
        Self { every: Duration::from_secs(seconds), last: Instant::now() }
    }

    pub(crate) fn is_now(&mut self) -> bool {
        let now = self.last.elapsed() >= self.every;
        if now {
            self.last = Instant::now();
        }
        now
    }
}

/// A flag that Ctrl-C sets.
pub(crate) fn interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    on_interrupt(move || set.store(true, Ordering::Relaxed))?;
    Ok(flag)
}

/// Says something when Ctrl-C comes, and ends the program: nobody could look at a flag while it waits for input.
pub(crate) fn end_on_interrupt(say: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    on_interrupt(move || {
        if io::stderr().is_terminal() {
            // Not behind the bar.
            let _ = writeln!(io::stderr());
        }
        say();
        std::process::exit(130)
    })
}

/// What to do on Ctrl-C, SIGTERM and SIGHUP.
fn on_interrupt(handler: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    match ctrlc::try_set_handler(handler) {
        // Whoever started it wants it not to be interrupted (nohup, or in the background of a script).
        Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_due_does_so_once() {
        let mut due = Due { every: Duration::from_secs(10), last: Instant::now() };
        assert!(!due.is_now());
        due.last = due.last.checked_sub(Duration::from_secs(11)).unwrap();
        assert_eq!([due.is_now(), due.is_now()], [true, false]);
    }
}
