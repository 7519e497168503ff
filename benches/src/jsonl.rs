//! Records as lines of JSON.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The records of some lines; empty lines do not count.
///
/// # Errors
/// A line that is no record, with its number.
pub fn parse_all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, number)| serde_json::from_str(line).with_context(|| format!("line {number}: {line}"))).collect()
}

/// The records of a file.
///
/// # Errors
/// If it cannot be read, or a line is no record.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse_all(&text).with_context(|| path.display().to_string())
}

/// Records on their way into a file. Those that take the place of others grow beside them, in `FILE.partial`, until
/// [`finish`](Self::finish): a run that ends early, of itself or by Ctrl-C, costs no record that was there.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    /// Where they grow, unless they are appended.
    partial: Option<PathBuf>,
}

impl Writer {
    /// Begins; with `append` the records that are there stay, and each new one is among them at once. Creates the folder.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn open(path: &Path, append: bool) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let partial = (!append).then(|| PathBuf::from(name));
        let grows = partial.as_deref().unwrap_or(path);
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(append).truncate(!append);
        let file = options.open(grows).with_context(|| format!("cannot write {}", grows.display()))?;
        Ok(Self { file, path: path.to_owned(), partial })
    }

    /// Adds a record, in one piece.
    ///
    /// # Errors
    /// If it has no JSON, or the file cannot be written.
    pub fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(record)? + "\n";
        let grows = self.partial.as_deref().unwrap_or(&self.path);
        self.file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", grows.display()))
    }

    /// All are there: puts them in their place.
    ///
    /// # Errors
    /// If the file system refuses; they stay where they are then.
    pub fn finish(self) -> Result<()> {
        let finish = || {
            self.file.sync_all()?;
            self.partial.iter().try_for_each(|partial| fs::rename(partial, &self.path))
        };
        finish().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_replaced_when_all_are_there_and_appended_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/records.jsonl");
        let there = || read::<u32>(&path).unwrap();
        let write = |append: bool, records: &[u32]| {
            let mut writer = Writer::open(&path, append).unwrap();
            records.iter().for_each(|record| writer.write(record).unwrap());
            writer
        };
        write(false, &[1, 2]).finish().unwrap();
        assert_eq!(there(), [1, 2]);
        drop(write(false, &[3]));
        assert_eq!(there(), [1, 2], "a run that ended early");
        drop(write(true, &[4]));
        assert_eq!(there(), [1, 2, 4]);
        write(false, &[5]).finish().unwrap();
        assert_eq!(there(), [5], "what was left of the run before is gone");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
