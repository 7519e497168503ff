//! Per-sample scores beside the ledger, so that every metric can be computed again without training.
//!
//! One gzip file a cell, `scores/KEY.bin.gz`. Unpacked: the magic `RFTMSCO1`, the key (16 bytes ASCII), the number of
//! samples n (u64), n scores (f32), and ceil(n / 8) bytes of labels (bit i mod 8 of byte i / 8 is 1 where sample i is an
//! anomaly). All little-endian.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::cell::Key;
use crate::error::{Error, IoContext, Result};
use crate::files;

const MAGIC: &[u8; 8] = b"RFTMSCO1";
const HEADER: usize = 8 + 16 + 8;
/// No data set here comes near; a damaged header must not make us ask for terabytes.
const MAX_SAMPLES: u64 = 1 << 30;

/// The anomaly scores of a test set and which of its samples are anomalies.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// One score a sample, higher is more anomalous.
    pub scores: Vec<f32>,
    /// Whether each sample is an anomaly.
    pub anomalous: Vec<bool>,
}

/// Where the scores of `key` lie in the results folder `out`.
#[must_use]
pub fn scores_path(out: &Path, key: &Key) -> PathBuf {
    out.join("scores").join(format!("{key}.bin.gz"))
}

/// Writes the scores of `key` into the results folder `out`, all or nothing.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written, [`Error::Scores`] if scores and labels differ in number.
pub(crate) fn write_scores(out: &Path, key: &Key, scores: &Scores) -> Result<()> {
    let path = scores_path(out, key);
    let Scores { scores, anomalous } = scores;
    if scores.len() != anomalous.len() {
        let message = format!("{} scores but {} labels", scores.len(), anomalous.len());
        return Err(Error::Scores { path, message });
    }
    let mut plain = Vec::with_capacity(HEADER + scores.len() * 4 + scores.len().div_ceil(8));
    plain.extend_from_slice(MAGIC);
    plain.extend_from_slice(key.as_str().as_bytes());
    plain.extend_from_slice(&(scores.len() as u64).to_le_bytes());
    scores.iter().for_each(|score| plain.extend_from_slice(&score.to_le_bytes()));
    let pack =
        |labels: &[bool]| labels.iter().enumerate().fold(0_u8, |byte, (bit, &label)| byte | u8::from(label) << bit);
    plain.extend(anomalous.chunks(8).map(pack));
    // The encoder writes no time stamp: the same scores are the same file.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(&plain).and_then(|()| encoder.finish()).at("compress", &path)?;
    files::write_atomic(&path, &packed)
}

/// Reads the scores of `key` from the results folder `out`.
///
/// # Errors
/// [`Error::Io`] if there is no such file, [`Error::Scores`] if it is damaged or belongs to another key.
pub fn read_scores(out: &Path, key: &Key) -> Result<Scores> {
    let path = scores_path(out, key);
    let mut decoder = GzDecoder::new(File::open(&path).at("open", &path)?);
    read_plain(&mut decoder, key).map_err(|message| Error::Scores { path, message })
}

fn read_plain(reader: &mut impl Read, key: &Key) -> Result<Scores, String> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).map_err(|error| format!("header: {error}"))?;
    let (magic, rest) = header.split_at(8);
    let (found_key, count) = rest.split_at(16);
    if magic != MAGIC {
        return Err(format!("it begins with {magic:?} instead of {MAGIC:?}"));
    }
    if found_key != key.as_str().as_bytes() {
        return Err(format!("it holds the scores of {}", String::from_utf8_lossy(found_key)));
    }
    let count = count.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
    if count > MAX_SAMPLES {
        return Err(format!("it claims {count} samples"));
    }
    let wanted = count * 4 + count.div_ceil(8);
    let mut body = Vec::new();
    // One byte more than wanted, to notice what follows.
    reader.take(wanted + 1).read_to_end(&mut body).map_err(|error| format!("body: {error}"))?;
    if body.len() as u64 != wanted {
        let more = if body.len() as u64 > wanted { "more" } else { "fewer" };
        return Err(format!("{count} samples take {wanted} bytes, there are {more}"));
    }
    let (scores, labels) = body.split_at(count as usize * 4);
    let scores: Vec<f32> = scores.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let anomalous = (0..scores.len()).map(|i| labels[i / 8] >> (i % 8) & 1 == 1).collect();
    Ok(Scores { scores, anomalous })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        "0123456789abcdef".parse().unwrap()
    }

    fn some(count: usize) -> Scores {
        let scores = (0..count).map(|i| (i as f32).sqrt() - 1.5).collect();
        Scores { scores, anomalous: (0..count).map(|i| i % 3 == 1).collect() }
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scores")).unwrap();
        folder
    }

    #[test]
    fn scores_come_back_as_they_were_and_the_file_is_reproducible() {
        let folder = folder();
        for count in [0, 1, 7, 8, 9, 1000] {
            write_scores(folder.path(), &key(), &some(count)).unwrap();
            let first = std::fs::read(scores_path(folder.path(), &key())).unwrap();
            assert_eq!(read_scores(folder.path(), &key()).unwrap(), some(count));
            write_scores(folder.path(), &key(), &some(count)).unwrap();
            assert_eq!(std::fs::read(scores_path(folder.path(), &key())).unwrap(), first);
        }
    }

    fn check(plain: &[u8], expected: &str) {
        let error = read_plain(&mut &plain[..], &key()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn damaged_files_say_what_is_wrong() {
        let mut plain = Vec::new();
        plain.extend_from_slice(b"RFTMSCO10123456789abcdef");
        plain.extend_from_slice(&2_u64.to_le_bytes());
        plain.extend_from_slice(&[0; 9]);
        assert_eq!(read_plain(&mut &plain[..], &key()).unwrap().scores, [0.0, 0.0]);
        check(&[], "header");
        check(&plain[..31], "header");
        check(&plain[..40], "there are fewer");
        check(&[&plain[..], &[0]].concat(), "there are more");
        check(&[b"X", &plain[1..]].concat(), "instead of");
        check(&[&plain[..8], b"ffff", &plain[12..]].concat(), "scores of ffff456789abcdef");
        check(&[&plain[..24], &u64::MAX.to_le_bytes()].concat(), "claims");
    }

    #[test]
    fn a_truncated_gzip_file_and_a_wrong_count_are_errors() {
        let folder = folder();
        let path = scores_path(folder.path(), &key());
        write_scores(folder.path(), &key(), &some(1000)).unwrap();
        let packed = std::fs::read(&path).unwrap();
        std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
        let message = read_scores(folder.path(), &key()).unwrap_err().to_string();
        assert!(message.contains("0123456789abcdef.bin.gz") && message.contains("line out of the ledger"), "{message}");
        let uneven = Scores { scores: vec![1.0], anomalous: vec![] };
        let message = write_scores(folder.path(), &key(), &uneven).unwrap_err().to_string();
        assert!(message.contains("1 scores but 0 labels"), "{message}");
    }
}
