//! How long a capture will still take.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rftm_experiments::{Catalogue, duration};
use rftm_models::EpochReport;

/// Counts trainings and the seconds of their epochs.
pub(crate) struct Clock {
    jobs: usize,
    side_by_side: usize,
    /// How many epochs a training usually has.
    epochs: usize,
    patience: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    /// Seconds that each running job still needs.
    running: BTreeMap<String, f64>,
    seconds: f64,
    measured: usize,
}

impl Clock {
    pub(crate) fn new(jobs: usize, side_by_side: usize, catalogue: &Catalogue) -> Self {
        let (epochs, patience) = (catalogue.protocol.estimate.epochs, catalogue.protocol.train.patience);
        Self { jobs, side_by_side: side_by_side.max(1), epochs, patience, state: Mutex::default() }
    }

    /// Files an epoch of `job`; a line about it.
    pub(crate) fn epoch(&self, job: &str, report: &EpochReport, limit: usize) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seconds += report.seconds;
        state.measured += 1;
        let earliest = report.best_epoch + self.patience;
        let ends = self.epochs.max(earliest).min(limit);
        let left = ends.saturating_sub(report.epoch) as f64 * report.seconds;
        state.running.insert(job.to_owned(), left);
        let EpochReport { epoch, validation_loss, best_epoch, .. } = report;
        format!(
            "{job}: epoch {epoch}, validation {validation_loss:.5} (best in epoch {best_epoch}), about {} left (all: {})",
            duration(left),
            duration(self.left(&state, limit))
        )
    }

    /// Files the end of `job`; a line about it.
    pub(crate) fn ended(&self, job: &str, limit: usize) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += 1;
        state.running.remove(job);
        format!("{job}: done, {} of {}, about {} left", state.done, self.jobs, duration(self.left(&state, limit)))
    }

    fn left(&self, state: &State, limit: usize) -> f64 {
        let waiting = self.jobs.saturating_sub(state.done + state.running.len());
        let epoch = if state.measured > 0 { state.seconds / state.measured as f64 } else { 0.0 };
        let all = state.running.values().sum::<f64>() + (waiting * self.epochs.min(limit)) as f64 * epoch;
        // The last trainings have nobody beside them: no sooner than the longest of them.
        (all / self.side_by_side as f64).max(state.running.values().copied().fold(0.0, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_shrinks_and_ends_at_nothing() {
        let catalogue = Catalogue::builtin().unwrap();
        let clock = Clock::new(2, 1, &catalogue);
        let report = |epoch| EpochReport {
            epoch,
            train_loss: 1.0,
            validation_loss: 1.0,
            best_validation_loss: 1.0,
            best_epoch: epoch,
            seconds: 60.0,
        };
        let line = clock.epoch("a", &report(1), 300);
        assert!(line.contains("epoch 1") && line.contains(&format!("about {} left", duration(99.0 * 60.0))), "{line}");
        assert!(line.contains(&format!("(all: {})", duration(199.0 * 60.0))), "{line}");
        assert!(clock.ended("a", 300).contains(&format!("1 of 2, about {}", duration(100.0 * 60.0))));
        clock.epoch("b", &report(2), 300);
        assert!(clock.ended("b", 300).contains(&format!("2 of 2, about {}", duration(0.0))));
    }
}
