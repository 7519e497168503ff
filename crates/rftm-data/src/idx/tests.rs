use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::Error;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A file of this kind whose header gives `dimensions`, followed by `values`.
fn file(magic: u32, dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let header = std::iter::once(&magic).chain(dimensions).flat_map(|word| word.to_be_bytes());
    header.chain(values.iter().copied()).collect()
}

fn images() -> Vec<u8> {
    file(0x0803, &[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
}

fn labels() -> Vec<u8> {
    file(0x0801, &[4], &[0, 2, 1, 2])
}

#[test]
fn plain_and_gzip_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let expected = Images { count: 2, height: 2, width: 3, pixels: (1..=12).collect() };
    // The name says nothing about the content.
    for (name, bytes) in [("plain", images()), ("x.gz", gzip(&images())), ("y", gzip(&images())), ("z.gz", images())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_images(&path).unwrap(), expected, "{name}");
    }
    for bytes in [labels(), gzip(&labels())] {
        let path = folder.path().join("labels");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_labels(&path, 3).unwrap(), [0, 2, 1, 2]);
    }
}

/// Writes the bytes to a file, reads it, and checks offset and fault of the error and what its message says.
fn check(kind: Kind, bytes: &[u8], offset: u64, fault: impl Fn(&Fault) -> bool, part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad-idx-ubyte");
    std::fs::write(&path, bytes).unwrap();
    let error = match kind {
        Kind::Images => read_images(&path).map(|_| ()),
        Kind::Labels => read_labels(&path, 3).map(|_| ()),
    }
    .unwrap_err();
    let message = error.to_string();
    let Error::File { path: found_path, offset: found_offset, fault: found, of: None } = error else {
        panic!("{message}")
    };
    assert_eq!((found_path, found_offset), (path, offset), "{message}");
    assert!(fault(&found), "{message}");
    assert!(message.contains("bad-idx-ubyte") && message.contains(part), "{message}");
    assert!(!message.contains("xtask"), "a file of one's own cannot be fetched again: {message}");
}

#[test]
fn bad_files_are_typed_errors_with_offset() {
    use Fault::{Empty, Gzip, Header, Label, Magic, Trailing, Truncated};
    use Kind::{Images, Labels};
    let truncated = |expected: u64| move |fault: &Fault| *fault == Truncated { expected };
    let whole = images();

    check(Images, &[], 0, |fault| *fault == Empty, "empty");
    check(Images, &gzip(&[]), 0, truncated(16), "16 bytes expected");
    check(Images, &whole[..3], 3, truncated(16), "byte 3");
    check(Images, &whole[..11], 11, truncated(16), "byte 11");
    check(Images, &whole[..20], 20, truncated(28), "28 bytes expected");
    check(Images, &gzip(&whole[..20]), 20, truncated(28), "28 bytes expected");
    check(Labels, &labels()[..9], 9, truncated(12), "12 bytes expected");

    let magic = |fault: &Fault| matches!(fault, Magic { found: 0x0801, expected: 0x0803, .. });
    check(Images, &labels(), 0, magic, "0x00000801, expected 0x00000803 (images");
    let magic = |fault: &Fault| matches!(fault, Magic { found: 0x0803, expected: 0x0801, .. });
    check(Labels, &gzip(&whole), 0, magic, "(labels");
    check(Images, b"<html>404</html>", 0, |fault| matches!(fault, Magic { found: 0x3c68_746d, .. }), "magic");

    let trailing = |fault: &Fault| *fault == Trailing;
    check(Images, &[&whole[..], &[0]].concat(), 28, trailing, "goes on");
    check(Images, &gzip(&[&whole[..], &[0]].concat()), 28, trailing, "goes on");
    check(Images, &[gzip(&whole), gzip(&[7])].concat(), 28, trailing, "goes on");

    let header = |fault: &Fault| matches!(fault, Header { .. });
    check(Images, &file(0x0803, &[0, 28, 28], &[]), 4, header, "[0, 28, 28]");
    check(Labels, &file(0x0801, &[0], &[]), 4, header, "nothing in it");
    check(Images, &file(0x0803, &[u32::MAX; 3], &[1, 2]), 4, header, "more than 2 GiB");
    check(Images, &file(0x0803, &[1 << 16, 1 << 8, 1 << 8], &[1]), 4, header, "more than 2 GiB");
    check(Images, &gzip(&file(0x0803, &[u32::MAX, u32::MAX, 0], &[1])), 4, header, "nothing in it");

    let mut cut = gzip(&whole);
    cut.truncate(cut.len() - 4);
    check(Images, &cut, 28, |fault| matches!(fault, Gzip { .. }), "ends early");
    check(Images, &cut[..5], 0, |fault| matches!(fault, Gzip { .. }), "ends early");
    let mut wrong_crc = gzip(&whole);
    let crc = wrong_crc.len() - 8;
    wrong_crc[crc] ^= 1;
    check(Images, &wrong_crc, 28, |fault| matches!(fault, Gzip { .. }), "broken gzip stream");

    let label = |fault: &Fault| *fault == Label { label: 3, classes: 3 };
    check(Labels, &file(0x0801, &[3], &[0, 2, 3]), 10, label, "label 3, but there are 3 classes");
}

#[test]
fn a_folder_or_a_missing_file_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing"), folder.path().to_owned()] {
        let error = read_images(&path).unwrap_err();
        assert!(matches!(&error, Error::Io { path: found, .. } if *found == path), "{error}");
    }
}

/// Counts what is asked of it.
struct Counting<'a>(&'a [u8], &'a std::cell::Cell<usize>);

impl std::io::Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = std::io::Read::read(&mut self.0, buffer)?;
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

#[test]
fn a_gzip_bomb_is_not_unpacked_beyond_its_header() {
    // 64 MiB of zeros behind a header that announces 100 bytes: 64 KiB compressed.
    let mut content = file(0x0801, &[92], &[]);
    content.resize(64 << 20, 0);
    let bomb = gzip(&content);
    let taken = std::cell::Cell::new(0);
    let source = Content::new(&PathBuf::from("bomb.gz"), Counting(&bomb, &taken), bomb.len() as u64).unwrap();
    let error = read(source, Kind::Labels, None).unwrap_err();
    assert!(matches!(error, Error::File { offset: 100, fault: Fault::Trailing, .. }), "{error}");
    assert!(bomb.len() > 60_000 && taken.get() <= (1 << 16) + 2, "{} of {} bytes read", taken.get(), bomb.len());
}

#[test]
fn a_size_known_beforehand_is_checked_before_the_body() {
    let bytes = file(0x0801, &[1 << 30], &[]);
    let source = Content::new(&PathBuf::from("labels"), &bytes[..], bytes.len() as u64).unwrap();
    let error = read(source, Kind::Labels, Some(60_008)).unwrap_err();
    let Error::File { offset: 4, fault, .. } = error else { panic!("{error}") };
    assert_eq!(fault, Fault::Size { found: (1 << 30) + 8, expected: 60_008 });
}

/// Reads the bytes as both kinds; whatever comes back must be consistent.
fn read_anything(bytes: &[u8]) -> Vec<Result<IdxFile>> {
    [Kind::Images, Kind::Labels]
        .into_iter()
        .map(|kind| read(Content::new(&PathBuf::from("any"), bytes, bytes.len() as u64)?, kind, None))
        .collect()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), pack in any::<bool>()) {
        let bytes = if pack { gzip(&bytes) } else { bytes };
        for file in read_anything(&bytes).into_iter().flatten() {
            prop_assert!(!file.values.is_empty() && file.values.len() < 200);
        }
    }

    #[test]
    fn a_right_magic_and_any_rest_never_panics(
        labels in any::<bool>(), sizes in prop::array::uniform3(prop_oneof![0_u32..6, any::<u32>()]),
        values in prop::collection::vec(any::<u8>(), 0..130), pack in any::<bool>(),
    ) {
        let (magic, dimensions) = if labels { (0x0801, &sizes[..1]) } else { (0x0803, &sizes[..]) };
        let bytes = file(magic, dimensions, &values);
        let fits = dimensions.iter().map(|size| u128::from(*size)).product::<u128>() == values.len() as u128;
        let found = read_anything(&if pack { gzip(&bytes) } else { bytes });
        prop_assert_eq!(found[usize::from(labels)].is_ok(), fits && !values.is_empty());
        prop_assert!(found[usize::from(!labels)].is_err());
    }

    #[test]
    fn damaged_gzip_never_panics_and_never_passes_as_other_content(
        at in 0_usize..1000, flip in 1_u8..=255, cut in 0_usize..1000,
    ) {
        let mut bytes = gzip(&images());
        let at = at % bytes.len();
        bytes[at] ^= flip;
        bytes.truncate(bytes.len() - cut % 4);
        if let [Ok(file), _] = &read_anything(&bytes)[..] {
            prop_assert_eq!(&file.values[..], &images()[16..]);
        }
    }
}
