//! Tables computed from ledger lines: two sides, usually the paper and ours, and their difference.

use std::collections::BTreeSet;

use rftm_data::DatasetId;
use rftm_models::ModelKind;

use crate::book::{Book, Sample, mean};
use crate::cell::Cell;
use crate::definition::{Catalogue, Definition, Layout, Variant};
use crate::ledger::Ledger;
use crate::paper::MeanStd;
use crate::protocol::DatasetProtocol;
use crate::record::{Metric, Record};
use crate::rows::{Comparison, Row, RowClass, Sides, Table, Wins};
use crate::spec;

/// Which rows a table has.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All of the definition; of a quick look, and of a reading that is not the default, all that the ledger has.
    Everything,
    /// Those of these cells only.
    Cells(BTreeSet<RowId>),
}

impl Scope {
    /// Whether a row is wanted.
    pub(crate) fn has(&self, row: &RowId) -> bool {
        match self {
            Self::Everything => true,
            Self::Cells(rows) => rows.contains(row),
        }
    }
}

/// A row of a table: the cells that differ in the seed only.
pub type RowId = (DatasetId, Variant, u8, ModelKind);

/// The row a cell belongs to.
#[must_use]
pub fn row_of(cell: &Cell) -> RowId {
    (cell.dataset, spec::variant_of(cell), cell.class, cell.kind())
}

/// The tables of `definition` that `ledger` has anything for, by data set, then variant. None for a definition of another
/// [`Layout`].
///
/// A record enters only if its key is the one the definition gives that cell today, so results of older code or of
/// other hyper-parameters never mix in.
pub fn tables(catalogue: &Catalogue, definition: &Definition, ledger: &Ledger, scope: &Scope) -> Vec<Table> {
    if !matches!(definition.layout, Layout::Models | Layout::Untrained) {
        return Vec::new();
    }
    let mut groups = BTreeSet::new();
    for record in ledger.records() {
        let (id, variant, ..) = row_of(&record.cell);
        if let Some(place) = definition.datasets.iter().position(|&one| one == id)
            && belongs(catalogue, definition, record)
        {
            groups.insert((place, variant));
        }
    }
    let mut tables = Vec::new();
    for (place, variant) in groups {
        let Some(dataset) = catalogue.protocol.dataset(definition.datasets[place]) else { continue };
        let maker = Maker { book: Book { catalogue, ledger }, definition, dataset, variant };
        let rows = maker.row_ids(scope);
        if !rows.is_empty() {
            tables.push(maker.table(&rows, scope));
        }
    }
    tables
}

/// The records of `ledger` that enter no table of any definition: other revisions, other hyper-parameters.
pub fn unplaced<'a>(catalogue: &Catalogue, ledger: &'a Ledger) -> Vec<&'a Record> {
    let placed = |record: &&Record| catalogue.definitions.iter().any(|one| belongs(catalogue, one, record));
    ledger.records().filter(|record| !placed(record)).collect()
}

/// Whether the record is a cell of the definition, in any reading.
pub(crate) fn belongs(catalogue: &Catalogue, definition: &Definition, record: &Record) -> bool {
    let (id, variant, class, kind) = row_of(&record.cell);
    let Some(dataset) = catalogue.protocol.dataset(id) else { return false };
    let (epochs, whole) = (variant.max_epochs, catalogue.protocol.train.max_epochs);
    let as_long = if definition.is_look() {
        epochs > 0 && epochs != whole
    } else {
        epochs == definition.max_epochs.unwrap_or(whole)
    };
    let listed = definition.datasets.contains(&id)
        && definition.arms.contains(&variant.arm)
        && (definition.is_look() || definition.classes(id).contains(&class) && definition.models.contains(&kind));
    as_long && listed && is_current(catalogue, dataset, record)
}

/// Whether the record's key is the one that its cell has today.
pub(crate) fn is_current(catalogue: &Catalogue, dataset: &DatasetProtocol, record: &Record) -> bool {
    let (_, variant, class, kind) = row_of(&record.cell);
    catalogue.cell(dataset, class, kind, record.cell.train.seed, variant).key() == record.key
}

fn in_order(definition: &Definition, mut rows: Vec<(u8, ModelKind)>) -> Vec<(u8, ModelKind)> {
    let place = |kind| definition.models.iter().position(|&model| model == kind).unwrap_or(usize::MAX);
    rows.sort_by_key(|&(class, kind)| (class, place(kind), kind));
    rows
}

/// What all rows of one table have in common.
struct Maker<'a> {
    book: Book<'a>,
    definition: &'a Definition,
    dataset: &'a DatasetProtocol,
    variant: Variant,
}

impl Maker<'_> {
    /// The rows of the table: classes in order, within a class the models in the definition's order.
    fn row_ids(&self, scope: &Scope) -> Vec<(u8, ModelKind)> {
        let Self { book, definition, dataset, variant } = self;
        let all = |classes: Vec<u8>, models: &[ModelKind]| -> Vec<(u8, ModelKind)> {
            classes.into_iter().flat_map(|class| models.iter().map(move |&kind| (class, kind))).collect()
        };
        if let Scope::Cells(rows) = scope {
            let rows = rows.iter().filter(|row| row.0 == dataset.id && row.1 == *variant);
            return in_order(definition, rows.map(|&(_, _, class, kind)| (class, kind)).collect());
        }
        if !definition.is_look() && self.is_default() {
            return in_order(definition, all(definition.classes(dataset.id).to_vec(), &definition.models));
        }
        let candidates = if definition.is_look() {
            all((0..).zip(&dataset.classes).map(|(label, _)| label).collect(), &ModelKind::ALL)
        } else {
            all(definition.classes(dataset.id).to_vec(), &definition.models)
        };
        let seeds = &book.catalogue.protocol.seeds;
        // A model without a memory has one cell for two readings. It stands beside a model that was run under this one,
        // but does not make a row where there is none.
        let here = |record: &&Record| (record.cell.dataset, spec::variant_of(&record.cell)) == (dataset.id, *variant);
        let classes: BTreeSet<u8> = book.ledger.records().filter(here).map(|record| record.cell.class).collect();
        let run = |&(class, kind): &(u8, ModelKind)| {
            classes.contains(&class) && !book.sample(dataset, class, kind, *variant, seeds).is_empty()
        };
        in_order(definition, candidates.into_iter().filter(run).collect())
    }

    fn table(&self, row_ids: &[(u8, ModelKind)], scope: &Scope) -> Table {
        let (mut rows, mut failures, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for &(class, kind) in row_ids {
            rows.push(self.row(class, kind, &mut failures, &mut warnings));
        }
        let mut models: Vec<ModelKind> = row_ids.iter().map(|&(_, kind)| kind).collect();
        let mut seen = BTreeSet::new();
        models.retain(|kind| seen.insert(*kind));
        // A reading that is not the default has rows for what was run only; its averages say of how many classes.
        let whole = match scope {
            Scope::Everything if !self.definition.is_look() => Some(self.definition.classes(self.dataset.id).len()),
            _ => None,
        };
        let mut averages: Vec<Row> = models.iter().filter_map(|&kind| average(&rows, kind, whole)).collect();
        let shows = |row: &Row| matches!(scope, Scope::Cells(_)) || !row.seeds.is_empty() || row.failed;
        let absent = rows.chunk_by(same_class).filter(|of_class| !of_class.iter().any(shows));
        let absent: Vec<u8> = absent.filter_map(|of_class| of_class[0].class.label()).collect();
        rows.retain(|row| row.class.label().is_some_and(|label| !absent.contains(&label)));
        rows.chunk_by_mut(same_class).for_each(|of_class| self.mark_best(of_class));
        // Averages over different cells must not compete.
        let done = |kind: &ModelKind| {
            let done = rows.iter().filter(|row| row.model == *kind && !row.seeds.is_empty());
            done.map(|row| (&row.class, &row.seeds)).collect::<Vec<_>>()
        };
        if models.windows(2).all(|pair| done(&pair[0]) == done(&pair[1])) {
            self.mark_best(&mut averages);
        }
        Table {
            definition: self.definition.id.clone(),
            dataset: self.dataset.id,
            dataset_title: self.dataset.title.clone(),
            variant: self.variant,
            sides: if self.is_untrained() { Sides::UntrainedAndTrained } else { Sides::PaperAndOurs },
            caution: self.caution(),
            wins: if self.definition.layout == Layout::Models { self.wins(&rows) } else { Vec::new() },
            rows: rows.into_iter().chain(averages).collect(),
            absent: absent.into_iter().map(|class| self.class_name(class)).collect(),
            is_default: self.is_default(),
            failures,
            warnings,
        }
    }

    fn is_default(&self) -> bool {
        self.variant == Catalogue::shown(self.dataset, self.book.catalogue.variant(self.definition))
    }

    fn is_untrained(&self) -> bool {
        self.definition.layout == Layout::Untrained
    }

    fn class_name(&self, class: u8) -> String {
        self.dataset.class_name(class).unwrap_or_default().to_owned()
    }

    fn caution(&self) -> Option<String> {
        let epochs = self.variant.max_epochs;
        let short = (epochs < self.book.catalogue.protocol.train.max_epochs).then(|| {
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

    fn row(
        &self,
        class: u8,
        kind: ModelKind,
        failures: &mut Vec<(Cell, String)>,
        warnings: &mut Vec<(Cell, String)>,
    ) -> Row {
        let Self { book, definition, dataset, variant } = self;
        let catalogue = book.catalogue;
        let sample = book.sample(dataset, class, kind, *variant, &catalogue.protocol.seeds);
        let trained = match self.is_untrained() {
            true => {
                let trained = Variant { max_epochs: catalogue.protocol.train.max_epochs, ..*variant };
                Some(book.sample(dataset, class, kind, trained, &catalogue.protocol.seeds))
            }
            false => None,
        };
        let compare = |metric| {
            let own = sample.spread(metric);
            match &trained {
                Some(trained) => {
                    let difference = mean(&trained.minus(&sample, metric));
                    Comparison { difference, ..Comparison::new(own, trained.spread(metric)) }
                }
                None if definition.paper => Comparison::new(catalogue.paper.get(dataset.id, class, kind, metric), own),
                None => Comparison::new(None, own),
            }
        };
        let extra = sample.done.iter().filter(|(seed, ..)| !definition.seeds.contains(seed)).count();
        for sample in std::iter::once(&sample).chain(&trained) {
            failures.extend(sample.failures.iter().cloned());
            warnings.extend(sample.warnings.iter().cloned());
        }
        Row {
            class: RowClass::Class { label: class, name: self.class_name(class) },
            model: kind,
            values: Metric::ALL.map(compare),
            seeds: sample.seeds(),
            trained_seeds: trained.as_ref().map(Sample::seeds),
            seeds_asked: definition.seeds.len() + extra,
            failed: !sample.failures.is_empty() || trained.is_some_and(|trained| !trained.failures.is_empty()),
            keys: sample.keys(),
        }
    }

    /// Marks the best of one class for every side and metric, if all models of the definition have a number, over the same
    /// seeds; equal numbers, as printed, are all best.
    fn mark_best(&self, of_class: &mut [Row]) {
        let has = |kind: &ModelKind, row: &Row| row.model == *kind && row.values[0].ours.is_some();
        if !self.definition.models.iter().all(|kind| of_class.iter().any(|row| has(kind, row))) {
            return;
        }
        if of_class.windows(2).any(|pair| pair[0].seeds != pair[1].seeds) {
            return;
        }
        // Of untrained networks the second side is the trained ones, which have seeds of their own.
        let sides = if of_class.windows(2).all(|pair| pair[0].trained_seeds == pair[1].trained_seeds) { 2 } else { 1 };
        for (metric, side) in (0..3).flat_map(|metric| (0..sides).map(move |side| (metric, side))) {
            let printed = |row: &Row| row.values[metric].sides()[side].map(|value| (100.0 * value.mean).round());
            let numbers: Option<Vec<f64>> = of_class.iter().map(printed).collect();
            let best = numbers.and_then(|numbers| numbers.into_iter().max_by(f64::total_cmp));
            for row in of_class.iter_mut().filter(|row| best.is_some() && printed(row) == best) {
                row.values[metric].best[side] = true;
            }
        }
    }

    /// How often each model is the best of a class; none if no class has a best, which is one of ours wherever it has any.
    fn wins(&self, rows: &[Row]) -> Vec<Wins> {
        let has_best = |of_class: &&[Row]| of_class.iter().any(|row| row.values[0].best[1]);
        let classes = rows.chunk_by(same_class).filter(has_best).count();
        let wins = |&model: &ModelKind| {
            let best = |metric: usize, side: usize| {
                rows.iter().filter(|row| row.model == model && row.values[metric].best[side]).count()
            };
            Wins { model, counts: [0, 1, 2].map(|metric| [0, 1].map(|side| best(metric, side))), classes }
        };
        self.definition.models.iter().filter(|_| classes > 0).map(wins).collect()
    }
}

fn same_class(a: &Row, b: &Row) -> bool {
    a.class == b.class
}

/// The mean over the rows of `kind` that have a result of ours; the other side over the same rows, or none if it lacks one of
/// them. Its ± is the mean of the rows' standard deviations, as in the paper. `whole`: the classes of the definition, where not
/// all have rows.
fn average(rows: &[Row], kind: ModelKind, whole: Option<usize>) -> Option<Row> {
    let of_kind: Vec<&Row> = rows.iter().filter(|row| row.model == kind).collect();
    let done: Vec<&Row> = of_kind.iter().copied().filter(|row| !row.seeds.is_empty()).collect();
    if done.is_empty() {
        return None;
    }
    let over = |metric: usize, side: usize| {
        let values: Option<Vec<MeanStd>> = done.iter().map(|row| row.values[metric].sides()[side]).collect();
        let values = values?;
        let means: Vec<f64> = values.iter().map(|value| value.mean).collect();
        let stds: Option<Vec<f64>> = values.iter().map(|value| value.std).collect();
        Some(MeanStd { mean: mean(&means)?, std: stds.and_then(|stds| mean(&stds)) })
    };
    let difference = |metric: usize| {
        let differences: Option<Vec<f64>> = done.iter().map(|row| row.values[metric].difference).collect();
        mean(&differences?)
    };
    let compare =
        |metric| Comparison { difference: difference(metric), ..Comparison::new(over(metric, 0), over(metric, 1)) };
    Some(Row {
        class: RowClass::Average { done: done.len(), asked: whole.unwrap_or(of_kind.len()) },
        model: kind,
        values: [compare(0), compare(1), compare(2)],
        seeds: of_kind.iter().flat_map(|row| row.seeds.iter().copied()).collect(),
        trained_seeds: of_kind
            .iter()
            .map(|row| row.trained_seeds.as_deref())
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat()),
        seeds_asked: of_kind.iter().map(|row| row.seeds_asked).sum(),
        failed: false,
        keys: Vec::new(),
    })
}
