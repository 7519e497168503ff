//! The binary format of CIFAR-10, plain or gzip.
//!
//! Records of 3073 bytes, one after the other and without a header: a label, then the red, green and blue plane of a
//! 32x32 image, row by row.

use std::path::Path;

use crate::content::Content;
use crate::error::Fault;
use crate::{Error, Result, Split};

/// Channels of an image: red, green, blue.
pub const CHANNELS: usize = 3;
/// Rows, and columns, of an image.
pub const SIDE: usize = 32;
/// Bytes of a record: the label and the pixels.
pub const RECORD_BYTES: usize = 1 + CHANNELS * SIDE * SIDE;
/// Records in each official file.
pub const RECORDS: usize = 10_000;

/// Reads a file of exactly `records` records with labels below `classes`; the official files have [`RECORDS`].
///
/// # Errors
/// [`Error::Io`], and [`Error::File`] with the byte offset of what is wrong: the content ends early or goes on, or a
/// label is no class.
pub fn read_batch(path: &Path, records: usize, classes: usize) -> Result<Split> {
    let mut content = Content::open(path)?;
    let mut bytes = Vec::new();
    content.rest((records * RECORD_BYTES) as u64, |step| {
        bytes.extend_from_slice(step);
        Ok(())
    })?;
    let mut split = Split::default();
    append(&mut split, path, &bytes, classes)?;
    Ok(split)
}

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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Records with these labels; byte `p` of the pixels of record `i` is `7 i + p`, modulo 256.
    fn batch(labels: &[u8]) -> Vec<u8> {
        let record = |(index, label): (usize, &u8)| {
            std::iter::once(*label).chain((0..RECORD_BYTES - 1).map(move |pixel| (7 * index + pixel) as u8))
        };
        labels.iter().enumerate().flat_map(record).collect()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn labels_and_planes_come_apart() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [batch(&[3, 0, 9]), gzip(&batch(&[3, 0, 9]))] {
            let path = folder.path().join("batch.bin");
            fs::write(&path, bytes).unwrap();
            let split = read_batch(&path, 3, 10).unwrap();
            assert_eq!((&split.labels[..], split.pixels.len()), (&[3, 0, 9][..], 3 * 3072));
            assert_eq!(split.pixels[3072..3075], [7, 8, 9], "the second image begins after the second label");
            assert_eq!(split.pixels.last(), Some(&((2 * 7 + 3071) as u8)));
        }
    }

    /// Two records of three classes are wanted.
    fn check(bytes: &[u8], offset: u64, fault: impl Fn(&Fault) -> bool, part: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad_batch.bin");
        fs::write(&path, bytes).unwrap();
        let error = read_batch(&path, 2, 3).unwrap_err();
        let message = error.to_string();
        let Error::File { path: found_path, offset: found_offset, fault: found } = error else { panic!("{message}") };
        assert_eq!((found_path, found_offset), (path, offset), "{message}");
        assert!(fault(&found), "{message}");
        assert!(message.contains("bad_batch.bin") && message.contains(part), "{message}");
    }

    #[test]
    fn errors_name_the_file_and_the_byte() {
        let truncated = |fault: &Fault| *fault == Fault::Truncated { expected: 6146 };
        let trailing = |fault: &Fault| *fault == Fault::Trailing;
        let whole = batch(&[0, 2]);
        check(&[], 0, |fault| *fault == Fault::Empty, "empty");
        for length in [1, 3072, 3073, 6145] {
            check(&whole[..length], length as u64, truncated, "6146 bytes expected");
            check(&gzip(&whole[..length]), length as u64, truncated, "6146 bytes expected");
        }
        check(&[&whole[..], &[0]].concat(), 6146, trailing, "goes on");
        check(&gzip(&batch(&[0, 1, 2])), 6146, trailing, "goes on");
        let label = |fault: &Fault| matches!(fault, Fault::Label { label: 3, classes: 3 });
        check(&batch(&[3, 0]), 0, label, "label 3, but there are 3 classes");
        check(&batch(&[2, 3]), 3073, label, "byte 3073");
        // A gzip stream that is cut off ends somewhere: where the decoder had got to.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut");
        let packed = gzip(&whole);
        fs::write(&path, &packed[..packed.len() / 2]).unwrap();
        let error = read_batch(&path, 2, 3).unwrap_err();
        assert!(matches!(error, Error::File { fault: Fault::Gzip { .. }, .. }), "{error}");
    }
}
