//! Where progress is shown: bars on a terminal, plain lines elsewhere. Both go to standard error; tables go to standard output.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rftm_experiments::{duration, utc_now};

/// The longest silence about something that runs is this plus an epoch.
const EVERY: Duration = Duration::from_secs(10);

/// A place for progress. Things that run have an id; `left` are the seconds that all of them will still take.
pub(crate) trait Screen: Sync {
    /// The first line: so many things will run.
    fn begin(&self, line: &str, count: usize, left: f64);
    /// Something runs now.
    fn started(&self, id: &str, line: &str);
    /// It has come further.
    fn epoch(&self, id: &str, line: &str, left: f64);
    /// It has ended, as one of `done`.
    fn ended(&self, id: &str, line: &str, done: usize, left: f64);
    /// It was stopped.
    fn stopped(&self, id: &str, line: &str);
    /// Something worth keeping.
    fn say(&self, line: &str);
}

/// The screen that fits where standard error goes; `things` is what runs.
pub(crate) fn screen(things: &str) -> Box<dyn Screen> {
    if std::io::stderr().is_terminal() { Box::new(Bars::new(things)) } else { Box::new(Lines::default()) }
}

/// Plain lines with time stamps.
#[derive(Default)]
struct Lines {
    last: Mutex<BTreeMap<String, Instant>>,
}

impl Screen for Lines {
    fn begin(&self, line: &str, _: usize, _: f64) {
        self.say(line);
    }

    fn started(&self, _: &str, line: &str) {
        self.say(line);
    }

    fn epoch(&self, id: &str, line: &str, _: f64) {
        let mut last = lock(&self.last);
        if last.get(id).is_none_or(|last| last.elapsed() >= EVERY) {
            last.insert(id.to_owned(), Instant::now());
            self.say(line);
        }
    }

    fn ended(&self, _: &str, line: &str, _: usize, _: f64) {
        self.say(line);
    }

    fn stopped(&self, _: &str, line: &str) {
        self.say(line);
    }

    fn say(&self, line: &str) {
        tell!("{} {line}", utc_now());
    }
}

/// One bar for the run and one for each thing that runs; what has ended scrolls above them.
struct Bars {
    all: MultiProgress,
    run: ProgressBar,
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    fn new(things: &str) -> Self {
        let all = MultiProgress::new();
        let run = all.add(ProgressBar::no_length());
        // A template that does not parse leaves the default style, which shows the same with less.
        let template = format!("{{bar:40}} {{pos}}/{{len}} {things}, {{elapsed}} so far, {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            run.set_style(style);
        }
        Self { all, run, running: Mutex::default() }
    }

    fn remove(&self, id: &str) {
        if let Some(bar) = lock(&self.running).remove(id) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn left(&self, seconds: f64) {
        self.run.set_message(format!("about {} left", duration(seconds)));
    }
}

impl Screen for Bars {
    fn begin(&self, line: &str, count: usize, left: f64) {
        self.say(line);
        self.run.set_length(count as u64);
        self.left(left);
        self.run.enable_steady_tick(Duration::from_secs(1));
    }

    fn started(&self, id: &str, line: &str) {
        let bar = self.all.insert_before(&self.run, ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_message(line.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        lock(&self.running).insert(id.to_owned(), bar);
    }

    fn epoch(&self, id: &str, line: &str, left: f64) {
        if let Some(bar) = lock(&self.running).get(id) {
            bar.set_message(line.to_owned());
        }
        self.left(left);
    }

    fn ended(&self, id: &str, line: &str, done: usize, left: f64) {
        self.remove(id);
        self.say(line);
        self.run.set_position(done as u64);
        self.left(left);
    }

    fn stopped(&self, id: &str, line: &str) {
        self.remove(id);
        self.say(line);
    }

    fn say(&self, line: &str) {
        // Where the terminal refuses a line there is nowhere to say so.
        let _ = self.all.println(line);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.run.finish_and_clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
