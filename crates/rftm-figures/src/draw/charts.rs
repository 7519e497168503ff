//! Figures 3, 4 and 7 and the training curves.

use std::collections::BTreeMap;

use plotters::prelude::*;

use super::Parts;
use super::canvas::{
    ANOMALOUS, Axes, FAINT, HEADING, HPos, INK, Mark, NORMAL, TEXT, VPos, bold, chart, decade, decades, frame, legend,
    model_colour, model_title, plain, render, steps,
};
use crate::error::Result;
use crate::sheet::{COUNT, Field, PLACE, SCORE, SHARE, Source};

/// The values of a column, each once, in the order of the file.
pub(crate) fn distinct(source: &Source, column: &str) -> Result<Vec<String>> {
    let mut values: Vec<String> = Vec::new();
    for row in source.rows() {
        let value = row.text(column)?;
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    Ok(values)
}

/// Figure 3.
pub(crate) fn distributions(source: &Source) -> Result<Parts> {
    struct Bin {
        low: f64,
        high: f64,
        counts: [f64; 2],
    }
    let models = distinct(source, "model")?;
    let mut bins: BTreeMap<&str, Vec<Bin>> = BTreeMap::new();
    for row in source.rows() {
        let counts = [row.number_in("normal", COUNT)?, row.number_in("anomalous", COUNT)?];
        let bin = Bin { low: row.number_in("low", SHARE)?, high: row.number_in("high", SHARE)?, counts };
        bins.entry(row.text("model")?).or_default().push(bin);
    }
    // Shares of each group: the anomalies are a tenth of the normal samples.
    for bins in bins.values_mut() {
        for group in 0..2 {
            let total: f64 = bins.iter().map(|bin| bin.counts[group]).sum::<f64>().max(1.0);
            bins.iter_mut().for_each(|bin| bin.counts[group] *= 100.0 / total);
        }
    }
    let top = bins.values().flatten().flat_map(|bin| bin.counts).fold(1.0, f64::max) * 1.05;
    let label = "Four histograms of normalised scores, normal and anomalous samples, one for each model.";
    let groups = [(NORMAL, "normal"), (ANOMALOUS, "anomalous")];
    let svg = render("fig3", (1800, 1300), label, |area, _| {
        legend(area, (130, 34), &groups.map(|(colour, name)| (Mark::Outlined(0.4), colour, name.to_owned())))?;
        let (_, area) = area.split_vertically(64);
        for (panel, model) in area.split_evenly((models.len().div_ceil(2).max(1), 2)).iter().zip(&models) {
            let axes = Axes {
                title: model_title(model),
                x: (0.0, 1.0),
                y: (0.0, top),
                names: ["score, min-max normalised", "share of the group, %"],
                ticks: [steps((0.0, 1.0), 5), steps((0.0, top), 6)],
                format: [&plain, &plain],
            };
            let mut chart = chart(panel, axes)?;
            let bars = || bins.get(model.as_str()).into_iter().flatten();
            for (group, (colour, _)) in groups.iter().enumerate() {
                chart.draw_series(bars().filter(|bin| bin.counts[group] > 0.0).map(|bin| {
                    Rectangle::new([(bin.low, 0.0), (bin.high, bin.counts[group])], colour.mix(0.4).filled())
                }))?;
            }
            // Outlines above all bars, so that either group can be followed where they overlap; none along the axis.
            for (group, (colour, _)) in groups.iter().enumerate() {
                let bars: Vec<&Bin> = bars().collect();
                for run in bars.chunk_by(|a, b| (a.counts[group] > 0.0) == (b.counts[group] > 0.0)) {
                    let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
                    if first.counts[group] > 0.0 {
                        let top = run.iter().flat_map(|bin| [bin.low, bin.high].map(|x| (x, bin.counts[group])));
                        let outline = [(first.low, 0.0)].into_iter().chain(top).chain([(last.high, 0.0)]);
                        chart.draw_series(LineSeries::new(outline, colour.stroke_width(3)))?;
                    }
                }
            }
        }
        Ok(())
    })?;
    let caption = "Scores of the whole test set (Eq. 1), min-max normalised for each model, in 60 bins; each group sums to 100 %. \
                   The paper does not say which cell its Figure 3 shows; this is the cell of its Figure 5."
        .to_owned();
    Ok(Parts { svg, caption, alt: label.to_owned(), data: None })
}

/// Figure 4.
pub(crate) fn curves(source: &Source) -> Result<Parts> {
    let mut points: BTreeMap<(&str, &str), Vec<(f64, f64)>> = BTreeMap::new();
    for row in source.rows() {
        let point = (row.number_in("x", SHARE)?, row.number_in("y", SHARE)?);
        points.entry((row.text("curve")?, row.text("model")?)).or_default().push(point);
    }
    let models = distinct(source, "model")?;
    let areas = source.notes("area").map(area).collect::<Result<BTreeMap<_, _>>>()?;
    if let Some((curve, model)) = points.keys().find(|curve| !areas.contains_key(curve)) {
        return Err(source.lacks(&format!("area of {curve} and {model}")));
    }
    let named = |curve| {
        let entry = |model: &String| {
            let area = areas.get(&(curve, model.as_str())).map_or(0.0, |area| 100.0 * area);
            (Mark::Line(6, 1.0), model_colour(model), format!("{} {area:.1}", model_title(model)))
        };
        models.iter().map(entry).collect::<Vec<_>>()
    };
    let told = |curve| named(curve).into_iter().map(|(_, _, name)| name).collect::<Vec<_>>().join(", ");
    let recalled = points.iter().filter(|((curve, _), _)| *curve == "pr").flat_map(|(_, points)| points);
    let share = recalled.filter(|(recall, _)| *recall >= 1.0).map(|(_, precision)| *precision).reduce(f64::min);
    let label = format!("ROC curves (area in percent: {}) and precision-recall curves ({}).", told("roc"), told("pr"));
    let svg = render("fig4", (1800, 920), &label, |area, _| {
        let panels = [
            ("roc", "ROC, and AUROC in %", ["false positive rate", "true positive rate"]),
            ("pr", "Precision and recall, and AP in %", ["recall", "precision"]),
        ];
        for (panel, (curve, title, names)) in area.split_evenly((1, 2)).iter().zip(panels) {
            panel.draw_text(title, &bold(HEADING, INK, HPos::Left, VPos::Center), (100, 36))?;
            legend(panel, (100, 92), &named(curve))?;
            let (_, panel) = panel.split_vertically(120);
            let unit = (0.0, 1.0);
            let ticks = [steps(unit, 5), steps(unit, 5)];
            let axes = Axes { title: "", x: unit, y: unit, names, ticks, format: [&plain, &plain] };
            let mut chart = chart(&panel, axes)?;
            // What a coin reaches. All samples above the threshold: the share of anomalies among them.
            let chance = match curve {
                "roc" => Some([(0.0, 0.0), (1.0, 1.0)]),
                _ => share.map(|share| [(0.0, share), (1.0, share)]),
            };
            if let Some(chance) = chance {
                let style = ShapeStyle::from(FAINT).stroke_width(2);
                chart.draw_series(DashedLineSeries::new(chance, 8, 8, style))?;
            }
            for model in &models {
                let line = points.get(&(curve, model.as_str())).into_iter().flatten().copied();
                chart.draw_series(LineSeries::new(line, model_colour(model).stroke_width(4)))?;
            }
        }
        Ok(())
    })?;
    let caption =
        "Legend: AUROC and average precision (AP) in percent, of all scores. Dashed: scores drawn at random. The points \
         drawn are thinned to what a tenth of a pixel shows. Same cell as Figure 3."
            .to_owned();
    Ok(Parts { svg, caption, alt: label, data: None })
}

/// A note such as "roc ae 0.85": curve, model, area.
fn area(note: Field<'_>) -> Result<((&str, &str), f64)> {
    let wrong = || note.wrong(format!("{:?} is no curve, model and area between 0 and 1", note.text()));
    let [curve, model, area] = note.text().split(' ').collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let area = area.parse().ok().filter(|area| SHARE.contains(area));
    Ok(((curve, model), area.ok_or_else(wrong)?))
}

/// Figure 7.
pub(crate) fn embedding(source: &Source) -> Result<Parts> {
    let stages = distinct(source, "stage")?;
    let mut points: BTreeMap<&str, [Vec<(f64, f64)>; 2]> = BTreeMap::new();
    for row in source.rows() {
        let group = usize::from(row.get::<u8>("anomalous")? > 0);
        let point = (row.number_in("x", PLACE)?, row.number_in("y", PLACE)?);
        points.entry(row.text("stage")?).or_default()[group].push(point);
    }
    let label = "Three clouds of points, encoder output, hippocampus read and cortex read; normal samples are dots, anomalous \
                 ones crosses.";
    let svg = render("fig7", (1800, 720), label, |area, overlay| {
        let entries =
            [(Mark::Dot(7), NORMAL, "normal".to_owned()), (Mark::Cross(8), ANOMALOUS, "anomalous".to_owned())];
        legend(area, (20, 34), &entries)?;
        let (side, top) = (560.0, 130.0);
        for (place, stage) in stages.iter().enumerate() {
            let left = 20.0 + place as f64 * 600.0;
            let title = format!("{stage}{}", if place == 0 { " output" } else { " read" });
            let centre = ((left + side / 2.0) as i32, 92);
            area.draw_text(&title, &bold(TEXT, INK, HPos::Center, VPos::Center), centre)?;
            let corners = [(left as i32, top as i32), ((left + side) as i32, (top + side) as i32)];
            area.draw(&frame(corners, RGBColor(205, 210, 216).stroke_width(2)))?;
            let Some(clouds) = points.get(stage.as_str()) else { continue };
            let all = || clouds.iter().flatten();
            let range = |of: fn(&(f64, f64)) -> f64| {
                let values = || all().map(of);
                (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
            };
            let ((x0, x1), (y0, y1)) = (range(|point| point.0), range(|point| point.1));
            // One scale for both axes: distances are what the figure shows.
            let scale = (side - 40.0) / (x1 - x0).max(y1 - y0).max(1e-9);
            let place = |&(x, y): &(f64, f64)| {
                let centred = |value: f64, low: f64, high: f64| (value - (low + high) / 2.0) * scale + side / 2.0;
                (left + centred(x, x0, x1), top + centred(y, y0, y1))
            };
            let [normal, anomalous] = clouds.each_ref().map(|cloud| cloud.iter().map(place).collect::<Vec<_>>());
            overlay.dots(&normal, 5, NORMAL);
            overlay.crosses(&anomalous, 8, ANOMALOUS);
        }
        Ok(())
    })?;
    let how = source.note("t-sne").unwrap_or_default();
    let caption = format!(
        "t-SNE of the latents, of what the hippocampus answers and of what the cortex answers: {how}, the same initial \
         embedding for all three, drawn from a stream of the cell's seed. t-SNE keeps neighbours together; its distances \
         between groups, and holes, need not mean anything."
    );
    Ok(Parts { svg, caption, alt: label.to_owned(), data: None })
}

/// The opacity of training losses.
const FAINTLY: f64 = 0.45;

/// Losses by epoch.
pub(crate) fn histories(source: &Source) -> Result<Parts> {
    let models = distinct(source, "model")?;
    let mut losses: BTreeMap<&str, Vec<(f64, [f64; 2])>> = BTreeMap::new();
    for row in source.rows() {
        let both = [row.number_in("training", SCORE)?, row.number_in("validation", SCORE)?];
        if both.iter().any(|loss| *loss <= 0.0) {
            return Err(row.wrong("a loss is not positive".to_owned()));
        }
        losses.entry(row.text("model")?).or_default().push((row.number_in("epoch", COUNT)?, both.map(f64::log10)));
    }
    let mut best: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for note in source.notes("best") {
        let parts = note.text().split_once(' ').and_then(|(model, epoch)| Some((model, epoch.parse::<u32>().ok()?)));
        let (model, epoch) = parts.ok_or_else(|| note.wrong(format!("{:?} is no model and epoch", note.text())))?;
        let Some(epochs) = losses.get(model) else { continue };
        let kept = epochs.iter().find(|(known, _)| *known == f64::from(epoch));
        let (epoch, [_, validation]) = kept.ok_or_else(|| note.wrong(format!("{model} has no epoch {epoch}")))?;
        best.insert(model, (*epoch, *validation));
    }
    if let Some(model) = models.iter().find(|model| !best.contains_key(model.as_str())) {
        return Err(source.lacks(&format!("best of {model}")));
    }
    let all = || losses.values().flatten();
    let last = all().map(|(epoch, _)| *epoch).fold(2.0, f64::max);
    let values = || all().flat_map(|(_, both)| *both);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let label = "Training and validation loss of the four models by epoch, on a logarithmic scale.";
    let svg = render("curves", (1800, 900), label, |area, _| {
        let of_models =
            models.iter().map(|model| (Mark::Line(6, 1.0), model_colour(model), model_title(model).to_owned()));
        legend(area, (136, 36), &of_models.collect::<Vec<_>>())?;
        let kinds =
            [(Mark::Line(4, 1.0), "validation"), (Mark::Line(3, FAINTLY), "training"), (Mark::Dot(11), "weights kept")];
        legend(area, (1020, 36), &kinds.map(|(mark, name)| (mark, INK, name.to_owned())))?;
        let (_, area) = area.split_vertically(64);
        let y = (low - 0.05, high + 0.05);
        let axes = Axes {
            title: "",
            x: (1.0, last),
            y,
            names: ["epoch", "loss"],
            ticks: [steps((1.0, last), 9), decades(y)],
            format: [&plain, &decade],
        };
        let mut chart = chart(&area, axes)?;
        for model in &models {
            let colour = model_colour(model);
            let Some(epochs) = losses.get(model.as_str()) else { continue };
            let line = |which: usize| epochs.iter().map(move |(epoch, both)| (*epoch, both[which]));
            chart.draw_series(LineSeries::new(line(0), colour.mix(FAINTLY).stroke_width(3)))?;
            chart.draw_series(LineSeries::new(line(1), colour.stroke_width(4)))?;
            chart.draw_series(best.get(model.as_str()).map(|point| Circle::new(*point, 11, colour.filled())))?;
        }
        Ok(())
    })?;
    let caption =
        "Loss: the mean squared error per pixel; of the training samples while the weights were changing, with the penalties of \
         the models that have them, and of the validation samples after each epoch."
            .to_owned();
    Ok(Parts { svg, caption, alt: label.to_owned(), data: None })
}
