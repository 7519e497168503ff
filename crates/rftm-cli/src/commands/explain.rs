use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rftm::{Contribution, Data, Detector, Explanation, Layout, Pattern};
use serde::Serialize;

use crate::args::ExplainArgs;
use crate::commands::panel;
use crate::exit::usage;
use crate::input::{self, Labels};
use crate::progress::Counter;
use crate::stream::{Sample, each_batch};

/// A sample that is kept to be explained.
struct Kept {
    score: f32,
    sample: Sample,
    values: Vec<f32>,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<()> {
    let detector = Detector::load(&args.on.model)?;
    let layout = &detector.features().layout;
    if args.heatmaps.is_some() && !matches!(layout, Layout::Images { .. }) {
        return usage(format!("--heatmaps is for images; the model was fitted on {layout}"));
    }
    let kept = keep(args, &detector)?;
    let mut out = io::stdout().lock();
    for (rank, kept) in kept.iter().enumerate() {
        // Kept one by one: a window is a series of its own.
        let data = Data::new(layout.clone(), kept.values.clone())?;
        let Some(why) = detector.explain(&data, &[0], args.patterns)?.pop() else { continue };
        if args.json {
            let text = serde_json::to_string(&Line::new(kept, &why, args.features, layout))?;
            writeln!(out, "{text}")?;
        } else {
            write_text(&mut out, &detector, kept, &why, args.features)?;
        }
        if let (Some(folder), Layout::Images { channels, height, width }) = (&args.heatmaps, layout) {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let path = folder.join(file_name(rank, kept));
            panel::write(&path, [*channels, *height, *width], &kept.values, &why)?;
            if !args.json {
                writeln!(out, "  heat map: {}\n", path.display())?;
            }
        }
    }
    Ok(())
}

/// The samples to explain: the most anomalous, or those that were asked for.
fn keep(args: &ExplainArgs, detector: &Detector) -> Result<Vec<Kept>> {
    let mut source = input::open(&args.on.input, &args.on.read, args.on.resize, detector.features(), Labels::None)?;
    let counter = Counter::of("rows", source.rows(), &args.on.read);
    let mut kept: Vec<Kept> = Vec::new();
    let mut wanted: BTreeMap<u64, Option<Kept>> = args.rows.iter().map(|&row| (row, None)).collect();
    let by_score = wanted.is_empty();
    each_batch(&mut *source, &detector.features().layout, |data, samples| {
        for (index, (sample, score)) in samples.iter().zip(detector.score(data)?).enumerate() {
            let take = || Kept { score, sample: sample.clone(), values: data.sample(index).to_vec() };
            if by_score {
                // Of equal scores the first stays.
                let place = kept.partition_point(|other| other.score >= score);
                if place < args.top {
                    kept.truncate(args.top - 1);
                    kept.insert(place, take());
                }
            } else if let Some(found) = wanted.get_mut(&sample.first.row) {
                *found = Some(take());
            }
        }
        counter.add(samples.len() as u64);
        Ok(by_score || wanted.values().any(Option::is_none))
    })?;
    if by_score {
        return Ok(kept);
    }
    if let Some((row, _)) = wanted.iter().find(|(_, found)| found.is_none()) {
        bail!("{} has no row {row} that starts a sample", args.on.input.display());
    }
    Ok(args.rows.iter().filter_map(|row| wanted.remove(row).flatten()).collect())
}

fn title(kept: &Kept) -> String {
    match &kept.sample.first.name {
        Some(name) => name.clone(),
        None if kept.sample.last != kept.sample.first.row => {
            format!("rows {} to {}", kept.sample.first.row, kept.sample.last)
        }
        None => format!("row {}", kept.sample.first.row),
    }
}

/// With the rank first, so that a folder lists the oddest first.
fn file_name(rank: usize, kept: &Kept) -> String {
    let stem = kept.sample.first.name.as_deref().and_then(|name| Path::new(name).file_stem());
    let stem = stem.map_or_else(|| kept.sample.first.row.to_string(), |stem| stem.to_string_lossy().into_owned());
    format!("{:03}-{stem}.png", rank + 1)
}

fn write_text(out: &mut dyn Write, detector: &Detector, kept: &Kept, why: &Explanation, features: usize) -> Result<()> {
    let verdict = if why.anomalous { "anomalous" } else { "normal" };
    let threshold = detector.threshold().value;
    writeln!(
        out,
        "{}: score {:.4}, threshold {threshold:.4}, p-value {:.4}: {verdict}",
        title(kept),
        why.score,
        why.p_value
    )?;
    if matches!(detector.features().layout, Layout::Images { .. }) {
        let top = why.contributions.first();
        if let Some(Contribution { name, share, .. }) = top {
            writeln!(out, "  oddest pixel: {name} ({:.1} % of the score)", 100.0 * share)?;
        }
        let slots: Vec<String> =
            why.patterns.iter().map(|pattern| format!("slot {} ({:.2})", pattern.slot, pattern.weight)).collect();
        if !slots.is_empty() {
            writeln!(out, "  compared with: {}", slots.join(", "))?;
        }
        return Ok(());
    }
    let shown = &why.contributions[..features.min(why.contributions.len())];
    let widest = shown.iter().map(|one| one.name.chars().count()).max().unwrap_or(0).max(7);
    write!(out, "   share  {:widest$}  {:>12}  {:>12}", "feature", "observed", "expected")?;
    for pattern in &why.patterns {
        write!(out, "  {:>12}", format!("slot {}", pattern.slot))?;
    }
    writeln!(out)?;
    for Contribution { index, name, observed, expected, share } in shown {
        write!(out, "  {:>5.1}%  {name:widest$}  {observed:>12}  {expected:>12}", 100.0 * share)?;
        for pattern in &why.patterns {
            write!(out, "  {:>12}", detector.features().value(*index, pattern.values[*index]))?;
        }
        writeln!(out)?;
    }
    if !why.patterns.is_empty() {
        write!(out, "  {:width$}", "weight in what the memory answered", width = 6 + 2 + widest + 2 + 12 + 2 + 12)?;
        for pattern in &why.patterns {
            write!(out, "  {:>12.3}", pattern.weight)?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    Ok(())
}

/// An explanation as JSON.
#[derive(Serialize)]
struct Line<'a> {
    row: u64,
    last_row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    score: f32,
    p_value: f64,
    anomalous: bool,
    features: &'a [Contribution],
    patterns: &'a [Pattern],
}

impl<'a> Line<'a> {
    fn new(kept: &'a Kept, why: &'a Explanation, features: usize, layout: &Layout) -> Self {
        let image = kept.sample.first.name.as_deref();
        // Decoded pixels are in the heat map's file; as text they would bury the rest.
        let patterns = if matches!(layout, Layout::Images { .. }) { &[] } else { &why.patterns[..] };
        Self {
            row: kept.sample.first.row,
            last_row: kept.sample.last,
            image,
            score: why.score,
            p_value: why.p_value,
            anomalous: why.anomalous,
            features: &why.contributions[..features.min(why.contributions.len())],
            patterns,
        }
    }
}
