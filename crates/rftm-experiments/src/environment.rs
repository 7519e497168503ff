//! Where, when and with which code a cell ran: recorded beside the result, never part of a key.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// By this file the code is told from other folders.
const SOURCES: &str = "crates/rftm-experiments/Cargo.toml";

/// The surroundings of one cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Git commit of the code, or "unknown" where that is not in a repository.
    pub commit: String,
    /// Whether tracked sources differed from that commit.
    pub dirty: bool,
    /// The CPU, as [`cpu`] names it; without its family in records of early versions.
    pub cpu: String,
    /// Threads inside the cell.
    pub threads: usize,
    /// Cells that could run side by side.
    pub jobs: usize,
    /// Start of the cell's last (or only) part, in UTC.
    pub started: String,
}

/// The parts of [`Environment`] that stay the same for all cells of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Git commit of the code, or "unknown".
    pub commit: String,
    /// Whether tracked sources differ from that commit.
    pub dirty: bool,
    /// The CPU, as [`cpu`] names it.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
}

impl Host {
    /// Looks at this machine and, if the code of this workspace is in `root`, at its repository.
    #[must_use]
    pub fn detect(root: &Path) -> Self {
        // A copied program may run in the repository of something else, whose commit says nothing of the code.
        let root = root.join(SOURCES).is_file().then_some(root);
        let commit = git(root, &["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        // Only what the program is built from: the run itself changes the ledger under docs/.
        let sources =
            ["status", "--porcelain", "--untracked-files=no", "--", "crates", "xtask", "Cargo.toml", "Cargo.lock"];
        let dirty = git(root, &sources).is_some_and(|changes| !changes.is_empty());
        Self { commit, dirty, cpu: cpu(), cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }

    /// The surroundings of a cell that starts now.
    #[must_use]
    pub fn now(&self, threads: usize, jobs: usize) -> Environment {
        let (commit, cpu) = (self.commit.clone(), self.cpu.clone());
        Environment { commit, dirty: self.dirty, cpu, threads, jobs, started: utc_now() }
    }
}

fn git(root: Option<&Path>, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root?).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The name of this machine's CPU with its family and model number: virtual machines often hide which generation it is,
/// and generations differ in speed by a factor of two.
#[must_use]
pub fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        (Some(name), ..) => name,
        (None, ..) => format!("{} ({})", std::env::consts::ARCH, std::env::consts::OS),
    }
}

/// The time now in UTC, as `YYYY-MM-DDThh:mm:ssZ`.
#[must_use]
pub fn utc_now() -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()))
}

/// Unix seconds as `YYYY-MM-DDThh:mm:ssZ` (days to civil date after Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn rfc3339(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From `date -u -d @SECONDS +%FT%TZ`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), expected);
        }
    }

    #[test]
    fn outside_a_repository_the_commit_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::detect(folder.path());
        assert_eq!((host.commit.as_str(), host.dirty), ("unknown", false));
        assert!(host.cores >= 1 && !host.cpu.is_empty());
    }

    #[test]
    fn the_repository_of_something_else_says_nothing_of_the_code() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| git(Some(folder.path()), arguments);
        let who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"];
        let commit = [&who[..], &["commit", "--quiet", "--allow-empty", "--message", "x"]].concat();
        if git(&["init", "--quiet"]).is_none() || git(&commit).is_none() {
            eprintln!("skipped: git does not make repositories here");
            return;
        }
        assert_eq!(Host::detect(folder.path()).commit, "unknown");
        let manifest = folder.path().join(SOURCES);
        std::fs::create_dir_all(manifest.parent().unwrap()).unwrap();
        std::fs::write(manifest, "").unwrap();
        assert_eq!(Some(Host::detect(folder.path()).commit), git(&["rev-parse", "HEAD"]));
    }
}
