//! Tables computed from ledger lines: paper, ours, difference.

use std::collections::BTreeSet;

use rftm_data::DatasetId;
use rftm_models::ModelKind;

use crate::cell::{Cell, Key};
use crate::definition::{Catalogue, Definition, Variant};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::paper::MeanStd;
use crate::protocol::DatasetProtocol;
use crate::record::{Metric, Outcome, Record};
use crate::spec;

/// Which rows a table has.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All of the definition (of a quick look: all that the ledger has).
    Everything,
    /// Those of these cells only.
    Cells(BTreeSet<RowId>),
}

/// A row of a table: the cells that differ in the seed only.
pub type RowId = (DatasetId, Variant, u8, ModelKind);

/// The row a cell belongs to.
#[must_use]
pub fn row_of(cell: &Cell) -> RowId {
    (cell.dataset, spec::variant_of(cell), cell.class, cell.kind())
}

/// One data set under one variant.
#[derive(Clone, Debug)]
pub struct Table {
    /// The definition it belongs to.
    pub definition: String,
    /// The data set.
    pub dataset: DatasetId,
    /// Its name as people write it.
    pub dataset_title: String,
    /// The choices of the run.
    pub variant: Variant,
    /// Why its numbers must not be compared with the paper's, if so.
    pub caution: Option<String>,
    /// Rows by class, then model; the averages come last.
    pub rows: Vec<Row>,
    /// Classes that have no result at all and therefore no rows, by name.
    pub absent: Vec<String>,
    /// Cells whose latest run failed, with the reason.
    pub failures: Vec<(Cell, String)>,
}

/// One class and one model, over the seeds.
#[derive(Clone, Debug)]
pub struct Row {
    /// The class.
    pub class: RowClass,
    /// The model.
    pub model: ModelKind,
    /// Paper and ours for each of [`Metric::ALL`].
    pub values: [Comparison; 3],
    /// Seeds that have finished.
    pub seeds_done: usize,
    /// Seeds that the definition asks for.
    pub seeds_asked: usize,
    /// Whether a seed failed.
    pub failed: bool,
    /// Ledger keys behind the row, by seed.
    pub keys: Vec<Key>,
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowClass {
    /// One anomalous class.
    Class {
        /// Its label.
        label: u8,
        /// Its name.
        name: String,
    },
    /// The mean over the classes above that have a result.
    Average {
        /// Classes with a result.
        done: usize,
        /// Classes in the table.
        asked: usize,
    },
}

/// A number of the paper beside ours, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The paper's.
    pub paper: Option<MeanStd>,
    /// Ours.
    pub ours: Option<MeanStd>,
}

impl Comparison {
    /// Ours minus the paper's.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        Some(self.ours?.mean - self.paper?.mean)
    }
}

/// Degrees of freedom taken away in our standard deviations over seeds: the sample estimate. The paper does not say.
pub const DDOF: usize = 1;

/// The tables of `definition` that `ledger` has anything for, by data set, then variant.
///
/// A record enters only if its key is the one the definition gives that cell today, so results of older code or of
/// other hyper-parameters never mix in.
///
/// # Errors
/// Those of [`Catalogue::cell`].
pub fn tables(catalogue: &Catalogue, definition: &Definition, ledger: &Ledger, scope: &Scope) -> Result<Vec<Table>> {
    let mut found = BTreeSet::new();
    for record in ledger.records() {
        if belongs(catalogue, definition, record)? {
            found.insert(row_of(&record.cell));
        }
    }
    let groups: BTreeSet<(usize, Variant)> = found
        .iter()
        .filter_map(|&(id, variant, ..)| Some((definition.datasets.iter().position(|&d| d == id)?, variant)))
        .collect();
    let mut tables = Vec::new();
    for (index, variant) in groups {
        let Some(dataset) = catalogue.protocol.dataset(definition.datasets[index]) else { continue };
        let rows = rows_in(definition, dataset, variant, &found, scope);
        if !rows.is_empty() {
            tables.push(Maker { catalogue, definition, dataset, variant, ledger }.table(&rows, scope)?);
        }
    }
    Ok(tables)
}

/// The records of `ledger` that enter no table of any definition: other revisions, other hyper-parameters.
///
/// # Errors
/// Those of [`Catalogue::cell`].
pub fn unplaced<'a>(catalogue: &Catalogue, ledger: &'a Ledger) -> Result<Vec<&'a Record>> {
    let mut unplaced = Vec::new();
    for record in ledger.records() {
        let mut placed = false;
        for definition in &catalogue.definitions {
            placed |= belongs(catalogue, definition, record)?;
        }
        if !placed {
            unplaced.push(record);
        }
    }
    Ok(unplaced)
}

/// Whether the record is a cell of the definition, under any variant.
fn belongs(catalogue: &Catalogue, definition: &Definition, record: &Record) -> Result<bool> {
    let cell = &record.cell;
    let (id, variant, class, kind) = row_of(cell);
    let is_full = variant.max_epochs == catalogue.protocol.train.max_epochs;
    let Some(dataset) = catalogue.protocol.dataset(id) else { return Ok(false) };
    if definition.is_full() != is_full || !definition.datasets.contains(&id) || !spec::is_built(dataset, kind) {
        return Ok(false);
    }
    Ok(catalogue.cell(dataset, class, kind, cell.train.seed, variant)?.key() == record.key)
}

/// The rows of one table: classes in order, within a class the models in the definition's order.
fn rows_in(
    definition: &Definition,
    dataset: &DatasetProtocol,
    variant: Variant,
    found: &BTreeSet<RowId>,
    scope: &Scope,
) -> Vec<(u8, ModelKind)> {
    let of_table = |row: &&RowId| row.0 == dataset.id && row.1 == variant;
    let (classes, models): (BTreeSet<u8>, BTreeSet<ModelKind>) = match scope {
        Scope::Cells(rows) => {
            let rows = rows.iter().filter(of_table);
            return in_order(definition, rows.map(|&(_, _, class, kind)| (class, kind)).collect());
        }
        Scope::Everything if definition.is_full() => {
            (definition.classes.iter().copied().collect(), definition.models.iter().copied().collect())
        }
        Scope::Everything => {
            let rows = || found.iter().filter(of_table);
            (rows().map(|row| row.2).collect(), rows().map(|row| row.3).collect())
        }
    };
    in_order(definition, classes.iter().flat_map(|&class| models.iter().map(move |&kind| (class, kind))).collect())
}

fn in_order(definition: &Definition, mut rows: Vec<(u8, ModelKind)>) -> Vec<(u8, ModelKind)> {
    let place = |kind| definition.models.iter().position(|&model| model == kind).unwrap_or(usize::MAX);
    rows.sort_by_key(|&(class, kind)| (class, place(kind), kind));
    rows
}

/// What all rows of one table have in common.
struct Maker<'a> {
    catalogue: &'a Catalogue,
    definition: &'a Definition,
    dataset: &'a DatasetProtocol,
    variant: Variant,
    ledger: &'a Ledger,
}

impl Maker<'_> {
    fn table(&self, row_ids: &[(u8, ModelKind)], scope: &Scope) -> Result<Table> {
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for &(class, kind) in row_ids {
            rows.push((class, self.row(class, kind, &mut failures)?));
        }
        let mut models: Vec<ModelKind> = row_ids.iter().map(|&(_, kind)| kind).collect();
        let mut seen = BTreeSet::new();
        models.retain(|kind| seen.insert(*kind));
        let averages: Vec<Row> = models.iter().filter_map(|&kind| average(&rows, kind)).collect();
        let tried: BTreeSet<u8> = match scope {
            Scope::Cells(_) => rows.iter().map(|(class, _)| *class).collect(),
            Scope::Everything => {
                rows.iter().filter(|(_, row)| row.seeds_done > 0 || row.failed).map(|(class, _)| *class).collect()
            }
        };
        let absent: BTreeSet<u8> =
            row_ids.iter().map(|&(class, _)| class).filter(|class| !tried.contains(class)).collect();
        rows.retain(|(class, _)| tried.contains(class));
        Ok(Table {
            definition: self.definition.id.clone(),
            dataset: self.dataset.id,
            dataset_title: self.dataset.title.clone(),
            variant: self.variant,
            caution: self.caution(),
            rows: rows.into_iter().map(|(_, row)| row).chain(averages).collect(),
            absent: absent.into_iter().map(|class| self.class_name(class)).collect(),
            failures,
        })
    }

    fn class_name(&self, class: u8) -> String {
        self.dataset.classes.get(usize::from(class)).cloned().unwrap_or_default()
    }

    fn caution(&self) -> Option<String> {
        let epochs = self.variant.max_epochs;
        let short = (epochs < self.catalogue.protocol.train.max_epochs).then(|| {
            format!(
                "trained for at most {epochs} epochs, where the paper trains until the validation loss stops improving"
            )
        });
        let unreal = (self.dataset.id == DatasetId::Glyphs)
            .then(|| "the data are glyphs drawn by this program, for which the paper has no numbers".to_owned());
        let reasons: Vec<String> = short.into_iter().chain(unreal).collect();
        (self.definition.paper && !reasons.is_empty())
            .then(|| format!("Do not compare these numbers with the paper's: {}.", reasons.join("; ")))
    }

    fn row(&self, class: u8, kind: ModelKind, failures: &mut Vec<(Cell, String)>) -> Result<Row> {
        let Self { catalogue, definition, dataset, .. } = self;
        let (mut keys, mut finished, mut failed, mut asked) = (Vec::new(), Vec::new(), false, 0);
        for &seed in &catalogue.protocol.seeds {
            let in_definition = definition.seeds.contains(&seed);
            asked += usize::from(in_definition);
            if !spec::is_built(dataset, kind) {
                continue;
            }
            let key = catalogue.cell(dataset, class, kind, seed, self.variant)?.key();
            let Some(record) = self.ledger.get(&key) else { continue };
            match &record.outcome {
                Outcome::Finished(results) => {
                    asked += usize::from(!in_definition);
                    finished.push(results.metrics);
                    keys.push(key);
                }
                Outcome::Failed { error } => {
                    failed = true;
                    failures.push((record.cell.clone(), error.clone()));
                }
            }
        }
        let compare = |metric| {
            let percent: Vec<f64> = finished.iter().map(|metrics| 100.0 * metrics.get(metric)).collect();
            let paper = if definition.paper { catalogue.paper.get(dataset.id, class, kind, metric) } else { None };
            Comparison { paper, ours: spread(&percent) }
        };
        Ok(Row {
            class: RowClass::Class { label: class, name: self.class_name(class) },
            model: kind,
            values: Metric::ALL.map(compare),
            seeds_done: finished.len(),
            seeds_asked: asked,
            failed,
            keys,
        })
    }
}

fn spread(values: &[f64]) -> Option<MeanStd> {
    let mean = rftm_metrics::mean_std(values, 0).ok()?.mean;
    let std = rftm_metrics::mean_std(values, DDOF).ok().map(|sample| sample.std);
    Some(MeanStd { mean, std })
}

/// The mean over the rows of `kind` that have a result of ours; the paper's side over the same rows. Its ± is the mean
/// of the rows' standard deviations, as in the paper.
fn average(rows: &[(u8, Row)], kind: ModelKind) -> Option<Row> {
    let of_kind: Vec<&Row> = rows.iter().map(|(_, row)| row).filter(|row| row.model == kind).collect();
    let done: Vec<&Row> = of_kind.iter().copied().filter(|row| row.seeds_done > 0).collect();
    if done.is_empty() {
        return None;
    }
    let over = |side: fn(&Comparison) -> Option<MeanStd>, index: usize| {
        let values: Option<Vec<MeanStd>> = done.iter().map(|row| side(&row.values[index])).collect();
        let values = values?;
        let mean = |numbers: Vec<f64>| rftm_metrics::mean_std(&numbers, 0).ok().map(|result| result.mean);
        let stds: Option<Vec<f64>> = values.iter().map(|value| value.std).collect();
        Some(MeanStd { mean: mean(values.iter().map(|value| value.mean).collect())?, std: stds.and_then(mean) })
    };
    let compare = |index| Comparison { paper: over(|c| c.paper, index), ours: over(|c| c.ours, index) };
    Some(Row {
        class: RowClass::Average { done: done.len(), asked: of_kind.len() },
        model: kind,
        values: [compare(0), compare(1), compare(2)],
        seeds_done: of_kind.iter().map(|row| row.seeds_done).sum(),
        seeds_asked: of_kind.iter().map(|row| row.seeds_asked).sum(),
        failed: false,
        keys: Vec::new(),
    })
}
