//! The files of a manifest out of a `.tar.gz`.
//!
//! Of the tar format (POSIX ustar) no more than needed: blocks of 512 bytes; a header with the name in bytes 0..100 and
//! the size in octal digits in 124..136; the content, padded to whole blocks. Only files that the manifest names are
//! written, under that name, so no path in the archive can lead elsewhere.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::FetchEvent;
use crate::content::{self, Content, hex};
use crate::error::Fault;
use crate::manifest::FileEntry;
use crate::{Error, Result};

const BLOCK: usize = 512;

/// Room for what else may lie in the archive: headers, a read-me, padding.
const OTHER_BYTES: u64 = 1 << 20;

pub(super) fn unpack(
    archive: &Path,
    wanted: &[FileEntry],
    folder: &Path,
    on_event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<()> {
    let mut content = Content::open(archive)?;
    let limit = wanted.iter().map(|file| file.bytes).sum::<u64>() + OTHER_BYTES;
    let mut missing: Vec<&FileEntry> = wanted.iter().collect();
    while let Some(first) = missing.first() {
        let at = content.offset();
        let bad = |reason: String| Error::file(archive, at, Fault::Archive { reason });
        let mut header = [0; BLOCK];
        // A block of zeros ends an archive.
        if content.fill(&mut header)? < BLOCK || header.iter().all(|byte| *byte == 0) {
            return Err(bad(format!("it ends without {}", first.name)));
        }
        let size = octal(&header[124..136]).ok_or_else(|| bad("this is no tar header".to_owned()))?;
        if size > limit.saturating_sub(at) {
            return Err(bad(format!("an entry of {size} bytes is more than all files together")));
        }
        let name = header[..100].split(|byte| matches!(byte, 0 | b'/')).take_while(|part| !part.is_empty()).last();
        let place = missing.iter().position(|file| Some(file.name.as_bytes()) == name);
        match place.map(|place| missing.remove(place)) {
            Some(file) if file.bytes == size => write(&mut content, file, folder, on_event)?,
            Some(file) => return Err(bad(format!("{} has {size} bytes, expected {}", file.name, file.bytes))),
            None => copy(&mut content, size, |_| Ok(()))?,
        }
        copy(&mut content, size.next_multiple_of(BLOCK as u64) - size, |_| Ok(()))?;
    }
    Ok(())
}

fn write(
    content: &mut Content<'_>,
    file: &FileEntry,
    folder: &Path,
    on_event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<()> {
    let path = folder.join(&file.name);
    let part = folder.join(format!("{}.part", file.name));
    let mut out = File::create(&part).map_err(Error::io("write", &part))?;
    let mut hasher = Sha256::new();
    copy(content, file.bytes, |bytes| {
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
}

/// Hands the next `bytes` bytes to `sink` in steps.
fn copy(content: &mut Content<'_>, bytes: u64, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let end = content.offset() + bytes;
    let mut step = [0; 128 * BLOCK];
    while content.offset() < end {
        let wanted = usize::try_from(end - content.offset()).unwrap_or(step.len()).min(step.len());
        content.fill_exactly(&mut step[..wanted], end)?;
        sink(&step[..wanted])?;
    }
    Ok(())
}

/// Octal digits between optional spaces and zero bytes.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}
