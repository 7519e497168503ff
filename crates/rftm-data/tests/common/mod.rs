//! Small IDX files, archives, and the manifest that knows them.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
#![allow(dead_code)] // every file of tests takes what it needs

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rftm_data::Manifest;
use sha2::{Digest, Sha256};

pub(crate) const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// `count` images of 2x3 pixels; pixel `p` of image `i` is `10 i + p`.
pub(crate) fn images(count: u8) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
    file.extend((0..count).flat_map(|image| (0..6).map(move |pixel| 10 * image + pixel)));
    file
}

pub(crate) fn labels(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat()
}

/// Three training and two test samples of three classes, in the order of [`NAMES`].
pub(crate) fn files() -> [Vec<u8>; 4] {
    [images(3), labels(&[2, 0, 1]), images(2), labels(&[1, 1])]
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A manifest for one data set with these contents.
pub(crate) fn manifest(id: &str, more: &str, names: &[&str], contents: &[Vec<u8>], mirrors: &[String]) -> Manifest {
    let mut text = format!("[{id}]\nclasses = ['red', 'green', 'blue']\nmirrors = {mirrors:?}\n{more}\nfiles = [\n");
    for (name, content) in names.iter().zip(contents) {
        let (bytes, sha256) = (content.len(), sha256(content));
        writeln!(text, "{{ name = '{name}', bytes = {bytes}, sha256 = '{sha256}' }},").unwrap();
    }
    Manifest::parse(&(text + "]\n")).unwrap()
}

pub(crate) fn mnist(contents: &[Vec<u8>], mirrors: &[String]) -> Manifest {
    manifest("mnist", "folders = ['mnist', 'MNIST/raw']", &NAMES, contents, mirrors)
}

/// A compressed archive of these files.
pub(crate) fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    tar_of(&entries.iter().map(|&(name, content)| (name, 0, content)).collect::<Vec<_>>())
}

/// A compressed archive of entries of these types.
pub(crate) fn tar_of(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, kind, content) in entries {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = *kind;
        header[257..262].copy_from_slice(b"ustar");
        archive.extend(header);
        archive.extend(*content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    gzip(&archive)
}
