//! The page: one HTML file with all tables and figures, which needs no network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{Event, Options, Parser, html};
use rftm_experiments::{
    Catalogue, Column, Content, Document, Entry, Environment, GridRow, Key, Ledger, Scope, Section, documents, duration,
};

use crate::draw::{Drawing, Drawings};
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
    /// The row of a table that it enters.
    row: Option<String>,
}

/// A figure that is not there.
struct Missing {
    title: &'static str,
    command: String,
    /// There are data, but nothing can be drawn from them.
    is_damaged: bool,
}

/// The tables of a document.
struct Tables {
    id: String,
    title: String,
    text: String,
    sections: Vec<Block>,
}

struct Block {
    id: String,
    /// The heading, and as HTML.
    title: String,
    heading: String,
    caution: Option<String>,
    left: usize,
    header: Vec<String>,
    rows: Vec<Fields>,
    notes: Vec<String>,
}

struct Fields {
    id: String,
    /// The ledger lines behind it.
    keys: Vec<String>,
    fields: Vec<Field>,
    /// Averages and counts of wins, which stay below the rows they are about.
    is_summary: bool,
}

struct Field {
    text: String,
    bold: bool,
    /// The ledger lines behind a number of ours.
    keys: String,
    /// The figures that show its run, or the ledger lines of its seeds.
    links: Vec<Link>,
}

/// A link within the page.
struct Link {
    to: String,
    text: String,
    /// What `text`, which is short, is short for.
    label: String,
}

/// A machine with what ran on it.
struct Machine {
    cpu: String,
    threads: usize,
    jobs: usize,
    commits: String,
    runs: usize,
}

/// A line of the ledger.
struct Line {
    key: String,
    cell: String,
    /// The row of a table that it enters.
    row: Option<String>,
    reading: String,
    epochs: String,
    time: String,
    seconds: f64,
    threads: usize,
    jobs: usize,
    commit: String,
    started: String,
}

/// The page's HTML.
///
/// # Errors
/// [`Error::Page`](crate::Error::Page) if the template fails.
pub fn page(catalogue: &Catalogue, ledger: &Ledger, drawings: &Drawings) -> Result<String> {
    let Drawings { drawn, failures } = drawings;
    let missing = Figure::ALL.into_iter().filter(|figure| drawn.iter().all(|drawing| drawing.figure != *figure));
    let missing = missing.map(|figure| Missing {
        title: figure.title(),
        command: figure.command(),
        is_damaged: failures.iter().any(|(damaged, _)| *damaged == figure),
    });
    let documents: Vec<Tables> = documents(catalogue, ledger, &Scope::Everything)
        .iter()
        .map(|document| tables_of(ledger, drawn, document))
        .collect();
    let places = places(&documents);
    let page = Page {
        runs: ledger.len(),
        finished: ledger.records().filter(|record| record.finished().is_some()).count(),
        figures: drawn.iter().map(|drawing| shown(drawing, ledger, &places)).collect(),
        missing: missing.collect(),
        machines: machines(ledger),
        ledger: lines(ledger, &places),
        documents,
    };
    Ok(page.render()?)
}

/// Writes the page into the results folder `out`.
///
/// # Errors
/// As [`page`], and if the file cannot be written.
pub fn write_page(catalogue: &Catalogue, ledger: &Ledger, drawings: &Drawings, out: &Path) -> Result<PathBuf> {
    let path = out.join(FILE);
    write_whole(&path, page(catalogue, ledger, drawings)?.as_bytes())?;
    Ok(path)
}

/// By ledger key the first row of a table that it enters.
type Places = BTreeMap<String, String>;

fn places(documents: &[Tables]) -> Places {
    let mut places = Places::new();
    for row in documents.iter().flat_map(|document| &document.sections).flat_map(|section| &section.rows) {
        for key in row.keys.iter().filter(|_| !row.is_summary) {
            places.entry(key.clone()).or_insert_with(|| row.id.clone());
        }
    }
    places
}

fn shown(drawing: &Drawing, ledger: &Ledger, places: &Places) -> Shown {
    let listed = |key: &str| key.parse().is_ok_and(|key: Key| ledger.get(&key).is_some());
    let named = |(name, key): &(String, String)| Named {
        name: name.clone(),
        is_listed: listed(key),
        row: places.get(key).cloned(),
        key: key.clone(),
    };
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

/// Markdown as HTML. HTML in it is text, since it comes from files: a note of a figure's data must not become a script.
fn markdown(text: &str) -> String {
    let event = |event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        event => event,
    };
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(text, Options::empty()).map(event));
    out
}

fn tables_of(ledger: &Ledger, drawings: &[Drawing], document: &Document) -> Tables {
    let block = |section: &Section| {
        let id = format!("{}-{}", document.id, slug(&section.heading));
        block(&id, section, ledger, drawings)
    };
    Tables {
        id: document.id.clone(),
        title: document.title.clone(),
        text: markdown(&document.text),
        sections: document.sections.iter().map(block).collect(),
    }
}

fn block(id: &str, section: &Section, ledger: &Ledger, drawings: &[Drawing]) -> Block {
    let columns = &section.grid.columns;
    let left = columns.iter().take_while(|column| column.is_name()).count();
    let line = |row: &GridRow| {
        let keys: Vec<String> = row.keys.iter().map(ToString::to_string).collect();
        let field = |(index, (column, entry)): (usize, (&Column, &Entry))| Field {
            text: unquoted(&entry.text),
            bold: entry.bold,
            keys: if column.content == Content::Ours { keys.join(" ") } else { String::new() },
            links: match column.content {
                Content::Names if index + 1 == left => figures(&keys, drawings),
                Content::Seeds => seeds(&keys, ledger),
                _ => Vec::new(),
            },
        };
        let names: Vec<&str> = row.entries.iter().take(left).map(|entry| entry.text.as_str()).collect();
        Fields {
            id: format!("{id}-{}", slug(&names.join(" "))),
            fields: columns.iter().zip(&row.entries).enumerate().map(field).collect(),
            keys,
            is_summary: row.is_summary,
        }
    };
    Block {
        id: id.to_owned(),
        title: unquoted(&section.heading),
        heading: markdown(&section.heading).replace("<p>", "").replace("</p>", ""),
        caution: section.caution.clone(),
        left,
        header: columns.iter().map(|column| unquoted(&column.title)).collect(),
        rows: section.grid.rows.iter().map(line).collect(),
        notes: section.notes.iter().map(|note| markdown(note)).collect(),
    }
}

/// Markdown's quotes of code, where a table has no Markdown.
fn unquoted(text: &str) -> String {
    text.replace('`', "")
}

/// A text as part of an anchor.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// The figures that show one of these cells.
fn figures(keys: &[String], drawings: &[Drawing]) -> Vec<Link> {
    let shows = |drawing: &&Drawing| drawing.cells.iter().any(|(_, key)| keys.contains(key));
    let link = |drawing: &Drawing| {
        let id = drawing.figure.id();
        let text = id.trim_start_matches("fig").to_owned();
        Link { to: id.to_owned(), label: format!("figure {text}"), text }
    };
    drawings.iter().filter(shows).map(link).collect()
}

/// The ledger line of each seed.
fn seeds(keys: &[String], ledger: &Ledger) -> Vec<Link> {
    let link = |key: &String| {
        let record = ledger.get(&key.parse().ok()?)?;
        let seed = record.cell.train.seed.to_string();
        Some(Link { to: format!("k{key}"), label: format!("ledger line of seed {seed}"), text: seed })
    };
    keys.iter().filter_map(link).collect()
}

fn machines(ledger: &Ledger) -> Vec<Machine> {
    let mut found: BTreeMap<(&str, usize, usize), (BTreeSet<String>, usize)> = BTreeMap::new();
    for record in ledger.records() {
        let place = &record.environment;
        let (commits, runs) = found.entry((&place.cpu, place.threads, place.jobs)).or_default();
        commits.insert(commit(place));
        *runs += 1;
    }
    let machine =
        |((cpu, threads, jobs), (commits, runs)): ((&str, usize, usize), (BTreeSet<String>, usize))| Machine {
            cpu: cpu.to_owned(),
            threads,
            jobs,
            commits: commits.into_iter().collect::<Vec<_>>().join(", "),
            runs,
        };
    found.into_iter().map(machine).collect()
}

/// The commit, and whether sources differed from it.
fn commit(environment: &Environment) -> String {
    let commit = environment.commit.get(..10).unwrap_or(&environment.commit);
    format!("{commit}{}", if environment.dirty { " +" } else { "" })
}

/// By key, so that the order in which runs ended does not show.
fn lines(ledger: &Ledger, places: &Places) -> Vec<Line> {
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
            row: places.get(record.key.as_str()).cloned(),
            reading: unquoted(&record.cell.reading()),
            epochs,
            time,
            seconds,
            threads: environment.threads,
            jobs: environment.jobs,
            commit: commit(environment),
            started: environment.started.clone(),
        }
    };
    records.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_markdown_stays_text() {
        let html = markdown("**A** <script>alert(1)</script> <b onclick=\"x\">\n\n<img src=x>");
        assert!(html.contains("<strong>A</strong>") && html.contains("&lt;script&gt;"), "{html}");
        for tag in ["<script", "<b ", "<img"] {
            assert!(!html.contains(tag), "{html}");
        }
    }

    #[test]
    fn anchors_are_words_and_hyphens() {
        assert_eq!(
            slug("MNIST, convention `release`, at most 300 epochs"),
            "mnist-convention-release-at-most-300-epochs"
        );
        assert_eq!(slug("4 Coat rftm"), "4-coat-rftm");
    }
}
