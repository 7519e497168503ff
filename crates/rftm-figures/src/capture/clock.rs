//! How long a capture will still take.

use std::sync::{Mutex, PoisonError};

use rftm_experiments::{Basis, Estimator, epochs_left, side_by_side};
use rftm_models::{EpochReport, TrainConfig};

use super::{Capture, Job};

/// What a training is expected to take.
#[derive(Clone, Copy, Debug)]
struct Expected {
    epochs: usize,
    /// Seconds of an epoch.
    seconds: f64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting,
    /// Waits, but has weights: probably all of them, and then it ends at once.
    Begun,
    /// Seconds that it still needs.
    Running {
        left: f64,
        epochs: usize,
        seconds: f64,
    },
    Ended,
}

/// Counts trainings and the seconds of their epochs.
///
/// The seconds of an epoch come from the ledger where this machine has trained such cells, and from the arithmetic of a step
/// elsewhere; how much slower or faster the epochs of this capture have been says how much to trust that.
pub(crate) struct Clock {
    jobs: usize,
    expected: Vec<Expected>,
    /// What the estimate at the beginning rests on.
    pub(crate) basis: Basis,
    inner: Mutex<Inner>,
}

struct Inner {
    states: Vec<State>,
    /// Seconds of the epochs so far, and those expected of them.
    seconds: f64,
    expected: f64,
}

impl Clock {
    pub(crate) fn new<'a>(capture: &Capture<'_>, jobs: impl Iterator<Item = &'a Job>) -> Self {
        let parallelism = capture.parallelism;
        let estimator =
            Estimator::new(&capture.catalogue.protocol, capture.ledger, &capture.host.cpu, parallelism.threads);
        let (mut basis, mut expected, mut states) = (Basis::default(), Vec::new(), Vec::new());
        for job in jobs {
            let cell = job.like(capture);
            let usual = cell.as_ref().map_or(0, |cell| estimator.epochs(cell));
            let (seconds, measured) = cell.as_ref().map_or((0.0, false), |cell| estimator.seconds_per_epoch(cell));
            if measured {
                basis.measured += 1
            } else {
                basis.assumed += 1
            }
            // The same bits take the same epochs.
            let known = match job {
                Job::Cell(job) => capture.ledger.finished(&job.key).map(|finished| finished.epochs),
                Job::Width(_) => None,
            };
            expected.push(Expected { epochs: known.unwrap_or(usual), seconds });
            states.push(if job.has_begun(capture) { State::Begun } else { State::Waiting });
        }
        Self::of(expected, states, basis, parallelism.jobs)
    }

    fn of(expected: Vec<Expected>, states: Vec<State>, basis: Basis, jobs: usize) -> Self {
        let inner = Mutex::new(Inner { states, seconds: 0.0, expected: 0.0 });
        Self { jobs: jobs.max(1), expected, basis, inner }
    }

    /// Files an epoch of training `job`; the seconds that it still needs, and all of them.
    pub(crate) fn epoch(&self, job: usize, report: &EpochReport, config: &TrainConfig) -> (f64, f64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Expected { epochs: usual, seconds: guess } = self.expected[job];
        let (epochs, seconds) = match inner.states[job] {
            State::Running { epochs, seconds, .. } => (epochs + 1, seconds + report.seconds),
            _ => (1, report.seconds),
        };
        inner.seconds += report.seconds;
        inner.expected += guess;
        // By its mean epoch: the last one may have had another program beside it.
        let left = epochs_left(usual, report, config) as f64 * seconds / epochs as f64;
        inner.states[job] = State::Running { left, epochs, seconds };
        (left, self.left(&inner))
    }

    /// Files the end of training `job`: how many have ended, and the seconds of the others.
    pub(crate) fn ended(&self, job: usize) -> (usize, f64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.states[job] = State::Ended;
        let done = inner.states.iter().filter(|state| matches!(state, State::Ended)).count();
        (done, self.left(&inner))
    }

    /// The seconds of all trainings at the beginning.
    pub(crate) fn all(&self) -> f64 {
        self.left(&self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn left(&self, inner: &Inner) -> f64 {
        let pace = if inner.expected > 0.0 { inner.seconds / inner.expected } else { 1.0 };
        let left = |(state, expected): (&State, &Expected)| match state {
            State::Waiting => pace * expected.epochs as f64 * expected.seconds,
            State::Running { left, .. } => *left,
            State::Begun | State::Ended => 0.0,
        };
        side_by_side(inner.states.iter().zip(&self.expected).map(left), self.jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(epoch: usize, best_epoch: usize, seconds: f64) -> EpochReport {
        let loss = 1.0;
        EpochReport { epoch, train_loss: loss, validation_loss: loss, best_validation_loss: loss, best_epoch, seconds }
    }

    fn clock(seconds: &[(usize, f64)], jobs: usize) -> Clock {
        let expected = seconds.iter().map(|&(epochs, seconds)| Expected { epochs, seconds }).collect();
        Clock::of(expected, vec![State::Waiting; seconds.len()], Basis::default(), jobs)
    }

    #[test]
    fn what_is_left_shrinks_and_ends_at_nothing() {
        let config = TrainConfig { patience: 10, max_epochs: 300, ..TrainConfig::default() };
        let clock = clock(&[(100, 1.0), (100, 2.0)], 1);
        assert_eq!(clock.all(), 300.0);
        // Three times as slow as expected, and so will be what waits.
        assert_eq!(clock.epoch(0, &report(1, 1, 3.0), &config), (297.0, 297.0 + 600.0));
        // An epoch that took long counts as one of two.
        assert_eq!(clock.epoch(0, &report(2, 2, 5.0), &config).0, 98.0 * 4.0);
        assert_eq!(clock.epoch(0, &report(150, 150, 4.0), &config).0, 10.0 * 4.0, "patience is left in full");
        assert_eq!(clock.epoch(0, &report(299, 299, 4.0), &config).0, 4.0, "the limit is near");
        assert_eq!(clock.ended(0), (1, 4.0 * 200.0));
        assert_eq!(clock.ended(1), (2, 0.0));
    }

    /// Weights that are there already end a training without an epoch: nothing is learnt from them.
    #[test]
    fn trainings_without_epochs_leave_the_estimate_of_the_others_alone() {
        let clock = clock(&[(100, 1.0), (100, 1.0), (50, 2.0)], 2);
        assert_eq!(clock.all(), 150.0);
        clock.inner.lock().unwrap().states[0] = State::Begun;
        assert_eq!(clock.all(), 100.0);
        assert_eq!(clock.ended(0), (1, 100.0));
        assert_eq!(clock.ended(1), (2, 100.0), "one alone cannot be shared");
        assert_eq!(clock.ended(2), (3, 0.0));
    }
}
