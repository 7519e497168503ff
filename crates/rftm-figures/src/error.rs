//! What can go wrong with figures, each with the file, line or figure it concerns.

use std::io;
use std::path::{Path, PathBuf};

/// Everything this crate can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as it reads after "cannot".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file of figure data that is not what it should be.
    #[error("{}, line {line}: {message}; restore the file from git or capture it again", path.display())]
    Sheet {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// The weights are not those that the ledger has for the cell.
    #[error(
        "{cell}: trained to weights with the digest {found}, but the ledger has {expected} for {key}; the figures would \
         show another model than the tables. The same bits need the same kind of processor; if this one is another, \
         capture into another folder (--out)"
    )]
    Digest {
        /// The cell, for people.
        cell: String,
        /// Its key.
        key: String,
        /// The digest of what was trained here.
        found: String,
        /// The digest in the ledger.
        expected: String,
    },
    /// Another capture trains into the same folder of weights.
    #[error(
        "{} is held by another capture; wait for it to end, or capture into another folder with --out", path.display()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The user asked to stop; the same command goes on.
    #[error("stopped; the same command goes on where it was")]
    Stopped,
    /// A figure could not be drawn.
    #[error("{figure} cannot be drawn: {message}")]
    Draw {
        /// The figure.
        figure: &'static str,
        /// Why.
        message: String,
    },
    /// A figure's data do not hold together.
    #[error("{figure}: {message}")]
    Data {
        /// The figure.
        figure: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Data sets.
    #[error(transparent)]
    Dataset(#[from] rftm_data::Error),
    /// Models and training.
    #[error(transparent)]
    Model(#[from] rftm_models::Error),
    /// Ledger, scores, definitions.
    #[error(transparent)]
    Experiment(#[from] rftm_experiments::Error),
    /// Saved weights.
    #[error(transparent)]
    State(#[from] rftm_nn::StateError),
    /// Shapes.
    #[error(transparent)]
    Tensor(#[from] rftm_tensor::Error),
    /// Metrics.
    #[error(transparent)]
    Metric(#[from] rftm_metrics::MetricError),
    /// The template of the page.
    #[error("the page cannot be written: {0}")]
    Page(#[from] askama::Error),
    /// Threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says which file an [`io::Error`] is about.
pub(crate) trait IoContext<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { action, path: path.to_owned(), source })
    }
}
