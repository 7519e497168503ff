//! What CI runs, through cargo: `.ci/run` calls this and nothing else.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::paths::Origin;

/// Something that must hold.
struct Check {
    name: &'static str,
    /// The arguments of cargo.
    arguments: &'static [&'static str],
    /// The vector level that the kernels must choose; their own choice where there is none.
    level: Option<&'static str>,
    /// Whether it prints what nobody wants to read.
    quiet: bool,
}

const fn check(name: &'static str, arguments: &'static [&'static str]) -> Check {
    Check { name, arguments, level: None, quiet: false }
}

/// The tests of all that multiplies, on a level below that of the machine.
const fn kernels(name: &'static str, level: &'static str) -> Check {
    let arguments = &[
        "test",
        "--quiet",
        "-p",
        "rftm-tensor",
        "-p",
        "rftm-autograd",
        "-p",
        "rftm-nn",
        "-p",
        "rftm-memory",
        "-p",
        "rftm-models",
    ];
    Check { level: Some(level), ..check(name, arguments) }
}

/// The checks, the cheapest first, so that a mistake shows early. The tests of the benches are left to who changes them
/// (`cargo test -p rftm-benches`): they would build the whole stack once more, for other features of what it depends on.
const CHECKS: [Check; 8] = [
    // It prints a description of the whole workspace.
    Check { quiet: true, ..check("lockfile", &["metadata", "--locked", "--format-version", "1"]) },
    check("format", &["fmt", "--all", "--check"]),
    check("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    check("documentation", &["doc", "--workspace", "--no-deps", "--quiet"]),
    check("smoke run", &["xtask", "reproduce", "--quick", "--offline"]),
    kernels("kernels, portable", "portable"),
    kernels("kernels, avx2", "avx2"),
    // The README's own command.
    check("tests", &["test"]),
];

pub(crate) fn run() -> Result<ExitCode> {
    Origin::leave()?;
    for check in CHECKS {
        let (name, begin) = (check.name, Instant::now());
        let command = format!("cargo {}", check.arguments.join(" "));
        let level = check.level.map(|level| format!("RFTM_SIMD={level} ")).unwrap_or_default();
        tell!("== {name}: {level}{command}");
        let mut cargo = command_of(check.arguments);
        cargo.envs(check.level.map(|level| ("RFTM_SIMD", level)));
        if check.quiet {
            cargo.stdout(Stdio::null());
        }
        if !succeeds(cargo)? {
            tell!("== {name} failed: {level}{command}");
            return Ok(ExitCode::FAILURE);
        }
        tell!("== {name} passed in {:.0} s", begin.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs cargo with these arguments and says whether it succeeded.
pub(crate) fn cargo(arguments: &[&str]) -> Result<bool> {
    succeeds(command_of(arguments))
}

fn command_of(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).env("RUSTDOCFLAGS", "-D warnings");
    // The cargo that runs this program tells it of its package. Build scripts look at these variables, too: where they are
    // passed on, ring and all above it are built once more, and again without them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

fn succeeds(mut command: Command) -> Result<bool> {
    let status = command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(status.success())
}
