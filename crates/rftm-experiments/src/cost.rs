//! Run time and size of the models.

use std::collections::BTreeMap;

use crate::book::{Book, mean, median};
use crate::definition::{Catalogue, Definition};
use crate::grid::{Content, Csv, Document, Entry, Grid, Section};
use crate::ledger::Ledger;
use crate::record::Finished;
use crate::render::describe;

/// Time and parameters over the cells of `definition` in the default reading; none if there is no cell.
pub(crate) fn document(catalogue: &Catalogue, definition: &Definition, ledger: &Ledger) -> Option<Document> {
    let book = Book { catalogue, ledger };
    let variant = catalogue.variant(definition);
    let (mut rows, mut csv) = (Vec::new(), empty_csv());
    for &id in &definition.datasets {
        let Some(dataset) = catalogue.protocol.dataset(id) else { continue };
        for &kind in &definition.models {
            // Times compare only where machine, threads and jobs are the same.
            let mut groups: BTreeMap<(&str, usize, usize), Vec<&Finished>> = BTreeMap::new();
            for &class in definition.classes(id) {
                for (_, record, finished) in book.sample(dataset, class, kind, variant, &definition.seeds).done {
                    let place = &record.environment;
                    groups.entry((&place.cpu, place.threads, place.jobs)).or_default().push(finished);
                }
            }
            for ((cpu, threads, jobs), cells) in groups {
                let over = |value: fn(&Finished) -> f64| {
                    mean(&cells.iter().map(|finished| value(finished)).collect::<Vec<_>>()).unwrap_or_default()
                };
                let (epochs, seconds) = (over(|finished| finished.epochs as f64), over(|finished| finished.seconds));
                let mut each: Vec<f64> = cells.iter().filter_map(|finished| finished.seconds_per_epoch()).collect();
                let epoch = median(&mut each).unwrap_or_default();
                let parameters = cells.first().map_or(0, |finished| finished.parameters);
                let limit = cells.iter().filter(|finished| finished.hit_epoch_limit).count();
                let machine = format!("{cpu}, threads {threads}, jobs {jobs}");
                let mut row: Vec<Entry> = vec![dataset.title.as_str().into(), kind.to_string().into(), machine.into()];
                row.extend([parameters.to_string(), cells.len().to_string(), format!("{epochs:.0}")].map(Entry::from));
                row.extend([limit.to_string(), format!("{epoch:.2}")].map(Entry::from));
                row.push(format!("{:.1}", seconds / 60.0).into());
                rows.push(row.into());
                csv.line(&[
                    id.to_string(),
                    kind.to_string(),
                    cpu.to_owned(),
                    threads.to_string(),
                    jobs.to_string(),
                    parameters.to_string(),
                    cells.len().to_string(),
                    format!("{epochs:.2}"),
                    limit.to_string(),
                    format!("{epoch:.3}"),
                    format!("{seconds:.2}"),
                ]);
            }
        }
    }
    if rows.is_empty() {
        return None;
    }
    let names = Content::Names.under(["data set", "model", "machine"]);
    let numbers = Content::Other.under(["parameters", "cells", "epochs", "at the limit", "s/epoch", "min/cell"]);
    let grid = Grid { columns: names.into_iter().chain(numbers).collect(), rows };
    let text = "Trainable numbers of each model, epochs until early stopping (mean; at the limit: cells that the largest \
                number of\nepochs ended), and time of training and scoring: the median over cells of the seconds an epoch took \
                with its validation,\nand the mean time of a cell. Times are wall-clock times of the runs behind Table 1, with \
                whatever else the machine did;\ndocs/performance.md has the measured ones. Records of early \
                versions name the CPU without its family, so a row without one may mix generations.\n\
                A cell that was interrupted stands under the machine and the threads it ended on, with the time of all its parts.\n";
    Some(Document {
        id: "cost".to_owned(),
        title: "Run time and parameters".to_owned(),
        text: text.to_owned(),
        sections: vec![Section {
            heading: format!("Table 1, {}", describe(variant)),
            caution: None,
            grid,
            notes: Vec::new(),
        }],
        csv,
    })
}

fn empty_csv() -> Csv {
    Csv::new(&[
        "dataset",
        "model",
        "cpu",
        "threads",
        "jobs",
        "parameters",
        "cells",
        "mean_epochs",
        "cells_at_limit",
        "median_seconds_per_epoch",
        "mean_seconds",
    ])
}
