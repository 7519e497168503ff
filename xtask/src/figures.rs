//! Figures: captures their data. Drawing them is part of `report`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use rftm_experiments::{Catalogue, Host, Ledger, Parallelism};
use rftm_figures::{Capture, Error, Figure, Subject};

use crate::cli::Reproduce;
use crate::data::{self, Download};
use crate::output::print;
use crate::paths::{LOOK, Origin, RESULTS, is_committed};
use crate::progress::{self, Trainings};
use crate::reproduce::{CELLS_FAILED, INTERRUPTED, listen_for_stops};

/// `--only figures` is all of them.
const ALL: &str = "figures";

/// The weights of the figures' trainings, which are not under version control.
const WEIGHTS: &str = "runs/figures";

/// The figures that `--only` names; none if it names tables, or nothing.
///
/// # Errors
/// If it names neither, or both: they have other cells and other flags.
pub(crate) fn wanted(only: &[String], catalogue: &Catalogue) -> Result<Option<Vec<Figure>>> {
    let named = |name: &String| match name.as_str() {
        ALL => Some(Figure::ALL.to_vec()),
        name => Figure::named(name).map(|figure| vec![figure]),
    };
    if let Some(name) = only.iter().find(|name| named(name).is_none() && catalogue.definition(name).is_none()) {
        let tables: Vec<&str> = catalogue.definitions.iter().map(|definition| definition.id.as_str()).collect();
        let figures = Figure::ALL.map(Figure::id).join(", ");
        let message = format!("the tables are {}; the figures are {figures}, or all: {ALL}", tables.join(", "));
        return Err(wrong("--only", name.clone(), message));
    }
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

pub(crate) fn run(
    arguments: &Reproduce,
    catalogue: &Catalogue,
    figures: &[Figure],
    stop: &'static AtomicBool,
) -> Result<ExitCode> {
    check(arguments)?;
    let origin = Origin::leave()?;
    // As many epochs as the protocol has are no trial.
    let trial = arguments.max_epochs.map(usize::from).filter(|&epochs| epochs != catalogue.protocol.train.max_epochs);
    let out = origin.or_default(arguments.out.as_ref(), if trial.is_some() { LOOK } else { RESULTS });
    let weights = weights(&out);
    let (ledger, torn) = Ledger::read(&out)?;
    torn.iter().for_each(|torn| tell!("warning: {torn}"));
    let host = Host::detect(Path::new("."));
    let watch = Trainings::new();
    let capture = Capture {
        catalogue,
        ledger: &ledger,
        subject: Subject::default(),
        max_epochs: trial,
        out: &out,
        weights: &weights,
        parallelism: Parallelism::new(arguments.jobs.get(), arguments.threads.map(usize::from), host.cores),
        host: &host,
        stop,
        watch: &watch,
    };
    let work = capture.work(figures)?;
    if arguments.dry_run {
        let mut text: String = work.names().map(|name| name + "\n").collect();
        let count = text.lines().count();
        let (seconds, basis) = capture.seconds(&work);
        text += &format!("trainings: {count}, less those of which {} has the weights\n", weights.display());
        if count > 0 {
            text += &(progress::plan(capture.parallelism, seconds, &basis) + "\n");
        }
        print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = data::search_path(&origin, arguments.data.as_deref());
    let download = if arguments.offline { Download::Never } else { Download::IfMissing };
    let mut datasets = BTreeMap::new();
    for &id in &work.datasets {
        match data::obtain(id, &path, download) {
            Ok(dataset) => drop(datasets.insert(id, Arc::new(dataset))),
            // The figures that do not need it can do without.
            Err(error) => tell!("error: {error:#}"),
        }
    }
    listen_for_stops()?;
    let captured = match capture.run(figures, &datasets) {
        Err(Error::Stopped) => {
            tell!("{}", Error::Stopped);
            return Ok(ExitCode::from(INTERRUPTED));
        }
        captured => captured?,
    };
    drop(watch);
    captured.written.iter().for_each(|file| tell!("wrote {}", file.display()));
    // Cells may have come to the ledger meanwhile.
    let drawn =
        Ledger::read(&out).map_err(Into::into).and_then(|(ledger, _)| crate::report::figures(catalogue, &ledger, &out));
    if !captured.failures.is_empty() {
        tell!("these failed; the same command tries them again:");
        captured.failures.iter().for_each(|failure| tell!("  {failure}"));
    }
    Ok(match (drawn?, captured.failures.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (_, false) => ExitCode::from(CELLS_FAILED),
        (false, true) => ExitCode::FAILURE,
    })
}

/// The folder of the weights for figures in `out`.
fn weights(out: &Path) -> PathBuf {
    if is_committed(out) { PathBuf::from(WEIGHTS) } else { out.join("weights") }
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
