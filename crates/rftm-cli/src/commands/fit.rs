use std::io::{self, Write};

use anyhow::{Context, Result};
use rftm::{Detector, check_writable};

use crate::args::FitArgs;
use crate::commands::inspect;
use crate::progress::{Watch, interrupt};
use crate::{input, output};

pub(crate) fn run(args: FitArgs) -> Result<()> {
    output::is_file(&args.output, "a model")?;
    output::is_none_of(&args.output, &[&args.input])?;
    check_writable(&args.output)?;
    let (data, origin) = input::load(&args)?;
    let mut builder =
        Detector::builder().kind(args.model).seed(args.seed).scaling(args.scaling).missing(args.missing).origin(origin);
    if !args.widths.is_empty() {
        builder = builder.widths(&args.widths.iter().map(|width| width.get()).collect::<Vec<_>>());
    }
    if let Some(rule) = args.rule.rule() {
        builder = builder.threshold(rule);
    }
    if let Some(epochs) = args.epochs {
        builder = builder.max_epochs(epochs.get());
    }
    if let Some(size) = args.batch_size {
        builder = builder.batch_size(size.get());
    }
    if let Some(rate) = args.learning_rate {
        builder = builder.learning_rate(rate);
    }
    if let Some(patience) = args.patience {
        builder = builder.patience(patience.get());
    }
    let plan = builder.plan(&data).with_context(|| args.input.display().to_string())?;
    let mut watch = Watch::new(plan.config().max_epochs, args.read.quiet, interrupt()?);
    let detector = plan.fit(&mut watch)?;
    drop(watch);
    detector.save(&args.output)?;
    let mut out = io::stdout().lock();
    inspect::summary(&mut out, &detector)?;
    writeln!(out, "saved         {}", args.output.display())?;
    Ok(())
}
