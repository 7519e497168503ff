//! The main job: choose data, plan, run, show.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use rftm_data::DatasetId;
use rftm_experiments::{
    Catalogue, Cell, Estimator, Host, Ledger, Parallelism, Plan, RealRunner, Record, Run, Scope, Selection, Summary,
    Workplace, duration, ledger_path, row_of, terminal_text, unplaced, verify, write_report,
};

use crate::cli::Reproduce;
use crate::data::{self, Download};
use crate::figures;
use crate::output::print;
use crate::paths::{self, LOOK, Origin, QUICK, RESULTS};
use crate::progress;

/// Set by Ctrl-C or SIGTERM; running cells see it and save.
static STOP: AtomicBool = AtomicBool::new(false);

/// The exit code of a program ended by Ctrl-C, by convention 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code of a run of which some cells failed: to try those again without a change gives the same, unlike 1, which a
/// run ends with that could not go on.
pub(crate) const CELLS_FAILED: u8 = 3;

/// Epochs of a look at glyphs. They are few and soon through, and the models part late: after 12 epochs RFTM is not ahead of
/// the plain autoencoder yet (AUROC over classes 0, 1 and 9: 52.7 and 53.9), after 60 it is (73.9 and 68.7).
const GLYPH_EPOCHS: usize = 60;

pub(crate) fn run(arguments: &Reproduce) -> Result<ExitCode> {
    let catalogue = Catalogue::builtin()?;
    if let Some(figures) = figures::wanted(&arguments.only, &catalogue)? {
        return figures::run(arguments, &catalogue, &figures, &STOP);
    }
    let origin = Origin::leave()?;
    let path = data::search_path(&origin, arguments.data.as_deref());
    let download = if arguments.offline || arguments.dry_run { Download::Never } else { Download::IfMissing };
    let mut selection = selection(arguments, &catalogue);
    let is_look = selection.definitions == ["look"] && !arguments.quick;
    if is_look && selection.datasets.is_empty() {
        let id = data::for_a_look(&path, download)?;
        if arguments.dry_run && !arguments.offline && id == DatasetId::Glyphs {
            tell!("note: a dry run fetches nothing; the run itself first tries to fetch MNIST");
        }
        selection.datasets.push(id);
    }
    if is_look && selection.datasets == [DatasetId::Glyphs] {
        selection.max_epochs = selection.max_epochs.or(Some(GLYPH_EPOCHS));
    }
    let plan = Plan::new(&catalogue, &selection)?;
    let out = origin.or_default(arguments.out.as_ref(), default_out(arguments, &catalogue, &plan));
    let host = Host::detect(Path::new("."));
    let threads = arguments.threads.map(usize::from);
    let parallelism = Parallelism::new(arguments.jobs.get(), threads, host.cores);
    if parallelism.jobs * parallelism.threads > host.cores {
        let Parallelism { jobs, threads } = parallelism;
        tell!("warning: {jobs} jobs of {threads} threads on {} cores slow each other down", host.cores);
    }
    // A smoke run that finds everything done would show nothing, so it clears its folder.
    let begins_anew = arguments.quick && arguments.out.is_none();
    if arguments.dry_run {
        let (ledger, torn) = if begins_anew { Default::default() } else { Ledger::read(&out)? };
        torn.iter().for_each(|torn| tell!("warning: {torn}"));
        return dry_run(&catalogue, &plan, &ledger, &out, parallelism, &host);
    }
    if begins_anew && out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot clear {}", out.display()))?;
    }
    let (ledger, _) = Ledger::read(&out)?;
    let wanted: BTreeSet<DatasetId> =
        plan.cells.iter().filter(|(key, _)| ledger.finished(key).is_none()).map(|(_, cell)| cell.dataset).collect();
    let datasets = wanted.iter().map(|&id| data::obtain(id, &path, download)).collect::<Result<Vec<_>>>()?;
    for dataset in &datasets {
        tell!("{}: {}, {} + {} samples", dataset.id, dataset.origin, dataset.train.len(), dataset.test.len());
    }
    let runner = RealRunner::new(datasets, &plan)?;
    let workplace = Workplace { checkpoints: paths::checkpoints(&out), out };
    listen_for_stops()?;
    let summary = {
        let reporter = progress::Cells::new();
        let (catalogue, plan, workplace, host) = (&catalogue, &plan, &workplace, &host);
        Run { catalogue, plan, runner: &runner, workplace, parallelism, host, stop: &STOP, reporter: &reporter }
            .execute()?
    };
    let drawn = show(&catalogue, &plan, &workplace.out)?;
    let sound = drawn && (!arguments.quick || is_sound(&workplace.out)?);
    conclude(&summary, is_look, sound)
}

fn selection(arguments: &Reproduce, catalogue: &Catalogue) -> Selection {
    let definitions = if !arguments.only.is_empty() {
        arguments.only.clone()
    } else if arguments.full {
        catalogue.definitions.iter().filter(|definition| definition.full).map(|d| d.id.clone()).collect()
    } else {
        vec!["look".to_owned()]
    };
    let mut selection = Selection {
        definitions,
        datasets: arguments.dataset.clone(),
        classes: arguments.class.clone(),
        models: arguments.model.clone(),
        seeds: arguments.seed.clone(),
        convention: arguments.convention,
        forget_at_inference: arguments.forget_at_inference,
        padding: arguments.padding.map(usize::from),
        max_epochs: arguments.max_epochs.map(usize::from),
        shard: arguments.shard,
    };
    if arguments.quick {
        selection.datasets = vec![DatasetId::Glyphs];
        selection.max_epochs = selection.max_epochs.or(Some(2));
        if selection.classes.is_empty() {
            selection.classes = vec!["0".to_owned()];
        }
    }
    selection
}

/// Only what was asked for as the paper's protocol, and is it, belongs among the committed results.
fn default_out(arguments: &Reproduce, catalogue: &Catalogue, plan: &Plan) -> &'static str {
    let full = catalogue.protocol.train.max_epochs;
    let asked = arguments.full || !arguments.only.is_empty();
    let is_protocol = |cell: &Cell| [0, full].contains(&cell.train.max_epochs) && cell.dataset != DatasetId::Glyphs;
    match () {
        () if arguments.quick => QUICK,
        () if asked && plan.cells.iter().all(|(_, cell)| is_protocol(cell)) => RESULTS,
        () => LOOK,
    }
}

fn dry_run(
    catalogue: &Catalogue,
    plan: &Plan,
    ledger: &Ledger,
    out: &Path,
    parallelism: Parallelism,
    host: &Host,
) -> Result<ExitCode> {
    let estimator = Estimator::new(&catalogue.protocol, ledger, &host.cpu, parallelism.threads);
    let waiting: Vec<_> = plan.cells.iter().filter(|(key, _)| ledger.finished(key).is_none()).collect();
    let line = |(key, cell): &(_, Cell)| {
        format!("{key}  {cell}, {}: about {}\n", cell.reading(), duration(estimator.seconds(cell)))
    };
    let mut text: String = waiting.iter().map(|waiting| line(waiting)).collect();
    let (seconds, basis) = estimator.total(waiting.iter().map(|(_, cell)| cell), parallelism.jobs);
    let Parallelism { jobs, threads } = parallelism;
    text += &format!(
        "{} cells to run, {} in {} already; with jobs {jobs}, threads {threads} each: about {}\n",
        waiting.len(),
        plan.cells.len() - waiting.len(),
        out.display(),
        duration(seconds)
    );
    if !waiting.is_empty() {
        text += &format!("The time is an estimate {basis}.\n");
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn listen_for_stops() -> Result<()> {
    let heard = ctrlc::try_set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        tell!("\nstopping after the current step; the same command goes on from the last whole epoch of each cell");
    });
    match heard {
        // Whoever started it wants it not to be interrupted (nohup, or in the background of a script).
        Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        heard => heard.context("cannot listen for Ctrl-C"),
    }
}

/// Writes the tables of the whole ledger, then prints those of this run's cells: who reads them may go away. Whether all
/// figures that have data could be drawn.
fn show(catalogue: &Catalogue, plan: &Plan, out: &Path) -> Result<bool> {
    let (ledger, _) = Ledger::read(out)?;
    let rows = plan.cells.iter().map(|(_, cell)| row_of(cell)).collect();
    for file in write_report(catalogue, &ledger, out)? {
        tell!("wrote {}", file.display());
    }
    // The page shows these tables, and the bars of one of its figures are their cells.
    let drawn = crate::report::figures(catalogue, &ledger, out)?;
    print(&format!("\n{}", terminal_text(catalogue, &ledger, &Scope::Cells(rows))))?;
    let ran = |record: &&&Record| plan.cells.iter().any(|(key, _)| *key == record.key);
    let absent = unplaced(catalogue, &ledger).iter().filter(ran).count();
    if absent > 0 {
        tell!(
            "{absent} of these cells enter no table, since their experiment trains for another number of epochs; \
             {} has their results",
            ledger_path(out).display()
        );
    }
    Ok(drawn)
}

fn is_sound(out: &Path) -> Result<bool> {
    let found = verify(out)?;
    found.problems.iter().for_each(|problem| tell!("problem: {problem}"));
    Ok(found.problems.is_empty())
}

fn conclude(summary: &Summary, is_look: bool, sound: bool) -> Result<ExitCode> {
    for (cell, epoch) in &summary.interrupted {
        tell!("stopped: {cell}: goes on with epoch {epoch}");
    }
    if STOP.load(Ordering::Relaxed) && summary.interrupted.len() + summary.not_begun > 0 {
        let (interrupted, not_begun) = (summary.interrupted.len(), summary.not_begun);
        tell!("{interrupted} cells interrupted, {not_begun} not begun; give the same command again to go on");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if !summary.failed.is_empty() {
        tell!("{} cells failed (see above); the same command tries them again", summary.failed.len());
    }
    if is_look {
        print(
            "This was a quick look. The paper's protocol: cargo xtask reproduce --full (--dry-run first says how long \
             it takes).\n",
        )?;
    }
    Ok(match () {
        () if !sound => ExitCode::FAILURE,
        () if !summary.failed.is_empty() => ExitCode::from(CELLS_FAILED),
        () => ExitCode::SUCCESS,
    })
}
