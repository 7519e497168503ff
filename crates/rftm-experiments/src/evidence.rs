//! Which reading of the paper is nearest to its numbers.

use std::collections::BTreeSet;

use rftm_models::ModelKind;

use crate::arm::Arm;
use crate::book::{Book, mean};
use crate::cell::{Cell, Key};
use crate::definition::{Catalogue, Definition, Variant};
use crate::grid::{Content, Csv, Document, Entry, Grid, GridRow, Section};
use crate::ledger::Ledger;
use crate::paper::MeanStd;
use crate::protocol::DatasetProtocol;
use crate::record::Metric;
use crate::render::{dash, listed, mean_std, number, numbered, reading, variant_fields};
use crate::table::{Scope, is_current, row_of};

/// Every cell that was run under several readings, or with several of the definition's arms; none if there is no such cell.
pub(crate) fn document(
    catalogue: &Catalogue,
    definition: &Definition,
    ledger: &Ledger,
    scope: &Scope,
) -> Option<Document> {
    let (mut sections, mut csv) = (Vec::new(), empty_csv());
    for dataset in &catalogue.protocol.datasets {
        let usual = Catalogue::shown(dataset, catalogue.variant(definition));
        // Readings concern all models, and stand here whichever definition ran them; arms are of one model.
        let by_arm = definition.arms != [Arm::Full];
        let models = if by_arm { &definition.models[..] } else { &ModelKind::ALL };
        let asked = |variant: Variant| {
            let is_reading = variant.arm == Arm::Full && variant != usual;
            definition.arms.contains(&variant.arm) && !(by_arm && is_reading)
        };
        let readings = readings(catalogue, ledger, dataset, models, asked);
        let mut cells = cells(Book { catalogue, ledger }, models, dataset, &readings);
        // A run's own cells: those of which it ran more than what Table 1 shows anyway.
        let ran = |cell: &Case| {
            let other = |&&reading: &&Variant| reading != usual;
            readings.iter().filter(other).any(|&reading| scope.has(&(dataset.id, reading, cell.class, cell.kind)))
        };
        cells.retain(ran);
        if cells.is_empty() {
            continue;
        }
        sections.push(values(dataset, usual, &readings, &cells));
        // None where all but one have failed.
        sections.extend(Some(distances(dataset, usual, &readings, &cells)).filter(|it| !it.grid.rows.is_empty()));
        cells.iter().for_each(|cell| cell.csv(dataset, &readings, &mut csv));
    }
    (!sections.is_empty()).then(|| Document {
        id: definition.id.clone(),
        title: definition.title.clone(),
        text: definition.analysis.clone(),
        sections,
        csv,
    })
}

/// The readings under which the ledger has these models, trained to the end, of a data set.
fn readings(
    catalogue: &Catalogue,
    ledger: &Ledger,
    dataset: &DatasetProtocol,
    models: &[ModelKind],
    asked: impl Fn(Variant) -> bool,
) -> Vec<Variant> {
    let trained = catalogue.protocol.train.max_epochs;
    let current =
        ledger.records().filter(|record| record.cell.dataset == dataset.id && is_current(catalogue, dataset, record));
    let rows = current.map(|record| row_of(&record.cell));
    let rows =
        rows.filter(|&(_, variant, _, kind)| models.contains(&kind) && variant.max_epochs == trained && asked(variant));
    rows.map(|row| row.1).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A cell that was run under at least two readings.
struct Case {
    class: u8,
    name: String,
    kind: ModelKind,
    seed: u64,
    metrics: [Values; 3],
    keys: Vec<Option<Key>>,
    failed: Vec<bool>,
    failures: Vec<(Cell, String)>,
    warnings: Vec<(Cell, String)>,
}

/// One metric of a case, in percent.
struct Values {
    paper: Option<MeanStd>,
    /// By reading.
    ours: Vec<Option<f64>>,
}

impl Values {
    fn distance(&self, reading: usize) -> Option<f64> {
        Some(self.ours[reading]? - self.paper?.mean)
    }

    /// The readings nearest to the paper, as printed.
    fn nearest(&self) -> Vec<bool> {
        let sizes: Vec<Option<f64>> =
            (0..self.ours.len()).map(|reading| self.distance(reading).map(|d| (100.0 * d).round().abs())).collect();
        let least = sizes.iter().flatten().copied().min_by(f64::total_cmp);
        sizes.into_iter().map(|size| size.is_some() && size == least).collect()
    }
}

fn cells(book: Book<'_>, models: &[ModelKind], dataset: &DatasetProtocol, readings: &[Variant]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (class, name) in (0..).zip(&dataset.classes) {
        for &kind in models {
            for &seed in &book.catalogue.protocol.seeds {
                let samples = readings
                    .iter()
                    .map(|&variant| book.sample(dataset, class, kind, variant, &[seed]))
                    .collect::<Vec<_>>();
                let keys: Vec<Option<Key>> = samples.iter().map(|sample| sample.keys().pop()).collect();
                let failed = samples.iter().map(|sample| !sample.failures.is_empty()).collect();
                let metrics = Metric::ALL.map(|metric| Values {
                    paper: book.catalogue.paper.get(dataset.id, class, kind, metric),
                    ours: samples.iter().map(|sample| sample.of(seed, metric)).collect(),
                });
                // A model without a memory has one key for two readings, and that is one result.
                let (mut ended, mut seen) = (samples, BTreeSet::new());
                ended.retain(|sample| {
                    let of_failure = || sample.failures.first().map(|(cell, _)| cell.key());
                    sample.keys().pop().or_else(of_failure).is_some_and(|key| seen.insert(key))
                });
                if ended.len() < 2 {
                    continue;
                }
                let failures = ended.iter().flat_map(|sample| sample.failures.clone()).collect();
                let warnings = ended.into_iter().flat_map(|sample| sample.warnings).collect();
                cases.push(Case { class, name: name.clone(), kind, seed, metrics, keys, failed, failures, warnings });
            }
        }
    }
    cases
}

fn values(dataset: &DatasetProtocol, usual: Variant, readings: &[Variant], cells: &[Case]) -> Section {
    let mut columns = Content::Names.under(["class", "model", "seed", "metric"]).to_vec();
    columns.extend(Content::Other.under(["paper"]));
    columns.extend(readings.iter().flat_map(|&variant| Content::Other.under([column(variant, usual)])));
    let mut rows = Vec::new();
    for cell in cells {
        for (metric, values) in Metric::ALL.into_iter().zip(&cell.metrics) {
            let mut row: Vec<Entry> = vec![numbered(cell.class, &cell.name).into(), cell.kind.to_string().into()];
            row.extend([cell.seed.to_string(), metric.title().to_owned()].map(Entry::from));
            row.push(values.paper.map_or_else(dash, mean_std).into());
            for (place, nearest) in values.nearest().into_iter().enumerate() {
                let distance = values.distance(place).map(|distance| format!(" ({distance:+.2})")).unwrap_or_default();
                let text = match values.ours[place] {
                    Some(ours) => format!("{ours:.2}{distance}"),
                    None if cell.failed[place] => "failed".to_owned(),
                    None => dash(),
                };
                row.push(Entry::new(text, nearest));
            }
            let keys = cell.keys.iter().flatten().cloned().collect();
            rows.push(GridRow::new(row, keys));
        }
    }
    let failures: Vec<_> = cells.iter().flat_map(|cell| cell.failures.iter().cloned()).collect();
    let warnings: Vec<_> = cells.iter().flat_map(|cell| cell.warnings.iter().cloned()).collect();
    let notes = [listed("Failed", &failures), listed("Warnings", &warnings)].into_iter().flatten().collect();
    Section { heading: dataset.title.clone(), caution: None, grid: Grid { columns, rows }, notes }
}

/// A reading, and what is switched off or set otherwise; that alone where the reading is the usual one.
fn column(variant: Variant, usual: Variant) -> String {
    match variant.arm {
        Arm::Full => reading(variant),
        arm if reading(variant) == reading(usual) => arm.to_string(),
        arm => format!("{}, {arm}", reading(variant)),
    }
}

/// Each reading against the default one, over the cells that have both.
fn distances(dataset: &DatasetProtocol, usual: Variant, readings: &[Variant], cells: &[Case]) -> Section {
    let mut columns = Content::Names.under(["model", "reading"]).to_vec();
    columns.extend(Content::Other.under(["cells"]));
    for metric in Metric::ALL {
        let titles = [format!("{} {}", metric.title(), column(usual, usual)), "this reading".to_owned()];
        columns.extend(Content::Other.under(titles));
    }
    let mut rows = Vec::new();
    let default = readings.iter().position(|&variant| variant == usual);
    for kind in ModelKind::ALL {
        for (place, &variant) in readings.iter().enumerate().filter(|&(place, _)| Some(place) != default) {
            let both: Vec<&Case> = cells
                .iter()
                .filter(|cell| cell.kind == kind && default.is_some_and(|default| cell.differs(default, place)))
                .collect();
            if both.is_empty() {
                continue;
            }
            let mut row = [kind.to_string(), column(variant, usual), both.len().to_string()].map(Entry::from).to_vec();
            for metric in 0..3 {
                let size = |reading: Option<usize>| {
                    let sizes: Vec<f64> =
                        both.iter().filter_map(|cell| Some(cell.metrics[metric].distance(reading?)?.abs())).collect();
                    mean(&sizes)
                };
                let (ours, other) = (size(default), size(Some(place)));
                let text = |size: Option<f64>| size.map_or_else(dash, |size| format!("{size:.2}"));
                row.push(Entry::new(text(ours), ours.zip(other).is_some_and(|(a, b)| a <= b)));
                row.push(Entry::new(text(other), ours.zip(other).is_some_and(|(a, b)| b <= a)));
            }
            rows.push(row.into());
        }
    }
    let heading =
        format!("{}: mean distance to the paper, without sign, over the cells that both readings have", dataset.title);
    Section { heading, caution: None, grid: Grid { columns, rows }, notes: Vec::new() }
}

fn empty_csv() -> Csv {
    Csv::new(&[
        "dataset",
        "class",
        "name",
        "model",
        "seed",
        "metric",
        "paper_mean",
        "paper_std",
        "convention",
        "forget_at_inference",
        "padding",
        "max_epochs",
        "arm",
        "ours",
        "distance",
        "key",
    ])
}

impl Case {
    /// Whether two readings have results, and not one and the same.
    fn differs(&self, a: usize, b: usize) -> bool {
        self.keys[a].is_some() && self.keys[b].is_some() && self.keys[a] != self.keys[b]
    }

    fn csv(&self, dataset: &DatasetProtocol, readings: &[Variant], csv: &mut Csv) {
        for (metric, values) in Metric::ALL.into_iter().zip(&self.metrics) {
            for (place, (&variant, key)) in readings.iter().zip(&self.keys).enumerate() {
                let Some(key) = key else { continue };
                let mut fields = vec![dataset.id.to_string(), self.class.to_string(), self.name.clone()];
                fields.extend([self.kind.to_string(), self.seed.to_string(), metric.id().to_owned()]);
                let paper = values.paper;
                fields.extend([number(paper.map(|paper| paper.mean)), number(paper.and_then(|paper| paper.std))]);
                fields.extend(variant_fields(variant));
                fields.push(variant.arm.name().to_owned());
                fields.extend([number(values.ours[place]), number(values.distance(place)), key.to_string()]);
                csv.line(&fields);
            }
        }
    }
}
