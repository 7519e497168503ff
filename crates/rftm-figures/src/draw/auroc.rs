//! AUROC of every class as bars, the paper's as ticks, from the ledger.

use plotters::prelude::*;
use rftm_experiments::{Catalogue, Ledger, Metric, Row, RowClass, Scope, Table, tables};
use rftm_models::ModelKind;

use super::Parts;
use super::canvas::{
    Axes, FAINT, HPosition, INK, TEXT, VPosition, chart, legend, model_colour, model_title, plain, render, text,
};
use crate::error::Result;

/// None if the ledger has nothing for Table 1 in the protocol's reading.
pub(crate) fn draw(catalogue: &Catalogue, ledger: &Ledger) -> Result<Option<Parts>> {
    let Some(definition) = catalogue.definition("table1") else { return Ok(None) };
    let usual = catalogue.variant(definition);
    let shown = |table: &Table| {
        let variant = table.variant;
        variant.convention == usual.convention
            && !variant.forget_at_inference
            && variant.max_epochs == usual.max_epochs
            && table.caution.is_none()
    };
    let mut tables = tables(catalogue, definition, ledger, &Scope::Everything);
    tables.retain(shown);
    if tables.is_empty() {
        return Ok(None);
    }
    let label = "AUROC of every class and model as bars, the paper's values as ticks.";
    let height = 560;
    let svg = render("auroc", (1800, (70 + tables.len() * height) as u32), label, |area, _| {
        let models =
            definition.models.iter().map(|kind| (model_colour(kind.name()), model_title(kind.name()).to_owned()));
        legend(area, (136, 34), &models.collect::<Vec<_>>())?;
        let note = "black line: the paper";
        area.draw_text(note, &text(TEXT - 4, FAINT, HPosition::Right, VPosition::Center), (1760, 34))?;
        let (_, area) = area.split_vertically(70);
        for (panel, table) in area.split_evenly((tables.len(), 1)).iter().zip(&tables) {
            // All classes, so that a gap shows what has not run, and bars are as wide in every panel.
            let classes: Vec<(u8, &str)> = match catalogue.protocol.dataset(table.dataset) {
                Some(dataset) => (0..).zip(dataset.classes.iter().map(String::as_str)).collect(),
                None => Vec::new(),
            };
            let padding = table.variant.padding.map(|padding| format!(", padding {padding}")).unwrap_or_default();
            let none = |_: &f64| String::new();
            let axes = Axes {
                title: &format!("{}{padding}", table.dataset_title),
                x: (0.0, classes.len() as f64),
                y: (0.0, 100.0),
                names: ["", "AUROC, %"],
                ticks: [0, 6],
                format: [&none, &plain],
            };
            let mut chart = chart(panel, &axes)?;
            let width = 0.8 / definition.models.len() as f64;
            for (place, (class, _)) in classes.iter().enumerate() {
                for (index, &kind) in definition.models.iter().enumerate() {
                    let left = place as f64 + 0.1 + index as f64 * width;
                    let bar = ours(table, *class, kind).map(|mean| {
                        Rectangle::new([(left, 0.0), (left + 0.92 * width, mean)], model_colour(kind.name()).filled())
                    });
                    chart.draw_series(bar)?;
                    let paper = catalogue.paper.get(table.dataset, *class, kind, Metric::Auroc).map(|paper| {
                        let ends = [(left - 0.01, paper.mean), (left + 0.93 * width, paper.mean)];
                        PathElement::new(ends, INK.stroke_width(5))
                    });
                    chart.draw_series(paper)?;
                }
            }
            // Names in the middle of their groups, where the axis has no ticks.
            let style = text(TEXT - 4, INK, HPosition::Center, VPosition::Top);
            for (place, (_, name)) in classes.iter().enumerate() {
                let (x, y) = chart.backend_coord(&(place as f64 + 0.5, 0.0));
                let (left, top) = panel.get_base_pixel();
                panel.draw_text(name, &style, (x - left, y - top + 16))?;
            }
        }
        Ok(())
    })?;
    let caption = "From the ledger: the mean over the seeds that are done. A line without a bar has not run yet. 50 % is chance; \
                   below it, anomalies are reconstructed better than normal images."
        .to_owned();
    Ok(Some(Parts { svg, caption, alt: label.to_owned() }))
}

/// The AUROC of ours, in percent.
fn ours(table: &Table, label: u8, kind: ModelKind) -> Option<f64> {
    let wanted =
        |row: &&Row| matches!(row.class, RowClass::Class { label: one, .. } if one == label) && row.model == kind;
    let row = table.rows.iter().find(wanted)?;
    let metric = Metric::ALL.iter().position(|metric| *metric == Metric::Auroc)?;
    row.values.get(metric)?.ours.map(|ours| ours.mean)
}
