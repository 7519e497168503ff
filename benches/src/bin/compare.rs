//! Runs rftm and the installed peers in turn and writes `docs/performance.md`.
#![allow(clippy::print_stderr, reason = "a program that takes an hour says where it is")]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use rftm_benches::case::Case;
use rftm_benches::curves::Curve;
use rftm_benches::jsonl;
use rftm_benches::machine::Circumstances;
use rftm_benches::programs::{Effort, MODES, Program, step};
use rftm_benches::record::{Record, Run};
use rftm_benches::report::splice;
use rftm_experiments::write_atomic;

const RECORDS: &str = "docs/performance/records.jsonl";
const DOCUMENT: &str = "docs/performance.md";

/// What `--peers` may name; the empty name is no peer.
const PEERS: [&str; 4] = ["torch", "candle", "burn", ""];

/// Runs rftm and the installed peers in turn, and writes docs/performance.md and docs/performance/records.jsonl.
///
/// Every number comes from a process of its own; the processes of all programs take turns, round after round, so that
/// whatever slows the machine slows all of them. Nothing else should run meanwhile.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  compare                                       everything, an hour or more
  compare --quick                               does it work at all?
  compare --append --parts steps --cases fc_ae,fc_rftm --skip-compile
  compare --append --parts curves               adds to the records that are there
  compare --from-records                        only the document again
  compare --jobs                                only two trainings side by side, printed, not recorded")]
struct Arguments {
    /// Processes of each kind.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Numbers of threads.
    #[arg(long, value_name = "T", value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Only these cases: fc_ae, fc_rftm, conv_ae_p1, conv_ae_p0, conv_rftm_p1, conv_rftm_p0; and fc_memae, fc_mnad, which
    /// are left out otherwise.
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    cases: Vec<Case>,
    /// Only these: train, score256, score1.
    #[arg(long, value_name = "MODE", value_delimiter = ',', value_parser = MODES)]
    modes: Vec<String>,
    /// Only these parts.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    parts: Vec<Part>,
    /// Only these peers; none: --peers "".
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = PEERS, default_value = "torch,candle,burn")]
    peers: Vec<String>,
    /// Leave out torch.compile, whose processes start slowly.
    #[arg(long)]
    skip_compile: bool,
    /// Also PyTorch with its fused Adam and channels last.
    #[arg(long)]
    tuned: bool,
    /// A Python interpreter with PyTorch [default: $RFTM_PEER_PYTHON, then python3].
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Few repetitions, one round, nothing written but to the folder target/performance.
    #[arg(long)]
    quick: bool,
    /// Keep the records that are there.
    #[arg(long)]
    append: bool,
    /// Measure nothing; write the document from the records.
    #[arg(long, exclusive = true)]
    from_records: bool,
    /// Measure two trainings side by side, print the ratio, write nothing.
    #[arg(long, conflicts_with_all = ["quick", "append", "parts"])]
    jobs: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Whole steps and scoring, of all programs.
    Steps,
    /// Every operation of our steps.
    Ops,
    /// Products of three crates.
    Gemm,
    /// How fast memory is read.
    Bandwidth,
    /// Two trainings side by side.
    Jobs,
    /// Cost curves.
    Curves,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !Path::new("benches/peers").is_dir() {
        bail!("run it in the root of the repository (or through cargo xtask bench)");
    }
    ensure!(arguments.rounds > 0 && !arguments.threads.contains(&0), "--rounds and --threads must be at least 1");
    if arguments.jobs {
        return jobs(&arguments, &mut |_| Ok(()));
    }
    let (records, document) = match arguments.quick {
        true => (PathBuf::from("target/performance/records.jsonl"), PathBuf::from("target/performance/performance.md")),
        false => (PathBuf::from(RECORDS), PathBuf::from(DOCUMENT)),
    };
    if !arguments.from_records {
        measure(&arguments, &records)?;
    }
    let old = document.is_file().then(|| fs::read_to_string(&document)).transpose();
    let old = old.with_context(|| format!("cannot read {}", document.display()))?;
    let new = splice(old.as_deref(), &jsonl::read(&records)?).with_context(|| document.display().to_string())?;
    write_atomic(&document, new.as_bytes())?;
    eprintln!("wrote {}", document.display());
    Ok(())
}

impl Arguments {
    fn cases(&self) -> Vec<Case> {
        if self.cases.is_empty() { Case::ALL.to_vec() } else { self.cases.clone() }
    }

    fn does(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds }
    }

    fn effort(&self) -> Effort {
        if self.quick { Effort::Smoke } else { Effort::Full }
    }

    /// Repetitions of something of ours that takes milliseconds.
    fn repetitions(&self) -> &'static str {
        if self.quick { "2" } else { "15" }
    }

    fn python(&self) -> PathBuf {
        let named = self.python.clone().or_else(|| std::env::var_os("RFTM_PEER_PYTHON").map(PathBuf::from));
        named.unwrap_or_else(|| "python3".into())
    }
}

fn measure(arguments: &Arguments, path: &Path) -> Result<()> {
    let run = circumstances(arguments);
    if let Some(load) = run.circumstances.too_busy() {
        eprintln!("warning: other programs are running (load {load:.2}); times will suffer");
    }
    let mut records = jsonl::Writer::open(path, arguments.append)?;
    let mut keep = |record: Record| records.write(&record);
    keep(Record::Run(run))?;
    if arguments.does(Part::Bandwidth) {
        ours(&["bandwidth"], &mut keep)?;
    }
    if arguments.does(Part::Steps) {
        steps(arguments, &mut keep)?;
    }
    if arguments.does(Part::Ops) {
        for case in arguments.cases() {
            for threads in &arguments.threads {
                let threads = threads.to_string();
                let ops = [case.name(), "--ops", "--threads", &threads, "--rounds", arguments.repetitions()];
                ours(&ops, &mut keep)?;
            }
        }
    }
    if arguments.does(Part::Gemm) {
        ours(&["gemm", "--rounds", arguments.repetitions()], &mut keep)?;
    }
    if arguments.does(Part::Jobs) {
        jobs(arguments, &mut keep)?;
    }
    if arguments.does(Part::Curves) {
        for curve in Curve::ALL {
            ours(&[curve.name(), "--rounds", arguments.repetitions()], &mut keep)?;
        }
    }
    records.finish()
}

type Keep<'a> = dyn FnMut(Record) -> Result<()> + 'a;

/// One call of our own `step`.
fn ours(arguments: &[&str], keep: &mut Keep<'_>) -> Result<()> {
    eprintln!("step {}", arguments.join(" "));
    step(arguments)?.into_iter().try_for_each(keep)
}

/// All programs in turn.
fn steps(arguments: &Arguments, keep: &mut Keep<'_>) -> Result<()> {
    let root = Path::new(".");
    let mut programs = vec![Program::ours()?];
    eprintln!("looking for the peers, and building those in Rust (minutes the first time)");
    for peer in arguments.peers.iter().filter(|peer| !peer.is_empty()) {
        let found = match peer.as_str() {
            "torch" => Program::torch(&arguments.python(), arguments.skip_compile, arguments.tuned),
            "candle" => Program::rust("candle", root).map(|program| vec![program]),
            "burn" => Program::rust("burn", root).map(|program| vec![program]),
            _ => bail!("unknown peer {peer:?}"),
        };
        match found {
            Ok(found) => programs.extend(found),
            Err(reason) => {
                eprintln!("{peer} is left out: {reason}");
                keep(Record::Missing { program: peer.clone(), reason })?;
            }
        }
    }
    let modes = MODES.iter().filter(|mode| arguments.modes.is_empty() || arguments.modes.iter().any(|m| m == *mode));
    let modes: Vec<_> = modes.collect();
    let all = arguments.rounds() * arguments.threads.len() * arguments.cases().len() * modes.len() * programs.len();
    let mut done = 0;
    for round in 0..arguments.rounds() {
        for &threads in &arguments.threads {
            for case in arguments.cases() {
                for mode in &modes {
                    for program in &programs {
                        done += 1;
                        let what = format!("{} {case} {mode}, threads {threads}", program.name());
                        match program.run(root, case, mode, threads, arguments.effort()) {
                            Ok(step) => {
                                eprintln!("[{done}/{all}] {what}: {:.3} ms", step.median_ms);
                                keep(Record::Step(step))?;
                            }
                            Err(error) => {
                                eprintln!("[{done}/{all}] {what} failed: {error:#}");
                                if round == 0 {
                                    keep(Record::Missing { program: what, reason: format!("{error:#}") })?;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// One training and two at once, in turn.
fn jobs(arguments: &Arguments, keep: &mut Keep<'_>) -> Result<()> {
    for case in arguments.cases() {
        let repetitions = match (arguments.quick, case.is_conv()) {
            (true, _) => "2",
            (false, true) => "6",
            (false, false) => "200",
        };
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..arguments.rounds() {
            for (jobs, times) in ["1", "2"].into_iter().zip(&mut times) {
                for record in step(&[case.name(), "--jobs", jobs, "--rounds", repetitions])? {
                    if let Record::Jobs(jobs) = &record {
                        times.push(jobs.wall_ms);
                    }
                    keep(record)?;
                }
            }
        }
        let [one, two] = times.map(|times| rftm_benches::clock::median(&times));
        eprintln!("{case}: one {one:.2} ms a step, two side by side {two:.2} ms: {:.3}x", two / one);
    }
    Ok(())
}

fn circumstances(arguments: &Arguments) -> Run {
    Run {
        circumstances: Circumstances::now(command(arguments)),
        simd: format!("{:?}", rftm_tensor::simd()),
        rounds: arguments.rounds(),
    }
}

/// The command that does the same again, but for the interpreter's path.
fn command(arguments: &Arguments) -> String {
    let mut text = "cargo run --release -p rftm-benches --bin compare --".to_owned();
    let list = |items: Vec<String>| items.join(",");
    let quoted = |peer: &String| if peer.is_empty() { "\"\"".to_owned() } else { peer.clone() };
    let names = |part: &Part| part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let options = [
        ("rounds", arguments.rounds().to_string()),
        ("threads", list(arguments.threads.iter().map(ToString::to_string).collect())),
        ("cases", list(arguments.cases.iter().map(ToString::to_string).collect())),
        ("modes", list(arguments.modes.clone())),
        ("parts", list(arguments.parts.iter().map(names).collect())),
        ("peers", list(arguments.peers.iter().map(quoted).collect())),
    ];
    for (name, value) in options.into_iter().filter(|(_, value)| !value.is_empty()) {
        text += &format!(" --{name} {value}");
    }
    for (name, on) in [
        ("skip-compile", arguments.skip_compile),
        ("tuned", arguments.tuned),
        ("quick", arguments.quick),
        ("append", arguments.append),
    ] {
        text += &if on { format!(" --{name}") } else { String::new() };
    }
    text
}
