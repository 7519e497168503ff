//! Tables from the ledger.

use std::process::ExitCode;

use anyhow::Result;
use rftm_experiments::{Catalogue, Ledger, Scope, terminal_text, unplaced, write_report};

use crate::cli::Report;
use crate::paths::{Origin, RESULTS};

pub(crate) fn run(arguments: &Report) -> Result<ExitCode> {
    let out = Origin::leave()?.or_default(arguments.out.as_ref(), RESULTS);
    let catalogue = Catalogue::builtin()?;
    let (ledger, torn) = Ledger::read_existing(&out)?;
    if let Some(torn) = torn {
        eprintln!("warning: {torn}");
    }
    print!("{}", terminal_text(&catalogue, &ledger, &Scope::Everything));
    for file in write_report(&catalogue, &ledger, &out)? {
        eprintln!("wrote {}", file.display());
    }
    let strangers = unplaced(&catalogue, &ledger).len();
    if strangers > 0 {
        eprintln!("{strangers} records enter no table: they come from other code or other hyper-parameters");
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures and the page.
pub(crate) fn figures(_catalogue: &Catalogue, _ledger: &Ledger, _out: &std::path::Path) -> Result<()> {
    Ok(())
}
