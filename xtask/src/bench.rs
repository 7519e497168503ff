//! The benches: criterion's, then the comparison with other libraries.

use std::process::ExitCode;

use anyhow::Result;

use crate::check::cargo;
use crate::cli::Bench;
use crate::paths::Origin;

const PACKAGE: &str = "rftm-benches";

pub(crate) fn run(arguments: &Bench) -> Result<ExitCode> {
    Origin::leave()?;
    // The comparison starts processes of its sibling, `step`, which `cargo run` alone would not build.
    let mut criterion = vec!["bench", "-p", PACKAGE];
    let mut compare = vec!["run", "--release", "-p", PACKAGE, "--bin", "compare", "--"];
    if arguments.quick {
        criterion.extend(["--", "--quick"]);
        compare.push("--quick");
    }
    compare.extend(arguments.arguments.iter().map(String::as_str));
    let mut steps = vec![vec!["build", "--release", "-p", PACKAGE, "--bins"], compare];
    if !arguments.skip_criterion {
        steps.insert(0, criterion);
    }
    for step in steps {
        tell!("== cargo {}", step.join(" "));
        if !cargo(&step)? {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
