//! From files in a folder to a data set.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{NAMES, files, gzip, images, labels, mnist, sha256};
use rftm_data::{DatasetId, Error, Fault, Samples, Scaling, SearchPath, hold_out, load, load_with};

fn place(folder: &Path, contents: &[Vec<u8>; 4], compressed: impl Fn(usize) -> bool) {
    fs::create_dir_all(folder).unwrap();
    for (index, (name, content)) in NAMES.iter().zip(contents).enumerate() {
        match compressed(index) {
            true => fs::write(folder.join(format!("{name}.gz")), gzip(content)).unwrap(),
            false => fs::write(folder.join(name), content).unwrap(),
        }
    }
}

#[test]
fn plain_compressed_and_mixed_files_are_one_data_set() {
    let manifest = mnist(&files(), &[]);
    for (folder, compressed) in [("mnist", 0b0000), ("MNIST/raw", 0b1111), ("mnist", 0b0110)] {
        let root = tempfile::tempdir().unwrap();
        place(&root.path().join(folder), &files(), |index| compressed >> index & 1 == 1);
        let found = load_with(&manifest, DatasetId::Mnist, &SearchPath::only(root.path())).unwrap();
        assert_eq!((found.id, found.channels, found.height, found.width), (DatasetId::Mnist, 1, 2, 3));
        assert_eq!(found.class_names, ["red", "green", "blue"]);
        assert_eq!((&found.train.labels[..], &found.test.labels[..]), (&[2, 0, 1][..], &[1, 1][..]));
        assert_eq!(found.train.pixels[6..9], [10, 11, 12]);
        assert_eq!(found.test.pixels.len(), 12);
        assert_eq!(found.checksum, sha256(&files().concat()));
        assert_eq!(found.origin, format!("IDX files in {}", root.path().join(folder).display()));
    }
}

#[test]
fn glyphs_need_no_files_and_split() {
    let nowhere = SearchPath::only(Path::new("/no/such/folder"));
    let glyphs = Arc::new(load(DatasetId::Glyphs, &nowhere).unwrap());
    assert_eq!((glyphs.train.len(), glyphs.test.len()), (12_000, 2_000));
    let split = hold_out(&glyphs, 3, Scaling::Symmetric, rftm_data::SPLIT_SEED, false).unwrap();
    // 12,000 less 1,200 anomalies; a tenth of the rest validates.
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (9_720, 1_080, 2_000));
    assert_eq!(split.anomalous.iter().filter(|anomalous| **anomalous).count(), 200);
    assert_eq!(split.test.shape(), [1, 28, 28]);
    let mut pixels = vec![9.0; 2 * 784];
    split.train.fill(&[0, 9_719], &mut pixels);
    assert!(pixels.iter().all(|value| (-1.0..=1.0).contains(value)));
}

#[test]
fn what_is_not_there_is_said_with_every_place() {
    let root = tempfile::tempdir().unwrap();
    let path = SearchPath::only(root.path());
    let message = load(DatasetId::FashionMnist, &path).unwrap_err().to_string();
    for part in ["fashion-mnist not found", "FashionMNIST/raw", "t10k-labels-idx1-ubyte", "cargo xtask data fetch"] {
        assert!(message.contains(part), "{message}");
    }
    fs::write(root.path().join("another file"), "").unwrap();
    let looked = format!("\n  {} (given): missing cifar-10-binary.tar.gz", root.path().display());
    let message = load(DatasetId::Cifar10, &path).unwrap_err().to_string();
    for part in
        ["cifar-10 not found", "test_batch.bin", "or cifar-10-binary.tar.gz with all of them", "cargo xtask", &looked]
    {
        assert!(message.contains(part), "{message}");
    }
}

/// Loads `contents` by a manifest for `known` and checks the error's kind and what its message names.
fn check(known: &[Vec<u8>; 4], contents: &[Vec<u8>; 4], kind: impl Fn(&Error) -> bool, parts: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    place(&root.path().join("mnist"), contents, |index| index == 0);
    let error = load_with(&mnist(known, &[]), DatasetId::Mnist, &SearchPath::only(root.path())).unwrap_err();
    assert!(kind(&error), "{error:?}");
    let message = error.to_string();
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn other_content_is_refused() {
    let mut flipped = files();
    flipped[0][20] ^= 1;
    let checksum = |error: &Error| matches!(error, Error::File { fault: Fault::Checksum { .. }, .. });
    check(
        &files(),
        &flipped,
        checksum,
        &[NAMES[0], &sha256(&files()[0]), &sha256(&flipped[0]), "`cargo xtask data fetch mnist`"],
    );

    let mut longer = files();
    longer[2] = images(3);
    let size = |error: &Error| matches!(error, Error::File { offset: 4, fault: Fault::Size { .. }, .. });
    check(&files(), &longer, size, &[NAMES[2], "34 bytes", "28"]);

    let mut swapped = files();
    swapped.swap(0, 1);
    let magic = |error: &Error| matches!(error, Error::File { offset: 0, fault: Fault::Magic { .. }, .. });
    check(&files(), &swapped, magic, &[NAMES[0], "0x00000801"]);

    let mut empty = files();
    empty[3].clear();
    let fault = |error: &Error| matches!(error, Error::File { offset: 0, fault: Fault::Empty, .. });
    check(&files(), &empty, fault, &[NAMES[3], "empty"]);
}

/// Files that a manifest vouches for can still not belong together.
#[test]
fn files_that_do_not_fit_together_are_refused() {
    let with = |index: usize, content: Vec<u8>| {
        let mut files = files();
        files[index] = content;
        files
    };
    let count = |error: &Error| matches!(error, Error::CountMismatch { image_count: 2, label_count: 3, .. });
    let files = with(3, labels(&[1, 1, 0]));
    check(&files, &files, count, &[NAMES[2], NAMES[3], "2 images", "3 labels"]);

    let label = |error: &Error| matches!(error, Error::File { offset: 10, fault: Fault::Label { label: 3, .. }, .. });
    let files = with(1, labels(&[0, 1, 3]));
    check(&files, &files, label, &[NAMES[1], "byte 10", "label 3"]);

    let mut wide = images(2);
    (wide[11], wide[15]) = (3, 2);
    let files = with(2, wide);
    let size = |error: &Error| matches!(error, Error::ImageSize { found: (3, 2), expected: (2, 3), .. });
    check(&files, &files, size, &[NAMES[2], "3x2", "2x3"]);
}
