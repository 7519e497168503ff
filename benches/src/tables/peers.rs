//! PyOD's detectors, in a Python process that reads the splits and answers line by line.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use ndarray::Array1;
use ndarray_npy::read_npy;
use serde::Deserialize;

use super::Detector;
use super::record::Measured;

const SCRIPT: &str = "benches/peers/pyod/tables.py";

/// What the script says about a split and a detector.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// The table.
    pub table: String,
    /// The split's seed.
    pub seed: u64,
    /// The detector's name.
    pub detector: String,
    /// Versions of PyOD and what it stands on.
    pub versions: String,
    /// Times.
    #[serde(flatten)]
    pub measured: Option<Measured>,
    /// Why there are none.
    pub failed: Option<String>,
}

/// Whether this Python has PyOD, asked before anything is measured.
///
/// # Errors
/// What to install.
pub fn probe(python: &Path) -> Result<()> {
    let output = Command::new(python).args(["-c", "import pyod, torch, tqdm"]).output();
    let output = output.with_context(|| format!("{} does not start; name a Python by --python", python.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().next_back().unwrap_or("it does not say why");
    bail!(
        "{} has no PyOD ({last}): pip install pyod torch tqdm, or name a Python by --python, or leave the peers out by \
         --only rftm,ae",
        python.display()
    )
}

/// Fits and scores all splits of a folder; `each` gets an answer as soon as it is there, with the scores if there are any.
///
/// # Errors
/// If Python or PyOD is missing, or an answer cannot be read.
pub fn run(
    python: &Path,
    folder: &Path,
    detectors: &[Detector],
    threads: usize,
    mut each: impl FnMut(Answer, Option<Vec<f64>>) -> Result<()>,
) -> Result<()> {
    let names = detectors.iter().map(|detector| detector.name()).collect::<Vec<_>>().join(",");
    let mut command = Command::new(python);
    command.arg(SCRIPT).arg(folder).arg(names).args(["--threads", &threads.to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| python.display().to_string())?;
    let output = child.stdout.take().context("the process has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        // Libraries may print, too.
        if !line.starts_with('{') {
            continue;
        }
        let answer: Answer = serde_json::from_str(&line).with_context(|| format!("{SCRIPT} said {line}"))?;
        let path = folder.join(format!("{}-{}/{}.npy", answer.table, answer.seed, answer.detector));
        let scores = match answer.failed {
            None => Some(read_npy::<_, Array1<f64>>(&path).with_context(|| path.display().to_string())?.to_vec()),
            Some(_) => None,
        };
        each(answer, scores)?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{SCRIPT} ended with {status}; see above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_without_pyod_is_refused_with_what_to_do() {
        let said = |python: &str| probe(Path::new(python)).unwrap_err().to_string();
        assert_eq!(said("no-such-python"), "no-such-python does not start; name a Python by --python");
        // A program that starts and fails, as an interpreter without the package does.
        let expected = "false has no PyOD (it does not say why): pip install pyod torch tqdm, or name a Python by \
                        --python, or leave the peers out by --only rftm,ae";
        assert_eq!(said("false"), expected);
    }

    #[test]
    fn answers_have_times_or_a_reason() {
        let head = r#"{"table": "glass", "seed": 1997, "detector": "knn", "versions": "pyod 3""#;
        let parse = |rest: &str| serde_json::from_str::<Answer>(&format!("{head}{rest}}}")).unwrap();
        let answer = parse(r#", "fit_s": 0.5, "score_s": 0.25, "single_ms": 2.0"#);
        assert_eq!(answer.measured, Some(Measured { fit_s: 0.5, score_s: 0.25, single_ms: 2.0 }));
        let answer = parse(r#", "failed": "ValueError: no""#);
        assert_eq!((answer.measured, answer.failed.as_deref()), (None, Some("ValueError: no")));
    }
}
