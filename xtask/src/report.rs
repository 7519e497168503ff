//! Tables from the ledger, figures from their data, and the page with both.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use rftm_experiments::{Catalogue, Ledger, Scope, terminal_text, unplaced, write_report};
use rftm_figures::{drawings, write_drawings, write_page};

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
    figures(&catalogue, &ledger, &out)?;
    let strangers = unplaced(&catalogue, &ledger).len();
    if strangers > 0 {
        eprintln!("{strangers} records enter no table: they come from other code or other hyper-parameters");
    }
    Ok(ExitCode::SUCCESS)
}

/// Draws the figures from their data and writes the page.
pub(crate) fn figures(catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Result<()> {
    let drawings = drawings(catalogue, ledger, out)?;
    let mut files = write_drawings(&drawings, out)?;
    files.push(write_page(catalogue, ledger, &drawings, out)?);
    files.iter().for_each(|file| eprintln!("wrote {}", file.display()));
    Ok(())
}
