use std::io::{self, Write};

use anyhow::{Context, Result};
use rftm::{Architecture, Detector, Layout, Samples};

use crate::args::FitArgs;
use crate::commands::inspect;
use crate::exit::usage;
use crate::input;
use crate::progress::{Watch, interrupt};

pub(crate) fn run(args: FitArgs) -> Result<()> {
    if args.output.as_os_str() == "-" {
        return usage("--output: a model is written to a file, not to standard output");
    }
    let (data, origin) = input::load(&args)?;
    let mut builder =
        Detector::builder().kind(args.model).seed(args.seed).scaling(args.scaling).missing(args.missing).origin(origin);
    if !args.widths.is_empty() {
        builder = builder.architecture(architecture(&data, &args.widths)?);
    }
    if let Some(rule) = args.rule.rule() {
        builder = builder.threshold(rule);
    }
    if let Some(epochs) = args.epochs {
        builder = builder.max_epochs(epochs);
    }
    if let Some(size) = args.batch_size {
        builder = builder.batch_size(size);
    }
    if let Some(rate) = args.learning_rate {
        builder = builder.learning_rate(rate);
    }
    if let Some(patience) = args.patience {
        builder = builder.patience(patience);
    }
    let plan = builder.plan(&data).with_context(|| args.input.display().to_string())?;
    let mut watch = Watch::new(plan.config().max_epochs, args.read.quiet, interrupt()?);
    let mut detector = plan.fit(&mut watch)?;
    drop(watch);
    detector.save(&args.output)?;
    let mut out = io::stdout().lock();
    inspect::summary(&mut out, &detector)?;
    writeln!(out, "saved         {}", args.output.display())?;
    Ok(())
}

/// The widths of the layers, after that of the data.
fn architecture(data: &rftm::Data, widths: &[usize]) -> Result<Architecture> {
    let layer = |first: usize| [&[first], widths].concat();
    match *data.layout() {
        Layout::Images { channels, height, width } => Ok(Architecture::conv([height, width], &layer(channels))),
        Layout::Table { ref columns } if columns.iter().any(|column| column.levels.is_some()) => {
            // Indicators of categories: how many is the features' business.
            let indicators: usize =
                columns.iter().map(|column| column.levels.as_ref().map_or(1, |levels| levels.len() + 1)).sum();
            Ok(Architecture::Mlp { widths: layer(indicators) })
        }
        Layout::Table { .. } | Layout::Series { .. } => Ok(Architecture::Mlp { widths: layer(data.features()) }),
    }
}
