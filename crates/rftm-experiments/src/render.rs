//! Tables of classes and models as text.

use rftm_models::ModelKind;

use crate::book::DDOF;
use crate::cell::{Cell, Key};
use crate::definition::{Catalogue, Definition, Layout, Variant};
use crate::grid::{Content, Csv, Document, Entry, Grid, GridRow, Section};
use crate::ledger::Ledger;
use crate::paper::MeanStd;
use crate::record::Metric;
use crate::rows::{Comparison, Row, RowClass, Sides, Table};
use crate::table::{Scope, tables};

/// All tables of a definition; none if the ledger has nothing for it.
pub(crate) fn document(
    catalogue: &Catalogue,
    definition: &Definition,
    ledger: &Ledger,
    scope: &Scope,
) -> Option<Document> {
    let tables = tables(catalogue, definition, ledger, scope);
    (!tables.is_empty()).then(|| Document {
        id: definition.id.clone(),
        title: definition.title.clone(),
        text: format!("{}\n{}", definition.analysis, legend(definition)),
        sections: tables.iter().map(section).collect(),
        csv: csv(&tables),
    })
}

/// How to read the tables.
fn legend(definition: &Definition) -> String {
    let (ddof, difference, average, wins) = match definition.layout {
        Layout::Untrained => (
            "",
            "Diff is\ntrained minus untrained over the seeds of both; seeds counts the untrained networks, then the trained \
             ones.",
            "that of the trained only where\nall of them are trained",
            "",
        ),
        _ => (
            "; the paper does not\nsay, and with ddof 0 its deviations of three seeds would be 0.82 of ours",
            "Diff is ours minus the paper's: ✓ within\n2 of the paper's deviations plus 1 point, ✗ outside.",
            "on both sides over the same classes",
            " Wins: in how many of those classes.",
        ),
    };
    format!(
        "In percent, mean ± standard deviation over the seeds that are done (ours with ddof {DDOF}{ddof}). {difference}\n\
         AVG is the mean of the rows above that have a result, {average}, and its ± the mean of \
         their\nstandard deviations, as in the paper. Bold: the best of its class as printed, where all models have \
         results of the same\nseeds; equal numbers are all best.{wins} A dash: no number. `n of m` seeds: not \
         all seeds are done."
    )
}

/// The data set and the choices of the run, as a heading.
fn heading(table: &Table) -> String {
    format!("{}, {}", table.dataset_title, describe(table.variant))
}

/// The choices of a run.
pub(crate) fn describe(variant: Variant) -> String {
    let epochs = match variant.max_epochs {
        0 => "untrained".to_owned(),
        epochs => format!("at most {epochs} epochs"),
    };
    format!("convention {}, {epochs}", reading(variant))
}

/// The reading of the paper alone.
pub(crate) fn reading(variant: Variant) -> String {
    let forgetting = if variant.forget_at_inference { ", forgetting at inference" } else { "" };
    let padding = variant.padding.map(|padding| format!(", padding {padding}")).unwrap_or_default();
    format!("`{}`{forgetting}{padding}", variant.convention)
}

fn section(table: &Table) -> Section {
    let mut columns = Content::Names.under(["class", "model"]).to_vec();
    let [first, second] = table.sides.names();
    let [of_first, of_second] = match table.sides {
        Sides::PaperAndOurs => [Content::Other, Content::Ours],
        // The keys of such a row are those of the untrained.
        Sides::UntrainedAndTrained => [Content::Ours, Content::Other],
    };
    for metric in Metric::ALL {
        columns.extend(of_first.under([format!("{} {first}", metric.title())]));
        columns.extend(of_second.under([second]));
        columns.extend(Content::Ours.under(["diff"]));
    }
    columns.extend(Content::Seeds.under(["seeds"]));
    let wins = table.wins.iter().map(|wins| {
        let count = |count: usize| Entry::from(count.to_string());
        let named = [format!("wins of {}", wins.classes), wins.model.to_string()].map(Entry::from);
        let counts = wins.counts.iter().flat_map(|[paper, ours]| [count(*paper), count(*ours), "".into()]);
        GridRow::summary(named.into_iter().chain(counts).chain(["".into()]).collect())
    });
    let rows = table.rows.iter().map(|row| line(table, row)).chain(wins).collect();
    let mut notes = Vec::new();
    if !table.absent.is_empty() {
        notes.push(format!("Classes without a result: {}.", table.absent.join(", ")));
    }
    notes.extend(agreement(table));
    notes.extend(listed("Failed", &table.failures));
    notes.extend(listed("Warnings", &table.warnings));
    Section { heading: heading(table), caution: table.caution.clone(), grid: Grid { columns, rows }, notes }
}

/// A note of what is to be said of single cells, if anything.
pub(crate) fn listed(title: &str, cells: &[(Cell, String)]) -> Option<String> {
    let line = |(cell, text): &(Cell, String)| format!("- {cell}: {}", text.lines().next().unwrap_or_default());
    (!cells.is_empty()).then(|| format!("{title}:\n\n{}", cells.iter().map(line).collect::<Vec<_>>().join("\n")))
}

/// How many of a model's classes agree with the paper.
fn agreement(table: &Table) -> Option<String> {
    let mut models: Vec<_> = table.rows.iter().map(|row| row.model).collect();
    models.sort_unstable();
    models.dedup();
    let tell = |model| {
        let ([auroc, auprc, f1], judged) = within(table, model);
        (judged > 0).then(|| format!("{model} {auroc}, {auprc}, {f1} of {judged}"))
    };
    let told: Vec<String> = models.into_iter().filter_map(tell).collect();
    (!told.is_empty()).then(|| format!("Classes within the paper's range (AUROC, AUPRC, F1): {}.", told.join("; ")))
}

/// In how many classes of `model` each metric agrees with the paper's, and of how many that is asked.
pub(crate) fn within(table: &Table, model: ModelKind) -> ([usize; 3], usize) {
    let classes = || table.rows.iter().filter(|row| row.model == model && row.class.label().is_some());
    let agree = |metric: usize| classes().filter(|row| judge(table, &row.values[metric]) == Some(true)).count();
    ([0, 1, 2].map(agree), classes().filter(|row| judge(table, &row.values[0]).is_some()).count())
}

/// Whether a number agrees with the paper's; not asked where the two cannot be compared.
fn judge(table: &Table, value: &Comparison) -> Option<bool> {
    value.is_within().filter(|_| table.caution.is_none() && table.sides == Sides::PaperAndOurs)
}

/// What stands behind a difference to the paper.
pub(crate) fn sign(agrees: Option<bool>) -> &'static str {
    match agrees {
        Some(true) => " ✓",
        Some(false) => " ✗",
        None => "",
    }
}

fn line(table: &Table, row: &Row) -> GridRow {
    let class = match &row.class {
        RowClass::Class { label, name } => numbered(*label, name),
        RowClass::Average { done, asked } if done == asked => "AVG".to_owned(),
        RowClass::Average { done, asked } => format!("AVG of {done}/{asked}"),
    };
    let mut cells: Vec<Entry> = vec![class.into(), row.model.to_string().into()];
    for value in &row.values {
        let ours = match value.ours {
            Some(ours) => mean_std(ours),
            None if row.failed => "failed".to_owned(),
            None => "missing".to_owned(),
        };
        let sign = sign(judge(table, value));
        let difference = value.difference.map_or_else(dash, |difference| format!("{difference:+.2}{sign}"));
        let [reference_best, ours_best] = value.best;
        cells.push(Entry::new(value.reference.map_or_else(dash, mean_std), reference_best));
        cells.extend([Entry::new(ours, ours_best), difference.into()]);
    }
    let trained = row.trained_seeds.as_ref().map(|trained| format!(", {}", trained.len())).unwrap_or_default();
    cells.push(format!("{}{trained}", seeds(row.seeds.len(), row.seeds_asked)).into());
    let is_summary = matches!(row.class, RowClass::Average { .. });
    GridRow { entries: cells, keys: row.keys.clone(), is_summary }
}

/// A class by number and name.
pub(crate) fn numbered(label: u8, name: &str) -> String {
    if *name == label.to_string() { name.to_owned() } else { format!("{label} {name}") }
}

pub(crate) fn seeds(done: usize, asked: usize) -> String {
    if done == asked { done.to_string() } else { format!("{done} of {asked}") }
}

pub(crate) fn dash() -> String {
    "-".to_owned()
}

pub(crate) fn mean_std(value: MeanStd) -> String {
    match value.std {
        Some(std) => format!("{:.2} ± {std:.2}", value.mean),
        None => format!("{:.2}", value.mean),
    }
}

/// A number as it stands in CSV files; nothing where there is none.
pub(crate) fn number(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| format!("{number:.4}"))
}

/// Keys as they stand in CSV files.
pub(crate) fn joined(keys: &[Key]) -> String {
    keys.iter().map(Key::as_str).collect::<Vec<_>>().join(" ")
}

/// The choices of a run as CSV fields.
pub(crate) const VARIANT_FIELDS: [&str; 4] = ["convention", "forget_at_inference", "padding", "max_epochs"];

/// [`VARIANT_FIELDS`] of a variant.
pub(crate) fn variant_fields(variant: Variant) -> [String; 4] {
    let padding = variant.padding.map(|padding| padding.to_string()).unwrap_or_default();
    [variant.convention.to_string(), variant.forget_at_inference.to_string(), padding, variant.max_epochs.to_string()]
}

/// All tables of a definition as CSV, one line a number.
fn csv(tables: &[Table]) -> Csv {
    let sides = tables.first().map_or(Sides::PaperAndOurs, |table| table.sides).names();
    let columns = sides.map(|side| [format!("{side}_mean"), format!("{side}_std")]);
    let mut header = vec!["definition", "dataset"];
    header.extend(VARIANT_FIELDS);
    header.extend(["class", "name", "model", "metric"]);
    header.extend(columns.iter().flatten().map(String::as_str));
    header.extend(["difference", "within", "best", "seeds_done", "seeds_asked", "keys"]);
    let mut csv = Csv::new(&header);
    for table in tables {
        for row in &table.rows {
            let class = match &row.class {
                RowClass::Class { label, name } => [label.to_string(), name.clone()],
                RowClass::Average { done, asked } => ["AVG".to_owned(), format!("{done} of {asked} classes")],
            };
            let keys = joined(&row.keys);
            for (metric, value) in Metric::ALL.into_iter().zip(&row.values) {
                let mut fields = vec![table.definition.clone(), table.dataset.to_string()];
                fields.extend(variant_fields(table.variant));
                fields.extend(class.clone());
                fields.extend([row.model.to_string(), metric.id().to_owned()]);
                for side in value.sides() {
                    fields.extend([number(side.map(|side| side.mean)), number(side.and_then(|side| side.std))]);
                }
                let within = judge(table, value).map(|within| within.to_string()).unwrap_or_default();
                let best: Vec<&str> =
                    sides.into_iter().zip(value.best).filter(|(_, best)| *best).map(|(side, _)| side).collect();
                fields.extend([number(value.difference), within, best.join(" ")]);
                fields.extend([row.seeds.len().to_string(), row.seeds_asked.to_string(), keys.clone()]);
                csv.line(&fields);
            }
        }
    }
    csv
}
