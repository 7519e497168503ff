//! RFTM against each baseline, pair by pair.

use rftm_metrics::{Interval, bootstrap_mean};
use rftm_models::ModelKind;
use rftm_rng::{below, rng};

use crate::book::{Book, mean};
use crate::definition::{Catalogue, Definition};
use crate::grid::{Content, Csv, Document, Entry, Grid, GridRow, Section};
use crate::ledger::Ledger;
use crate::record::Metric;
use crate::render::{dash, describe, number};

const RESAMPLES: usize = 10_000;
const CONFIDENCE: f64 = 0.95;
/// Of the streams that resample.
const SEED: u64 = 2022;

/// The comparison over the cells of `definition` in the default reading; none if no pair is complete.
pub(crate) fn document(catalogue: &Catalogue, definition: &Definition, ledger: &Ledger) -> Option<Document> {
    let book = Book { catalogue, ledger };
    let variant = catalogue.variant(definition);
    let (mut rows, mut csv) = (Vec::new(), empty_csv());
    let baselines = definition.models.iter().filter(|&&kind| kind != ModelKind::Rftm);
    let mut all: Vec<(ModelKind, Pairs)> = baselines.map(|&kind| (kind, Pairs::default())).collect();
    for &id in &definition.datasets {
        let Some(dataset) = catalogue.protocol.dataset(id) else { continue };
        for (baseline, total) in &mut all {
            let mut pairs = Pairs::default();
            for &class in definition.classes(id) {
                let sample = |kind| book.sample(dataset, class, kind, variant, &definition.seeds);
                let (ours, theirs) = (sample(ModelKind::Rftm), sample(*baseline));
                pairs.add_class(Metric::ALL.map(|metric| ours.minus(&theirs, metric)));
            }
            rows.extend(pairs.tell(&dataset.title, *baseline, &mut csv).map(GridRow::from));
            total.join(pairs);
        }
    }
    for (baseline, total) in &all {
        rows.extend(total.tell("all", *baseline, &mut csv).map(GridRow::summary));
    }
    if rows.is_empty() {
        return None;
    }
    let mut columns = Content::Names.under(["data set", "RFTM minus"]).to_vec();
    columns.extend(Content::Other.under(["classes", "pairs"]));
    for metric in Metric::ALL {
        columns.extend(Content::Ours.under([metric.title(), "95 % interval", "ahead"]));
    }
    let heading = format!("Table 1, {}", describe(variant));
    let section = Section { heading, caution: None, grid: Grid { columns, rows }, notes: Vec::new() };
    let text = format!(
        "What the paper's tables do not show: by how much RFTM differs from each baseline, cell by cell. A pair is a class \
         and a\nseed for which both models have a result; they share data, split, seed and order of the batches. The \
         difference in points is\nthe mean over classes of the mean over each class's seeds, with the {:.0} % percentile \
         bootstrap interval of it ({RESAMPLES}\nresamples of the classes: seeds of a class resemble each other, and more of \
         them are no more classes), and the pairs in\nwhich RFTM is ahead. An interval without 0 is bold. It says how much \
         the mean depends on which classes were drawn.\n",
        100.0 * CONFIDENCE
    );
    Some(Document {
        id: "comparison".to_owned(),
        title: "RFTM against each baseline".to_owned(),
        text,
        sections: vec![section],
        csv,
    })
}

/// RFTM minus a baseline, in points, for each of [`Metric::ALL`]: by class the pairs of its seeds.
#[derive(Default)]
struct Pairs([Vec<Vec<f64>>; 3]);

impl Pairs {
    fn add_class(&mut self, differences: [Vec<f64>; 3]) {
        let some = |(all, of_class): (&mut Vec<_>, Vec<f64>)| all.extend((!of_class.is_empty()).then_some(of_class));
        self.0.iter_mut().zip(differences).for_each(some);
    }

    fn join(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(all, more)| all.extend(more));
    }

    /// The fields of a row, which goes into the CSV file as well; none without a pair.
    fn tell(&self, dataset: &str, baseline: ModelKind, csv: &mut Csv) -> Option<Vec<Entry>> {
        let (classes, count) = (self.0[0].len(), self.0[0].iter().map(Vec::len).sum::<usize>());
        let counts = [classes, count].map(|count| count.to_string());
        let mut row: Vec<Entry> = vec![dataset.into(), baseline.to_string().into()];
        row.extend(counts.clone().map(Entry::from));
        for (metric, of_metric) in Metric::ALL.into_iter().zip(&self.0) {
            let means: Vec<f64> = of_metric.iter().filter_map(|of_class| mean(of_class)).collect();
            let Interval { mean, low, high } = interval(&means)?;
            // One class has nothing to be drawn from.
            let range = (classes > 1).then_some((low, high));
            let ahead = of_metric.iter().flatten().filter(|difference| **difference > 0.0).count();
            row.push(format!("{mean:+.2}").into());
            row.push(range.map_or_else(|| dash().into(), as_entry));
            row.push(ahead.to_string().into());
            let mut fields = vec![dataset.to_owned(), baseline.to_string(), metric.id().to_owned()];
            fields.extend(counts.clone());
            fields.extend([Some(mean), range.map(|range| range.0), range.map(|range| range.1)].map(number));
            fields.push(ahead.to_string());
            csv.line(&fields);
        }
        Some(row)
    }
}

fn as_entry((low, high): (f64, f64)) -> Entry {
    Entry::new(format!("{low:+.2} to {high:+.2}"), low > 0.0 || high < 0.0)
}

/// None without a pair. The stream depends on nothing else, so a row does not change when others come in.
fn interval(differences: &[f64]) -> Option<Interval> {
    let mut stream = rng(SEED, "bootstrap", 0);
    bootstrap_mean(differences, RESAMPLES, CONFIDENCE, |count| below(count, &mut stream)).ok()
}

fn empty_csv() -> Csv {
    Csv::new(&["dataset", "baseline", "metric", "classes", "pairs", "mean_difference", "low", "high", "ahead"])
}
