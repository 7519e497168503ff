//! What a capture tells whoever watches it. This crate prints nothing.

use rftm_experiments::{Basis, Parallelism};
use rftm_models::EpochReport;

use crate::error::Error;

/// Hears what a capture does, from several threads.
pub trait Watch: Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// What happened. Times are in seconds.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The trainings begin.
    Begin {
        /// How many there are, those included whose weights are there already: these end at once.
        trainings: usize,
        /// Jobs and threads.
        parallelism: Parallelism,
        /// How long they will take.
        seconds: f64,
        /// What that rests on.
        basis: Basis,
    },
    /// A training begins.
    Started {
        /// Its name, which no other training has.
        name: &'a str,
    },
    /// A training has trained an epoch.
    Epoch {
        /// Its name.
        name: &'a str,
        /// Losses and time.
        report: &'a EpochReport,
        /// How long it will still take.
        training_left: f64,
        /// How long all trainings will still take.
        left: f64,
    },
    /// A training has ended.
    Ended {
        /// Its name.
        name: &'a str,
        /// Why it failed, if it did.
        error: Option<&'a Error>,
        /// Trainings ended so far.
        done: usize,
        /// Trainings of this capture.
        trainings: usize,
        /// How long the others will still take.
        left: f64,
    },
    /// A training was stopped and has saved.
    Interrupted {
        /// Its name.
        name: &'a str,
        /// The epoch it will go on with.
        epoch: usize,
    },
    /// Something else that takes a while has begun.
    Working {
        /// What, for people.
        what: &'a str,
    },
}
