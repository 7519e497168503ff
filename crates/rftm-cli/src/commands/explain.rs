use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rftm::{Contribution, Data, Detector, Explanation, Features, Layout, Pattern, Value};
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
            let text = serde_json::to_string(&Line::new(kept, &why, args.features, detector.features()))?;
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

/// The most anomalous samples, the worst first. Windows overlap, and all those with a spike in them are as odd as it: of
/// windows with a common row only the worst is kept, so an event stands there once.
struct Worst {
    top: usize,
    kept: Vec<Kept>,
    /// Last row and score of each sample that the next may share a row with.
    recent: Vec<(u64, f32)>,
    /// The worst of them, unless a still worse one overlapped it: no other of them can be kept.
    candidate: Option<Kept>,
}

impl Worst {
    fn new(top: usize) -> Self {
        Self { top, kept: Vec::new(), recent: Vec::new(), candidate: None }
    }

    /// Samples come in the order of their rows.
    fn add(&mut self, sample: &Sample, score: f32, values: impl FnOnce() -> Vec<f32>) {
        self.recent.retain(|&(last, _)| last >= sample.first.row);
        // Of equal scores the first stays.
        let beaten = self.recent.iter().any(|&(_, other)| other >= score);
        self.recent.push((sample.last, score));
        if self.candidate.as_ref().is_some_and(|other| other.sample.last < sample.first.row) {
            self.settle();
        }
        if !beaten {
            self.candidate = Some(Kept { score, sample: sample.clone(), values: values() });
        }
    }

    /// The candidate shares no row with what comes.
    fn settle(&mut self) {
        let Some(candidate) = self.candidate.take() else { return };
        let place = self.kept.partition_point(|other| other.score >= candidate.score);
        self.kept.insert(place, candidate);
        self.kept.truncate(self.top);
    }
}

/// The samples to explain: the most anomalous, or those that were asked for.
fn keep(args: &ExplainArgs, detector: &Detector) -> Result<Vec<Kept>> {
    let mut source = input::open(&args.on.input, &args.on.read, args.on.resize, detector.card(), Labels::None)?;
    let counter = Counter::of("rows", source.rows(), args.on.read.quiet);
    let mut worst = Worst::new(args.top);
    let mut wanted: BTreeMap<u64, Option<Kept>> = args.rows.iter().map(|&row| (row, None)).collect();
    let by_score = wanted.is_empty();
    each_batch(&mut *source, &args.on.input, &detector.features().layout, |data, samples| {
        for (index, (sample, score)) in samples.iter().zip(detector.score(data)?).enumerate() {
            let values = || data.sample(index).to_vec();
            if by_score {
                worst.add(sample, score, values);
            } else if let Some(found) = wanted.get_mut(&sample.first.row) {
                *found = Some(Kept { score, sample: sample.clone(), values: values() });
            }
        }
        counter.add(samples.len() as u64);
        Ok(by_score || wanted.values().any(Option::is_none))
    })?;
    if by_score {
        worst.settle();
        return Ok(worst.kept);
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

/// With as many digits as it needs not to read 0: it is at least 1 in the number of calibration samples.
fn p_value(p: f64) -> String {
    if p < 0.001 { format!("{p:.1e}") } else { format!("{p:.4}") }
}

fn write_text(out: &mut dyn Write, detector: &Detector, kept: &Kept, why: &Explanation, features: usize) -> Result<()> {
    let verdict = if why.anomalous { "anomalous" } else { "normal" };
    let threshold = detector.threshold().value;
    writeln!(
        out,
        "{}: score {:.4}, threshold {threshold:.4}, p-value {}: {verdict}",
        title(kept),
        why.score,
        p_value(why.p_value)
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
    patterns: Vec<Slot>,
}

/// A pattern as JSON: of categories their names.
#[derive(Serialize)]
struct Slot {
    slot: usize,
    weight: f32,
    values: Vec<Value>,
}

impl<'a> Line<'a> {
    fn new(kept: &'a Kept, why: &'a Explanation, features: usize, known: &Features) -> Self {
        let image = kept.sample.first.name.as_deref();
        // Decoded pixels are in the heat map's file; as text they would bury the rest.
        let patterns = if matches!(known.layout, Layout::Images { .. }) { &[] } else { &why.patterns[..] };
        let slot = |pattern: &Pattern| Slot {
            slot: pattern.slot,
            weight: pattern.weight,
            values: pattern.values.iter().enumerate().map(|(index, &value)| known.value(index, value)).collect(),
        };
        let patterns = patterns.iter().map(slot).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Id;

    #[test]
    fn of_samples_with_a_common_row_the_worst_is_kept() {
        let check = |width: u64, top: usize, scores: &[f32], expected: &[u64]| {
            let mut worst = Worst::new(top);
            for (first, &score) in (1..).zip(scores) {
                worst.add(&Sample { first: Id::row(first), last: first + width - 1 }, score, Vec::new);
            }
            worst.settle();
            let rows: Vec<u64> = worst.kept.iter().map(|kept| kept.sample.first.row).collect();
            assert_eq!(rows, expected, "width {width}, {scores:?}");
        };
        check(1, 3, &[1.0, 9.0, 5.0, 9.0, 7.0], &[2, 4, 5]);
        check(1, 0, &[1.0, 2.0], &[]);
        // The shoulders of a peak are no events.
        check(3, 9, &[1.0, 8.0, 9.0, 8.0, 1.0, 1.0, 1.0, 2.0, 1.0], &[3, 8]);
        check(3, 1, &[1.0, 8.0, 9.0, 8.0, 1.0, 1.0, 1.0, 2.0, 1.0], &[3]);
        check(2, 9, &[5.0, 5.0, 5.0, 5.0], &[1]);
        check(2, 9, &[5.0, 4.0, 5.0], &[1, 3]);
    }
}
