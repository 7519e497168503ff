//! The page: one HTML file with all tables and figures, which needs no network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{Options, Parser, html};
use rftm_experiments::{Catalogue, Document, Key, Ledger, Row, RowClass, Scope, Section, documents, duration, tables};

use crate::draw::Drawing;
use crate::error::Result;
use crate::figure::Figure;
use crate::sheet::write_whole;

/// The page in the results folder.
const FILE: &str = "report.html";

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    runs: usize,
    finished: usize,
    figures: Vec<Shown>,
    missing: Vec<Missing>,
    documents: Vec<Tables>,
    machines: Vec<Machine>,
    ledger: Vec<Line>,
}

/// A figure on the page.
struct Shown {
    id: &'static str,
    title: &'static str,
    alt: String,
    /// The SVG as a data URI: what it calls its parts cannot clash with another figure's.
    image: String,
    caption: String,
    cells: Vec<Named>,
    command: String,
    /// Whether every training of it has a file of its own as well.
    has_folder: bool,
}

/// A cell behind a figure.
struct Named {
    name: String,
    key: String,
    /// Whether the ledger on this page has it.
    is_listed: bool,
}

/// A figure that there are no data for.
struct Missing {
    title: &'static str,
    command: String,
}

/// The tables of a document.
struct Tables {
    id: String,
    title: String,
    text: String,
    sections: Vec<Block>,
}

struct Block {
    heading: String,
    caution: Option<String>,
    left: usize,
    header: Vec<String>,
    rows: Vec<Fields>,
    notes: Vec<String>,
}

struct Fields {
    fields: Vec<Field>,
    /// Averages and counts of wins, which stay below the rows they are about.
    is_summary: bool,
}

struct Field {
    text: String,
    bold: bool,
    /// The ledger lines behind it.
    keys: String,
    /// The ledger line that it leads to.
    line: Option<String>,
    /// The figures that show its run: their ids and short names.
    links: Vec<(String, String)>,
}

/// A machine with what ran on it.
struct Machine {
    cpu: String,
    commits: String,
    runs: usize,
}

/// A line of the ledger.
struct Line {
    key: String,
    cell: String,
    reading: String,
    epochs: String,
    time: String,
    seconds: f64,
    threads: usize,
    commit: String,
    started: String,
}

/// The page's HTML.
///
/// # Errors
/// [`Error::Page`](crate::Error::Page) if the template fails.
pub fn page(catalogue: &Catalogue, ledger: &Ledger, drawings: &[Drawing]) -> Result<String> {
    let has = |figure: Figure| drawings.iter().any(|drawing| drawing.figure == figure);
    let missing = Figure::ALL.into_iter().filter(|figure| !has(*figure));
    let page = Page {
        runs: ledger.len(),
        finished: ledger.records().filter(|record| record.finished().is_some()).count(),
        figures: drawings.iter().map(|drawing| shown(drawing, ledger)).collect(),
        missing: missing.map(|figure| Missing { title: figure.title(), command: figure.command() }).collect(),
        documents: documents(catalogue, ledger, &Scope::Everything)
            .iter()
            .map(|document| tables_of(catalogue, ledger, drawings, document))
            .collect(),
        machines: machines(ledger),
        ledger: lines(ledger),
    };
    Ok(page.render()?)
}

/// Writes the page into the results folder `out`.
///
/// # Errors
/// As [`page`], and if the file cannot be written.
pub fn write_page(catalogue: &Catalogue, ledger: &Ledger, drawings: &[Drawing], out: &Path) -> Result<PathBuf> {
    let path = out.join(FILE);
    write_whole(&path, page(catalogue, ledger, drawings)?.as_bytes())?;
    Ok(path)
}

fn shown(drawing: &Drawing, ledger: &Ledger) -> Shown {
    let listed = |key: &str| key.parse().is_ok_and(|key: Key| ledger.get(&key).is_some());
    let named = |(name, key): &(String, String)| Named { name: name.clone(), is_listed: listed(key), key: key.clone() };
    Shown {
        id: drawing.figure.id(),
        title: drawing.figure.title(),
        alt: drawing.alt.clone(),
        image: format!("data:image/svg+xml;base64,{}", STANDARD.encode(&drawing.svg)),
        caption: markdown(&drawing.caption),
        cells: drawing.cells.iter().map(named).collect(),
        command: drawing.figure.command(),
        has_folder: drawing.figure == Figure::Fig1,
    }
}

fn markdown(text: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(text, Options::empty()));
    out
}

fn tables_of(catalogue: &Catalogue, ledger: &Ledger, drawings: &[Drawing], document: &Document) -> Tables {
    // The sections of a definition's document are its tables, in order, with the same rows and some of counts below.
    let behind =
        catalogue.definition(&document.id).map(|definition| tables(catalogue, definition, ledger, &Scope::Everything));
    let behind = behind.filter(|tables| tables.len() == document.sections.len()).unwrap_or_default();
    let block = |(index, section): (usize, &Section)| {
        let rows = behind.get(index).map_or(&[][..], |table| &table.rows);
        block(section, rows, drawings)
    };
    Tables {
        id: document.id.clone(),
        title: document.title.clone(),
        text: markdown(&document.text),
        sections: document.sections.iter().enumerate().map(block).collect(),
    }
}

fn block(section: &Section, rows: &[Row], drawings: &[Drawing]) -> Block {
    let mut lines = Vec::new();
    for (index, entries) in section.grid.rows.iter().enumerate() {
        let row = rows.get(index);
        let keys = row.map(|row| row.keys.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default();
        let first = entries.first().map_or("", |entry| &entry.text);
        let is_summary = match row {
            Some(row) => matches!(row.class, RowClass::Average { .. }),
            None => first.starts_with("AVG") || first.starts_with("wins"),
        };
        let field = |(column, entry): (usize, &rftm_experiments::Entry)| Field {
            text: unquoted(&entry.text),
            bold: entry.bold,
            keys: if column < section.grid.left { String::new() } else { keys.join(" ") },
            line: if section.grid.header.get(column).is_some_and(|title| title == SEEDS) && !is_summary {
                keys.first().cloned()
            } else {
                None
            },
            links: if column + 1 == section.grid.left { links(&keys, drawings) } else { Vec::new() },
        };
        lines.push(Fields { fields: entries.iter().enumerate().map(field).collect(), is_summary });
    }
    Block {
        heading: markdown(&section.heading).replace("<p>", "").replace("</p>", ""),
        caution: section.caution.clone(),
        left: section.grid.left,
        header: section.grid.header.iter().map(|title| unquoted(title)).collect(),
        rows: lines,
        notes: section.notes.iter().map(|note| markdown(note)).collect(),
    }
}

/// Markdown's quotes of code, where a table has no Markdown.
fn unquoted(text: &str) -> String {
    text.replace('`', "")
}

/// The column that leads to the ledger.
const SEEDS: &str = "seeds";

/// The figures that show one of these cells: their ids and short names.
fn links(keys: &[String], drawings: &[Drawing]) -> Vec<(String, String)> {
    let shows = |drawing: &&Drawing| drawing.cells.iter().any(|(_, key)| keys.contains(key));
    let link =
        |drawing: &Drawing| (drawing.figure.id().to_owned(), drawing.figure.id().trim_start_matches("fig").to_owned());
    drawings.iter().filter(shows).map(link).collect()
}

fn machines(ledger: &Ledger) -> Vec<Machine> {
    let mut found: BTreeMap<&str, (BTreeMap<&str, ()>, usize)> = BTreeMap::new();
    for record in ledger.records() {
        let (commits, runs) = found.entry(&record.environment.cpu).or_default();
        commits.insert(short(&record.environment.commit), ());
        *runs += 1;
    }
    let machine = |(cpu, (commits, runs)): (&str, (BTreeMap<&str, ()>, usize))| Machine {
        cpu: cpu.to_owned(),
        commits: commits.into_keys().collect::<Vec<_>>().join(", "),
        runs,
    };
    found.into_iter().map(machine).collect()
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// By key, so that the order in which runs ended does not show.
fn lines(ledger: &Ledger) -> Vec<Line> {
    let mut records: Vec<_> = ledger.records().collect();
    records.sort_by(|a, b| a.cell.to_string().cmp(&b.cell.to_string()).then_with(|| a.key.cmp(&b.key)));
    let line = |record: &rftm_experiments::Record| {
        let (epochs, time, seconds) = match record.finished() {
            Some(finished) => (finished.epochs.to_string(), duration(finished.seconds), finished.seconds.round()),
            None => ("failed".to_owned(), String::new(), 0.0),
        };
        let environment = &record.environment;
        Line {
            key: record.key.to_string(),
            cell: record.cell.to_string(),
            reading: unquoted(&record.cell.reading()),
            epochs,
            time,
            seconds,
            threads: environment.threads,
            commit: format!("{}{}", short(&environment.commit), if environment.dirty { " +" } else { "" }),
            started: environment.started.clone(),
        }
    };
    records.into_iter().map(line).collect()
}
