//! The files of a manifest out of a downloaded `.tar.gz`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::FetchEvent;
use crate::content::{self, hex};
use crate::manifest::FileEntry;
use crate::{Error, Result, archive};

/// Only files that the manifest names are written, under that name, so no path in the archive can lead elsewhere.
pub(super) fn unpack(
    archive: &Path,
    wanted: &[FileEntry],
    folder: &Path,
    on_event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<()> {
    archive::each(archive, wanted, &mut |file, entry| {
        let path = folder.join(&file.name);
        let part = folder.join(format!("{}.part", file.name));
        let mut out = File::create(&part).map_err(Error::io("write", &part))?;
        let mut hasher = Sha256::new();
        entry.copy(&mut |bytes| {
            hasher.update(bytes);
            out.write_all(bytes).map_err(Error::io("write", &part))
        })?;
        out.sync_all().map_err(Error::io("write", &part))?;
        if let Err(error) = content::check(&part, hex(&hasher.finalize()), &file.sha256) {
            fs::remove_file(&part).map_err(Error::io("delete", &part))?;
            return Err(error);
        }
        fs::rename(&part, &path).map_err(Error::io("rename", &part))?;
        on_event(FetchEvent::Verified { path: &path });
        Ok(())
    })
}
