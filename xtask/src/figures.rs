//! Figures: captures their data. Drawing them is part of `report`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rftm_experiments::{Catalogue, Ledger, Parallelism, utc_now};
use rftm_figures::{Capture, Error, Figure, Subject, Watch};

use crate::cli::Reproduce;
use crate::data::{self, Download};
use crate::paths::{LOOK, Origin, RESULTS};
use crate::reproduce::{INTERRUPTED, listen_for_stops};

/// `--only figures` is all of them.
const ALL: &str = "figures";

/// The weights of the figures' trainings, which are not under version control.
const WEIGHTS: &str = "runs/figures";

/// The longest silence about running trainings is this plus an epoch.
const EVERY: Duration = Duration::from_secs(10);

/// The figures that `--only` names; none if it names tables, or nothing.
///
/// # Errors
/// If it names both: they have other cells and other flags.
pub(crate) fn wanted(only: &[String]) -> Result<Option<Vec<Figure>>> {
    let named = |name: &String| match name.as_str() {
        ALL => Some(Figure::ALL.to_vec()),
        name => name.parse().ok().map(|figure| vec![figure]),
    };
    let figures: Vec<Vec<Figure>> = only.iter().filter_map(named).collect();
    match figures.len() {
        0 => Ok(None),
        all if all == only.len() => Ok(Some(figures.concat())),
        _ => Err(wrong("--only", only.join(","), "figures and tables are separate runs".to_owned())),
    }
}

fn wrong(flag: &'static str, value: String, message: String) -> anyhow::Error {
    rftm_experiments::Error::Selection { flag, value, message }.into()
}

pub(crate) fn run(arguments: &Reproduce, figures: &[Figure], stop: &'static AtomicBool) -> Result<ExitCode> {
    check(arguments)?;
    let origin = Origin::leave()?;
    let trial = arguments.max_epochs.is_some();
    let out = origin.or_default(arguments.out.as_ref(), if trial { LOOK } else { RESULTS });
    let weights = if out == Path::new(RESULTS) { PathBuf::from(WEIGHTS) } else { out.join("weights") };
    let (catalogue, (ledger, _)) = (Catalogue::builtin()?, Ledger::read(&out)?);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let watch = Lines { last: Mutex::new(None) };
    let capture = Capture {
        catalogue: &catalogue,
        ledger: &ledger,
        subject: Subject::default(),
        max_epochs: arguments.max_epochs.map(usize::from),
        out: &out,
        weights: &weights,
        parallelism: Parallelism::new(arguments.jobs.get(), arguments.threads.map(usize::from), cores),
        stop,
        watch: &watch,
    };
    let work = capture.work(figures)?;
    if arguments.dry_run {
        let lines: Vec<String> = work.names().collect();
        lines.iter().for_each(|line| println!("{line}"));
        println!("trainings: {}, less those of which {} has the weights", lines.len(), weights.display());
        return Ok(ExitCode::SUCCESS);
    }
    let path = data::search_path(&origin, arguments.data.as_deref());
    let download = if arguments.offline { Download::Never } else { Download::IfMissing };
    let mut datasets = BTreeMap::new();
    for &id in &work.datasets {
        datasets.insert(id, Arc::new(data::obtain(id, &path, download)?));
    }
    listen_for_stops()?;
    match capture.run(figures, &datasets) {
        Err(Error::Stopped) => {
            eprintln!("{}", Error::Stopped);
            return Ok(ExitCode::from(INTERRUPTED));
        }
        written => written?.iter().for_each(|file| eprintln!("wrote {}", file.display())),
    }
    crate::report::figures(&catalogue, &ledger, &out)?;
    Ok(ExitCode::SUCCESS)
}

/// Figures have a cell of their own.
fn check(arguments: &Reproduce) -> Result<()> {
    let Reproduce { dataset, class, model, seed, convention, padding, shard, .. } = arguments;
    let list = |list: Vec<String>| (!list.is_empty()).then(|| list.join(","));
    let given = [
        ("--dataset", list(dataset.iter().map(ToString::to_string).collect())),
        ("--class", list(class.clone())),
        ("--model", list(model.iter().map(ToString::to_string).collect())),
        ("--seed", list(seed.iter().map(ToString::to_string).collect())),
        ("--convention", convention.map(|convention| convention.to_string())),
        ("--forget-at-inference", arguments.forget_at_inference.then(String::new)),
        ("--padding", padding.map(|padding| padding.to_string())),
        ("--shard", shard.map(|shard| shard.to_string())),
    ];
    match given.into_iter().find_map(|(flag, value)| Some((flag, value?))) {
        Some((flag, value)) => {
            let Subject { dataset, class, seed, .. } = Subject::default();
            let message = format!("figures show {dataset}, anomaly class {class}, seed {seed}; leave this out");
            Err(wrong(flag, value, message))
        }
        None => Ok(()),
    }
}

/// Plain lines with time stamps.
struct Lines {
    last: Mutex<Option<Instant>>,
}

impl Watch for Lines {
    fn progress(&self, line: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= EVERY) {
            *last = Some(Instant::now());
            eprintln!("{} {line}", utc_now());
        }
    }

    fn say(&self, line: &str) {
        eprintln!("{} {line}", utc_now());
    }
}
