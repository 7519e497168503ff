//! The generated files: computed from a ledger alone, the same bytes each time.

use std::path::{Path, PathBuf};

use crate::definition::Catalogue;
use crate::error::Result;
use crate::files::write_atomic;
use crate::ledger::Ledger;
use crate::render;
use crate::table::{Scope, Table, tables};

/// Writes `ID.md` and `ID.csv` into `out` for every definition that `ledger` has records of; the files written.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if a file cannot be written.
pub fn write_report(catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for definition in &catalogue.definitions {
        let tables = tables(catalogue, definition, ledger, &Scope::Everything)?;
        if tables.is_empty() {
            continue;
        }
        for (extension, text) in [("md", render::markdown_file(definition, &tables)), ("csv", render::csv(&tables))] {
            let path = out.join(&definition.id).with_extension(extension);
            write_atomic(&path, text.as_bytes())?;
            written.push(path);
        }
    }
    Ok(written)
}

/// The tables of all definitions as they are shown on a terminal.
///
/// # Errors
/// Those of [`tables`].
pub fn terminal_text(catalogue: &Catalogue, ledger: &Ledger, scope: &Scope) -> Result<String> {
    let mut text = String::new();
    for definition in &catalogue.definitions {
        let show = |table: &Table| {
            format!("{}\n{}\n\n{}\n", definition.title, render::heading(table), render::markdown(table))
        };
        text.extend(tables(catalogue, definition, ledger, scope)?.iter().map(show));
    }
    Ok(text)
}
