use std::io::{self, Write};

use anyhow::{Context, Result};
use rftm::{Detector, Layout};
use serde::Serialize;

use crate::args::EvalArgs;
use crate::exit::usage;
use crate::input::{self, Labels, Values, arrays};
use crate::progress::Counter;
use crate::stream::each_batch;

/// How well scores and threshold agree with labels.
#[derive(Debug, Serialize)]
struct Evaluation {
    normal: usize,
    anomalous: usize,
    auroc: f64,
    average_precision: f64,
    best_f1: f64,
    threshold: f64,
    precision: f64,
    recall: f64,
    f1: f64,
    false_positive_rate: f64,
}

pub(crate) fn run(args: &EvalArgs) -> Result<()> {
    let detector = Detector::load(&args.on.model)?;
    let labels = match (&args.label, &args.labels, &args.normal) {
        (Some(column), _, normal) => {
            let values = match (&args.anomaly, normal) {
                (Some(values), _) => Values::Anomalous(values.clone()),
                (None, Some(values)) => Values::Normal(values.clone()),
                (None, None) => Values::Usual,
            };
            Labels::Column(column.clone(), values)
        }
        (_, Some(file), _) => Labels::List(arrays::labels(file)?),
        (.., Some(normal)) => Labels::Folder(normal.clone()),
        _ => return usage("say where the labels are: --label COLUMN, --normal FOLDER or --labels FILE"),
    };
    let layout: &Layout = &detector.features().layout;
    let mut source = input::open(&args.on.input, &args.on.read, args.on.resize, detector.card(), labels)?;
    let counter = Counter::of("rows", source.rows(), args.on.read.quiet);
    let (mut truth, mut scores) = (Vec::new(), Vec::new());
    each_batch(&mut *source, &args.on.input, layout, |data, samples| {
        truth.extend(samples.iter().map(|sample| sample.first.label == Some(true)));
        scores.extend(detector.score(data)?);
        counter.add(samples.len() as u64);
        Ok(true)
    })?;
    drop(counter);
    let result = evaluate(&detector, &truth, &scores).with_context(|| args.on.input.display().to_string())?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        return Ok(());
    }
    let percent = |share: f64| 100.0 * share;
    writeln!(out, "samples             {} normal, {} anomalous", result.normal, result.anomalous)?;
    writeln!(out, "AUROC               {:.2} %", percent(result.auroc))?;
    writeln!(out, "average precision   {:.2} %", percent(result.average_precision))?;
    writeln!(out, "best F1             {:.2} % (the best threshold in hindsight)", percent(result.best_f1))?;
    writeln!(out, "\nat the threshold {:.4}:", result.threshold)?;
    writeln!(out, "precision           {:.2} %", percent(result.precision))?;
    writeln!(out, "recall              {:.2} %", percent(result.recall))?;
    writeln!(out, "F1                  {:.2} %", percent(result.f1))?;
    writeln!(out, "false positives     {:.2} % of the normal samples", percent(result.false_positive_rate))?;
    Ok(())
}

fn evaluate(detector: &Detector, truth: &[bool], scores: &[f32]) -> Result<Evaluation> {
    let exact: Vec<f64> = scores.iter().copied().map(f64::from).collect();
    let summary = rftm_metrics::Summary::new(truth, &exact)?;
    let count = |flagged: bool, anomalous: bool| {
        let pairs = truth.iter().zip(scores);
        pairs.filter(|&(&label, &score)| label == anomalous && detector.is_anomalous(score) == flagged).count()
    };
    let (hits, misses, alarms, passes) =
        (count(true, true), count(false, true), count(true, false), count(false, false));
    // Nothing flagged: no flag was right.
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    Ok(Evaluation {
        normal: alarms + passes,
        anomalous: hits + misses,
        auroc: summary.auroc,
        average_precision: summary.auprc,
        best_f1: summary.f1,
        threshold: detector.threshold().value,
        precision: share(hits, hits + alarms),
        recall: share(hits, hits + misses),
        f1: share(2 * hits, 2 * hits + misses + alarms),
        false_positive_rate: share(alarms, alarms + passes),
    })
}
