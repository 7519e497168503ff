//! The files of a manifest in a `.tar.gz`.
//!
//! Of the tar format (POSIX ustar) no more than needed: blocks of 512 bytes; a header with the name in bytes 0..100, the
//! size in octal digits in 124..136 and the type in 156; the content, padded to whole blocks. In the newer pax format an
//! entry may be preceded by one of another type that says more of it and bears its name; it is skipped as any other.

use std::path::Path;

use crate::content::Content;
use crate::error::Fault;
use crate::manifest::FileEntry;
use crate::{Error, Result};

const BLOCK: usize = 512;

/// Room for what else may lie in the archive: headers, a read-me, padding.
const OTHER_BYTES: u64 = 1 << 20;

/// The content of one file in an archive, to be copied out once.
pub(crate) struct Entry<'a, 'c> {
    content: &'a mut Content<'c>,
    bytes: u64,
}

impl Entry<'_, '_> {
    /// Hands the whole content to `sink` in steps.
    pub(crate) fn copy(self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let end = self.content.offset() + self.bytes;
        let mut step = [0; 128 * BLOCK];
        while self.content.offset() < end {
            let wanted = usize::try_from(end - self.content.offset()).unwrap_or(step.len()).min(step.len());
            self.content.fill_exactly(&mut step[..wanted], end)?;
            sink(&step[..wanted])?;
        }
        Ok(())
    }
}

/// Calls `visit` with each of the `wanted` files, in the order in which they lie in the archive, and skips all others.
///
/// # Errors
/// [`Error::File`] if it is no such archive, lacks a file, or has one of another size; and those of `visit`.
pub(crate) fn each(
    archive: &Path,
    wanted: &[FileEntry],
    visit: &mut dyn FnMut(&FileEntry, Entry<'_, '_>) -> Result<()>,
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
        // A file is a '0', or a zero byte in archives older than POSIX.
        let is_file = matches!(header[156], b'0' | 0);
        let name = header[..100].split(|byte| matches!(byte, 0 | b'/')).take_while(|part| !part.is_empty()).last();
        let place = missing.iter().position(|file| is_file && Some(file.name.as_bytes()) == name);
        match place.map(|place| missing.remove(place)) {
            Some(file) if file.bytes == size => visit(file, Entry { content: &mut content, bytes: size })?,
            Some(file) => return Err(bad(format!("{} has {size} bytes, expected {}", file.name, file.bytes))),
            None => skip(&mut content, size)?,
        }
        skip(&mut content, size.next_multiple_of(BLOCK as u64) - size)?;
    }
    Ok(())
}

fn skip(content: &mut Content<'_>, bytes: u64) -> Result<()> {
    Entry { content, bytes }.copy(&mut |_| Ok(()))
}

/// Octal digits between optional spaces and zero bytes.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}
