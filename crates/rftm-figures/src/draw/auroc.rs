//! AUROC of every class as bars, the paper's as ticks, from the ledger.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::*;
use rftm_experiments::{Catalogue, Comparison, Key, Ledger, MeanStd, Metric, Scope, tables};

use super::canvas::{
    Axes, FAINT, HPos, INK, Mark, TEXT, VPos, chart, legend, model_colour, model_title, plain, render, steps, text,
};
use super::charts::distinct;
use super::{Cells, Parts};
use crate::error::Result;
use crate::figure::Figure;
use crate::sheet::{PERCENT, Row, Sheet, Source};

/// None if the ledger has nothing for Table 1 in the protocol's reading.
pub(crate) fn draw(catalogue: &Catalogue, ledger: &Ledger) -> Result<Option<(Parts, Cells)>> {
    let Some(sheet) = sheet(catalogue, ledger) else { return Ok(None) };
    // Drawn from the file's text, so that the picture cannot show other numbers than the file.
    let source = Source::parse(Path::new("auroc.csv"), &sheet.text())?.expect(Figure::Auroc)?;
    let svg = picture(&source)?;
    let caption = format!(
        "From the ledger, as in [Table 1](#table1): the mean over the seeds that are done, beside the paper's mean of {}. {} A line \
         without a bar has not run yet. 50 %, dashed, is chance; below it, anomalies are reconstructed better than normal images.",
        catalogue.protocol.seeds.len(),
        seeds(&source)?
    );
    Ok(Some((Parts { svg, caption, alt: LABEL.to_owned(), data: Some(sheet) }, cells(&source, ledger)?)))
}

/// How many bars are of how many seeds.
fn seeds(source: &Source) -> Result<String> {
    let mut bars: BTreeMap<usize, usize> = BTreeMap::new();
    for row in source.rows() {
        *bars.entry(row.get("seeds")?).or_default() += 1;
    }
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let told = bars.into_iter().filter(|(seeds, _)| *seeds > 0);
    let told: Vec<String> =
        told.map(|(seeds, bars)| format!("{} of {}", plural(bars, "bar"), plural(seeds, "seed"))).collect();
    Ok(format!("Here: {}.", told.join(", ")))
}

/// The cells behind the bars.
fn cells(source: &Source, ledger: &Ledger) -> Result<Cells> {
    let mut cells = Cells::new();
    for row in source.rows() {
        for key in row.text("keys")?.split_whitespace() {
            let record = key.parse().ok().and_then(|key: Key| ledger.get(&key));
            let record = record.ok_or_else(|| row.wrong(format!("the ledger does not have {key}")))?;
            cells.push((record.cell.to_string(), key.to_owned()));
        }
    }
    Ok(cells)
}

const LABEL: &str = "AUROC of every class and model as bars, the paper's values as ticks.";

/// All classes, so that a gap shows what has not run, and bars are as wide in every panel.
fn sheet(catalogue: &Catalogue, ledger: &Ledger) -> Option<Sheet> {
    let definition = catalogue.definition("table1")?;
    let mut tables = tables(catalogue, definition, ledger, &Scope::Everything);
    tables.retain(|table| table.is_default && table.caution.is_none());
    if tables.is_empty() {
        return None;
    }
    let columns = ["panel", "class", "model", "seeds", "ours", "deviation", "paper", "paper deviation", "keys"];
    let mut sheet = Sheet::new(&columns);
    sheet.note("figure", Figure::Auroc.id());
    sheet.note("command", Figure::Auroc.command());
    sheet.note("unit", "percent");
    for table in &tables {
        let padding = table.variant.padding.map(|padding| format!(" (padding {padding})")).unwrap_or_default();
        let panel = format!("{}{padding}", table.dataset_title);
        let classes = catalogue.protocol.dataset(table.dataset).map_or(&[][..], |dataset| &dataset.classes);
        for (label, class) in (0..).zip(classes) {
            for &kind in &definition.models {
                let row = table.rows.iter().find(|row| row.model == kind && row.class.label() == Some(label));
                let place = Metric::ALL.iter().position(|metric| *metric == Metric::Auroc);
                let ours =
                    row.zip(place).and_then(|(row, place)| row.values.get(place)).and_then(|one: &Comparison| one.ours);
                let paper = catalogue.paper.get(table.dataset, label, kind, Metric::Auroc);
                let seeds = row.map_or(0, |row| row.seeds.len()).to_string();
                let named = [panel.clone(), class.clone(), kind.to_string(), seeds];
                let keys = row.map_or(&[][..], |row| &row.keys).iter().map(Key::as_str).collect::<Vec<_>>().join(" ");
                sheet.push(named.into_iter().chain(fields(ours)).chain(fields(paper)).chain([keys]).collect());
            }
        }
    }
    Some(sheet)
}

/// Mean and deviation, empty where there is none.
fn fields(value: Option<MeanStd>) -> [String; 2] {
    let text = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    [text(value.map(|value| value.mean)), text(value.and_then(|value| value.std))]
}

fn picture(source: &Source) -> Result<String> {
    struct Bar<'a> {
        class: &'a str,
        model: &'a str,
        ours: Option<f64>,
        paper: Option<f64>,
    }
    let number = |row: Row<'_>, column| match row.text(column)? {
        "" => Ok(None),
        _ => row.number_in(column, PERCENT).map(Some),
    };
    let (panels, models) = (distinct(source, "panel")?, distinct(source, "model")?);
    let mut bars: Vec<Vec<Bar<'_>>> = panels.iter().map(|_| Vec::new()).collect();
    for row in source.rows() {
        let panel = row.text("panel")?;
        let (ours, paper) = (number(row, "ours")?, number(row, "paper")?);
        if let Some(place) = panels.iter().position(|known| known == panel) {
            bars[place].push(Bar { class: row.text("class")?, model: row.text("model")?, ours, paper });
        }
    }
    let height = 560;
    render("auroc", (1800, (70 + panels.len() * height) as u32), LABEL, |area, _| {
        let of_models = models.iter().map(|model| (Mark::Bar(1.0), model_colour(model), model_title(model).to_owned()));
        let paper = (Mark::Line(5, 1.0), INK, "the paper".to_owned());
        legend(area, (136, 34), &of_models.chain([paper]).collect::<Vec<_>>())?;
        let (_, area) = area.split_vertically(70);
        for ((panel, title), bars) in area.split_evenly((panels.len(), 1)).iter().zip(&panels).zip(&bars) {
            let count = bars.len() / models.len().max(1);
            let none = |_: &f64| String::new();
            let axes = Axes {
                title,
                x: (0.0, count as f64),
                y: (0.0, 100.0),
                names: ["class that is the anomaly", "AUROC, %"],
                ticks: [Vec::new(), steps((0.0, 100.0), 5)],
                format: [&none, &plain],
            };
            let mut chart = chart(panel, axes)?;
            let chance = ShapeStyle::from(FAINT).stroke_width(2);
            chart.draw_series(DashedLineSeries::new([(0.0, 50.0), (count as f64, 50.0)], 8, 8, chance))?;
            let width = 0.8 / models.len().max(1) as f64;
            for (index, bar) in bars.iter().enumerate() {
                let (place, model) = (index / models.len().max(1), index % models.len().max(1));
                let left = place as f64 + 0.1 + model as f64 * width;
                chart.draw_series(bar.ours.map(|mean| {
                    Rectangle::new([(left, 0.0), (left + 0.92 * width, mean)], model_colour(bar.model).filled())
                }))?;
                // In a white line, since a dark bar would swallow the tick; the end of the bar stays in sight on it.
                let line = |mean: f64, style: ShapeStyle| {
                    PathElement::new([(left - 0.01, mean), (left + 0.93 * width, mean)], style)
                };
                chart.draw_series(bar.paper.map(|mean| line(mean, WHITE.stroke_width(9))))?;
                chart.draw_series(bar.ours.map(|mean| line(mean, model_colour(bar.model).stroke_width(2))))?;
                chart.draw_series(bar.paper.map(|mean| line(mean, INK.stroke_width(5))))?;
            }
            // Names in the middle of their groups, where the axis has no ticks.
            let style = text(TEXT - 4, INK, HPos::Center, VPos::Top);
            for (place, group) in bars.chunks(models.len().max(1)).enumerate() {
                let (x, y) = chart.backend_coord(&(place as f64 + 0.5, 0.0));
                let (left, top) = panel.get_base_pixel();
                panel.draw_text(group[0].class, &style, (x - left, y - top + 16))?;
            }
        }
        Ok(())
    })
}
