use std::io::{self, Write};

use anyhow::Result;
use rftm::{Detector, Layout, Missing, write_atomic};

use crate::args::ExportArgs;
use crate::commands::inspect;
use crate::output;

pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    output::is_file(&args.output, "a graph")?;
    output::is_none_of(&args.output, &[&args.model])?;
    let detector = Detector::load(&args.model)?;
    let graph = detector.export_onnx()?;
    write_atomic(&args.output, |out| out.write_all(&graph))?;
    let mut out = io::stdout().lock();
    let shape: Vec<String> = detector.features().shape().iter().map(usize::to_string).collect();
    writeln!(out, "{}: {} KiB; input (batch, {})", args.output.display(), graph.len() / 1024, shape.join(", "))?;
    let (value, rule) = (detector.threshold().value, inspect::rule(&detector));
    writeln!(out, "an anomaly has a score above {value:.6} ({rule})")?;
    let is_image = matches!(detector.features().layout, Layout::Images { .. });
    if detector.features().missing == Missing::Refuse && !is_image {
        writeln!(
            out,
            "a missing value (NaN) is not refused there: its sample scores NaN, which is not above the threshold"
        )?;
    }
    if let Layout::Table { columns } = &detector.features().layout
        && columns.iter().any(|column| column.levels.is_some())
    {
        writeln!(
            out,
            "categorical columns are indicators there, in the order of the note \"rftm.inputs\" in the graph's metadata"
        )?;
    }
    Ok(())
}
