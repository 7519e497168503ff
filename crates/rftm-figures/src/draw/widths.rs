//! Figure 1.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

use super::Parts;
use super::canvas::{
    Axes, FAINT, HPosition, INK, TEXT, VPosition, chart, legend, model_colour, model_title, plain, render, sprite, text,
};
use crate::error::{Error, IoContext, Result};
use crate::figure::widths_folder;
use crate::sheet::Source;

/// One training of Figure 1.
#[derive(Default)]
struct Point {
    /// Mean error of normal and anomalous images.
    mean: [f64; 2],
    auroc: f64,
    input: [Vec<u8>; 2],
    output: [Vec<u8>; 2],
}

const SETS: [&str; 2] = ["normal", "anomalous"];
const PIXELS: usize = 28 * 28;
/// Models, widths and trainings of the whole figure.
const MODELS: [&str; 2] = ["ae", "rftm"];
const TRAININGS: usize = 18;

fn read(source: &Source) -> Result<Point> {
    let mut point = Point::default();
    for row in source.rows() {
        let set = SETS.iter().position(|set| row.text("set").is_ok_and(|found| found == *set));
        match (row.text("what")?, set) {
            ("mean", Some(set)) => point.mean[set] = row.number("value")?,
            ("input", Some(set)) => point.input[set] = row.pixels("pixels", PIXELS)?,
            ("output", Some(set)) => point.output[set] = row.pixels("pixels", PIXELS)?,
            ("auroc", None) => point.auroc = row.number("value")?,
            _ => {}
        }
    }
    Ok(point)
}

/// Figure 1 from as many trainings as there are; none if there is none.
pub(crate) fn draw(out: &Path) -> Result<Option<Parts>> {
    let folder = widths_folder(out);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.at("list", &folder)?,
    };
    let mut points: BTreeMap<(String, u32), Point> = BTreeMap::new();
    let mut trial = None;
    for entry in entries {
        let path = entry.at("list", &folder)?.path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let Some(source) = Source::read(&path)? else { continue };
        let wrong =
            |name: &str| Error::Sheet { path: path.clone(), line: 1, message: format!("the header lacks {name}") };
        let model = source.note("model").ok_or_else(|| wrong("model"))?.to_owned();
        let neurons = source.note("neurons").and_then(|n| n.parse().ok()).ok_or_else(|| wrong("neurons"))?;
        trial = trial.or_else(|| source.note("trial").map(str::to_owned));
        points.insert((model, neurons), read(&source)?);
    }
    if points.is_empty() {
        return Ok(None);
    }
    let count = points.len();
    let mut caption = format!(
        "Fully connected models 784-512-256-b (the hidden layers as in the paper's autoencoder), trained on all ten classes of \
         MNIST, {count} of {TRAININGS} trainings, seed 1997. Error: the mean score (Eq. 1, pixels in [-1, 1]) of the MNIST test images, \
         which are normal, and of the Fashion-MNIST test images, which are anomalous. AUROC: the former against the latter. \
         Below: the first test image of a five and of trousers, and what each model makes of them. RFTM is beyond the paper's figure."
    );
    if let Some(trial) = trial {
        caption = format!("**A trial, {trial}.** {caption}");
    }
    Ok(Some(Parts { svg: picture(&points)?, caption, alt: LABEL.to_owned() }))
}

const LABEL: &str = "Mean reconstruction error of normal and anomalous images, and AUROC, against the number of bottleneck \
                     neurons, with example reconstructions.";

fn picture(points: &BTreeMap<(String, u32), Point>) -> Result<String> {
    let power = |width: u32| f64::from(width).log2();
    let series = |model: &str, value: &dyn Fn(&Point) -> f64| -> Vec<(f64, f64)> {
        points.iter().filter(|((one, _), _)| one == model).map(|((_, width), p)| (power(*width), value(p))).collect()
    };
    let top = points.values().flat_map(|point| point.mean).fold(1.0, f64::max) * 1.05;
    let neurons = |value: &f64| format!("{:.0}", value.exp2());
    render("fig1", (1800, 1330), LABEL, |area, overlay| {
        let entries = MODELS.map(|model| (model_colour(model), model_title(model).to_owned()));
        legend(area, (136, 34), &entries)?;
        let note = "solid: MNIST (normal), dashed: Fashion-MNIST (anomalous)";
        area.draw_text(note, &text(TEXT - 4, FAINT, HPosition::Left, VPosition::Center), (480, 34))?;
        let (_, rest) = area.split_vertically(64);
        let (charts, _) = rest.split_vertically(640);
        let panels = charts.split_evenly((1, 2));
        let axes = |title, name, y| Axes {
            title,
            x: (0.8, 9.2),
            y,
            names: ["bottleneck neurons", name],
            ticks: [10, 6],
            format: [&neurons, &plain],
        };
        let mut errors = chart(&panels[0], &axes("Reconstruction error", "mean score", (0.0, top)))?;
        let mut areas = chart(&panels[1], &axes("Telling them apart", "AUROC, %", (0.0, 100.0)))?;
        for model in MODELS {
            let style = model_colour(model).stroke_width(4);
            errors.draw_series(LineSeries::new(series(model, &|p| p.mean[0]), style))?;
            errors.draw_series(DashedLineSeries::new(series(model, &|p| p.mean[1]), 14, 9, style))?;
            areas.draw_series(LineSeries::new(series(model, &|p| 100.0 * p.auroc), style))?;
            for (set, filled) in [(0, true), (1, false)] {
                let dots = series(model, &|p| p.mean[set]);
                let dot = |point| Circle::new(point, 8, if filled { style.filled() } else { style });
                errors.draw_series(dots.into_iter().map(dot))?;
            }
            areas.draw_series(
                series(model, &|p| 100.0 * p.auroc).into_iter().map(|p| Circle::new(p, 8, style.filled())),
            )?;
        }
        let (left, top, cell, line) = (230, 790, 155, 128);
        let centre = text(TEXT - 4, FAINT, HPosition::Center, VPosition::Center);
        area.draw_text("input", &centre, (left + 56, top - 26))?;
        for column in 1..=9 {
            area.draw_text(&(1 << column).to_string(), &centre, (left + column * cell + 56, top - 26))?;
        }
        let rows = [(0, "ae"), (0, "rftm"), (1, "ae"), (1, "rftm")];
        for (row, (set, model)) in (0..).zip(rows) {
            let y = top + row * line;
            area.draw_text(model_title(model), &text(TEXT, INK, HPosition::Left, VPosition::Center), (60, y + 56))?;
            let of_model = || points.iter().filter(|((one, _), _)| one == model);
            let input = of_model().next().map(|(_, point)| (0, &point.input[set]));
            let outputs = of_model().map(|((_, width), point)| (width.ilog2() as i32, &point.output[set]));
            for (column, image) in input.into_iter().chain(outputs) {
                overlay.image((left + column * cell, y), &sprite(&[image], 1, 0)?, 4)?;
            }
        }
        Ok(())
    })
}
