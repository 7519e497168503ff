use std::path::PathBuf;

/// The result of anything a detector does.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a detector could not be fitted, used, saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting of the caller's is out of range. What is wrong with data has other variants, so that a command can tell
    /// its own flags from the file it was given.
    #[error("{name}: {problem}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The data are of a kind or a size that no detector can be fitted on or used with.
    #[error("{what}: {problem}")]
    Unsuitable {
        /// What of them.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The detector was not saved, for the file could not be loaded.
    #[error("model: {problem}")]
    Unsavable {
        /// What is wrong with it.
        problem: String,
    },
    /// The values do not make whole rows.
    #[error("{values} values do not make whole rows of {width} columns")]
    Ragged {
        /// Values given.
        values: usize,
        /// Values in a row.
        width: usize,
    },
    /// A missing value where none is allowed.
    #[error(
        "row {row}, column {column:?}: the value is missing; fit with missing values imputed (mean or median), or leave the row out"
    )]
    MissingValue {
        /// The row, from 1.
        row: usize,
        /// The column's name.
        column: String,
    },
    /// The detector cannot be an ONNX graph.
    #[error("ONNX: {0}")]
    Export(#[from] rftm_onnx::Error),
    /// An infinity, or a NaN where it cannot mean "missing".
    #[error("row {row}, column {column:?}: {value} is not a finite number")]
    NonFinite {
        /// The row, from 1.
        row: usize,
        /// The column's name.
        column: String,
        /// What stands there.
        value: f32,
    },
    /// What cannot be a pixel.
    #[error("image {image}, {place}: {value} is no pixel; pixels are from 0 to 255")]
    Pixel {
        /// The image, from 1.
        image: usize,
        /// Channel and place.
        place: String,
        /// What stands there.
        value: f32,
    },
    /// Pixels of another unit.
    #[error("no pixel is above 1: pixels are from 0 to 255; multiply those from 0 to 1 by 255")]
    UnitPixels,
    /// A column without a single value.
    #[error("column {column:?} has no value in the training rows; leave it out")]
    EmptyColumn {
        /// The column's name.
        column: String,
    },
    /// Training samples that are all the same, with gaps filled and rare categories taken for one.
    #[error("all {samples} training {what} are the same to the model: there is nothing to learn from them")]
    NoVariation {
        /// What they are.
        what: &'static str,
        /// How many there are.
        samples: usize,
    },
    /// Not enough samples to train, stop early and calibrate.
    #[error("{found} {what}; at least {needed} are needed to train, to stop in time and to calibrate")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// The data are not of the kind the detector was fitted on.
    #[error("the model was fitted on {expected}, these data are {found}")]
    OtherData {
        /// What the detector knows.
        expected: String,
        /// What it got.
        found: String,
    },
    /// Training was stopped from outside.
    #[error("training was interrupted in epoch {}; nothing was saved", epoch + 1)]
    Interrupted {
        /// The last whole epoch.
        epoch: usize,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no detector.
    #[error("{}: not a model of rftm ({problem})", .path.display())]
    NotADetector {
        /// The file.
        path: PathBuf,
        /// How that was seen.
        problem: String,
    },
    /// The file was written by a later version.
    #[error("{}: model format {found}, this program reads up to {supported}: use a newer rftm", .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The latest known here.
        supported: u64,
    },
    /// The file is cut short or its content was changed.
    #[error("{}: damaged model file ({problem}); copy it again, or fit the model again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A model could not be built, trained or used.
    #[error(transparent)]
    Model(#[from] rftm_models::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] rftm_tensor::Error),
    /// A state could not be taken or put back.
    #[error(transparent)]
    State(#[from] rftm_nn::StateError),
    /// A quantile could not be computed.
    #[error(transparent)]
    Metric(#[from] rftm_metrics::MetricError),
}

impl Error {
    pub(crate) fn setting(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting { name, problem: problem.into() }
    }

    pub(crate) fn unsuitable(what: &'static str, problem: impl Into<String>) -> Self {
        Self::Unsuitable { what, problem: problem.into() }
    }
}
