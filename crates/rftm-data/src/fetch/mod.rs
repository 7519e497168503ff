//! Downloads that are trusted only after their content was checked.

mod transfer;
mod unpack;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::content;
use crate::error::Fault;
use crate::manifest::{FileEntry, FileSet};
use crate::search::archive_in;
use crate::{DatasetId, Error, Manifest, Result};
use transfer::Download;

/// What [`fetch`] is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent<'a> {
    /// A file is there already and its content is right.
    Present {
        /// The file.
        path: &'a Path,
    },
    /// A file lay in the way whose content is wrong; it was renamed, not deleted.
    MovedAside {
        /// The file.
        path: &'a Path,
        /// Its new name.
        to: &'a Path,
        /// What was wrong.
        reason: &'a str,
    },
    /// A server answers with (the rest of) a file.
    Started {
        /// Its address.
        url: &'a str,
        /// Bytes that were there from an earlier attempt.
        resumed_at: u64,
        /// Bytes of the whole download, if the server says so.
        total: Option<u64>,
    },
    /// Some more bytes have arrived.
    Progress {
        /// Bytes so far, earlier attempts included.
        received: u64,
        /// Bytes of the whole download, if the server says so.
        total: Option<u64>,
    },
    /// An attempt failed; the same or the next mirror is tried.
    Failed {
        /// The address.
        url: &'a str,
        /// What went wrong.
        reason: &'a str,
    },
    /// A file is complete, its SHA-256 is right, and it has its final name.
    Verified {
        /// The file.
        path: &'a Path,
    },
}

/// Fetches what is missing of a data set into its folder in `dir`, and returns the paths of its files.
///
/// Mirrors are tried in order. A cut download leaves a `.part` file from which this or a later call goes on. A file gets
/// its name only after the SHA-256 of its uncompressed content was checked; a download with other content is deleted.
/// An archive that lies in `dir` already is unpacked, and kept, instead of downloading one. Glyphs need no files: nothing is
/// done. A second process that fetches into the same folder waits for the first.
///
/// # Errors
/// [`Error::Download`] with the failure of each mirror; [`Error::Io`] where `dir` cannot be written.
pub fn fetch(id: DatasetId, dir: &Path, on_event: &mut dyn FnMut(FetchEvent<'_>)) -> Result<Vec<PathBuf>> {
    fetch_with(&Manifest::built_in()?, id, dir, on_event)
}

/// [`fetch`] by another manifest.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_with(
    manifest: &Manifest,
    id: DatasetId,
    dir: &Path,
    on_event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Vec<PathBuf>> {
    if id == DatasetId::Glyphs {
        return Ok(Vec::new());
    }
    let set = manifest.require(id)?;
    // Manifests are refused without a folder.
    let folder = set.folders.first().map_or_else(|| dir.to_owned(), |folder| dir.join(folder));
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    // Held until the end; two processes that write one `.part` file would spoil it for each other.
    let _lock = lock(&folder);
    let mut paths = Vec::new();
    for file in &set.files {
        if let Some(path) = present(file, &folder, on_event)? {
            paths.push(path);
        } else if set.archive.is_none() {
            paths.push(fetch_file(set, file, &folder, on_event)?);
        }
    }
    match &set.archive {
        Some(archive) if paths.len() < set.files.len() => {
            if !unpack_present(set, dir, &folder, on_event)? {
                fetch_archive(set, archive, &folder, on_event)?;
            }
            Ok(set.files.iter().map(|file| folder.join(&file.name)).collect())
        }
        _ => Ok(paths),
    }
}

/// The right to fetch into a folder, for as long as the file is open. `None` where there are no locks, as on some network
/// file systems, and in a folder that cannot be written: where all files are there that is no error, and where one is
/// missing, writing it will say what is wrong.
fn lock(folder: &Path) -> Option<File> {
    let file = File::create(folder.join(".fetch.lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// Unpacks an archive that lies there already, if there is one with the right files. A wrong one is moved aside.
fn unpack_present(set: &FileSet, dir: &Path, folder: &Path, on_event: &mut dyn FnMut(FetchEvent<'_>)) -> Result<bool> {
    let Some(archive) = archive_in(dir, set) else { return Ok(false) };
    match unpack::unpack(&archive, &set.files, folder, on_event) {
        Ok(()) => {
            on_event(FetchEvent::Present { path: &archive });
            Ok(true)
        }
        Err(Error::File { fault, .. }) => {
            move_aside(&archive, &fault, on_event)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Renames a wrong file, and does not delete it: it may be somebody's only copy.
fn move_aside(path: &Path, fault: &Fault, on_event: &mut dyn FnMut(FetchEvent<'_>)) -> Result<()> {
    let name = |suffix: &str| {
        let mut to = path.as_os_str().to_owned();
        to.push(suffix);
        PathBuf::from(to)
    };
    let (mut to, mut count) = (name(".rejected"), 1);
    while to.exists() {
        count += 1;
        to = name(&format!(".rejected-{count}"));
    }
    fs::rename(path, &to).map_err(Error::io("rename", path))?;
    on_event(FetchEvent::MovedAside { path, to: &to, reason: &fault.to_string() });
    Ok(())
}

/// The file as it lies there, if its content is right. Wrong ones are moved out of the way, or a plain file would hide
/// the `.gz` that is about to be fetched.
fn present(file: &FileEntry, folder: &Path, on_event: &mut dyn FnMut(FetchEvent<'_>)) -> Result<Option<PathBuf>> {
    for name in [file.name.clone(), format!("{}.gz", file.name)] {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        match content::verify(&path, file.bytes, &file.sha256) {
            Ok(()) => {
                on_event(FetchEvent::Present { path: &path });
                return Ok(Some(path));
            }
            Err(Error::File { fault, .. }) => move_aside(&path, &fault, on_event)?,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn fetch_file(
    set: &FileSet,
    file: &FileEntry,
    folder: &Path,
    on_event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<PathBuf> {
    let download = Download {
        mirrors: &set.mirrors,
        name: &format!("{}.gz", file.name),
        folder,
        limit: compressed_limit(file.bytes),
    };
    let path = folder.join(download.name);
    download.run(on_event, &mut |part, on_event| {
        content::verify(part, file.bytes, &file.sha256)?;
        fs::rename(part, &path).map_err(Error::io("rename", part))?;
        on_event(FetchEvent::Verified { path: &path });
        Ok(())
    })?;
    Ok(path)
}

fn fetch_archive(set: &FileSet, archive: &str, folder: &Path, on_event: &mut dyn FnMut(FetchEvent<'_>)) -> Result<()> {
    let unpacked = set.files.iter().map(|file| file.bytes).sum();
    let download = Download { mirrors: &set.mirrors, name: archive, folder, limit: compressed_limit(unpacked) };
    download.run(on_event, &mut |part, on_event| {
        unpack::unpack(part, &set.files, folder, on_event)?;
        fs::remove_file(part).map_err(Error::io("delete", part))
    })
}

/// The most that gzip can make of so many bytes (it adds 5 for every block it cannot shrink), with room for headers.
fn compressed_limit(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 100).saturating_add(1 << 16)
}
