//! Joining the ledgers of several runs, for example of shards.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cell::{Cell, Key};
use crate::error::{Error, IoContext, Result};
use crate::files::write_atomic;
use crate::ledger::{LEDGER_FILE, Ledger, Lock, TornLine, ledger_path, results_folder};
use crate::record::Record;
use crate::scores::{read_scores, scores_path};

/// What a merge came to.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Records in the output.
    pub records: usize,
    /// Score files in the output that came with them.
    pub scores: usize,
    /// Finished cells of which no input has a score file that can be read.
    pub unscored: Vec<(Key, Cell)>,
    /// Cells with two different results; the first was kept.
    pub conflicts: Vec<Conflict>,
    /// Torn last lines that were left out.
    pub torn: Vec<TornLine>,
}

/// Two results of one cell that should be the same.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The key of both.
    pub key: Key,
    /// The cell.
    pub cell: Cell,
    /// The ledger whose result was kept.
    pub kept: PathBuf,
    /// The ledger whose result was left out.
    pub dropped: PathBuf,
    /// How the two differ.
    pub difference: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, cell, kept, dropped, difference } = self;
        write!(f, "{key} ({cell}): {difference}; ")?;
        if kept == dropped {
            write!(f, "kept the first of both in {}", kept.display())
        } else {
            write!(f, "kept {}, left out {}", kept.display(), dropped.display())
        }
    }
}

/// Merges the ledgers and score files of the results folders `inputs` into the folder `out`, by key.
///
/// A finished record beats a failed one, an earlier input a later one. Two finished records of a key whose metrics or
/// weights differ are a [`Conflict`]. Scores come from the first input that has the kept result and a sound file of it.
///
/// # Errors
/// [`Error::NoLedger`] for an input without a ledger, [`Error::MergeTarget`] if `out` holds a ledger that is none of the
/// inputs, and those of reading and writing.
pub fn merge(inputs: &[PathBuf], out: &Path) -> Result<Merged> {
    let target = out.join(LEDGER_FILE);
    if target.exists() && !inputs.iter().any(|input| same_file(&ledger_path(input), &target)) {
        return Err(Error::MergeTarget { path: target });
    }
    // Before reading: the output may be an input, too, and nobody may append to it meanwhile.
    let _lock = Lock::take(out)?;
    let mut merged = Merged::default();
    let (mut order, mut kept) = (Vec::new(), BTreeMap::<Key, (Record, Vec<&Path>)>::new());
    for input in inputs.iter().map(PathBuf::as_path) {
        let (ledger, torn) = Ledger::read_existing(input)?;
        merged.torn.extend(torn);
        let within = ledger.contradictions().filter_map(|(first, second)| conflict(first, input, second, input));
        merged.conflicts.extend(within);
        for record in ledger.records() {
            match kept.get_mut(&record.key) {
                None => {
                    order.push(record.key.clone());
                    kept.insert(record.key.clone(), (record.clone(), vec![input]));
                }
                Some((first, sources)) if first.finished().is_none() && record.finished().is_some() => {
                    (*first, *sources) = (record.clone(), vec![input]);
                }
                Some((first, sources)) => match conflict(first, sources[0], record, input) {
                    Some(conflict) => merged.conflicts.push(conflict),
                    None if first.finished().is_some() == record.finished().is_some() => sources.push(input),
                    None => {}
                },
            }
        }
    }
    fs::create_dir_all(out.join("scores")).at("create the folder", &out.join("scores"))?;
    let mut text = Vec::new();
    for key in &order {
        let (record, sources) = &kept[key];
        // A line promises its scores, so they come first.
        match copy_scores(sources, out, key)? {
            true => merged.scores += 1,
            false if record.finished().is_some() => merged.unscored.push((key.clone(), record.cell.clone())),
            false => {}
        }
        serde_json::to_writer(&mut text, record).map_err(std::io::Error::from).at("write", &target)?;
        text.push(b'\n');
    }
    write_atomic(&target, &text)?;
    merged.records = order.len();
    Ok(merged)
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn conflict(first: &Record, kept: &Path, second: &Record, dropped: &Path) -> Option<Conflict> {
    let difference = first.difference(second)?;
    let (key, cell) = (first.key.clone(), first.cell.clone());
    Some(Conflict { key, cell, kept: kept.to_owned(), dropped: dropped.to_owned(), difference })
}

/// Whether there are scores of `key` in one of `sources`, now in `out`, too.
fn copy_scores(sources: &[&Path], out: &Path, key: &Key) -> Result<bool> {
    let mut folders = sources.iter().map(|source| results_folder(source));
    let Some(source) = folders.find(|folder| read_scores(folder, key).is_ok()) else { return Ok(false) };
    let (from, to) = (scores_path(source, key), scores_path(out, key));
    if !same_file(&from, &to) {
        write_atomic(&to, &fs::read(&from).at("read", &from)?)?;
    }
    Ok(true)
}
