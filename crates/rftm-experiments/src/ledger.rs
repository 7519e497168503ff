//! The ledger: JSON Lines, one line a cell that ended.
//!
//! A line is appended with one write and synced before anything else is done with its cell. A crash can tear the last
//! line only: it is then without its line feed, is dropped with a warning, and its cell runs again. Any other damage is
//! an error, because dropping it would silently lose results.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cell::Key;
use crate::error::{Error, IoContext, Result};
use crate::files;
use crate::record::{Finished, Record};

/// Name of the ledger in a results folder.
pub(crate) const LEDGER_FILE: &str = "ledger.jsonl";
const LOCK_FILE: &str = "ledger.lock";

/// The records of a ledger. For each key the first that finished counts; as long as none has, the latest failure.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    records: Vec<Record>,
    counting: BTreeMap<Key, usize>,
}

/// A last line that a crash cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornLine {
    /// The ledger.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// Its length in bytes.
    pub bytes: usize,
}

impl std::fmt::Display for TornLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, line, bytes } = self;
        write!(f, "{}, line {line}: dropped a torn last line of {bytes} bytes; its cell runs again", path.display())
    }
}

impl Ledger {
    /// Reads the ledger in the results folder `out` (or `out` itself if it is a file); nothing there is an empty ledger.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::LedgerLine`] if a line other than a torn last one is no record.
    pub fn read(out: &Path) -> Result<(Self, Option<TornLine>)> {
        let path = ledger_path(out);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Self::default(), None)),
            Err(error) => return Err(error).at("read the ledger", &path),
        };
        let (ledger, tail) = parse(&bytes, &path)?;
        let torn = match tail {
            Tail::Torn(torn) => Some(torn),
            Tail::Whole | Tail::Unterminated => None,
        };
        Ok((ledger, torn))
    }

    /// Like [`Ledger::read`], but a ledger that is not there is an error: for those a user named.
    ///
    /// # Errors
    /// [`Error::NoLedger`] and those of [`Ledger::read`].
    pub fn read_existing(out: &Path) -> Result<(Self, Option<TornLine>)> {
        let path = ledger_path(out);
        if path.is_file() { Self::read(out) } else { Err(Error::NoLedger { path }) }
    }

    /// The record of `key` that counts.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Record> {
        self.counting.get(key).map(|&index| &self.records[index])
    }

    /// The results of `key`, if it finished.
    #[must_use]
    pub fn finished(&self, key: &Key) -> Option<&Finished> {
        self.get(key).and_then(Record::finished)
    }

    /// The record of every key that counts, in the order of the file.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .enumerate()
            .filter(|(index, record)| self.counting.get(&record.key) == Some(index))
            .map(|(_, r)| r)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counting.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counting.is_empty()
    }

    /// Results that another one of their key hides although it says something else, with that other first.
    ///
    /// No run writes such lines; two branches of a repository, joined line by line, may have them.
    pub fn contradictions(&self) -> impl Iterator<Item = (&Record, &Record)> {
        let others = self.records.iter().filter_map(|record| Some((self.get(&record.key)?, record)));
        others.filter(|(first, record)| first.difference(record).is_some())
    }

    pub(crate) fn push(&mut self, record: Record) {
        if self.finished(&record.key).is_none() {
            self.counting.insert(record.key.clone(), self.records.len());
        }
        self.records.push(record);
    }
}

/// Where the ledger of `out` lies: `out` may be the results folder or the file itself.
#[must_use]
pub fn ledger_path(out: &Path) -> PathBuf {
    if out.extension().is_some_and(|extension| extension == "jsonl") { out.to_owned() } else { out.join(LEDGER_FILE) }
}

/// The results folder of `out`, which may be the folder or the ledger in it.
#[must_use]
pub fn results_folder(out: &Path) -> &Path {
    if ledger_path(out) == out { out.parent().unwrap_or(out) } else { out }
}

enum Tail {
    Whole,
    /// The last record is complete and only its line feed is missing (an editor took it away).
    Unterminated,
    Torn(TornLine),
}

fn parse(bytes: &[u8], path: &Path) -> Result<(Ledger, Tail)> {
    let (mut ledger, mut tail) = (Ledger::default(), Tail::Whole);
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let terminated = line.ends_with(b"\n");
        if line.trim_ascii().is_empty() && terminated {
            continue;
        }
        match serde_json::from_slice::<Record>(line.trim_ascii_end()) {
            Ok(record) => {
                ledger.push(record);
                if !terminated {
                    tail = Tail::Unterminated;
                }
            }
            Err(_) if !terminated => {
                tail = Tail::Torn(TornLine { path: path.to_owned(), line: index + 1, bytes: line.len() });
            }
            Err(error) => {
                // The parser counts lines within this one.
                let message = error.to_string().replace(" at line 1 column ", ", column ");
                return Err(Error::LedgerLine { path: path.to_owned(), line: index + 1, message });
            }
        }
    }
    Ok((ledger, tail))
}

/// A folder of results or weights locked against other writers. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the folder `out`, which is created if need be.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it, [`Error::NotAFolder`] if `out` is named as a ledger is, [`Error::Io`] if the
    /// folder cannot be written.
    pub fn take(out: &Path) -> Result<Self> {
        if ledger_path(out) == out {
            return Err(Error::NotAFolder { path: out.to_owned() });
        }
        files::ensure_writable(out)?;
        let path = out.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path).at("open the lock file", &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path }),
            // Some network file systems know no locks, and each says so by another error; there, keeping runs apart is up to
            // the user.
            Err(TryLockError::Error(_)) => Ok(Self { _file: file }),
        }
    }
}

/// The one process that may append to a ledger.
#[derive(Debug)]
pub struct LedgerWriter {
    ledger: Ledger,
    file: File,
    path: PathBuf,
    /// Where the last whole line ends, if half a line stands behind it that could not be taken back.
    torn_at: Option<u64>,
    _lock: Lock,
}

impl LedgerWriter {
    /// Locks the results folder `out`, creates what is missing, and cuts a torn last line off.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open, [`Error::Io`] if the folder cannot be written, and those of
    /// [`Ledger::read`].
    pub fn open(out: &Path) -> Result<(Self, Option<TornLine>)> {
        let lock = Lock::take(out)?;
        let path = out.join(LEDGER_FILE);
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).open(&path).at("open the ledger", &path)?;
        files::sync_parent(&path);
        let bytes = fs::read(&path).at("read the ledger", &path)?;
        let (ledger, tail) = parse(&bytes, &path)?;
        let torn = match tail {
            Tail::Whole => None,
            Tail::Unterminated => {
                file.write_all(b"\n").at("append to the ledger", &path)?;
                None
            }
            Tail::Torn(torn) => {
                let whole = bytes.len() - torn.bytes;
                file.set_len(whole as u64).at("cut the torn line off the ledger", &path)?;
                Some(torn)
            }
        };
        Ok((Self { ledger, file, path, torn_at: None, _lock: lock }, torn))
    }

    /// What the ledger holds, the lines appended since included.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Appends one line and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`] if that fails (the disk is full). The ledger is then as before; where not even that can be had, half a line
    /// stands at its end, behind which nothing is appended.
    pub fn append(&mut self, record: Record) -> Result<()> {
        if let Some(whole) = self.torn_at {
            self.file.set_len(whole).at("take half a line back from the ledger", &self.path)?;
            self.torn_at = None;
        }
        let mut line = serde_json::to_vec(&record).map_err(io::Error::from).at("append to the ledger", &self.path)?;
        line.push(b'\n');
        let before = self.file.metadata().at("append to the ledger", &self.path)?.len();
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        // Take half a line back, so that what is there stays readable; if even that fails it is a torn last line, and has to
        // stay the last.
        if written.is_err() && self.file.set_len(before).is_err() {
            self.torn_at = Some(before);
        }
        written.at("append to the ledger", &self.path)?;
        self.ledger.push(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Catalogue;
    use crate::environment::Host;
    use crate::record::Outcome;
    use rftm_models::ModelKind;

    fn record() -> Record {
        let catalogue = Catalogue::builtin().unwrap();
        let dataset = catalogue.protocol.dataset(rftm_data::DatasetId::Mnist).unwrap();
        let variant = catalogue.variant(catalogue.definition("table1").unwrap());
        let cell = catalogue.cell(dataset, 0, ModelKind::Ae, 1997, variant);
        let outcome = Outcome::Failed { error: "the loss exploded".to_owned() };
        Record { key: cell.key(), cell, outcome, environment: Host::detect(Path::new(".")).now(1, 1) }
    }

    #[test]
    fn nothing_is_appended_behind_half_a_line_that_cannot_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, _) = LedgerWriter::open(folder.path()).unwrap();
        let path = ledger_path(folder.path());
        let record = record();
        let line = [&serde_json::to_vec(&record).unwrap()[..], b"\n"].concat();
        writer.append(record.clone()).unwrap();
        // A file that is open for reading can neither be written nor cut.
        let writable = std::mem::replace(&mut writer.file, File::open(&path).unwrap());
        writer.append(record.clone()).unwrap_err();
        let torn = [&line[..], b"{\"key\":"].concat();
        fs::write(&path, &torn).unwrap();
        writer.append(record.clone()).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), torn);
        writer.file = writable;
        writer.append(record).unwrap();
        assert_eq!(fs::read(&path).unwrap(), line.repeat(2));
    }
}
