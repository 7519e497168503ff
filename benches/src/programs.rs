//! The programs that are compared: how each is found, built and called.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::case::Case;
use crate::jsonl;
use crate::record::{Record, Step};

/// What a process does with its case.
pub const MODES: [&str; 3] = ["train", "score256", "score1"];

/// PyTorch's variants, by the names that the script gives them, and its flags.
const TORCH: [(&str, &[&str]); 4] = [
    ("torch", &[]),
    ("torch-compiled", &["--compile"]),
    ("torch-fused-nhwc", &["--fused-adam", "--channels-last"]),
    ("torch-compiled-fused-nhwc", &["--compile", "--fused-adam", "--channels-last"]),
];

/// One of the programs.
#[derive(Debug, Clone)]
pub struct Program {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Ours(PathBuf),
    Torch { python: PathBuf, flags: &'static [&'static str] },
    Rust(PathBuf),
}

/// How long the processes shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Enough repetitions for a stable median.
    Full,
    /// Enough to see that everything works.
    Smoke,
}

impl Program {
    /// Our own, the binary `step` beside this one.
    ///
    /// # Errors
    /// If it has not been built.
    pub fn ours() -> Result<Self> {
        let path = sibling("step")?;
        if !path.is_file() {
            bail!("{} is missing; build it: cargo build --release -p rftm-benches --bins", path.display());
        }
        Ok(Self { name: "rftm", kind: Kind::Ours(path) })
    }

    /// PyTorch, eager and (unless `skip_compile`) compiled; or why it is missing. With `tuned` both once more, with what
    /// an expert might try on a CPU: the fused Adam, and images as NHWC in memory.
    ///
    /// # Errors
    /// What to install.
    pub fn torch(python: &Path, skip_compile: bool, tuned: bool) -> Result<Vec<Self>, String> {
        let mut probe = Command::new(python);
        let status = probe.args(["-c", "import torch"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        // The interpreter's path is this machine's business and does not go into records.
        let status = status.map_err(|error| format!("the Python interpreter does not start: {}", error.kind()))?;
        if !status.success() {
            return Err("the Python interpreter has no torch; name one that has with --python".to_owned());
        }
        let torch = |&(name, flags)| Self { name, kind: Kind::Torch { python: python.to_owned(), flags } };
        let wanted = |(_, flags): &&(&str, &[&str])| {
            (!skip_compile || !flags.contains(&"--compile")) && (tuned || !flags.contains(&"--fused-adam"))
        };
        Ok(TORCH.iter().filter(wanted).map(torch).collect())
    }

    /// candle or burn, built from its own workspace below `root`; or why it is missing.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn rust(name: &'static str, root: &Path) -> Result<Self, String> {
        let built = build(name, root).map_err(|error| format!("it could not be built: {error:#}"))?;
        Ok(Self { name, kind: Kind::Rust(built) })
    }

    /// The name in records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Repetitions in one process: some seconds' worth, fewer for the slower peers.
    fn repetitions(&self, case: Case, mode: &str, effort: Effort) -> usize {
        let full: usize = match (effort, mode, case.is_conv()) {
            (Effort::Smoke, "score1", false) => return 20,
            (Effort::Smoke, ..) => return 2,
            (_, "train", false) => 30,
            (_, "train", true) => 5,
            (_, "score256", false) => 40,
            (_, "score256", true) => 8,
            (_, _, false) => 400,
            (_, _, true) => 60,
        };
        if matches!(self.kind, Kind::Rust(_)) { full.div_ceil(3) } else { full }
    }

    /// Runs one process.
    ///
    /// # Errors
    /// If it fails, or does not print a record.
    pub fn run(&self, root: &Path, case: Case, mode: &str, threads: usize, effort: Effort) -> Result<Step> {
        let repetitions = self.repetitions(case, mode, effort).to_string();
        let count = threads.to_string();
        let mut command = match &self.kind {
            Kind::Ours(path) => {
                let mut command = Command::new(path);
                command.args([case.name(), "--threads", &count, "--rounds", &repetitions]);
                if let Some(batch) = mode.strip_prefix("score") {
                    command.args(["--score", batch]);
                }
                command
            }
            Kind::Torch { python, flags } => {
                let mut command = Command::new(python);
                command.arg(root.join("benches/peers/torch_step.py"));
                command.args([case.name(), mode, &repetitions, "--threads", &count]).args(*flags);
                command
            }
            Kind::Rust(path) => {
                let mut command = Command::new(path);
                command.args([case.name(), mode, &repetitions]);
                command
            }
        };
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, &count);
        }
        match &records(command)?[..] {
            [Record::Step(step)] => Ok(step.clone()),
            other => bail!("{} printed {} records, not the one of a step", self.name, other.len()),
        }
    }
}

/// What our own binary `step` prints when called with some arguments.
///
/// # Errors
/// If it fails.
pub fn step(arguments: &[&str]) -> Result<Vec<Record>> {
    let mut command = Command::new(sibling("step")?);
    command.args(arguments);
    records(command)
}

fn records(mut command: Command) -> Result<Vec<Record>> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{name}: {}: {}", output.status, message.lines().last().unwrap_or("no message"));
    }
    jsonl::parse_all(&String::from_utf8_lossy(&output.stdout)).with_context(|| format!("what {name} printed"))
}

fn sibling(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(here.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

fn build(name: &str, root: &Path) -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot find this program's own file")?;
    // Beside our own builds, as far as we are in a target folder: target/release/compare.
    let target = here.ancestors().nth(2).context("this program lies in no target folder")?.join("peers").join(name);
    let manifest = root.join("benches/peers").join(name).join("Cargo.toml");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo build failed");
    }
    Ok(target.join("release").join(format!("peer-{name}{}", std::env::consts::EXE_SUFFIX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_interpreter_is_said_without_its_path() {
        let reason = Program::torch(Path::new("/nowhere/python3"), true, false).unwrap_err();
        assert!(reason.contains("does not start") && !reason.contains("nowhere"), "{reason}");
        let no_torch = Program::torch(Path::new("false"), true, false).unwrap_err();
        assert!(no_torch.contains("has no torch"), "{no_torch}");
        // `true` takes any arguments and succeeds: a Python with everything.
        let names = |skip, tuned| {
            let all = Program::torch(Path::new("true"), skip, tuned).unwrap();
            all.iter().map(Program::name).collect::<Vec<_>>()
        };
        assert_eq!(names(true, false), ["torch"]);
        assert_eq!(names(false, false), ["torch", "torch-compiled"]);
        assert_eq!(names(true, true), ["torch", "torch-fused-nhwc"]);
    }

    #[test]
    fn a_failing_program_is_an_error_with_its_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; echo last >&2; exit 3"]);
        let message = records(command).unwrap_err().to_string();
        assert!(message.contains("sh") && message.contains("last") && !message.contains("first"), "{message}");
        let mut command = Command::new("echo");
        command.arg("no record");
        assert!(records(command).is_err());
    }
}
