//! Table 2: what switching a part of RFTM off costs.

use std::collections::BTreeSet;

use rftm_data::DatasetId;
use rftm_models::ModelKind;

use crate::arm::Arm;
use crate::book::{Book, DDOF, Sample, spread};
use crate::definition::{Catalogue, Definition, Variant};
use crate::grid::{Content, Csv, Document, Entry, Grid, GridRow, Section};
use crate::ledger::Ledger;
use crate::paper::{MeanStd, agrees};
use crate::protocol::DatasetProtocol;
use crate::record::Metric;
use crate::render::{
    VARIANT_FIELDS, dash, describe, joined, listed, mean_std, number, numbered, seeds, sign, variant_fields,
};
use crate::table::{Scope, belongs, row_of};

const KIND: ModelKind = ModelKind::Rftm;

/// The tables of an ablation; none if the ledger has nothing but whole models.
pub(crate) fn document(
    catalogue: &Catalogue,
    definition: &Definition,
    ledger: &Ledger,
    scope: &Scope,
) -> Option<Document> {
    let book = Book { catalogue, ledger };
    // By data set and reading; the arm is a row here.
    let mut groups: BTreeSet<(DatasetId, Variant)> = BTreeSet::new();
    for record in ledger.records() {
        let row = row_of(&record.cell);
        if row.1.arm != Arm::Full && scope.has(&row) && belongs(catalogue, definition, record) {
            groups.insert((row.0, Variant { arm: Arm::Full, ..row.1 }));
        }
    }
    let (mut sections, mut csv) = (Vec::new(), empty_csv());
    for (id, variant) in groups {
        let Some(dataset) = catalogue.protocol.dataset(id) else { continue };
        let classes = Maker { book, definition, dataset, variant }.classes(scope);
        sections.extend(beside_the_paper(catalogue, dataset, variant, &classes));
        sections.push(over_seeds(definition, dataset, variant, &classes));
        classes.iter().for_each(|class| class.csv(dataset, variant, &mut csv));
    }
    (!sections.is_empty()).then(|| Document {
        id: definition.id.clone(),
        title: definition.title.clone(),
        text: format!("{}\n{}", definition.analysis, legend()),
        sections,
        csv,
    })
}

fn legend() -> String {
    format!(
        "In percent, mean ± standard deviation (ddof {DDOF}) over the seeds that are done. Drop is the whole model minus the \
         one without\nthe part, in points, over the seeds that both have: above 0 the part helps. The paper gives no deviation \
         here; ✓ is\nwithin 2 of its deviations for the class in Table 1 plus 1 point, ✗ outside. A dash: no number."
    )
}

struct Maker<'a> {
    book: Book<'a>,
    definition: &'a Definition,
    dataset: &'a DatasetProtocol,
    variant: Variant,
}

/// One anomalous class.
struct Class<'a> {
    label: u8,
    name: String,
    arms: Vec<Measured<'a>>,
}

/// One arm of a class.
struct Measured<'a> {
    arm: Arm,
    sample: Sample<'a>,
    seeds: usize,
    metrics: [Numbers; 3],
}

/// One metric of an arm, in percent.
struct Numbers {
    /// With the paper's seed.
    single: Option<f64>,
    ours: Option<MeanStd>,
    /// The whole model minus this one.
    drop: Option<MeanStd>,
    paper: Option<f64>,
    paper_drop: Option<f64>,
    /// The paper's deviation over seeds in Table 1.
    paper_std: Option<f64>,
}

impl<'a> Maker<'a> {
    fn classes(&self, scope: &Scope) -> Vec<Class<'a>> {
        let arm = |label, arm| (self.dataset.id, Variant { arm, ..self.variant }, label, KIND);
        let wanted = |label: &&u8| self.definition.arms.iter().any(|&one| scope.has(&arm(**label, one)));
        self.definition.classes(self.dataset.id).iter().filter(wanted).map(|&label| self.class(label)).collect()
    }

    fn class(&self, label: u8) -> Class<'a> {
        let sample = |arm| {
            let variant = Variant { arm, ..self.variant };
            self.book.sample(self.dataset, label, KIND, variant, &self.definition.seeds)
        };
        let whole = sample(Arm::Full);
        let arms = self.definition.arms.iter().map(|&arm| {
            let sample = sample(arm);
            let metrics = Metric::ALL.map(|metric| self.numbers(label, arm, metric, &sample, &whole));
            Measured { arm, sample, seeds: self.definition.seeds.len(), metrics }
        });
        let name = self.dataset.class_name(label).unwrap_or_default().to_owned();
        Class { label, name, arms: arms.collect() }
    }

    fn numbers(&self, class: u8, arm: Arm, metric: Metric, sample: &Sample<'_>, whole: &Sample<'_>) -> Numbers {
        let (paper, id) = (&self.book.catalogue.paper, self.dataset.id);
        let seed = self.definition.seeds.first().copied().unwrap_or_default();
        let printed = |arm| paper.ablation(id, class, seed, arm, metric);
        Numbers {
            single: sample.of(seed, metric),
            ours: sample.spread(metric),
            drop: spread(&whole.minus(sample, metric)).filter(|_| arm != Arm::Full),
            paper: printed(arm),
            paper_drop: printed(Arm::Full)
                .zip(printed(arm))
                .map(|(whole, part)| whole - part)
                .filter(|_| arm != Arm::Full),
            paper_std: paper.get(id, class, KIND, metric).and_then(|value| value.std),
        }
    }
}

impl Measured<'_> {
    /// What stands where there is no number: none of a seed, or none at all.
    fn absent(&self, seed: Option<u64>) -> String {
        let mut failures = self.sample.failures.iter().map(|(cell, _)| cell.train.seed);
        if failures.any(|failed| seed.is_none_or(|seed| failed == seed)) { "failed" } else { "missing" }.to_owned()
    }
}

/// The paper's class and seed, if the definition has it.
fn beside_the_paper(
    catalogue: &Catalogue,
    dataset: &DatasetProtocol,
    variant: Variant,
    classes: &[Class<'_>],
) -> Option<Section> {
    let class = classes.iter().find(|class| class.arms.iter().any(|arm| arm.metrics[0].paper.is_some()))?;
    let seed = catalogue.protocol.seeds.first()?;
    let mut columns = Content::Names.under(["RFTM"]).to_vec();
    for metric in Metric::ALL {
        columns.extend(Content::Other.under([format!("{} paper", metric.title())]));
        columns.extend(Content::Ours.under(["ours", "diff"]));
    }
    let rows = class.arms.iter().map(|arm| {
        let numbers = arm.metrics.iter().flat_map(|numbers| {
            let difference = numbers.single.zip(numbers.paper).map(|(ours, paper)| ours - paper);
            let sign = |difference: f64| sign(numbers.paper_std.map(|std| agrees(difference, std)));
            [
                plain(numbers.paper).unwrap_or_else(dash).into(),
                plain(numbers.single).unwrap_or_else(|| arm.absent(Some(*seed))).into(),
                difference.map_or_else(dash, |value| format!("{value:+.2}{}", sign(value))).into(),
            ]
        });
        let entries = std::iter::once(Entry::from(arm.arm.to_string())).chain(numbers).collect();
        GridRow::new(entries, arm.sample.key(*seed).into_iter().collect())
    });
    let heading = format!("{} {}, seed {seed}, {}", dataset.title, class.name, describe(variant));
    let grid = Grid { columns, rows: rows.collect() };
    Some(Section { heading, caution: None, grid, notes: Vec::new() })
}

/// All classes and seeds.
fn over_seeds(definition: &Definition, dataset: &DatasetProtocol, variant: Variant, classes: &[Class<'_>]) -> Section {
    let mut columns = Content::Names.under(["class", "RFTM"]).to_vec();
    for metric in Metric::ALL {
        columns.extend(Content::Ours.under([metric.title(), "drop"]));
        columns.extend(Content::Other.under(["paper"]));
    }
    columns.extend(Content::Seeds.under(["seeds"]));
    let mut rows = Vec::new();
    for class in classes {
        for arm in &class.arms {
            let mut row: Vec<Entry> = vec![numbered(class.label, &class.name).into(), arm.arm.to_string().into()];
            for numbers in &arm.metrics {
                row.push(numbers.ours.map_or_else(|| arm.absent(None), mean_std).into());
                row.push(numbers.drop.map_or_else(dash, mean_std).into());
                row.push(plain(numbers.paper_drop).unwrap_or_else(dash).into());
            }
            row.push(seeds(arm.sample.done.len(), arm.seeds).into());
            rows.push(GridRow::new(row, arm.sample.keys()));
        }
    }
    let samples = || classes.iter().flat_map(|class| &class.arms).map(|arm| &arm.sample);
    let failures: Vec<_> = samples().flat_map(|sample| sample.failures.iter().cloned()).collect();
    let warnings: Vec<_> = samples().flat_map(|sample| sample.warnings.iter().cloned()).collect();
    let notes = [listed("Failed", &failures), listed("Warnings", &warnings)].into_iter().flatten().collect();
    let list = definition.seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let heading = format!("{}, seeds {list}, {}", dataset.title, describe(variant));
    Section { heading, caution: None, grid: Grid { columns, rows }, notes }
}

fn plain(value: Option<f64>) -> Option<String> {
    value.map(|value| format!("{value:.2}"))
}

fn empty_csv() -> Csv {
    let mut header = vec!["dataset"];
    header.extend(VARIANT_FIELDS);
    header.extend(["class", "name", "arm", "metric", "paper", "ours_first_seed", "ours_mean", "ours_std"]);
    header.extend(["drop_mean", "drop_std", "paper_drop", "seeds_done", "seeds_asked", "keys"]);
    Csv::new(&header)
}

impl Class<'_> {
    fn csv(&self, dataset: &DatasetProtocol, variant: Variant, csv: &mut Csv) {
        for arm in &self.arms {
            let keys = joined(&arm.sample.keys());
            for (metric, numbers) in Metric::ALL.into_iter().zip(&arm.metrics) {
                let mut fields = vec![dataset.id.to_string()];
                fields.extend(variant_fields(variant));
                fields.extend([self.label.to_string(), self.name.clone()]);
                fields.extend([arm.arm.name().to_owned(), metric.id().to_owned()]);
                fields.extend([number(numbers.paper), number(numbers.single)]);
                for spread in [numbers.ours, numbers.drop] {
                    fields.extend([number(spread.map(|s| s.mean)), number(spread.and_then(|s| s.std))]);
                }
                fields.push(number(numbers.paper_drop));
                fields.extend([arm.sample.done.len().to_string(), arm.seeds.to_string(), keys.clone()]);
                csv.line(&fields);
            }
        }
    }
}
