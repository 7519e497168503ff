//! AUROC of every class as bars, the paper's as ticks, from the ledger.

use plotters::prelude::*;
use rftm_experiments::{Catalogue, Ledger, Metric, Row, RowClass, Scope, Table, tables};

use super::Parts;
use super::canvas::{Axes, FAINT, HPosition, INK, TEXT, VPosition, chart, legend, model_colour, model_title, plain, render, text};
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
    let metric = Metric::ALL.iter().position(|metric| *metric == Metric::Auroc).unwrap_or(0);
    let label = "AUROC of every class and model as bars, the paper's values as ticks.";
    let height = 560;
    let svg = render("auroc", (1800, (70 + tables.len() * height) as u32), label, |area, _| {
        let models = definition.models.iter().map(|kind| (model_colour(kind.name()), model_title(kind.name()).to_owned()));
        legend(area, (136, 34), &models.collect::<Vec<_>>())?;
        let note = "line across a bar: the paper";
        area.draw_text(note, &text(TEXT - 4, FAINT, HPosition::Right, VPosition::Center), (1760, 34))?;
        let (_, area) = area.split_vertically(70);
        for (panel, table) in area.split_evenly((tables.len(), 1)).iter().zip(&tables) {
            let rows = || table.rows.iter().filter_map(|row| Some((class(row)?, row)));
            let mut classes: Vec<(u8, &str)> = rows().map(|(class, _)| class).collect();
            classes.dedup();
            let padding = table.variant.padding.map(|padding| format!(", padding {padding}")).unwrap_or_default();
            let name = |value: &f64| {
                let class = classes.get(value.floor() as usize);
                class.map(|(_, name)| (*name).to_owned()).unwrap_or_default()
            };
            let axes = Axes {
                title: &format!("{}{padding}", table.dataset_title),
                x: (0.0, classes.len() as f64),
                y: (0.0, 100.0),
                names: ["", "AUROC, %"],
                ticks: [0, 6],
                format: [&name, &plain],
            };
            let mut chart = chart(panel, &axes)?;
            let width = 0.8 / definition.models.len() as f64;
            for (class, row) in rows() {
                let place = classes.iter().position(|known| *known == class).unwrap_or(0) as f64;
                let index = definition.models.iter().position(|kind| *kind == row.model).unwrap_or(0) as f64;
                let left = place + 0.1 + index * width;
                let value = &row.values[metric];
                let colour = model_colour(row.model.name());
                let bar = value.ours.map(|ours| Rectangle::new([(left, 0.0), (left + 0.92 * width, ours.mean)], colour.filled()));
                chart.draw_series(bar)?;
                let reference = value.reference.map(|paper| {
                    PathElement::new([(left - 0.01, paper.mean), (left + 0.93 * width, paper.mean)], INK.stroke_width(5))
                });
                chart.draw_series(reference)?;
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
    let caption = "From the ledger: the mean over the seeds that are done. A line without a bar: not run yet. 50 % is chance; \
                   below it, anomalies are reconstructed better than normal images."
        .to_owned();
    Ok(Some(Parts { svg, caption, alt: label.to_owned() }))
}

fn class(row: &Row) -> Option<(u8, &str)> {
    match &row.class {
        RowClass::Class { label, name } => Some((*label, name)),
        RowClass::Average { .. } => None,
    }
}
