use std::io::{self, Write};

use anyhow::Result;
use rftm::{Architecture, Card, Detector, Layout, MemorySpec, Rule};

use crate::args::InspectArgs;

pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let detector = Detector::load(&args.model)?;
    let mut out = io::stdout().lock();
    if args.json {
        let text = serde_json::to_string_pretty(detector.card())?;
        writeln!(out, "{text}")?;
        return Ok(());
    }
    summary(&mut out, &detector)?;
    let Card { library, origin, features, .. } = detector.card();
    if let Layout::Table { columns } = &features.layout {
        let names: Vec<String> = columns
            .iter()
            .map(|column| match &column.levels {
                None => column.name.clone(),
                Some(levels) => format!("{} ({})", column.name, levels.join(" | ")),
            })
            .collect();
        writeln!(out, "columns       {}", names.join(", "))?;
    } else if let Layout::Series { columns, .. } = &features.layout {
        writeln!(out, "columns       {}", columns.join(", "))?;
    }
    writeln!(out, "trained on    {}, sha256 {}", origin.source.as_deref().unwrap_or("numbers"), origin.sha256)?;
    writeln!(out, "written by    rftm {library}")?;
    Ok(())
}

/// What was chosen and how the training went.
pub(crate) fn summary(out: &mut dyn Write, detector: &Detector) -> Result<()> {
    let Card { spec, features, training, .. } = detector.card();
    let config = &training.config;
    writeln!(out, "model         {}, {}", spec.kind(), memory(&spec.memory))?;
    writeln!(out, "layers        {}", layers(&spec.architecture))?;
    writeln!(out, "data          {}", features.layout)?;
    let scaling = match features.layout {
        Layout::Images { .. } => "pixels to [-1, 1]".to_owned(),
        _ => format!("{}, missing values: {}", features.scaling, features.missing),
    };
    writeln!(out, "scaling       {scaling}")?;
    writeln!(
        out,
        "samples       {} to train, {} to stop in time, {} to calibrate",
        training.samples, training.validation, training.calibration
    )?;
    writeln!(
        out,
        "training      {} epochs of at most {}, best {}; batch {}, learning rate {}, patience {}, seed {}",
        training.epochs,
        config.max_epochs,
        training.best_epoch,
        config.batch_size,
        config.learning_rate,
        config.patience,
        config.seed
    )?;
    writeln!(out, "error         {:.4} on samples it did not train on", training.validation_loss)?;
    let (value, rule) = (detector.threshold().value, self::rule(detector));
    writeln!(out, "threshold     {value:.4} ({rule}); higher scores are anomalous")?;
    for warning in &training.warnings {
        writeln!(out, "note          {warning}")?;
    }
    Ok(())
}

/// Where the threshold came from, and what it promises.
pub(crate) fn rule(detector: &Detector) -> String {
    let rule = detector.threshold().rule;
    match (detector.false_positive_range(), &detector.features().layout, rule) {
        (Some([low, high]), ..) => {
            format!("{rule}; of calibrations like this 9 in 10 truly have {:.2} to {:.2} %", 100.0 * low, 100.0 * high)
        }
        (None, Layout::Series { .. }, Rule::FalsePositiveRate(_)) => {
            format!("{rule} of the calibration windows; no guarantee, windows depend on each other")
        }
        _ => rule.to_string(),
    }
}

fn layers(architecture: &Architecture) -> String {
    let join = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    match architecture {
        Architecture::Mlp { widths } => format!("fully connected {}, mirrored", join(widths)),
        Architecture::Conv { image: [height, width], channels, kernel, stride, .. } => {
            format!("convolutions {} on {width}x{height}, kernel {kernel}, stride {stride}, mirrored", join(channels))
        }
    }
}

fn memory(memory: &MemorySpec) -> String {
    match memory {
        MemorySpec::None => "no memory".to_owned(),
        MemorySpec::Twin { hippocampus, cortex, .. } => {
            let part = |name: &str, unit: &rftm::UnitConfig| {
                let k = unit.top_k.map_or_else(|| "all".to_owned(), |k| k.to_string());
                format!("{name} {{{} slots, k {k}, forgetting {}}}", unit.capacity, unit.forgetting_rate)
            };
            let parts = [("hippocampus", hippocampus), ("cortex", cortex)];
            let parts: Vec<String> =
                parts.iter().filter_map(|(name, unit)| unit.as_ref().map(|unit| part(name, unit))).collect();
            parts.join(", ")
        }
        MemorySpec::MemAe(config) => format!("{} slots", config.capacity),
        MemorySpec::Mnad(config) => format!("{} items", config.capacity),
    }
}
