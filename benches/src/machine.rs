//! The machine: what it is, how fast it multiplies and reads, and how much memory this process has used.

use std::fs;
use std::process::Command;

use rftm_experiments::cpu;
use rftm_tensor::gemm::{Init, Mat, gemm};
use serde::{Deserialize, Serialize};

use crate::clock::timed;
use crate::work::values;

/// The circumstances under which something was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// When it began, UTC.
    pub date: String,
    /// The processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The commit of the code, with a + where sources differed from it.
    pub commit: String,
    /// The compiler.
    pub rustc: String,
    /// The command.
    pub command: String,
    /// Processes that wanted to run in the minute before, on average: more than a little spoils the times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
}

impl Circumstances {
    /// Those of now.
    #[must_use]
    pub fn now(command: String) -> Self {
        Self {
            date: said("date", &["-u", "+%FT%TZ"]),
            cpu: cpu(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            commit: commit(),
            rustc: said("rustc", &["--version"]),
            command,
            load: load(),
        }
    }

    /// The load, where it is so high that times will suffer.
    #[must_use]
    pub fn too_busy(&self) -> Option<f64> {
        self.load.filter(|&load| load > 0.3)
    }

    /// All of it in a line, with what else is to be said of the machine and of the command.
    #[must_use]
    pub fn sentence(&self, of_machine: &str, of_command: &str) -> String {
        let Self { date, cpu, cores, commit, rustc, command, load } = self;
        let load = load.map_or(String::new(), |load| format!(" Load before: {load:.2}."));
        format!("{date}, {cpu}, {cores} cores{of_machine}; commit {commit}, {rustc}. `{command}`{of_command}.{load}")
    }
}

/// The peak resident memory of this process in MiB (VmHWM); `None` where the system does not tell.
#[must_use]
pub fn peak_mib() -> Option<f64> {
    peak_mib_of("self")
}

/// That of another process, by its number, while it runs.
#[must_use]
pub fn peak_mib_of(process: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// What a program prints in its first line, or `None`.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// What a program prints in its first line, or `unknown`.
fn said(program: &str, arguments: &[&str]) -> String {
    first_line(program, arguments).unwrap_or_else(|| "unknown".to_owned())
}

/// The commit of the code, with a + where sources differ from it.
fn commit() -> String {
    let sources =
        ["status", "--porcelain", "--untracked-files=no", "--", "crates", "benches", "Cargo.toml", "Cargo.lock"];
    let dirty = first_line("git", &sources).is_some_and(|changes| !changes.is_empty());
    said("git", &["rev-parse", "--short", "HEAD"]) + if dirty { "+" } else { "" }
}

/// Processes that wanted to run in the minute before, on average; `None` where the system does not tell.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// The shapes tried for the peak: the packed blocks of each fit an L2 cache of 1 MB.
const PEAK_SHAPES: [(usize, usize, usize); 3] = [(1024, 1024, 1024), (2048, 1024, 960), (768, 768, 3840)];
/// Products of each shape.
const PEAK_ROUNDS: usize = 12;

/// The best rate of our own product, in GFLOP/s, with as many threads as the surrounding pool has.
#[must_use]
pub fn gemm_peak() -> f64 {
    PEAK_SHAPES.iter().map(|&(m, n, k)| product_rate(m, n, k)).fold(0.0, f64::max)
}

fn product_rate(m: usize, n: usize, k: usize) -> f64 {
    let (a, b, mut c) = (values(m * k, 1), values(k * n, 2), vec![0.0; m * n]);
    let mut product = || gemm(Mat::new(&a, m, k), Mat::new(&b, k, n), &mut c, Init::Zero);
    product();
    let best = (0..PEAK_ROUNDS).map(|_| timed(&mut product).0).fold(f64::INFINITY, f64::min);
    2e-6 * (m * n * k) as f64 / best
}

/// Bytes read for the bandwidth: twice a large L3 cache.
const BUFFER: usize = 64 << 20;

/// How fast one thread reads memory once, in GB/s (1e9 bytes): the best of some passes over 64 MiB.
#[must_use]
pub fn bandwidth() -> f64 {
    let buffer = values(BUFFER / size_of::<f32>(), 3);
    let pass = || std::hint::black_box(lane_sums(std::hint::black_box(&buffer)));
    pass();
    let best = (0..20).map(|_| timed(pass).0).fold(f64::INFINITY, f64::min);
    1e-6 * BUFFER as f64 / best
}

/// Sums of every 64th element: enough independent sums that memory, and not an addition's latency, is the limit.
fn lane_sums(values: &[f32]) -> [f32; 64] {
    let mut sums = [0.0; 64];
    for chunk in values.as_chunks::<64>().0 {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_read() {
        let sums = lane_sums(&[1.0; 640]);
        assert_eq!(sums, [10.0; 64]);
    }

    #[test]
    fn a_process_has_used_memory() {
        if let Some(peak) = peak_mib() {
            assert!(peak > 1.0);
        }
    }
}
