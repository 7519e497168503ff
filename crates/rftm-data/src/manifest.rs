use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{DatasetId, Error, Result};

/// The files of every data set: names, sizes, checksums, mirrors.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    sets: BTreeMap<DatasetId, FileSet>,
}

/// The files of one data set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSet {
    /// Class names, in the order of the labels.
    pub classes: Vec<String>,
    /// Folders the files may lie in, relative to a data folder; `fetch` writes to the first.
    pub folders: Vec<String>,
    /// Addresses to which a file's name is appended, tried in order.
    pub mirrors: Vec<String>,
    /// The `.tar.gz` that holds all files, where they are not downloaded one by one.
    pub archive: Option<String>,
    /// The files, in the order that the data set's reader expects.
    pub files: Vec<FileEntry>,
}

/// One file. Size and checksum are those of its uncompressed content.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Name of the uncompressed file; `.gz` is appended for the compressed one.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// The manifest that is part of this crate, its `manifest.toml`.
    ///
    /// # Errors
    /// None, unless that file was damaged before compilation.
    pub fn built_in() -> Result<Self> {
        Self::parse(include_str!("../manifest.toml"))
    }

    /// Reads a manifest in the format of `manifest.toml`.
    ///
    /// # Errors
    /// [`Error::Manifest`] for bad TOML, a name that is a path, a folder that leaves the data folder, or something that
    /// is no SHA-256.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |what: String| Error::Manifest { what };
        let manifest: Self = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        for (id, set) in &manifest.sets {
            // Names become paths to write to: they must not be able to point elsewhere.
            for folder in &set.folders {
                if folder.split('/').any(|part| !is_plain_name(part)) {
                    return Err(bad(format!("{id}: folder {folder:?} must be a relative path without . and ..")));
                }
            }
            if set.folders.is_empty() || set.classes.is_empty() || set.files.is_empty() {
                return Err(bad(format!("{id}: folders, classes and files must not be empty")));
            }
            for name in set.files.iter().map(|file| &file.name).chain(&set.archive) {
                if !is_plain_name(name) {
                    return Err(bad(format!("{id}: {name:?} must be a file name without a folder")));
                }
            }
            for file in &set.files {
                let hexadecimal = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                if file.sha256.len() != 64 || !file.sha256.bytes().all(hexadecimal) {
                    return Err(bad(format!("{id}: {}: sha256 must be 64 lower-case hexadecimal digits", file.name)));
                }
            }
        }
        Ok(manifest)
    }

    /// The files of `id`; none for [`DatasetId::Glyphs`], which is drawn.
    #[must_use]
    pub fn get(&self, id: DatasetId) -> Option<&FileSet> {
        self.sets.get(&id)
    }

    pub(crate) fn require(&self, id: DatasetId) -> Result<&FileSet> {
        self.get(id).ok_or_else(|| Error::Manifest { what: format!("it does not list {id}") })
    }
}

fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_lists_every_file_based_set() {
        let manifest = Manifest::built_in().unwrap();
        for id in DatasetId::ALL {
            assert_eq!(manifest.get(id).is_some(), id != DatasetId::Glyphs, "{id}");
        }
        for set in manifest.sets.values() {
            assert_eq!(set.classes.len(), 10);
            assert!(set.mirrors.iter().all(|url| url.starts_with("http") && url.ends_with('/')));
            assert!(set.mirrors[0].starts_with("https://"));
        }
        // A header of 16 bytes, 60,000 images of 28x28 pixels.
        assert_eq!(manifest.require(DatasetId::Mnist).unwrap().files[0].bytes, 16 + 60_000 * 28 * 28);
        assert_eq!(manifest.require(DatasetId::Cifar10).unwrap().files[0].bytes, 10_000 * 3073);
    }

    #[test]
    fn bad_manifests_are_refused() {
        let sha256 = "0".repeat(64);
        let manifest = |folder: &str, name: &str, sha256: &str| {
            format!(
                "[mnist]\nclasses = ['0']\nfolders = ['{folder}']\nmirrors = []\n\
                 files = [{{ name = '{name}', bytes = 1, sha256 = '{sha256}' }}]"
            )
        };
        assert!(Manifest::parse(&manifest("a/b", "f", &sha256)).is_ok());
        for (text, part) in [
            (manifest("../a", "f", &sha256), "relative"),
            (manifest("/a", "f", &sha256), "relative"),
            (manifest("a", "../f", &sha256), "file name"),
            (manifest("a", "..", &sha256), "file name"),
            (manifest("a", "f", "00"), "hexadecimal"),
            (manifest("a", "f", &"Z".repeat(64)), "hexadecimal"),
            ("[mnist]\nfolders = 1".to_owned(), "line 2"),
            ("[no-such-set]".to_owned(), "no-such-set"),
            ("[mnist]\nclasses = []\nfolders = []\nmirrors = []\nfiles = []".to_owned(), "empty"),
        ] {
            let message = Manifest::parse(&text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let empty = Manifest::parse("").unwrap();
        assert!(matches!(empty.require(DatasetId::Mnist), Err(Error::Manifest { .. })));
    }
}
