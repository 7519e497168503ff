//! What CI runs, through cargo.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::paths::Origin;

/// The checks, the cheapest first, so that a mistake shows early.
const CHECKS: [(&str, &[&str]); 4] = [
    ("format", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("documentation", &["doc", "--workspace", "--no-deps"]),
    ("tests", &["test", "--workspace"]),
];

pub(crate) fn check() -> Result<ExitCode> {
    Origin::leave()?;
    for (name, arguments) in CHECKS {
        let begin = Instant::now();
        eprintln!("== {name}: cargo {}", arguments.join(" "));
        if !cargo(arguments)? {
            eprintln!("== {name} failed: cargo {}", arguments.join(" "));
            return Ok(ExitCode::FAILURE);
        }
        eprintln!("== {name} passed in {:.0} s", begin.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs cargo with these arguments and says whether it succeeded.
pub(crate) fn cargo(arguments: &[&str]) -> Result<bool> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&program);
    command.args(arguments).env("RUSTDOCFLAGS", "-D warnings");
    let status = command.status().with_context(|| format!("cannot start {}", program.display()))?;
    Ok(status.success())
}
