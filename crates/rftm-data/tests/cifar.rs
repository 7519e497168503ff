//! CIFAR-10 from files in a folder, and from the official archive as it is.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{gzip, manifest, sha256, tar, tar_of};
use rftm_data::{
    Dataset, DatasetId, Error, Fault, Manifest, Result, Samples, Scaling, SearchPath, hold_out, load_with,
};

const NAMES: [&str; 3] = ["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"];
const FOLDER: &str = "cifar-10-batches-bin";
const ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// Records with these labels; every pixel of record `i` is `16 i + plane`.
fn batch(labels: &[u8]) -> Vec<u8> {
    let plane = |index: usize, plane: usize| [(16 * index + plane) as u8; 1024];
    let planes = |index| [plane(index, 0), plane(index, 1), plane(index, 2)].concat();
    labels.iter().enumerate().flat_map(|(index, label)| [vec![*label], planes(index)].concat()).collect()
}

fn files() -> [Vec<u8>; 3] {
    [batch(&[0, 1, 2, 1, 1]), batch(&[2]), batch(&[1, 0])]
}

fn known(contents: &[Vec<u8>; 3]) -> Manifest {
    manifest("cifar-10", &format!("folders = ['{FOLDER}']\narchive = '{ARCHIVE}'"), &NAMES, contents, &[])
}

fn place(root: &Path, contents: &[Vec<u8>; 3]) {
    fs::create_dir_all(root.join(FOLDER)).unwrap();
    NAMES.iter().zip(contents).for_each(|(name, content)| fs::write(root.join(FOLDER).join(name), content).unwrap());
}

/// The archive holds more than is wanted, and in another order.
fn pack(contents: &[Vec<u8>; 3]) -> Vec<u8> {
    let path = |index: usize| format!("{FOLDER}/{}", NAMES[index]);
    let entry = |index: usize| (path(index), contents[index].clone());
    let entries = [entry(2), ("readme.html".to_owned(), vec![b'x'; 700]), entry(0), entry(1)];
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    tar(&entries)
}

fn load(known: &Manifest, root: &Path) -> Result<Dataset> {
    load_with(known, DatasetId::Cifar10, &SearchPath::only(root))
}

fn check(found: &Dataset) {
    assert_eq!((found.id, found.channels, found.height, found.width), (DatasetId::Cifar10, 3, 32, 32));
    assert_eq!(found.class_names, ["red", "green", "blue"]);
    assert_eq!((&found.train.labels[..], &found.test.labels[..]), (&[0, 1, 2, 1, 1, 2][..], &[1, 0][..]));
    assert_eq!((found.train.pixels.len(), found.test.pixels.len()), (6 * 3072, 2 * 3072));
    assert_eq!(found.train.pixels[2 * 3072 + 1023..][..2], [32, 33], "plane after plane");
    assert_eq!(found.checksum, sha256(&files().concat()));
}

#[test]
fn files_and_archive_are_one_data_set() {
    let root = tempfile::tempdir().unwrap();
    place(root.path(), &files());
    let found = load(&known(&files()), root.path()).unwrap();
    check(&found);
    assert_eq!(found.origin, format!("binary files in {}", root.path().join(FOLDER).display()));

    for place in [ARCHIVE.to_owned(), format!("{FOLDER}/{ARCHIVE}")] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(FOLDER)).unwrap();
        fs::write(root.path().join(&place), pack(&files())).unwrap();
        let found = load(&known(&files()), root.path()).unwrap();
        check(&found);
        assert_eq!(found.origin, format!("archive {}", root.path().join(&place).display()));
    }

    let root = tempfile::tempdir().unwrap();
    place(root.path(), &files());
    fs::rename(root.path().join(FOLDER).join(NAMES[1]), root.path().join("away")).unwrap();
    fs::write(root.path().join(FOLDER).join(format!("{}.gz", NAMES[1])), gzip(&files()[1])).unwrap();
    check(&load(&known(&files()), root.path()).unwrap());
}

/// As `tar --format=pax` writes it: what is said of a file beyond the old format precedes it, under its name.
#[test]
fn a_pax_archive_is_read() {
    let mut entries = vec![("pax_global_header".to_owned(), b'g', b"19 comment=archive\n".to_vec())];
    entries.push((FOLDER.to_owned() + "/", b'5', Vec::new()));
    for (name, content) in NAMES.iter().zip(files()) {
        entries.push((format!("{FOLDER}/PaxHeaders/{name}"), b'x', b"30 mtime=1234567890.123456789\n".to_vec()));
        entries.push((format!("{FOLDER}/{name}"), b'0', content));
    }
    let entries: Vec<(&str, u8, &[u8])> = entries.iter().map(|(name, kind, it)| (&**name, *kind, &**it)).collect();
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(ARCHIVE), tar_of(&entries)).unwrap();
    check(&load(&known(&files()), root.path()).unwrap());
}

/// Folders are taken in their order: an archive in the first goes before files in the second.
#[test]
fn the_first_complete_folder_is_taken_whether_files_or_archive() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = SearchPath::only(first.path()).then(second.path());
    place(second.path(), &files());
    fs::write(first.path().join(ARCHIVE), pack(&files())).unwrap();
    let origin = || load_with(&known(&files()), DatasetId::Cifar10, &path).unwrap().origin;
    assert_eq!(origin(), format!("archive {}", first.path().join(ARCHIVE).display()));
    // Within one folder the files need no unpacking.
    place(first.path(), &files());
    assert_eq!(origin(), format!("binary files in {}", first.path().join(FOLDER).display()));
}

#[test]
fn it_splits_into_images() {
    let root = tempfile::tempdir().unwrap();
    place(root.path(), &files());
    let dataset = Arc::new(load(&known(&files()), root.path()).unwrap());
    let split = hold_out(&dataset, 1, Scaling::Unit, rftm_data::SPLIT_SEED, false).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.shape()), (2, 1, &[3, 32, 32][..]));
    assert_eq!(split.anomalous, [true, false]);
}

fn refused(known: &Manifest, root: &Path, kind: impl Fn(&Error) -> bool, parts: &[&str]) {
    let error = load(known, root).unwrap_err();
    assert!(kind(&error), "{error:?}");
    let message = error.to_string();
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn other_content_is_refused_with_file_and_offset() {
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut contents = files();
        change(&mut contents[1]);
        contents
    };
    let flipped = damaged(&|batch| batch[5] ^= 1);
    let short = damaged(&|batch| batch.truncate(3000));
    let long = damaged(&|batch| batch.push(0));
    let checksum = |error: &Error| matches!(error, Error::File { fault: Fault::Checksum { .. }, .. });
    let at = |expected: u64| move |error: &Error| matches!(error, Error::File { offset, .. } if *offset == expected);
    let root = tempfile::tempdir().unwrap();
    place(root.path(), &flipped);
    refused(&known(&files()), root.path(), checksum, &[NAMES[1], "sha-256"]);
    place(root.path(), &short);
    refused(&known(&files()), root.path(), at(3000), &[NAMES[1], "3073 bytes expected"]);
    place(root.path(), &[files()[0].clone(), Vec::new(), files()[2].clone()]);
    refused(&known(&files()), root.path(), at(0), &[NAMES[1], "empty"]);
    let (packed, broken) =
        (gzip(&files()[1]), |error: &Error| matches!(error, Error::File { fault: Fault::Gzip { .. }, .. }));
    place(root.path(), &[files()[0].clone(), packed[..packed.len() / 2].to_vec(), files()[2].clone()]);
    refused(&known(&files()), root.path(), broken, &[NAMES[1], "ends early"]);
    place(root.path(), &long);
    refused(&known(&files()), root.path(), at(3073), &[NAMES[1], "goes on"]);

    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(ARCHIVE), pack(&flipped)).unwrap();
    refused(&known(&files()), root.path(), checksum, &[ARCHIVE, NAMES[1], "sha-256"]);
    fs::write(root.path().join(ARCHIVE), pack(&short)).unwrap();
    refused(&known(&files()), root.path(), |_| true, &[ARCHIVE, "data_batch_2.bin has 3000 bytes, expected 3073"]);
}

/// Files that a manifest vouches for can still be no CIFAR-10.
#[test]
fn known_files_of_another_kind_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let contents = [batch(&[0, 1]), batch(&[1, 3]), batch(&[2])];
    place(root.path(), &contents);
    let label = |error: &Error| matches!(error, Error::File { offset: 3073, fault: Fault::Label { label: 3, .. }, .. });
    refused(&known(&contents), root.path(), label, &[NAMES[1], "byte 3073", "label 3"]);
    let contents = [batch(&[0, 1]), vec![0; 4000], batch(&[2])];
    place(root.path(), &contents);
    let truncated =
        |error: &Error| matches!(error, Error::File { offset: 4000, fault: Fault::Truncated { expected: 6146 }, .. });
    refused(&known(&contents), root.path(), truncated, &[NAMES[1], "6146 bytes expected"]);
}
