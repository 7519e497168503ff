//! What `docs/performance.md` says of the command, from the records alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::{Measured, Program, Record, Task};
use crate::report::{Marks, Table, number};

const MARKS: Marks = Marks { begin: "<!-- tool -->", end: "<!-- end of tool -->" };

/// The document with the part between its markers written anew.
///
/// # Errors
/// If the document does not have both markers, in order.
pub fn splice(document: &str, records: &[Record]) -> Result<String> {
    MARKS.splice(document, &render(records)?)
}

fn render(records: &[Record]) -> Result<String> {
    let mut text = String::new();
    let mut all = BTreeMap::<(Task, [usize; 2], Program), &Measured>::new();
    let mut versions = None;
    for record in records {
        match record {
            Record::Run(run) => writeln!(text, "\n{}", run.sentence("", ""))?,
            Record::Measured(measured) => {
                all.insert((measured.task, [measured.rows, measured.columns], measured.program), measured);
                versions = measured.versions.as_deref().or(versions);
            }
        }
    }
    if let Some(versions) = versions {
        writeln!(text, "\nPeer: {versions}.")?;
    }
    let mut table = Table::new(["", "rftm", "peak MiB", "PyOD AutoEncoder", "peak MiB"]);
    let mut keys: Vec<(Task, [usize; 2])> = all.keys().map(|&(task, size, _)| (task, size)).collect();
    keys.dedup();
    for (task, size) in keys {
        let of = |program| all.get(&(task, size, program)).copied();
        let (ours, theirs) = (of(Program::Rftm), of(Program::PyodAutoencoder));
        let mut row = vec![title(task, size)];
        for one in [ours, theirs] {
            row.push(number(one.map(|one| value(task, one))));
            // A process may end before it is looked at.
            row.push(
                one.and_then(|one| one.peak_mib)
                    .filter(|&peak| peak >= 0.5)
                    .map_or_else(String::new, |peak| format!("{peak:.0}")),
            );
        }
        table.row(row);
    }
    writeln!(text, "\n{table}")?;
    Ok(text)
}

fn title(task: Task, [rows, columns]: [usize; 2]) -> String {
    let size = format!("{rows} x {columns}");
    match task {
        Task::Start => "start, ms".to_owned(),
        Task::Fit => format!("fit a CSV file of {size}, s"),
        Task::Score => format!("score a CSV file of {size}, s"),
        Task::Pipe => format!("one row of {columns} through a pipe, fitted on {rows}, ms"),
        Task::Row => format!("one row of {columns} in memory, fitted on {rows}, ms"),
        Task::Rows => format!("{size} in memory, 1000 rows/s"),
    }
}

fn value(task: Task, measured: &Measured) -> f64 {
    match task {
        Task::Fit | Task::Score => measured.seconds,
        Task::Start | Task::Pipe | Task::Row => 1e3 * measured.seconds,
        Task::Rows => measured.rows as f64 / measured.seconds / 1e3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_counts_and_who_is_missing_has_a_dash() {
        let measured = |task, program, seconds, peak_mib| {
            Record::Measured(Measured { peak_mib, ..Measured::new(program, task, [1000, 20], &[seconds]) })
        };
        let records = [
            measured(Task::Fit, Program::Rftm, 9.0, None),
            measured(Task::Rows, Program::PyodAutoencoder, 0.5, None),
            measured(Task::Rows, Program::Rftm, 0.1, None),
            measured(Task::Fit, Program::Rftm, 2.0, Some(31.4)),
        ];
        let text = splice("a\n<!-- tool -->\nold\n<!-- end of tool -->\nb\n", &records).unwrap();
        assert!(text.starts_with("a\n<!-- tool -->") && text.ends_with("<!-- end of tool -->\nb\n"), "{text}");
        assert!(text.contains("| fit a CSV file of 1000 x 20, s | 2.00 | 31 | - |  |"), "{text}");
        assert!(text.contains("| 1000 x 20 in memory, 1000 rows/s | 10.0 |  | 2.00 |  |"), "{text}");
        assert!(!text.contains("old"));
    }
}
