//! Small data sets for this crate's own tests.

use crate::{Dataset, DatasetId, Split};

/// Images of 2x2 pixels, image `i` of a part filled with the byte `i`.
pub(crate) fn dataset(train: &[u8], test: &[u8]) -> Dataset {
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    Dataset {
        id: DatasetId::Glyphs,
        channels: 1,
        height: 2,
        width: 2,
        class_names: names.map(str::to_owned).to_vec(),
        train: split(train),
        test: split(test),
        checksum: String::new(),
        origin: "test".to_owned(),
    }
}

fn split(labels: &[u8]) -> Split {
    let pixels = (0..labels.len()).flat_map(|index| [index as u8; 4]).collect();
    Split { pixels, labels: labels.to_vec() }
}
