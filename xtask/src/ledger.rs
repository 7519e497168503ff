//! Ledgers: merge, show, verify.

use std::process::ExitCode;

use anyhow::Result;
use rftm_experiments::{Ledger, Metric, Outcome, Record, duration, merge, verify};

use crate::cli;
use crate::output::print;
use crate::paths::{Origin, RESULTS};

pub(crate) fn run(command: &cli::Ledger) -> Result<ExitCode> {
    let origin = Origin::leave()?;
    match command {
        cli::Ledger::Merge { inputs, out } => {
            let inputs: Vec<_> = inputs.iter().map(|input| origin.resolve(input)).collect();
            let out = origin.resolve(out);
            let merged = merge(&inputs, &out)?;
            merged.torn.iter().for_each(|torn| tell!("warning: {torn}"));
            merged.conflicts.iter().for_each(|conflict| tell!("conflict: {conflict}"));
            for (key, cell) in &merged.unscored {
                tell!("problem: {key} ({cell}): no input has scores of it that can be read");
            }
            print(&format!("{} records and {} score files in {}\n", merged.records, merged.scores, out.display()))?;
            Ok(code(merged.conflicts.is_empty() && merged.unscored.is_empty()))
        }
        cli::Ledger::Show { out } => {
            let (ledger, torn) = Ledger::read_existing(&origin.or_default(out.as_ref(), RESULTS))?;
            let line = |record: &Record| {
                let result = match &record.outcome {
                    Outcome::Finished(finished) => {
                        let [auroc, auprc, f1] = Metric::ALL.map(|metric| finished.metrics.percent(metric));
                        let (epochs, time) = (finished.epochs, duration(finished.seconds));
                        let warnings: String =
                            finished.warnings.iter().map(|warning| format!("  warning: {warning}")).collect();
                        format!("AUROC {auroc:.2}  AUPRC {auprc:.2}  F1 {f1:.2}  {epochs} epochs  {time}{warnings}")
                    }
                    Outcome::Failed { error } => format!("failed: {}", error.lines().next().unwrap_or_default()),
                };
                format!("{}  {}, {}: {result}\n", record.key, record.cell, record.cell.reading())
            };
            print(&ledger.records().map(line).collect::<String>())?;
            torn.iter().for_each(|torn| tell!("warning: {torn}"));
            Ok(ExitCode::SUCCESS)
        }
        cli::Ledger::Verify { out } => {
            let out = origin.or_default(out.as_ref(), RESULTS);
            let found = verify(&out)?;
            found.torn.iter().for_each(|torn| tell!("warning: {torn}"));
            found.problems.iter().for_each(|problem| tell!("problem: {problem}"));
            print(&format!(
                "{}: {} finished cells, {} of them recomputed from their scores, {} of another revision; {} failed\n",
                out.display(),
                found.finished,
                found.recomputed,
                found.outdated,
                found.failed
            ))?;
            Ok(code(found.problems.is_empty()))
        }
    }
}

fn code(fine: bool) -> ExitCode {
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
