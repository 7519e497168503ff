//! The binary format of CIFAR-10, plain or gzip.
//!
//! Records of 3073 bytes, one after the other and without a header: a label, then the red, green and blue plane of a
//! 32x32 image, row by row.

use std::path::Path;

use crate::error::Fault;
use crate::{Error, Result, Split};

/// Channels of an image: red, green, blue.
pub const CHANNELS: usize = 3;
/// Rows, and columns, of an image.
pub const SIDE: usize = 32;
/// Bytes of a record: the label and the pixels.
const RECORD_BYTES: usize = 1 + CHANNELS * SIDE * SIDE;

/// Appends the records of a whole file to `split`; `path` is only for messages.
pub(crate) fn append(split: &mut Split, path: &Path, bytes: &[u8], classes: usize) -> Result<()> {
    let whole = bytes.len() / RECORD_BYTES;
    if bytes.len() != whole * RECORD_BYTES {
        let expected = ((whole + 1) * RECORD_BYTES) as u64;
        return Err(Error::file(path, bytes.len() as u64, Fault::Truncated { expected }));
    }
    split.labels.reserve(whole);
    split.pixels.reserve(whole * (RECORD_BYTES - 1));
    for (index, record) in bytes.chunks_exact(RECORD_BYTES).enumerate() {
        let label = record[0];
        if usize::from(label) >= classes {
            return Err(Error::file(path, (index * RECORD_BYTES) as u64, Fault::Label { label, classes }));
        }
        split.labels.push(label);
        split.pixels.extend_from_slice(&record[1..]);
    }
    Ok(())
}
