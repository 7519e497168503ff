//! The command `rftm` as its user meets it, process by process, beside PyOD's AutoEncoder doing the same in Python.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::Rng;
use rftm_rng::rng;
use serde::{Deserialize, Serialize};

use crate::clock::{median, timed};
use crate::machine::{Circumstances, peak_mib_of};

pub mod report;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// The command `rftm`; in memory, the crate of the same name.
    Rftm,
    /// PyOD's AutoEncoder.
    PyodAutoencoder,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A process that does nothing: `rftm --version`; Python with PyOD imported.
    Start,
    /// A CSV file is read, a detector fitted and saved.
    Fit,
    /// A CSV file is read, scored with a saved detector, and the scores are written.
    Score,
    /// A row is written to a process that waits for it, and its score read.
    Pipe,
    /// A row in memory is scored.
    Row,
    /// All rows in memory are scored.
    Rows,
}

/// One line of the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A run of `tool` begins.
    Run(Circumstances),
    /// Something was measured.
    Measured(Measured),
}

/// A task of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Who.
    pub program: Program,
    /// What.
    pub task: Task,
    /// Rows of the table.
    pub rows: usize,
    /// Columns of the table.
    pub columns: usize,
    /// Median of the times.
    pub seconds: f64,
    /// How many there were.
    pub times: usize,
    /// Largest resident memory of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mib: Option<f64>,
    /// Versions, of a peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
}

/// Factors that the columns of a made table depend on.
const FACTORS: usize = 8;

/// Writes a table of normal rows: each column is a mixture of a few hidden factors, plus noise.
///
/// # Errors
/// If the file cannot be written.
pub fn write_table(path: &Path, rows: usize, columns: usize) -> Result<()> {
    let mut random = rng(1997, "tool", columns as u64);
    let mixture: Vec<f32> = (0..columns * FACTORS).map(|_| random.random_range(-1.0..1.0)).collect();
    let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
    let mut file = std::io::BufWriter::new(file);
    let header: Vec<String> = (0..columns).map(|column| format!("x{column}")).collect();
    writeln!(file, "{}", header.join(","))?;
    for _ in 0..rows {
        let factors: [f32; FACTORS] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
        for (column, weights) in mixture.as_chunks::<FACTORS>().0.iter().enumerate() {
            let mixed: f32 = weights.iter().zip(factors).map(|(weight, factor)| weight * factor).sum();
            let value = mixed + random.random_range(-0.1..0.1_f32);
            write!(file, "{}{value:.4}", if column > 0 { "," } else { "" })?;
        }
        writeln!(file)?;
    }
    file.flush().with_context(|| path.display().to_string())
}

/// How often memory is looked at; its maximum never falls, so only what a process takes in its last moments is missed.
const POLL: Duration = Duration::from_millis(2);

/// Runs a process to its end: seconds, peak memory in MiB (nothing, if it was over before that could be looked at), and
/// what it printed.
///
/// # Errors
/// If it fails, with its last words.
pub fn process(command: &mut Command) -> Result<(f64, Option<f64>, String)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(name.clone())?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let id = child.id().to_string();
    let over = AtomicBool::new(false);
    let (seconds, status, peak, [said, wrong]) = std::thread::scope(|scope| {
        // Both pipes are emptied while it runs: a full one would stop it.
        let said = scope.spawn(|| text(&mut out));
        let wrong = scope.spawn(|| text(&mut err));
        let peak = scope.spawn(|| {
            let mut peak = None;
            // What is seen at once is not of the program yet.
            std::thread::sleep(POLL);
            while !over.load(Ordering::Relaxed) {
                peak = peak_mib_of(&id).or(peak);
                std::thread::sleep(POLL);
            }
            peak
        });
        // Nothing but the process lies between the times.
        let status = child.wait();
        let seconds = begin.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        (
            seconds,
            status,
            peak.join().unwrap_or_default(),
            [said, wrong].map(|thread| thread.join().unwrap_or_default()),
        )
    });
    let status = status?;
    if !status.success() {
        bail!("{name}: {status}: {}", wrong.trim().lines().next_back().unwrap_or("no message"));
    }
    Ok((seconds, peak, said))
}

fn text(pipe: &mut Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(pipe) = pipe {
        // What is no UTF-8 is nobody's record and nobody's message.
        let _ = pipe.read_to_string(&mut text);
    }
    text
}

/// Rows that are sent before time is taken.
const WARM_UP: usize = 20;

/// Sends the rows of a CSV file one by one to a process that answers each with a line; seconds for each after the
/// first few. The header goes first.
///
/// # Errors
/// If the process does not answer.
pub fn pipe(command: &mut Command, path: &Path, rows: usize) -> Result<Vec<f64>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let table = BufReader::new(std::fs::File::open(path).with_context(|| path.display().to_string())?);
    let mut lines = table.lines();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    let mut answers = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let header = lines.next().with_context(|| format!("{} is empty", path.display()))??;
    writeln!(input, "{header}")?;
    let mut times = Vec::new();
    let mut answered_header = false;
    for line in lines.take(rows + WARM_UP) {
        let line = line? + "\n";
        let (ms, answer) = timed(|| -> Result<_> {
            input.write_all(line.as_bytes())?;
            if !std::mem::replace(&mut answered_header, true) {
                answers.next();
            }
            answers.next().with_context(|| format!("{name} does not answer"))?.context(name.clone())
        });
        answer?;
        times.push(ms / 1e3);
    }
    drop(input);
    child.wait()?;
    Ok(times.split_off(WARM_UP.min(times.len())))
}

impl Measured {
    /// The median of some times.
    #[must_use]
    pub fn new(program: Program, task: Task, [rows, columns]: [usize; 2], seconds: &[f64]) -> Self {
        let (times, seconds) = (seconds.len(), median(seconds));
        Self { program, task, rows, columns, seconds, times, peak_mib: None, versions: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_timed_and_heard() {
        let (seconds, peak, said) = process(Command::new("sh").args(["-c", "sleep 0.05; echo hello"])).unwrap();
        assert!(seconds >= 0.05 && said == "hello\n");
        if cfg!(target_os = "linux") {
            assert!(peak.unwrap() > 0.1);
        }
        let failed = process(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"]));
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("last") && !message.contains("first"), "{message}");
    }

    #[test]
    fn a_row_is_sent_and_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        write_table(&path, 40, 3).unwrap();
        let times = pipe(&mut Command::new("cat"), &path, 10).unwrap();
        assert_eq!(times.len(), 10);
        assert!(pipe(&mut Command::new("true"), &path, 10).is_err());
    }

    #[test]
    fn tables_are_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            write_table(&path, 5, 4).unwrap();
            std::fs::read_to_string(path).unwrap()
        };
        let text = write("a.csv");
        assert_eq!(text, write("b.csv"));
        assert_eq!((text.lines().count(), text.lines().nth(1).unwrap().split(',').count()), (6, 4));
    }
}
