//! Tables from the ledger, figures from their data, and the page with both.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use rftm_experiments::{
    Catalogue, Ledger, SHOW_SUMMARY, Scope, documents, results_folder, terminal_text, unplaced, with_summary,
    write_atomic, write_report,
};
use rftm_figures::{drawings, write_drawings, write_page};

use crate::cli::Report;
use crate::output::print;
use crate::paths::{Origin, RESULTS, is_committed};

pub(crate) fn run(arguments: &Report) -> Result<ExitCode> {
    let named = Origin::leave()?.or_default(arguments.out.as_ref(), RESULTS);
    let catalogue = Catalogue::builtin()?;
    let (ledger, torn) = Ledger::read_existing(&named)?;
    let out = results_folder(&named);
    if let Some(torn) = torn {
        tell!("warning: {torn}");
    }
    // Files first: who reads the tables may go away.
    for file in write_report(&catalogue, &ledger, out)? {
        tell!("wrote {}", file.display());
    }
    if is_committed(out) {
        summarise(&catalogue, &ledger)?;
    }
    let whole = figures(&catalogue, &ledger, out)?;
    print(&terminal_text(&catalogue, &ledger, &Scope::Everything))?;
    let strangers = unplaced(&catalogue, &ledger).len();
    if strangers > 0 {
        tell!("{strangers} records enter no table: they come from other code or other hyper-parameters");
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Brings the summary in the README and its like up to date.
fn summarise(catalogue: &Catalogue, ledger: &Ledger) -> Result<()> {
    let documents = documents(catalogue, ledger, &Scope::Everything);
    let Some(summary) = documents.iter().find(|document| document.id == "summary") else { return Ok(()) };
    for name in SHOW_SUMMARY {
        let text = fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
        let new = with_summary(&text, summary).with_context(|| format!("{name} has no marks for the summary"))?;
        if new != text {
            write_atomic(Path::new(name), new.as_bytes())?;
            tell!("wrote {name}");
        }
    }
    Ok(())
}

/// Draws the figures from their data and writes the page; whether all data were good. Damaged data are named, and the other
/// figures drawn.
pub(crate) fn figures(catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Result<bool> {
    let drawings = drawings(catalogue, ledger, out);
    let mut files = write_drawings(&drawings.drawn, out)?;
    files.push(write_page(catalogue, ledger, &drawings, out)?);
    files.iter().for_each(|file| tell!("wrote {}", file.display()));
    drawings.failures.iter().for_each(|(figure, error)| tell!("error: {figure}: {error}"));
    Ok(drawings.failures.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn damaged_data_fail_without_stopping_the_rest() {
        let (folder, catalogue, ledger) =
            (tempfile::tempdir().unwrap(), Catalogue::builtin().unwrap(), Ledger::default());
        let (out, data) = (folder.path(), folder.path().join("figures/data"));
        assert!(figures(&catalogue, &ledger, out).unwrap());
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("fig3.csv"), "no figure data").unwrap();
        let whole = "# figure: usage\n# rows: 1\nunit,slot,normal,anomalous,weight\ncortex,0,3,1,0.5\n";
        fs::write(data.join("usage.csv"), whole).unwrap();
        assert!(!figures(&catalogue, &ledger, out).unwrap());
        assert!(out.join("figures/usage.png").is_file() && !out.join("figures/fig3.png").exists());
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(page.contains("id=\"usage\"") && page.contains("Not drawn, its data are damaged: Figure 3."));
    }
}
