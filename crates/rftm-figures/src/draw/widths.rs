//! Figure 1.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::*;
use rftm_data::Scaling;
use rftm_experiments::Catalogue;
use rftm_models::Convention;

use super::Parts;
use super::canvas::{
    Axes, FAINT, HPosition, INK, Mark, TEXT, VPosition, bold, chart, legend, model_colour, model_title, plain, render,
    sprite, steps, text,
};
use crate::error::{Error, IoContext, Result};
use crate::figure::{Figure, WIDTH_EXAMPLES, WIDTH_MODELS, WIDTH_POWERS, widths_folder};
use crate::sheet::{Sheet, Source};

/// One training of Figure 1.
#[derive(Default)]
struct Point {
    epochs: String,
    /// Mean error of normal and anomalous images.
    mean: [f64; 2],
    auroc: f64,
    input: [Vec<u8>; 2],
    output: [Vec<u8>; 2],
}

/// By model and width.
type Points = BTreeMap<(String, u32), Point>;

/// What all trainings of the figure share.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Common {
    /// The layers before the bottleneck, as "784-512-256".
    layers: String,
    seed: String,
    convention: Convention,
    /// The data sets of normal and anomalous images.
    sets: [String; 2],
    /// The numbers of the example images.
    examples: [String; 2],
    trial: Option<String>,
}

const SETS: [&str; 2] = ["normal", "anomalous"];
const PIXELS: usize = 28 * 28;

fn point(source: &Source) -> Result<Point> {
    let mut point = Point { epochs: source.note("epochs").unwrap_or_default().to_owned(), ..Point::default() };
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

/// Model and width of a training, and what it shares with the others.
fn header(path: &Path, source: &Source) -> Result<((String, u32), Common)> {
    let lacks =
        |name: &str| Error::Sheet { path: path.to_owned(), line: 1, message: format!("the header lacks {name}") };
    let note = |name: &str| source.note(name).ok_or_else(|| lacks(name));
    let neurons: u32 = note("neurons")?.parse().map_err(|_| lacks("neurons"))?;
    let layers = note("layers")?.strip_suffix(&format!("-{neurons}")).ok_or_else(|| lacks("layers"))?;
    let set = |name: &str| -> Result<String> {
        let set = note(name)?.strip_prefix("test images of ").and_then(|set| set.split_once(", "));
        set.map(|(id, _)| id.to_owned()).ok_or_else(|| lacks(name))
    };
    let mut examples = SETS.map(|_| String::new());
    for row in source.rows().filter(|row| row.text("what").is_ok_and(|what| what == "input")) {
        if let Some(set) = SETS.iter().position(|set| row.text("set").is_ok_and(|found| found == *set)) {
            examples[set] = row.get::<usize>("value")?.to_string();
        }
    }
    let common = Common {
        layers: layers.to_owned(),
        seed: note("seed")?.to_owned(),
        convention: note("convention")?.parse().map_err(|_| lacks("convention"))?,
        sets: [set(SETS[0])?, set(SETS[1])?],
        examples,
        trial: source.note("trial").map(str::to_owned),
    };
    Ok(((note("model")?.to_owned(), neurons), common))
}

/// The trainings that are there.
fn read(folder: &Path) -> Result<Option<(Common, Points)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.at("list", folder)?,
    };
    let mut paths = entries.map(|entry| Ok(entry.at("list", folder)?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    let mut common: Option<Common> = None;
    let mut points = Points::new();
    for path in paths {
        let Some(source) = Source::read(&path)? else { continue };
        let (key, found) = header(&path, &source)?;
        match &common {
            Some(common) if *common != found => {
                let message = format!("another experiment than the files before it: {found:?}, not {common:?}");
                return Err(Error::Sheet { path, line: 1, message });
            }
            _ => common = Some(found),
        }
        points.insert(key, point(&source)?);
    }
    Ok(common.map(|common| (common, points)))
}

/// Figure 1 from as many trainings as there are; none if there is none.
pub(crate) fn draw(catalogue: &Catalogue, out: &Path) -> Result<Option<Parts>> {
    let Some((common, points)) = read(&widths_folder(out))? else { return Ok(None) };
    let sets = [0, 1].map(|set| Set::new(catalogue, &common.sets[set], WIDTH_EXAMPLES[set]));
    let caption = caption(&common, &sets, &points);
    let titles = sets.map(|set| set.title);
    let (svg, data) = (picture(&points, &titles)?, sheet(&common, &points));
    Ok(Some(Parts { svg, caption, alt: LABEL.to_owned(), data: Some(data) }))
}

/// What people call a data set, its classes, and the class of the example.
struct Set {
    title: String,
    classes: usize,
    example: String,
}

impl Set {
    fn new(catalogue: &Catalogue, id: &str, example: u8) -> Self {
        let known = id.parse().ok().and_then(|id| catalogue.protocol.dataset(id));
        let class = known.and_then(|known| known.classes.get(usize::from(example)));
        Self {
            title: known.map_or(id, |known| &known.title).to_owned(),
            classes: known.map_or(0, |known| known.classes.len()),
            example: class.cloned().unwrap_or_else(|| example.to_string()),
        }
    }
}

fn caption(common: &Common, [normal, other]: &[Set; 2], points: &Points) -> String {
    let Common { layers, seed, convention, examples, trial, .. } = common;
    let pixels = match convention.scaling() {
        Scaling::Symmetric => "[-1, 1]",
        Scaling::Unit => "[0, 1]",
    };
    let trial = trial.as_ref().map(|trial| format!("**A trial, {trial}.** ")).unwrap_or_default();
    let widths = || points.keys().map(|(_, width)| *width);
    let (low, high) = (widths().min().unwrap_or(0), widths().max().unwrap_or(0));
    let count = points.len();
    let all = WIDTH_MODELS.len() * WIDTH_POWERS.count();
    let example = |set: &Set, index: &str| format!("test image {index} of {} (class {})", set.title, set.example);
    format!(
        "{trial}Fully connected models {layers}-b, the bottleneck b from {low} to {high} and the other layers as in the paper's autoencoder, \
         trained on all {classes} classes of {title}, seed {seed}, convention `{convention}`, {count} of {all} trainings. Error: the \
         mean score (Eq. 1, pixels in {pixels}) of the {title} test images, which are normal, and of the {other} test images, \
         which are anomalous. AUROC: the former against the latter; dashed: chance. Below: {first} and {second}, counted from 0, and \
         what each model makes of them. RFTM is beyond the paper's figure. These trainings hold no class out, so the ledger does \
         not have them; their configuration and digest stand in the data.",
        classes = normal.classes,
        title = normal.title,
        other = other.title,
        first = example(normal, &examples[0]),
        second = example(other, &examples[1]),
    )
}

/// The numbers of the figure in one file; images and quantiles are in the files of the trainings.
fn sheet(common: &Common, points: &Points) -> Sheet {
    let mut sheet = Sheet::new(&["model", "neurons", "epochs", "normal", "anomalous", "auroc"]);
    sheet.note("figure", Figure::Fig1.id());
    sheet.note("command", Figure::Fig1.command());
    if let Some(trial) = &common.trial {
        sheet.note("trial", trial);
    }
    for ((model, neurons), point) in points {
        let numbers = [point.mean[0], point.mean[1], point.auroc].map(|number| number.to_string());
        let named = [model.clone(), neurons.to_string(), point.epochs.clone()];
        sheet.push(named.into_iter().chain(numbers).collect());
    }
    sheet
}

const LABEL: &str = "Mean reconstruction error of normal and anomalous images, and AUROC, against the number of bottleneck \
                     neurons, with example reconstructions.";

fn picture(points: &Points, titles: &[String; 2]) -> Result<String> {
    let models = WIDTH_MODELS.map(|kind| kind.name());
    let powers = || WIDTH_POWERS.map(f64::from);
    let power = |width: u32| f64::from(width).log2();
    let series = |model: &str, value: &dyn Fn(&Point) -> f64| -> Vec<(f64, f64)> {
        points.iter().filter(|((one, _), _)| one == model).map(|((_, width), p)| (power(*width), value(p))).collect()
    };
    let top = points.values().flat_map(|point| point.mean).fold(1.0, f64::max) * 1.05;
    let neurons = |value: &f64| format!("{:.0}", value.exp2());
    render("fig1", (1800, 1350), LABEL, |area, overlay| {
        let of_models = models.map(|model| (Mark::Line(6, 1.0), model_colour(model), model_title(model).to_owned()));
        let of_sets = [Mark::Line(4, 1.0), Mark::Dashed(4)]
            .into_iter()
            .zip(SETS.iter().zip(titles))
            .map(|(mark, (set, title))| (mark, INK, format!("{title} ({set})")));
        legend(area, (136, 34), &of_models.into_iter().chain(of_sets).collect::<Vec<_>>())?;
        let (_, rest) = area.split_vertically(64);
        let (charts, _) = rest.split_vertically(640);
        let panels = charts.split_evenly((1, 2));
        let axes = |title, name, y, ticks| Axes {
            title,
            x: (0.8, 9.2),
            y,
            names: ["bottleneck neurons", name],
            ticks: [powers().collect(), steps(y, ticks)],
            format: [&neurons, &plain],
        };
        let mut errors = chart(&panels[0], axes("Reconstruction error", "mean score (Eq. 1)", (0.0, top), 6))?;
        let mut areas = chart(&panels[1], axes("Telling them apart", "AUROC, %", (0.0, 100.0), 5))?;
        let chance = ShapeStyle::from(FAINT).stroke_width(2);
        areas.draw_series(DashedLineSeries::new([(0.8, 50.0), (9.2, 50.0)], 8, 8, chance))?;
        for model in models {
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
        let (left, top, cell, line) = (230, 815, 155, 128);
        let heading = bold(TEXT, INK, HPosition::Left, VPosition::Center);
        area.draw_text("Reconstructions, by bottleneck neurons", &heading, (60, top - 76))?;
        let centre = text(TEXT - 4, FAINT, HPosition::Center, VPosition::Center);
        area.draw_text("input", &centre, (left + 56, top - 26))?;
        for column in WIDTH_POWERS {
            area.draw_text(&(1_u32 << column).to_string(), &centre, (left + column as i32 * cell + 56, top - 26))?;
        }
        for (row, (set, model)) in (0..).zip([0, 1].into_iter().flat_map(|set| models.map(|model| (set, model)))) {
            let y = top + row * line;
            let name = bold(TEXT, model_colour(model), HPosition::Left, VPosition::Center);
            area.draw_text(model_title(model), &name, (60, y + 56))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as the capture writes it.
    fn training(model: &str, neurons: u32, seed: u64, set: &str) -> String {
        let image = "00".repeat(PIXELS);
        format!(
            "# figure: fig1\n# model: {model}\n# neurons: {neurons}\n# layers: 49-32-{neurons}\n# seed: {seed}\n\
             # convention: text\n# epochs: 7\n# normal: test images of {set}, SHA-256 ab\n\
             # anomalous: test images of fashion-mnist, SHA-256 cd\n# rows: 7\nwhat,set,value,pixels\n\
             mean,normal,1.5,\nmean,anomalous,2.5,\ninput,normal,8,{image}\noutput,normal,1,{image}\n\
             input,anomalous,2,{image}\noutput,anomalous,2,{image}\nauroc,both,0.75,\n"
        )
    }

    fn drawn(files: &[(&str, String)]) -> Result<Parts> {
        let out = tempfile::tempdir().unwrap();
        let folder = widths_folder(out.path());
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        draw(&Catalogue::builtin().unwrap(), out.path()).map(Option::unwrap)
    }

    #[test]
    fn the_caption_says_what_the_data_say() {
        let files =
            [("ae-002.csv", training("ae", 2, 7, "mnist")), ("rftm-512.csv", training("rftm", 512, 7, "mnist"))];
        let parts = drawn(&files).unwrap();
        for expected in [
            "models 49-32-b, the bottleneck b from 2 to 512 and",
            "all 10 classes of MNIST, seed 7, convention `text`, 2 of 18 trainings",
            "pixels in [0, 1]",
            "the Fashion-MNIST test images",
            "test image 8 of MNIST (class 5) and test image 2 of Fashion-MNIST (class Trouser)",
        ] {
            assert!(parts.caption.contains(expected), "{expected} is not in {}", parts.caption);
        }
        let rows = parts.data.unwrap().rows;
        assert_eq!(rows, [["ae", "2", "7", "1.5", "2.5", "0.75"], ["rftm", "512", "7", "1.5", "2.5", "0.75"]]);
        let glyphs = drawn(&[("ae-002.csv", training("ae", 2, 7, "glyphs"))]).unwrap();
        assert!(!glyphs.caption.contains(" MNIST"), "{}", glyphs.caption);
    }

    #[test]
    fn files_of_two_experiments_are_refused() {
        let files = [("ae-002.csv", training("ae", 2, 7, "mnist")), ("ae-004.csv", training("ae", 4, 8, "mnist"))];
        let message = drawn(&files).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("ae-004.csv, line 1: another experiment"), "{message}");
        let files = [("ae-002.csv", training("ae", 2, 7, "mnist").replace("# seed: 7\n", ""))];
        let message = drawn(&files).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("the header lacks seed"), "{message}");
    }
}
