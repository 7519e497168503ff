//! Figure 1.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::*;
use rftm_data::{DatasetId, Scaling};
use rftm_experiments::Catalogue;
use rftm_models::ModelKind;

use super::Parts;
use super::canvas::{
    Axes, FAINT, HPos, INK, Mark, TEXT, VPos, bold, chart, legend, model_colour, model_title, plain, render, sprite,
    steps, text,
};
use crate::error::{Error, IoContext, Result};
use crate::figure::{Figure, WIDTH_EXAMPLES, WIDTH_MODELS, WIDTH_POWERS, widths_folder};
use crate::sheet::Sheet;
use crate::width::{Origin, SETS, Setting, TestSet, Width};

/// By model and width.
type Points = BTreeMap<(ModelKind, usize), Width>;

/// What all trainings of the figure share: the setting, and the numbers of the example images.
type Common = (Setting, [usize; 2]);

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
        let Some(point) = Width::read(&path)? else { continue };
        let found = (point.header.setting.clone(), point.examples);
        if let Some(common) = common.as_ref().filter(|common| **common != found) {
            let message = format!("another experiment than the files before it: {found:?}, not {common:?}");
            return Err(Error::Sheet { path, line: 1, message });
        }
        common = Some(found);
        points.insert((point.header.kind, point.header.neurons), point);
    }
    Ok(common.map(|common| (common, points)))
}

/// Figure 1 from as many trainings as there are; none if there is none.
pub(crate) fn draw(catalogue: &Catalogue, out: &Path) -> Result<Option<Parts>> {
    let Some((common, points)) = read(&widths_folder(out))? else { return Ok(None) };
    let sets = [0, 1].map(|set| Set::new(catalogue, common.0.sets[set].id, WIDTH_EXAMPLES[set]));
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
    fn new(catalogue: &Catalogue, id: DatasetId, example: u8) -> Self {
        let known = catalogue.protocol.dataset(id);
        let class = known.and_then(|known| known.class_name(example));
        Self {
            title: known.map_or_else(|| id.to_string(), |known| known.title.clone()),
            classes: known.map_or(0, |known| known.classes.len()),
            example: class.map_or_else(|| example.to_string(), str::to_owned),
        }
    }
}

fn caption((setting, examples): &Common, [normal, other]: &[Set; 2], points: &Points) -> String {
    let Setting { layers, seed, convention, trial, .. } = setting;
    let pixels = match convention.scaling() {
        Scaling::Symmetric => "[-1, 1]",
        Scaling::Unit => "[0, 1]",
    };
    let trial = trial.as_ref().map(|trial| format!("**A trial, {trial}.** ")).unwrap_or_default();
    let widths = || points.keys().map(|(_, width)| *width);
    let (low, high) = (widths().min().unwrap_or(0), widths().max().unwrap_or(0));
    let count = points.len();
    let all = WIDTH_MODELS.len() * WIDTH_POWERS.count();
    let example = |set: &Set, index: usize| format!("test image {index} of {} (class {})", set.title, set.example);
    // The narrowest layer is the bottleneck, whatever the figure calls so.
    let before = layers.last().copied().unwrap_or(0);
    let wider: BTreeSet<String> = widths().filter(|width| *width > before).map(|width| width.to_string()).collect();
    let wider = match wider.len() {
        0 => String::new(),
        _ => format!(
            " At b = {} the layer of {before} before it is narrower, and so the bottleneck.",
            wider.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    format!(
        "{trial}Fully connected models {layers}-b, the bottleneck b from {low} to {high} and the other layers as in the paper's autoencoder, \
         trained on all {classes} classes of {title}, seed {seed}, convention `{convention}`, {count} of {all} trainings.{wider} Error: the \
         mean score (Eq. 1, pixels in {pixels}) of the {title} test images, which are normal, and of the {other} test images, \
         which are anomalous. AUROC: the former against the latter; dashed: chance. Below: {first} and {second}, counted from 0, and \
         what each model makes of them. RFTM is beyond the paper's figure. These trainings hold no class out, so the ledger does \
         not have them; layers, hyper-parameters, seed, convention and the digest of the weights stand in the data. {origin}",
        layers = layers.iter().map(ToString::to_string).collect::<Vec<_>>().join("-"),
        classes = normal.classes,
        title = normal.title,
        other = other.title,
        first = example(normal, examples[0]),
        second = example(other, examples[1]),
        origin = origin(points),
    )
}

/// When, where and by what code the trainings were captured.
fn origin(points: &Points) -> String {
    let origins = || points.values().map(|point| &point.origin);
    let each = |of: fn(&Origin) -> String| {
        let all: BTreeSet<String> = origins().map(of).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    let dates: BTreeSet<&str> = origins().map(|origin| origin.captured.get(..10).unwrap_or("?")).collect();
    let (first, last) = (dates.first().copied().unwrap_or("?"), dates.last().copied().unwrap_or("?"));
    let dates = if first == last { first.to_owned() } else { format!("{first} to {last}") };
    let before = origins().filter(|origin| origin.epochs_here < origin.epochs).count();
    let before = match before {
        0 => String::new(),
        _ => format!(
            " The weights of {before} of {} were trained before that, wholly or in part, and saved.",
            points.len()
        ),
    };
    format!(
        "Captured {dates} by code of commit {} (a + after it: sources differed) on {}, threads {}.{before}",
        each(|origin| format!("`{}`", origin.short_commit())),
        each(|origin| origin.cpu.clone()),
        each(|origin| origin.threads.to_string()),
    )
}

/// The numbers of the figure in one file; images and quantiles are in the files of the trainings.
fn sheet((setting, _): &Common, points: &Points) -> Sheet {
    let columns =
        ["model", "neurons", "layers", "seed", "convention", "epochs", "best epoch", "normal", "anomalous", "auroc"];
    let origin = ["weights", "commit", "threads", "captured"];
    let mut sheet = Sheet::new(&[&columns[..], &origin].concat());
    let Setting { seed, convention, training, sets, trial, .. } = setting;
    sheet.note("figure", Figure::Fig1.id());
    sheet.note("command", Figure::Fig1.command());
    if let Some(trial) = trial {
        sheet.note("trial", trial);
    }
    sheet.note("training", training);
    for (name, TestSet { id, checksum }) in SETS.into_iter().zip(sets) {
        sheet.note(name, format!("test images of {id}, SHA-256 {checksum}"));
    }
    let memories: BTreeSet<(ModelKind, &str)> =
        points.values().map(|point| (point.header.kind, point.header.memory.as_str())).collect();
    memories.into_iter().for_each(|(kind, memory)| sheet.note("memory", format!("{kind}: {memory}")));
    let cpus: BTreeSet<&str> = points.values().map(|point| point.origin.cpu.as_str()).collect();
    cpus.into_iter().for_each(|cpu| sheet.note("cpu", cpu));
    for ((model, neurons), Width { header, origin, mean, auroc, .. }) in points {
        let named = [model.to_string(), neurons.to_string(), header.layers(), seed.to_string(), convention.to_string()];
        let epochs = [origin.epochs, origin.best_epoch].map(|epoch| epoch.to_string());
        let numbers = [mean[0], mean[1], *auroc].map(|number| number.to_string());
        let from = [origin.weights.clone(), origin.commit.clone(), origin.threads.to_string(), origin.captured.clone()];
        sheet.push(named.into_iter().chain(epochs).chain(numbers).chain(from).collect());
    }
    sheet
}

const LABEL: &str = "Mean reconstruction error of normal and anomalous images, and AUROC, against the number of bottleneck \
                     neurons, with example reconstructions.";

fn picture(points: &Points, titles: &[String; 2]) -> Result<String> {
    let powers = || WIDTH_POWERS.map(f64::from);
    let power = |width: usize| width.max(1).ilog2();
    let series = |model: ModelKind, value: &dyn Fn(&Width) -> f64| -> Vec<(f64, f64)> {
        let of_model = points.iter().filter(|((one, _), _)| *one == model);
        of_model.map(|((_, width), point)| (f64::from(power(*width)), value(point))).collect()
    };
    let colour = |model: ModelKind| model_colour(model.name());
    let top = points.values().flat_map(|point| point.mean).fold(1.0, f64::max) * 1.05;
    let neurons = |value: &f64| format!("{:.0}", value.exp2());
    render("fig1", (1800, 1350), LABEL, |area, overlay| {
        let of_models =
            WIDTH_MODELS.map(|model| (Mark::Line(6, 1.0), colour(model), model_title(model.name()).to_owned()));
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
        for model in WIDTH_MODELS {
            let style = colour(model).stroke_width(4);
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
        let heading = bold(TEXT, INK, HPos::Left, VPos::Center);
        area.draw_text("Reconstructions, by bottleneck neurons", &heading, (60, top - 76))?;
        let centre = text(TEXT - 4, FAINT, HPos::Center, VPos::Center);
        area.draw_text("input", &centre, (left + 56, top - 26))?;
        for column in WIDTH_POWERS {
            area.draw_text(&(1_u32 << column).to_string(), &centre, (left + column as i32 * cell + 56, top - 26))?;
        }
        for (row, (set, model)) in (0..).zip([0, 1].into_iter().flat_map(|set| WIDTH_MODELS.map(|model| (set, model))))
        {
            let y = top + row * line;
            let name = bold(TEXT, colour(model), HPos::Left, VPos::Center);
            area.draw_text(model_title(model.name()), &name, (60, y + 56))?;
            let of_model = || points.iter().filter(|((one, _), _)| *one == model);
            let input = of_model().next().map(|(_, point)| (0, &point.input[set]));
            let outputs = of_model().map(|((_, width), point)| (power(*width) as i32, &point.output[set]));
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
    use crate::width::PIXELS;

    /// A file as the capture writes it; a test there captures and draws a real one.
    fn training(model: &str, neurons: u32, seed: u64, set: &str) -> String {
        let image = "00".repeat(PIXELS);
        let rows = |set: &str, mean: f64, index: u32| {
            let quantiles: String = ["05", "25", "50", "75", "95"].map(|q| format!("q{q},{set},1,\n")).concat();
            format!("mean,{set},{mean},\n{quantiles}input,{set},{index},{image}\noutput,{set},{mean},{image}\n")
        };
        format!(
            "# figure: fig1\n# model: {model}\n# neurons: {neurons}\n# layers: 49-32-{neurons}\n# memory: none\n\
             # training: quick\n# seed: {seed}\n# convention: text\n# normal: test images of {set}, SHA-256 ab\n\
             # anomalous: test images of fashion-mnist, SHA-256 cd\n# epochs: 7\n# best epoch: 5\n# epochs here: 7\n\
             # weights: ef\n# captured: 2026-01-0{seed}T00:00:00Z\n# commit: 0123456789abcdef+\n# cpu: a CPU, fast\n\
             # threads: 2\n# rows: 17\nwhat,set,value,pixels\n{}{}auroc,both,0.75,\n",
            rows("normal", 1.5, 8),
            rows("anomalous", 2.5, 2)
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
            "At b = 512 the layer of 32 before it is narrower",
            "pixels in [0, 1]",
            "the Fashion-MNIST test images",
            "test image 8 of MNIST (class 5) and test image 2 of Fashion-MNIST (class Trouser)",
            "Captured 2026-01-07 by code of commit `0123456789+` (a + after it: sources differed) on a CPU, fast, threads 2.",
        ] {
            assert!(parts.caption.contains(expected), "{expected} is not in {}", parts.caption);
        }
        assert!(!parts.caption.contains("trained before"), "{}", parts.caption);
        let data = parts.data.unwrap();
        let text = data.text();
        for expected in ["# cpu: a CPU, fast\n", "# training: quick\n", "# memory: rftm: none\n", "mnist, SHA-256 ab\n"]
        {
            assert!(text.contains(expected), "{text}");
        }
        let row = |model: &str, neurons: &str| {
            let rest = "7,text,7,5,1.5,2.5,0.75,ef,0123456789abcdef+,2,2026-01-07T00:00:00Z";
            format!("{model},{neurons},49-32-{neurons},{rest}")
        };
        let rows: Vec<String> = data.rows.iter().map(|fields| fields.join(",")).collect();
        assert_eq!(rows, [row("ae", "2"), row("rftm", "512")]);
        let file = training("ae", 2, 7, "glyphs").replace("epochs here: 7", "epochs here: 0");
        let glyphs = drawn(&[("ae-002.csv", file)]).unwrap();
        assert!(!glyphs.caption.contains(" MNIST") && !glyphs.caption.contains("narrower"), "{}", glyphs.caption);
        assert!(glyphs.caption.contains("The weights of 1 of 1 were trained before that"), "{}", glyphs.caption);
    }

    #[test]
    fn files_of_two_experiments_are_refused() {
        let files = [("ae-002.csv", training("ae", 2, 7, "mnist")), ("ae-004.csv", training("ae", 4, 8, "mnist"))];
        let message = drawn(&files).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("ae-004.csv, line 1: another experiment"), "{message}");
    }

    /// Wrong numbers, and rows that are not there, are errors with a file and a line; none is drawn, and none hangs.
    #[test]
    fn damage_is_named_by_file_and_line() {
        let check = |name: &str, change: &dyn Fn(&str) -> String, expected: &str| {
            let text = change(&training("ae", 2, 7, "mnist"));
            let rows = text.lines().filter(|line| !line.starts_with('#')).count() - 1;
            let text = text.replace("# rows: 17", &format!("# rows: {rows}"));
            let message = drawn(&[(name, text)]).map(|_| ()).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected} is not in {message}");
        };
        let replaced = |from: &'static str, to: &'static str| {
            move |text: &str| {
                assert!(text.contains(from));
                text.replacen(from, to, 1)
            }
        };
        let neurons = |neurons: u32| move |_: &str| training("ae", neurons, 7, "mnist");
        let without = |start: &'static str| {
            move |text: &str| text.split_inclusive('\n').filter(|line| !line.starts_with(start)).collect::<String>()
        };
        check("ae-000.csv", &neurons(0), "ae-000.csv, line 3: 0 is no width of the figure");
        check("ae-003.csv", &neurons(3), "3 is no width");
        check("ae-1024.csv", &neurons(1024), "1024 is no width");
        check("ae-004.csv", &neurons(2), "ae-004.csv, line 1: the training ae-002");
        check(
            "memae-002.csv",
            &|_| training("memae", 2, 7, "mnist"),
            "memae-002.csv, line 2: memae is no model of the figure",
        );
        check("ae-002.csv", &|_| training("cnn", 2, 7, "mnist"), "line 2: model is \"cnn\"");
        check("ae-002.csv", &replaced("# figure: fig1", "# figure: fig3"), "line 1: data of fig3, not of fig1");
        check("ae-002.csv", &replaced("49-32-2", "49-32-4"), "line 4: layers are \"49-32-4\"");
        check("ae-002.csv", &replaced("# commit", "# comment"), "ae-002.csv, line 1: the header lacks commit");
        check("ae-002.csv", &replaced("# seed: 7\n", ""), "the header lacks seed");
        check("ae-002.csv", &without("mean,normal"), "ae-002.csv, line 36: there is no mean of normal");
        check("ae-002.csv", &without("auroc"), "line 36: there is no auroc of both");
        check("ae-002.csv", &without("output,anomalous"), "line 36: there is no output of anomalous");
        check("ae-002.csv", &replaced("mean,normal", "means,normal"), "line 21: means of normal is nothing");
        check("ae-002.csv", &replaced("q05,normal", "mean,normal"), "line 22: mean of normal is there twice");
        check(
            "ae-002.csv",
            &replaced("mean,normal,1.5", "mean,normal,-1e12"),
            "line 21: value is -1000000000000, not between",
        );
        check("ae-002.csv", &replaced("q95,normal,1,", "q95,normal,inf,"), "value is inf");
        check("ae-002.csv", &replaced("0.75", "75"), "line 37: value is 75, not between 0 and 1");
        check("ae-002.csv", &replaced("input,normal,8,00", "input,normal,8,0"), "line 27: pixels is not 784 pixels");
    }
}
