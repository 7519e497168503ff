use std::io::{self, Write};

use anyhow::Result;
use rftm::{Detector, Rule};

use crate::args::ThresholdArgs;
use crate::commands::inspect;
use crate::exit::usage;
use crate::output;

pub(crate) fn run(args: &ThresholdArgs) -> Result<()> {
    if let Some(output) = &args.output {
        output::is_file(output, "a model")?;
    }
    let mut detector = Detector::load(&args.model)?;
    let mut out = io::stdout().lock();
    let Some(rule) = args.rule.rule() else {
        if args.output.is_some() {
            return usage("--output: there is nothing to change; name --fpr, --quantile, --contamination or --value");
        }
        return show(&mut out, &mut detector);
    };
    let before = (detector.threshold().value, inspect::rule(&detector));
    detector.set_threshold(rule)?;
    let path = args.output.as_deref().unwrap_or(&args.model);
    detector.save(path)?;
    writeln!(out, "before  {:.6} ({})", before.0, before.1)?;
    writeln!(out, "now     {:.6} ({})", detector.threshold().value, inspect::rule(&detector))?;
    Ok(())
}

/// The threshold, and what others would be.
fn show(out: &mut dyn Write, detector: &mut Detector) -> Result<()> {
    writeln!(out, "now     {:.6} ({})", detector.threshold().value, inspect::rule(detector))?;
    let scores = detector.calibration();
    if let (Some(least), Some(most)) = (scores.first(), scores.last()) {
        writeln!(out, "{} calibration scores from {least:.6} to {most:.6}", scores.len())?;
    }
    writeln!(out, "\n   --fpr  threshold")?;
    for rate in [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2] {
        match detector.set_threshold(Rule::FalsePositiveRate(rate)) {
            Ok(()) => writeln!(out, "{rate:>8}  {:.6}", detector.threshold().value)?,
            Err(_) => writeln!(out, "{rate:>8}  cannot be promised by so few calibration scores")?,
        }
    }
    Ok(())
}
