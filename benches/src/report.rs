//! The document, from the records alone. What stands outside the markers is written by people and stays.

mod details;
mod steps;
mod table;

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::case::Case;
use crate::clock::median;
use crate::curves::Curve;
use crate::record::{Record, Run};
use steps::Steps;
pub(crate) use table::{Table, number};

/// The two lines of a document between which its tables are generated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

/// Those of a document with one generated part.
pub(crate) const MEASURED: Marks = Marks { begin: "<!-- measured -->", end: "<!-- end -->" };

impl Marks {
    /// A document with the part between its markers replaced; fails if it does not have both, in order.
    pub(crate) fn splice(self, document: &str, measured: &str) -> Result<String> {
        let Self { begin, end } = self;
        match (document.find(begin), document.find(end)) {
            (Some(first), Some(last)) if first < last => {
                let (before, after) = (&document[..first + begin.len()], &document[last..]);
                Ok(format!("{before}\n{measured}{after}"))
            }
            _ => bail!("the document needs a line {begin} and below it a line {end}; the tables go between them"),
        }
    }
}

/// The document with the part between the markers written anew; a new document where there was none.
///
/// # Errors
/// If the document does not have both markers, in order.
pub fn splice(document: Option<&str>, records: &[Record]) -> Result<String> {
    MEASURED.splice(document.unwrap_or("# Performance\n\n<!-- measured -->\n<!-- end -->\n"), &render(records)?)
}

/// The generated part.
///
/// # Errors
/// Never: writing into a string does not fail.
pub fn render(records: &[Record]) -> Result<String> {
    let steps = Steps::of(records);
    let mut text = String::new();
    circumstances(&mut text, records, &steps)?;
    let mut section = |title: &str, what: &str, table: Table| match table.is_empty() {
        true => Ok(()),
        false => write!(text, "\n## {title}\n\n{what}\n\n{table}"),
    };
    section(
        "Training",
        "Milliseconds for one step: forward, loss, backward, Adam; batch 256. Of PyTorch's variants the fastest counts.",
        steps.times("train"),
    )?;
    section("Scoring a batch of 256", "Milliseconds, from pixels to 256 scores.", steps.times("score256"))?;
    section(
        "Scoring one sample",
        "Milliseconds. On two threads the goal is to be no slower than on one.",
        steps.times("score1"),
    )?;
    let rate = bandwidth(records);
    let what = format!(
        "One sample uses every weight once, so no program is faster than reading them: one thread reads {} GB/s from \
         memory. Weights that stay in a cache come faster.",
        number(rate)
    );
    section("The bound for one sample", &what, steps.bounds(rate))?;
    section(
        "Peak memory",
        "The largest resident memory, in MiB, of a process that only trains on random data, on one thread.",
        steps.memory(),
    )?;
    section(
        "Share of the product's rate",
        "Floating-point operations of the matrix products of a step (2 m n k each, without the gradient by the input of \
         the first layer), and the best rate of one large product in the same process. The share is taken in each \
         process, then its median.",
        steps.rates(),
    )?;
    section("Where the time goes", "Milliseconds of a step.", steps.split())?;
    for case in Case::ALL {
        for threads in [1, 2] {
            let what = format!(
                "Milliseconds of each operation alone, at its shapes in the step, on {threads} thread{}.",
                if threads == 1 { "" } else { "s" }
            );
            let table = details::operations(records, &steps, case, threads);
            section(&format!("Operations of `{case}`, threads: {threads}"), &what, table)?;
        }
    }
    section(
        "Matrix products",
        "GFLOP/s on one thread; nt is a linear layer forward, nn its gradient by the input, tn that by the weights.",
        details::products(records),
    )?;
    section(
        "Side by side",
        "Two trainings at once, one thread each, as `--jobs 2` runs them, beside one alone.",
        details::side_by_side(records),
    )?;
    for curve in Curve::ALL {
        let what = match curve {
            Curve::Batch => {
                "Milliseconds on one thread. Batch normalisation cannot train on one value a channel, so there is no \
                 training step of one sample."
            }
            _ => {
                "Milliseconds on one thread, batch 256. The memory read alone has N = 3000, L' = 2048, nu = 0.5, k = 5; \
                 in `fc_rftm` the cortex changes (N = 1000, L' = 128, nu = 0.5, k = 5)."
            }
        };
        section(&format!("Cost by {}", curve.title()), what, details::curve(records, curve))?;
    }
    Ok(text)
}

fn circumstances(text: &mut String, records: &[Record], steps: &Steps<'_>) -> Result<()> {
    for record in records {
        if let Record::Run(run) = record {
            let Run { circumstances, simd, rounds } = run;
            let what = format!(": {rounds} processes of each kind in turn; a number is the median of their medians");
            writeln!(text, "\n{}", circumstances.sentence(&format!(", {simd}"), &what))?;
        }
    }
    let notes = steps.notes();
    if !notes.is_empty() {
        writeln!(text, "\nPeers, as in `benches/peers`: {}.", notes.join("; "))?;
    }
    for record in records {
        if let Record::Missing { program, reason } = record {
            writeln!(text, "\nNot measured: {program}: {reason}.")?;
        }
    }
    Ok(())
}

fn bandwidth(records: &[Record]) -> Option<f64> {
    let rates: Vec<f64> = records
        .iter()
        .filter_map(|record| match record {
            Record::Bandwidth { gb_per_s } => Some(*gb_per_s),
            _ => None,
        })
        .collect();
    (!rates.is_empty()).then(|| median(&rates))
}

#[cfg(test)]
mod tests;
