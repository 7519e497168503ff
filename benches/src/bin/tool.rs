//! Runs the command `rftm` as a user does, beside PyOD's AutoEncoder in Python, and writes `docs/performance.md`.
#![allow(clippy::print_stderr, reason = "a program that takes minutes says where it is")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rftm::{Data, Detector};
use rftm_benches::clock::{median, timed};
use rftm_benches::jsonl;
use rftm_benches::machine::Circumstances;
use rftm_benches::tool::{Measured, Program, Record, Task, pipe, process, report, write_table};
use rftm_experiments::write_atomic;
use serde::Deserialize;

const RECORDS: &str = "docs/performance/tool.jsonl";
const DOCUMENT: &str = "docs/performance.md";
const SCRIPT: &str = "benches/peers/pyod/tool.py";
/// Rows that are scored one by one.
const SINGLE_ROWS: usize = 200;

/// Runs the command `rftm` as a user does, beside PyOD's AutoEncoder in Python, on made tables, and writes the section
/// on the command of docs/performance.md. Both have their defaults and all cores. Nothing else should run meanwhile.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  tool --python venv/bin/python            everything, five minutes
  tool --append --size 1000x20             only a small table, without a peer
  tool --from-records                      only the document again")]
struct Arguments {
    /// Sizes of the tables.
    #[arg(long, value_name = "ROWSxCOLUMNS", value_delimiter = ',', value_parser = size,
          default_values = ["1000x20", "100000x50", "1000000x50"])]
    size: Vec<[usize; 2]>,
    /// A Python interpreter with PyOD and PyTorch; without it there is no peer.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Keep the records that are there; of two for the same the later counts.
    #[arg(long)]
    append: bool,
    /// Measure nothing; write the document from the records.
    #[arg(long, exclusive = true)]
    from_records: bool,
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let numbers = text.split_once('x').and_then(|(rows, columns)| Some([rows.parse().ok()?, columns.parse().ok()?]));
    numbers.filter(|size| !size.contains(&0)).ok_or_else(|| "a size is ROWSxCOLUMNS, such as 1000x20".to_owned())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(Path::new(SCRIPT).is_file(), "run it in the root of the repository");
    if !arguments.from_records {
        measure(&arguments)?;
    }
    let old = fs::read_to_string(DOCUMENT).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let new = report::splice(&old, &jsonl::read(Path::new(RECORDS))?).with_context(|| DOCUMENT.to_owned())?;
    write_atomic(Path::new(DOCUMENT), new.as_bytes())?;
    eprintln!("wrote {DOCUMENT}");
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<()> {
    let users = [Some(User::ours(build()?)), arguments.python.clone().map(User::peer)];
    // What is missing is found before anything is measured or overwritten.
    users.iter().flatten().try_for_each(User::probe)?;
    let mut records = jsonl::Writer::open(Path::new(RECORDS), arguments.append)?;
    let run = Circumstances::now(command(arguments));
    if let Some(load) = run.too_busy() {
        eprintln!("warning: other programs are running (load {load:.2}); times will suffer");
    }
    records.write(&Record::Run(run))?;
    let mut keep = |measured: Measured| {
        let Measured { program, task, rows, columns, seconds, .. } = &measured;
        eprintln!("{program:?}, {task:?}, {rows} x {columns}: {seconds:.6} s");
        records.write(&Record::Measured(measured))
    };
    users.iter().flatten().try_for_each(|user| user.start(&mut keep))?;
    for &[rows, columns] in &arguments.size {
        let folder = tempfile::tempdir()?;
        write_table(&folder.path().join("train.csv"), rows, columns)?;
        let able = users.iter().flatten().filter(|user| rows <= user.most_rows);
        able.into_iter().try_for_each(|user| user.table([rows, columns], folder.path(), &mut keep))?;
    }
    records.finish()
}

/// The command that does the same again, but for the interpreter's path.
fn command(arguments: &Arguments) -> String {
    let sizes: Vec<String> = arguments.size.iter().map(|[rows, columns]| format!("{rows}x{columns}")).collect();
    let python = if arguments.python.is_some() { " --python venv/bin/python" } else { "" };
    let append = if arguments.append { " --append" } else { "" };
    format!("cargo run --release -p rftm-benches --bin tool -- --size {}{python}{append}", sizes.join(","))
}

/// The binary `rftm` of this very code.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--release", "--quiet", "-p", "rftm-cli"]).status()?;
    ensure!(status.success(), "cargo build -p rftm-cli failed");
    let here = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(here.with_file_name(format!("rftm{}", std::env::consts::EXE_SUFFIX)))
}

/// Takes what was measured.
type Keep<'a> = dyn FnMut(Measured) -> Result<()> + 'a;

/// A program, and how it is called.
struct User {
    program: Program,
    /// The binary, or the interpreter and its script.
    call: Vec<PathBuf>,
    /// Starts that are counted.
    starts: usize,
    /// The largest table.
    most_rows: usize,
}

/// What `tool.py memory` prints: seconds.
#[derive(Deserialize)]
struct InMemory {
    row: f64,
    rows: f64,
    versions: String,
}

impl User {
    fn ours(binary: PathBuf) -> Self {
        Self { program: Program::Rftm, call: vec![binary], starts: 50, most_rows: usize::MAX }
    }

    /// PyOD's AutoEncoder trains with batches of 32, ten epochs: beyond so many rows that takes too long.
    fn peer(python: PathBuf) -> Self {
        Self { program: Program::PyodAutoencoder, call: vec![python, SCRIPT.into()], starts: 3, most_rows: 200_000 }
    }

    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.call[0]);
        command.args(&self.call[1..]).args(arguments);
        command
    }

    fn repeat(
        &self,
        task: Task,
        size: [usize; 2],
        times: usize,
        arguments: &[&str],
        keep: &mut Keep<'_>,
    ) -> Result<()> {
        let mut seconds = Vec::new();
        let mut peak_mib = None;
        for _ in 0..times {
            let (time, peak, _) = process(&mut self.command(arguments.iter().copied()))?;
            seconds.push(time);
            peak_mib = peak;
        }
        keep(Measured { peak_mib, ..Measured::new(self.program, task, size, &seconds) })
    }

    /// The argument with which the program does nothing but start.
    fn nothing(&self) -> &'static str {
        match self.program {
            Program::Rftm => "--version",
            Program::PyodAutoencoder => "start",
        }
    }

    /// Whether it starts at all: a Python without PyOD does not.
    fn probe(&self) -> Result<()> {
        process(&mut self.command([self.nothing()])).map(drop)
    }

    fn start(&self, keep: &mut Keep<'_>) -> Result<()> {
        self.repeat(Task::Start, [0, 0], self.starts, &[self.nothing()], keep)
    }

    /// Everything but the start, on a table of this size in a folder that is there for it.
    fn table(&self, size: [usize; 2], folder: &Path, keep: &mut Keep<'_>) -> Result<()> {
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let (train, model, scores) = (path("train.csv"), path("model"), path("scores.csv"));
        let [fit, score, piped] = match self.program {
            Program::Rftm => [
                vec!["fit", &train, "-o", &model],
                vec!["score", &model, &train, "-o", &scores],
                vec!["score", &model, "-"],
            ],
            Program::PyodAutoencoder => {
                [vec!["fit", &train, &model], vec!["score", &model, &train, &scores], vec!["pipe", &model]]
            }
        };
        self.repeat(Task::Fit, size, 1, &fit, keep)?;
        self.repeat(Task::Score, size, 3, &score, keep)?;
        let times = pipe(&mut self.command(piped), Path::new(&train), SINGLE_ROWS)?;
        keep(Measured::new(self.program, Task::Pipe, size, &times))?;
        let (row, rows, versions) = match self.program {
            Program::Rftm => {
                let (row, rows) = in_memory(Path::new(&model), Path::new(&train), size[1])?;
                (row, rows, None)
            }
            Program::PyodAutoencoder => {
                let (_, _, said) = process(&mut self.command(["memory", &model, &train]))?;
                let line = said.lines().rfind(|line| line.starts_with('{')).context("the script says no times")?;
                let InMemory { row, rows, versions } = serde_json::from_str(line)?;
                (row, rows, Some(versions))
            }
        };
        for (task, seconds) in [(Task::Row, row), (Task::Rows, rows)] {
            keep(Measured { versions: versions.clone(), ..Measured::new(self.program, task, size, &[seconds]) })?;
        }
        Ok(())
    }
}

/// Seconds for one row and for all, scored by the crate; medians.
fn in_memory(model: &Path, table: &Path, columns: usize) -> Result<(f64, f64)> {
    let detector = Detector::load(model)?;
    let text = fs::read_to_string(table)?;
    let values: Result<Vec<f32>, _> = text.lines().skip(1).flat_map(|line| line.split(',')).map(str::parse).collect();
    let values = values?;
    let data = |values: &[f32]| Data::table((0..columns).map(|column| format!("x{column}")), values.to_vec());
    let seconds = |data: Data, times: usize| -> Result<f64> {
        detector.score(&data)?;
        let times: Result<Vec<f64>> = (0..times)
            .map(|_| {
                let (ms, scores) = timed(|| detector.score(&data));
                scores?;
                Ok(ms / 1e3)
            })
            .collect();
        Ok(median(&times?))
    };
    Ok((seconds(data(&values[..columns])?, SINGLE_ROWS)?, seconds(data(&values)?, 3)?))
}
