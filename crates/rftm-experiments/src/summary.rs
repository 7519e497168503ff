//! The averages of the main table, short enough for a README.

use crate::definition::{Catalogue, Definition};
use crate::grid::{Content, Csv, Document, Entry, Grid, GridRow, Section};
use crate::ledger::Ledger;
use crate::record::Metric;
use crate::render::{dash, describe, number, seeds, within};
use crate::rows::{Row, RowClass, Table, Wins};
use crate::table::{Scope, tables};

const START: &str = "<!-- summary: written by `cargo xtask report`, do not edit -->\n";
const END: &str = "<!-- /summary -->";

/// The averages of `definition` in the default reading; none if there is no result.
pub(crate) fn document(catalogue: &Catalogue, definition: &Definition, ledger: &Ledger) -> Option<Document> {
    let mut tables = tables(catalogue, definition, ledger, &Scope::Everything);
    tables.retain(|table| table.is_default);
    let (mut rows, mut csv) = (Vec::new(), empty_csv());
    for table in &tables {
        for row in &table.rows {
            if let RowClass::Average { done, asked } = row.class {
                rows.push(line(table, row, seeds(done, asked)));
                csv_lines(table, row, done, &mut csv);
            }
        }
    }
    if rows.is_empty() {
        return None;
    }
    let mut columns = Content::Names.under(["data set", "model"]).to_vec();
    columns.extend(Content::Other.under(["classes", "cells"]));
    for metric in Metric::ALL {
        columns.extend(Content::Other.under([format!("{}, paper", metric.title())]));
        columns.extend(Content::Ours.under(["ours"]));
    }
    columns.extend(Content::Other.under(["within", "wins"]));
    let text = "The mean over the classes, each held out as the anomaly, in percent; the paper's over the same classes. A cell \
                is a class\nand a seed. Within: in how many classes AUROC, AUPRC and F1 lie within 2 of the paper's deviations \
                plus 1 point. Wins: in\nhow many classes the model is the best of ours, among those of which all models have the same seeds.\n";
    Some(Document {
        id: "summary".to_owned(),
        title: "Table 1, averages".to_owned(),
        text: text.to_owned(),
        sections: vec![Section {
            heading: format!("Averages, {}", describe(catalogue.variant(definition))),
            caution: None,
            grid: Grid { columns, rows },
            notes: Vec::new(),
        }],
        csv,
    })
}

fn line(table: &Table, row: &Row, classes: String) -> GridRow {
    let mut entries: Vec<Entry> = vec![table.dataset_title.as_str().into(), row.model.to_string().into()];
    entries.extend([classes, seeds(row.seeds.len(), row.seeds_asked)].map(Entry::from));
    for value in &row.values {
        for (side, best) in value.sides().into_iter().zip(value.best) {
            entries.push(Entry::new(side.map_or_else(dash, |side| format!("{:.2}", side.mean)), best));
        }
    }
    entries.push(three(within(table, row.model).0).into());
    let wins = table.wins.iter().find(|wins| wins.model == row.model);
    entries.push(wins.map_or_else(dash, |wins| won(wins, table)).into());
    entries.into()
}

/// How many classes the model wins, and of how many unless that is all of the table's.
fn won(wins: &Wins, table: &Table) -> String {
    let all = table.rows.iter().filter_map(|row| match row.class {
        RowClass::Average { done, .. } => Some(done),
        _ => None,
    });
    let counts = three(wins.counts.map(|[_, ours]| ours));
    if all.max() == Some(wins.classes) { counts } else { format!("{counts} of {}", wins.classes) }
}

fn three(counts: [usize; 3]) -> String {
    counts.map(|count| count.to_string()).join(", ")
}

fn empty_csv() -> Csv {
    Csv::new(&["dataset", "model", "classes", "cells", "metric", "paper", "ours", "difference", "within"])
}

fn csv_lines(table: &Table, row: &Row, classes: usize, csv: &mut Csv) {
    for ((metric, value), within) in Metric::ALL.into_iter().zip(&row.values).zip(within(table, row.model).0) {
        let mut fields = vec![table.dataset.to_string(), row.model.to_string(), classes.to_string()];
        fields.extend([row.seeds.len().to_string(), metric.id().to_owned()]);
        fields.extend(value.sides().map(|side| number(side.map(|side| side.mean))));
        fields.extend([number(value.difference), within.to_string()]);
        csv.line(&fields);
    }
}

/// `text` with today's summary between its two marks; none if it has no marks.
#[must_use]
pub fn with_summary(text: &str, summary: &Document) -> Option<String> {
    let (before, rest) = text.split_once(START)?;
    let (_, after) = rest.split_once(END)?;
    let tables: String = summary.sections.iter().map(Section::markdown).collect();
    Some(format!("{before}{START}\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_replaces_what_stood_between_the_marks() {
        let grid = Grid { columns: Content::Names.under(["a"]).to_vec(), rows: vec![vec!["b".into()].into()] };
        let sections = vec![Section { heading: String::new(), caution: None, grid, notes: Vec::new() }];
        let document =
            Document { id: String::new(), title: String::new(), text: String::new(), sections, csv: empty_csv() };
        let table = "\n| a   |\n|-----|\n| b   |\n\n";
        let text = |between: &str| format!("one\n{START}{between}{END}\ntwo\n");
        assert_eq!(with_summary(&text("old\n"), &document), Some(text(table)));
        assert_eq!(with_summary(&text(table), &document), Some(text(table)), "the same again");
        assert_eq!(with_summary("one\ntwo\n", &document), None);
    }
}
