use sha2::{Digest, Sha256};

use crate::content::{self, Content, hex};
use crate::idx::{self, Images, Kind};
use crate::manifest::{FileEntry, FileSet};
use crate::search::Found;
use crate::{DatasetId, Error, Manifest, Result, SearchPath, glyphs};

/// A labelled image set, whole in memory, as it came: no scaling, original order.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Which one.
    pub id: DatasetId,
    /// 1 for grey, 3 for RGB.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Name of each class, in the order of the labels.
    pub class_names: Vec<String>,
    /// The training part.
    pub train: Split,
    /// The test part.
    pub test: Split,
    /// SHA-256 of the content: of all files, uncompressed and in order, or of the drawn images and labels.
    pub checksum: String,
    /// Where it came from, for a reader.
    pub origin: String,
}

/// Images and their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// `n * channels * height * width` bytes: image after image, within it channel after channel, row by row.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u8>,
}

impl Dataset {
    /// Bytes, and after flattening features, of one image.
    #[must_use]
    pub fn features(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl Split {
    /// How many images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Loads a data set from the first folder that has it; glyphs are drawn instead, with [`glyphs::Config::default`].
///
/// Every file's content is checked against its SHA-256, so other or damaged data can never be used unnoticed.
///
/// # Errors
/// [`Error::NotFound`] says what was looked for and where; [`Error::File`] names file, offset and fault;
/// [`Error::NotReadable`] for CIFAR-10, whose reader is yet to come.
pub fn load(id: DatasetId, path: &SearchPath) -> Result<Dataset> {
    load_with(&Manifest::built_in()?, id, path)
}

/// [`load`] by another manifest.
///
/// # Errors
/// As [`load`].
pub fn load_with(manifest: &Manifest, id: DatasetId, path: &SearchPath) -> Result<Dataset> {
    match id {
        DatasetId::Glyphs => Ok(glyphs::dataset(&glyphs::Config::default())),
        DatasetId::Cifar10 => Err(Error::NotReadable { id }),
        DatasetId::Mnist | DatasetId::FashionMnist => {
            let set = manifest.require(id)?;
            from_idx(id, set, &path.find(id, set)?)
        }
    }
}

fn from_idx(id: DatasetId, set: &FileSet, found: &Found) -> Result<Dataset> {
    let ([train_images, train_labels, test_images, test_labels], [a, b, c, d]) = (&set.files[..], &found.files[..])
    else {
        return Err(Error::Manifest { what: format!("{id} must list four files, it lists {}", set.files.len()) });
    };
    let mut whole = Sha256::new();
    let mut read = |entry: &FileEntry, path, kind| {
        let file = idx::read(Content::open(path)?, kind, Some(entry.bytes))?;
        content::check(path, file.sha256.clone(), &entry.sha256)?;
        whole.update(&file.header);
        whole.update(&file.values);
        Ok::<_, Error>(file)
    };
    let classes = set.classes.len();
    let train_x = read(train_images, a, Kind::Images)?.into_images();
    let train_y = read(train_labels, b, Kind::Labels)?.into_labels(b, classes)?;
    let test_x = read(test_images, c, Kind::Images)?.into_images();
    let test_y = read(test_labels, d, Kind::Labels)?.into_labels(d, classes)?;

    for (images, path, labels, label_path) in [(&train_x, a, &train_y, b), (&test_x, c, &test_y, d)] {
        if images.count != labels.len() {
            return Err(Error::CountMismatch {
                images: path.clone(),
                image_count: images.count,
                labels: label_path.clone(),
                label_count: labels.len(),
            });
        }
    }
    let size = |images: &Images| (images.height, images.width);
    if size(&test_x) != size(&train_x) {
        return Err(Error::ImageSize { path: c.clone(), found: size(&test_x), expected: size(&train_x) });
    }
    Ok(Dataset {
        id,
        channels: 1,
        height: train_x.height,
        width: train_x.width,
        class_names: set.classes.clone(),
        train: Split { pixels: train_x.pixels, labels: train_y },
        test: Split { pixels: test_x.pixels, labels: test_y },
        checksum: hex(&whole.finalize()),
        origin: format!("IDX files in {}", found.folder.display()),
    })
}
