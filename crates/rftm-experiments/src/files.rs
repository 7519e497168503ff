//! Durable writes: a reader sees the old content or the new, never half of one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};

/// Writes `content` to a temporary file beside `path`, syncs it and renames it over `path`: a reader sees the old content
/// or the new, and a full disk or a power cut leaves the old. The folder must be there.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the folder or the file cannot be written; the temporary file is gone then, too.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written.at("write", path)?;
    sync_parent(path);
    Ok(())
}

/// Makes a new directory entry survive a power cut, where the platform can sync folders.
pub(crate) fn sync_parent(path: &Path) {
    if let Some(parent) = path.parent() {
        // Windows cannot open folders as files; the content itself was synced before.
        let _ = File::open(parent).and_then(|folder| folder.sync_all());
    }
}

/// Creates `folder` and shows that a file can be written and synced in it.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) naming the folder if that fails.
pub(crate) fn ensure_writable(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).at("create the folder", folder)?;
    let probe: PathBuf = folder.join(format!(".probe-{}", std::process::id()));
    // As large as a cell's scores, so that a full disk shows now and not after an hour of training.
    let written = (|| {
        let mut file = File::create(&probe)?;
        file.write_all(&[0; 64 * 1024])?;
        file.sync_all()
    })();
    let _ = fs::remove_file(&probe);
    written.at("write into the folder", folder)
}
