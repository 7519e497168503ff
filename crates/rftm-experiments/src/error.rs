//! What can go wrong in the driver, each with the file, line or flag it concerns.

use std::io;
use std::path::PathBuf;

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
    /// Another process is appending to the same results.
    #[error(
        "{} is held by another run that writes to this folder; wait for it to end, or give this run its own folder \
         with --out and merge the two with `cargo xtask ledger merge`", path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A line of the ledger that is no record.
    #[error(
        "{}, line {line}: not a ledger record ({message}); restore the file from git or take this line out",
        path.display()
    )]
    LedgerLine {
        /// The ledger.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser found.
        message: String,
    },
    /// A ledger where a folder to write into is wanted.
    #[error("{} is named as a ledger is; results go into a folder, so name the one it lies in", path.display())]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// A ledger that was named but is not there.
    #[error("there is no ledger at {}; name a results folder, or the ledger.jsonl in it", path.display())]
    NoLedger {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The output of a merge is there already and is none of its inputs.
    #[error("{} exists and would be overwritten; name it as an input, too, to merge into it", path.display())]
    MergeTarget {
        /// The output ledger.
        path: PathBuf,
    },
    /// A damaged file of per-sample scores.
    #[error(
        "{}: not a score file ({message}); restore it from git, or take its cell's line out of the ledger and run the \
         cell again", path.display()
    )]
    Scores {
        /// The score file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A built-in definition or the paper's numbers beside it do not hold together.
    #[error("definition {name}: {message}")]
    Definition {
        /// The definition or the file.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A command-line value that selects nothing.
    #[error("{flag} {value}: {message}")]
    Selection {
        /// The flag, with its dashes.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        message: String,
    },
    /// The data set is missing or unreadable.
    #[error(transparent)]
    Data(#[from] rftm_data::Error),
    /// The data are not those that the cells are defined on.
    #[error(
        "{id}: the content of the {origin} has the SHA-256 {found}, but the cells are defined on {expected}; fetch \
         it again: results on other data must not pass for results on this"
    )]
    DataChecksum {
        /// The data set.
        id: rftm_data::DatasetId,
        /// Where the data came from.
        origin: String,
        /// Their checksum.
        found: String,
        /// The checksum in the definition.
        expected: String,
    },
    /// The scores of a cell have no metrics.
    #[error("the scores cannot be evaluated: {0}")]
    Metrics(#[source] rftm_metrics::MetricError),
    /// The threads of a worker could not be started.
    #[error("cannot start {threads} threads for a job: {message}; try fewer with --threads or --jobs")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why not.
        message: String,
    },
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Attaches the path and the attempted action to an I/O result.
pub(crate) trait IoContext<T> {
    fn at(self, action: &'static str, path: &std::path::Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &std::path::Path) -> Result<T> {
        self.map_err(|source| Error::Io { action, path: path.to_owned(), source })
    }
}
