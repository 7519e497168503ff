//! Fits detectors, ours and PyOD's, on ten public tables and writes `docs/comparison.md`.
#![allow(clippy::print_stderr, reason = "a program that takes an hour says where it is")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use rftm_benches::jsonl::{self, Writer};
use rftm_benches::machine::Circumstances;
use rftm_benches::tables::data::{Split, TABLES, Table, folder};
use rftm_benches::tables::record::{Measured, Outcome, Record, Run};
use rftm_benches::tables::{Detector, ours, peers, report};
use rftm_experiments::write_atomic;

const RECORDS: &str = "docs/comparison/records.jsonl";
const DOCUMENT: &str = "docs/comparison.md";

/// Fits detectors, ours and PyOD's, on ten public tables, and writes docs/comparison.md and docs/comparison/records.jsonl.
///
/// Half of a table's normal rows are fitted, the others and all anomalies are scored, for each of three seeds. All detectors get
/// the same rows and have their defaults.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  tables --python venv/bin/python                  everything, five minutes
  tables --append --only rftm,ae                   ours again; replaces what the document says of them
  tables --append --only knn --table shuttle --seed 2015
  tables --from-records                            only the document again")]
struct Arguments {
    /// The folder of the ten .npz files [default: $RFTM_DATA/adbench, then data/adbench].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Only these detectors: rftm, ae, memae, mnad, autoencoder, iforest, ecod, knn, knn-zscore.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Detector>,
    /// Only these tables.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = TABLES)]
    table: Vec<String>,
    /// The seeds.
    #[arg(long, value_name = "SEED", value_delimiter = ',', default_value = "1997,2015,2022")]
    seed: Vec<u64>,
    /// Threads of every detector.
    #[arg(long, value_name = "T", default_value_t = 1)]
    threads: usize,
    /// A Python interpreter with PyOD and PyTorch [default: $RFTM_PEER_PYTHON, then python3].
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Keep the records that are there; of two for the same the later counts.
    #[arg(long)]
    append: bool,
    /// Measure nothing; write the document from the records.
    #[arg(long, exclusive = true)]
    from_records: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !Path::new("benches/peers").is_dir() {
        bail!("run it in the root of the repository");
    }
    ensure!(arguments.threads > 0, "--threads must be at least 1");
    let (records, document) = (Path::new(RECORDS), Path::new(DOCUMENT));
    if !arguments.from_records {
        measure(&arguments, records)?;
    }
    let old = document.is_file().then(|| fs::read_to_string(document)).transpose();
    let old = old.with_context(|| format!("cannot read {DOCUMENT}"))?;
    let new = report::splice(old.as_deref(), &jsonl::read(records)?).with_context(|| DOCUMENT.to_owned())?;
    write_atomic(document, new.as_bytes())?;
    eprintln!("wrote {DOCUMENT}");
    Ok(())
}

impl Arguments {
    fn python(&self) -> PathBuf {
        let named = self.python.clone().or_else(|| std::env::var_os("RFTM_PEER_PYTHON").map(PathBuf::from));
        named.unwrap_or_else(|| "python3".into())
    }
}

/// Splits by table and seed.
type Splits = BTreeMap<(String, u64), Split>;

fn measure(arguments: &Arguments, path: &Path) -> Result<()> {
    // What is missing is found before anything is measured or overwritten.
    let splits = splits(arguments)?;
    let wanted = Detector::ALL.into_iter().filter(|one| match arguments.only.as_slice() {
        // A plain run has what the tables need; the other memories are there for who asks.
        [] => !matches!(one, Detector::MemAe | Detector::Mnad),
        only => only.contains(one),
    });
    let (ours, theirs): (Vec<_>, Vec<_>) = wanted.partition(|one| one.kind().is_some());
    if !theirs.is_empty() {
        peers::probe(&arguments.python())?;
    }
    let run = circumstances(arguments);
    if let Some(load) = run.circumstances.too_busy() {
        eprintln!("warning: other programs are running (load {load:.2}); times will suffer");
    }
    let mut records = Writer::open(path, arguments.append)?;
    records.write(&Record::Run(run))?;
    own(arguments, &splits, &ours, &mut records)?;
    if !theirs.is_empty() {
        peer(arguments, &splits, &theirs, &mut records)?;
    }
    records.finish()
}

fn splits(arguments: &Arguments) -> Result<Splits> {
    let folder = folder(arguments.data.clone())?;
    let mut splits = Splits::new();
    for name in
        TABLES.into_iter().filter(|name| arguments.table.is_empty() || arguments.table.iter().any(|t| t == name))
    {
        let table = Table::read(&folder, name)?;
        splits.extend(arguments.seed.iter().map(|&seed| ((name.to_owned(), seed), table.split(seed))));
    }
    Ok(splits)
}

fn own(arguments: &Arguments, splits: &Splits, detectors: &[Detector], records: &mut Writer) -> Result<()> {
    let pool = ours::pool(arguments.threads)?;
    for ((table, seed), split) in splits {
        for detector in detectors {
            let Some(kind) = detector.kind() else { continue };
            let result = pool.install(|| ours::measure(kind, split, *seed));
            let result = result.map_err(|error| format!("{error:#}"));
            outcome((table, *seed, detector.name()), split, result, None, records)?;
        }
    }
    Ok(())
}

fn peer(arguments: &Arguments, splits: &Splits, detectors: &[Detector], records: &mut Writer) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for ((table, seed), split) in splits {
        split.write(&folder.path().join(format!("{table}-{seed}")))?;
    }
    peers::run(&arguments.python(), folder.path(), detectors, arguments.threads, |answer, scores| {
        let split = splits.get(&(answer.table.clone(), answer.seed)).context("an answer to no question")?;
        let result = match (scores, answer.measured) {
            (Some(scores), Some(measured)) => Ok((scores, measured)),
            _ => Err(answer.failed.unwrap_or_else(|| "no times".to_owned())),
        };
        outcome((&answer.table, answer.seed, &answer.detector), split, result, Some(answer.versions), records)
    })
}

/// Notes what a detector did, or why it did not.
fn outcome(
    key: (&str, u64, &str),
    split: &Split,
    result: Result<(Vec<f64>, Measured), String>,
    versions: Option<String>,
    records: &mut Writer,
) -> Result<()> {
    let (table, seed, detector) = key;
    let outcome = result.and_then(|(scores, measured)| {
        Outcome::new(key, split, &scores, measured, versions).map_err(|error| format!("{error:#}"))
    });
    let record = match outcome {
        Ok(outcome) => {
            let Outcome { auroc, average_precision, measured, .. } = &outcome;
            let Measured { fit_s, .. } = measured;
            eprintln!(
                "{table}, {seed}, {detector}: AUROC {auroc:.4}, AP {average_precision:.4}, fitted in {fit_s:.2} s"
            );
            Record::Outcome(outcome)
        }
        Err(reason) => {
            eprintln!("{table}, {seed}, {detector}: {reason}");
            Record::Failed { table: table.to_owned(), seed, detector: detector.to_owned(), reason }
        }
    };
    records.write(&record)
}

fn circumstances(arguments: &Arguments) -> Run {
    Run { circumstances: Circumstances::now(command(arguments)), threads: arguments.threads }
}

/// The command that does the same again, but for paths.
fn command(arguments: &Arguments) -> String {
    let mut text = "cargo run --release -p rftm-benches --bin tables --".to_owned();
    let names = |all: &[Detector]| all.iter().map(|one| one.name()).collect::<Vec<_>>().join(",");
    let seeds = arguments.seed.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let options = [("only", names(&arguments.only)), ("table", arguments.table.join(",")), ("seed", seeds)];
    for (name, value) in options.into_iter().filter(|(_, value)| !value.is_empty()) {
        text += &format!(" --{name} {value}");
    }
    text += &format!(" --threads {}", arguments.threads);
    text + if arguments.append { " --append" } else { "" }
}
