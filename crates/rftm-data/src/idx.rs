//! The IDX format of MNIST and Fashion-MNIST, plain or gzip.
//!
//! Big-endian: a magic number (`0x0803` images, `0x0801` labels), one 32-bit size per dimension, then one unsigned byte
//! a value, the last dimension fastest.
//!
//! The header is checked before anything is allocated, and of a compressed file never more is unpacked than the header
//! announces and one byte.

use std::path::Path;

use crate::Result;
use crate::content::Content;
use crate::error::Fault;

/// The largest content this reader accepts, in bytes: above every file of this kind and below what would fill a memory.
const MAX_BYTES: u64 = 1 << 31;

/// Grey-scale images, one byte a pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// How many.
    pub count: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// `count * height * width` bytes.
    pub pixels: Vec<u8>,
}

/// Reads a file of images.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io), and [`Error::File`](crate::Error::File) with the byte offset of what is wrong.
pub fn read_images(path: &Path) -> Result<Images> {
    let file = read(Content::open(path)?, Kind::Images, None)?;
    Ok(file.into_images())
}

/// Reads a file of labels, each below `classes`.
///
/// # Errors
/// As [`read_images`], and for a label that is no class.
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<u8>> {
    let file = read(Content::open(path)?, Kind::Labels, None)?;
    file.into_labels(path, classes)
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Images,
    Labels,
}

impl Kind {
    fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0803,
            Self::Labels => 0x0801,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Images => "images: unsigned bytes in 3 dimensions",
            Self::Labels => "labels: unsigned bytes in 1 dimension",
        }
    }

    fn dimensions(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }
}

#[derive(Debug)]
pub(crate) struct IdxFile {
    /// As it stands in the file, so that a checksum over the whole content can be taken.
    pub(crate) header: Vec<u8>,
    pub(crate) values: Vec<u8>,
    pub(crate) sha256: String,
    dimensions: Vec<u32>,
}

/// Reads a whole file. `expected` is the size of its content if it is known beforehand.
pub(crate) fn read(mut content: Content<'_>, kind: Kind, expected: Option<u64>) -> Result<IdxFile> {
    let mut header = vec![0; 4 + 4 * kind.dimensions()];
    let header_bytes = header.len() as u64;
    content.fill_exactly(&mut header[..4], header_bytes)?;
    let word =
        |header: &[u8], at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let found = word(&header, 0);
    if found != kind.magic() {
        let fault = Fault::Magic { found, expected: kind.magic(), what: kind.describe() };
        return Err(content.fault(0, fault));
    }
    content.fill_exactly(&mut header[4..], header_bytes)?;
    let dimensions: Vec<u32> = (1..=kind.dimensions()).map(|dimension| word(&header, 4 * dimension)).collect();

    let refuse = |reason| content.fault(4, Fault::Header { dimensions: dimensions.clone(), reason });
    if dimensions.contains(&0) {
        return Err(refuse("there is nothing in it"));
    }
    let values = dimensions.iter().try_fold(1_u64, |product, &size| product.checked_mul(u64::from(size)));
    let Some(total) = values.and_then(|values| values.checked_add(header_bytes)).filter(|total| *total <= MAX_BYTES)
    else {
        return Err(refuse("that is more than 2 GiB"));
    };
    if let Some(expected) = expected.filter(|expected| *expected != total) {
        return Err(content.fault(4, Fault::Size { found: total, expected }));
    }

    let mut values = Vec::new();
    content.rest(total, |step| {
        values.extend_from_slice(step);
        Ok(())
    })?;
    Ok(IdxFile { header, values, sha256: content.sha256(), dimensions })
}

impl IdxFile {
    pub(crate) fn into_images(self) -> Images {
        let size = |dimension: usize| self.dimensions[dimension] as usize;
        Images { count: size(0), height: size(1), width: size(2), pixels: self.values }
    }

    pub(crate) fn into_labels(self, path: &Path, classes: usize) -> Result<Vec<u8>> {
        match self.values.iter().position(|label| usize::from(*label) >= classes) {
            None => Ok(self.values),
            Some(index) => {
                let fault = Fault::Label { label: self.values[index], classes };
                Err(crate::Error::file(path, (self.header.len() + index) as u64, fault))
            }
        }
    }
}

#[cfg(test)]
mod tests;
