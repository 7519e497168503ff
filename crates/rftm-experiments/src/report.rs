//! The generated files: computed from a ledger alone, the same bytes each time.

use std::path::{Path, PathBuf};

use crate::definition::{Catalogue, Layout};
use crate::error::Result;
use crate::files::write_atomic;
use crate::grid::Document;
use crate::ledger::Ledger;
use crate::table::Scope;
use crate::{ablation, cost, evidence, paired, render, summary};

/// The main table, which comparison and cost are made from.
const MAIN: &str = "table1";

/// Everything that `ledger` has something for: the tables of each definition, and with [`Scope::Everything`] the averages of
/// the main one, the paired comparison, and time and size.
pub fn documents(catalogue: &Catalogue, ledger: &Ledger, scope: &Scope) -> Vec<Document> {
    let whole = matches!(scope, Scope::Everything);
    let mut documents = Vec::new();
    for definition in &catalogue.definitions {
        if definition.id == MAIN && whole {
            documents.extend(summary::document(catalogue, definition, ledger));
        }
        documents.extend(match definition.layout {
            Layout::Models | Layout::Untrained => render::document(catalogue, definition, ledger, scope),
            Layout::Ablation => ablation::document(catalogue, definition, ledger, scope),
            Layout::Evidence => evidence::document(catalogue, definition, ledger, scope),
        });
        if definition.id == MAIN && whole {
            documents.extend(paired::document(catalogue, definition, ledger));
            documents.extend(cost::document(catalogue, definition, ledger));
        }
    }
    documents
}

/// The documents of a repository that show the summary between two marks, relative to its root.
pub const SHOW_SUMMARY: [&str; 2] = ["README.md", "docs/results.md"];

/// Writes every document of `ledger` into `out`, as `ID.md`, `ID.csv` and `ID.tex`; the files written.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if a file cannot be written.
pub fn write_report(catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for document in documents(catalogue, ledger, &Scope::Everything) {
        for (extension, text) in [("md", document.markdown()), ("csv", document.csv()), ("tex", document.latex())] {
            let path = out.join(format!("{}.{extension}", document.id));
            write_atomic(&path, text.as_bytes())?;
            written.push(path);
        }
    }
    Ok(written)
}

/// The tables as they are shown on a terminal.
pub fn terminal_text(catalogue: &Catalogue, ledger: &Ledger, scope: &Scope) -> String {
    let mut text = String::new();
    for document in documents(catalogue, ledger, scope) {
        for section in &document.sections {
            text += &format!("{}\n{}\n\n{}\n", document.title, section.heading, section.markdown());
        }
    }
    text
}
