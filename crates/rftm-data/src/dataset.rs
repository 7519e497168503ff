use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::content::{self, Content, hex};
use crate::idx::{self, Images, Kind};
use crate::manifest::{FileEntry, FileSet};
use crate::search::{Files, Found};
use crate::{DatasetId, Error, Manifest, Result, SearchPath, archive, cifar, glyphs};

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
/// [`Error::NotFound`] says what was looked for and where; [`Error::File`] names file, offset and fault.
pub fn load(id: DatasetId, path: &SearchPath) -> Result<Dataset> {
    load_with(&Manifest::built_in()?, id, path)
}

/// [`load`] by another manifest.
///
/// # Errors
/// As [`load`].
pub fn load_with(manifest: &Manifest, id: DatasetId, path: &SearchPath) -> Result<Dataset> {
    read(manifest, id, path).map_err(|error| error.of(id))
}

fn read(manifest: &Manifest, id: DatasetId, path: &SearchPath) -> Result<Dataset> {
    match id {
        DatasetId::Glyphs => Ok(glyphs::dataset(&glyphs::Config::default())),
        DatasetId::Cifar10 => from_batches(manifest.require(id)?, path),
        DatasetId::Mnist | DatasetId::FashionMnist => {
            let set = manifest.require(id)?;
            match path.find(id, set)? {
                Found::Files(found) => from_idx(id, set, &found),
                Found::Archive(_) => {
                    Err(Error::Manifest { what: format!("{id} is read from files, not from an archive") })
                }
            }
        }
    }
}

fn from_idx(id: DatasetId, set: &FileSet, found: &Files) -> Result<Dataset> {
    let ([train_images, train_labels, test_images, test_labels], [a, b, c, d]) = (&set.files[..], &found.paths[..])
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

/// CIFAR-10: the last file of the set is the test part. The official archive will do where the files are not unpacked.
fn from_batches(set: &FileSet, path: &SearchPath) -> Result<Dataset> {
    let id = DatasetId::Cifar10;
    let (mut contents, origin) = match path.find(id, set)? {
        Found::Files(found) => (read_files(set, &found)?, format!("binary files in {}", found.folder.display())),
        Found::Archive(archive) => (read_archive(set, &archive)?, format!("archive {}", archive.display())),
    };
    let (mut whole, mut train) = (Sha256::new(), Split::default());
    let mut test = Split::default();
    let last = contents.len().saturating_sub(1);
    for (index, (path, bytes)) in contents.drain(..).enumerate() {
        whole.update(&bytes);
        let part = if index == last { &mut test } else { &mut train };
        cifar::append(part, &path, &bytes, set.classes.len())?;
    }
    Ok(Dataset {
        id,
        channels: cifar::CHANNELS,
        height: cifar::SIDE,
        width: cifar::SIDE,
        class_names: set.classes.clone(),
        train,
        test,
        checksum: hex(&whole.finalize()),
        origin,
    })
}

/// The checked content of every file, in the order of the set, with a path for messages.
type Contents = Vec<(PathBuf, Vec<u8>)>;

fn read_files(set: &FileSet, found: &Files) -> Result<Contents> {
    let read = |(entry, path): (&FileEntry, &PathBuf)| {
        let (mut content, mut bytes) = (Content::open(path)?, Vec::new());
        content.rest(entry.bytes, |step| {
            bytes.extend_from_slice(step);
            Ok(())
        })?;
        content::check(path, content.sha256(), &entry.sha256)?;
        Ok((path.clone(), bytes))
    };
    set.files.iter().zip(&found.paths).map(read).collect()
}

fn read_archive(set: &FileSet, path: &Path) -> Result<Contents> {
    let mut contents: Contents = set.files.iter().map(|file| (path.join(&file.name), Vec::new())).collect();
    archive::each(path, &set.files, &mut |file, entry| {
        let Some((name, bytes)) = set.files.iter().position(|one| one.name == file.name).map(|at| &mut contents[at])
        else {
            return Ok(());
        };
        entry.copy(&mut |step| {
            bytes.extend_from_slice(step);
            Ok(())
        })?;
        content::check(name, hex(&Sha256::digest(&*bytes)), &file.sha256)
    })?;
    Ok(contents)
}
