use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::DatasetId;

/// The result of anything that reads, draws, splits or fetches data.
pub type Result<T> = std::result::Result<T, Error>;

/// What was wrong with the data, and where.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No data set has this name.
    #[error("unknown data set {name:?}: known are {}", DatasetId::names())]
    UnknownDataset {
        /// The name given.
        name: String,
    },
    /// No folder holds all files of the data set.
    #[error("{}", not_found(*id, files, archive.as_deref(), places))]
    NotFound {
        /// The data set.
        id: DatasetId,
        /// The files it consists of; each may be plain or `.gz`.
        files: Vec<String>,
        /// The archive that would do in their place.
        archive: Option<String>,
        /// Every folder that was looked into, in order.
        places: Vec<Place>,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The bytes of a file are not what they should be.
    #[error("{}, byte {offset}: {fault}{}", path.display(), replace(*of))]
    File {
        /// The file.
        path: PathBuf,
        /// Where in its (uncompressed) content.
        offset: u64,
        /// What is wrong there.
        fault: Fault,
        /// The data set that was to be loaded from it; `None` for a file of one's own, which cannot be fetched again.
        of: Option<DatasetId>,
    },
    /// Images and labels do not belong together.
    #[error("{} has {image_count} images but {} has {label_count} labels: the files are not of one set", images.display(), labels.display())]
    CountMismatch {
        /// The image file.
        images: PathBuf,
        /// Images in it.
        image_count: usize,
        /// The label file.
        labels: PathBuf,
        /// Labels in it.
        label_count: usize,
    },
    /// Training and test images differ in size.
    #[error("{} has images of {}x{} pixels, expected {}x{} as in the training images", path.display(), found.0, found.1, expected.0, expected.1)]
    ImageSize {
        /// The file with the test images.
        path: PathBuf,
        /// Its height and width.
        found: (usize, usize),
        /// Height and width of the training images.
        expected: (usize, usize),
    },
    /// A manifest that cannot be right.
    #[error("manifest: {what}")]
    Manifest {
        /// What is wrong.
        what: String,
    },
    /// The class to hold out is none of the data set's.
    #[error("{id} has no class {class}: its classes are {}", numbered(classes))]
    UnknownClass {
        /// The data set.
        id: DatasetId,
        /// The class asked for.
        class: u8,
        /// Names of the classes there are.
        classes: Vec<String>,
    },
    /// A part of the protocol would be without samples.
    #[error("{id}, class {class} held out: {count} {what}, at least {needed} needed")]
    TooFewSamples {
        /// The data set.
        id: DatasetId,
        /// The held-out class.
        class: u8,
        /// Which samples.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many the protocol needs.
        needed: usize,
    },
    /// A NaN or an infinity in an array of samples.
    #[error("row {row}, column {column} is {value}: only finite numbers can be trained on or scored")]
    NonFinite {
        /// The sample.
        row: usize,
        /// The feature within the sample.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// The values do not fill whole samples, or there are none.
    #[error("{values} values do not make {} of shape {shape:?}", some(*samples))]
    Shape {
        /// Values given.
        values: usize,
        /// How many samples they should make, if that is known.
        samples: Option<usize>,
        /// Shape of one sample.
        shape: Vec<usize>,
    },
    /// No batch can be made.
    #[error("{rows} rows in batches of {batch_size}: {reason}")]
    Batches {
        /// Rows to be batched.
        rows: usize,
        /// Rows a batch.
        batch_size: usize,
        /// Why that is impossible.
        reason: &'static str,
    },
    /// No mirror gave the file.
    #[error("{}", download(file, folder, attempts))]
    Download {
        /// The file that is missing.
        file: String,
        /// Where it should have been written.
        folder: PathBuf,
        /// Address and failure of each mirror, in the order tried.
        attempts: Vec<(String, String)>,
    },
}

/// What can be wrong with the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is not one byte.
    #[error("the file is empty")]
    Empty,
    /// The content ends early.
    #[error("the content ends here, {expected} bytes expected")]
    Truncated {
        /// The bytes there should be.
        expected: u64,
    },
    /// The content goes on after its end.
    #[error("the content should end here but goes on: this is another file, or a damaged one")]
    Trailing,
    /// The first four bytes name another format.
    #[error("magic number {found:#010x}, expected {expected:#010x} ({what})")]
    Magic {
        /// The number found.
        found: u32,
        /// The number expected.
        expected: u32,
        /// What the expected number stands for.
        what: &'static str,
    },
    /// A header that no file of ours can have.
    #[error("the header gives the dimensions {dimensions:?}: {reason}")]
    Header {
        /// The dimensions in the header.
        dimensions: Vec<u32>,
        /// Why they are refused.
        reason: &'static str,
    },
    /// The content is not as long as the manifest says.
    #[error("the content has {found} bytes, the manifest says {expected}: this is another file of the same name")]
    Size {
        /// Bytes by the file's header or length.
        found: u64,
        /// Bytes by the manifest.
        expected: u64,
    },
    /// The compression is damaged.
    #[error("broken gzip stream: {reason}")]
    Gzip {
        /// What the decoder says.
        reason: String,
    },
    /// An archive without the files it should hold.
    #[error("archive: {reason}")]
    Archive {
        /// What is wrong with it.
        reason: String,
    },
    /// A label outside the classes.
    #[error("label {label}, but there are {classes} classes")]
    Label {
        /// The label.
        label: u8,
        /// The number of classes.
        classes: usize,
    },
    /// The content is not the known one.
    #[error("the content has sha-256 {found}, expected {expected}")]
    Checksum {
        /// SHA-256 of the content found.
        found: String,
        /// SHA-256 in the manifest.
        expected: String,
    },
}

/// A folder that was looked into, and what it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// Why it was looked into: `--data`, `$RFTM_DATA` or `default`.
    pub origin: String,
    /// The files that are not there, neither plain nor as `.gz`.
    pub missing: Vec<String>,
}

impl Error {
    /// For `map_err` on I/O: `cannot {action} {path}: ...`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn file(path: &Path, offset: u64, fault: Fault) -> Self {
        Self::File { path: path.to_owned(), offset, fault, of: None }
    }

    /// For a fault in a file: it should be part of this data set.
    pub(crate) fn of(mut self, id: DatasetId) -> Self {
        if let Self::File { of, .. } = &mut self {
            *of = Some(id);
        }
        self
    }
}

fn some(samples: Option<usize>) -> String {
    samples.map_or_else(|| "one or more samples".to_owned(), |samples| format!("{samples} samples"))
}

fn replace(of: Option<DatasetId>) -> String {
    of.map_or_else(String::new, |id| {
        format!(". `cargo xtask data fetch {id}` replaces a damaged file (with --data FOLDER the one in that folder)")
    })
}

fn not_found(id: DatasetId, files: &[String], archive: Option<&str>, places: &[Place]) -> String {
    let mut text = format!("{id} not found. Looked for {} (each plain or as .gz)", files.join(", "));
    if let Some(archive) = archive {
        let _ = write!(text, ", or {archive} with all of them,");
    }
    text.push_str(" in");
    for place in places {
        let state = match place.missing.len() {
            _ if !place.folder.is_dir() => "no such folder".to_owned(),
            all if all == files.len() => "none of them".to_owned(),
            _ => format!("missing {}", place.missing.join(", ")),
        };
        let _ = write!(text, "\n  {} ({}): {state}", place.folder.display(), place.origin);
    }
    let target = places.first().map_or_else(|| "a data folder".into(), |place| place.folder.display().to_string());
    let _ = write!(text, "\nRun `cargo xtask data fetch`, or place these files in {target}");
    text
}

fn download(file: &str, folder: &Path, attempts: &[(String, String)]) -> String {
    let mut text = format!("cannot download {file}:");
    for (url, reason) in attempts {
        let _ = write!(text, "\n  {url}: {reason}");
    }
    let _ =
        write!(text, "\nWithout a network, place the files by hand in {}: data/README.md lists them", folder.display());
    text
}

fn numbered(classes: &[String]) -> String {
    classes.iter().enumerate().map(|(class, name)| format!("{class} ({name})")).collect::<Vec<_>>().join(", ")
}
