#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod archive;
mod batches;
pub mod cifar;
mod content;
mod dataset;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
pub mod glyphs;
mod id;
pub mod idx;
mod manifest;
mod protocol;
mod samples;
mod search;
#[cfg(test)]
mod testing;

pub use batches::{Batches, LastRow};
pub use dataset::{Dataset, Split, load, load_with};
pub use error::{Error, Fault, Place, Result};
#[cfg(feature = "fetch")]
pub use fetch::{FetchEvent, fetch, fetch_with};
pub use id::DatasetId;
pub use manifest::{FileEntry, FileSet, Manifest};
pub use protocol::{HoldOut, SPLIT_SEED, hold_out, split};
pub use samples::{Part, Rows, Samples, Scaling, Subset};
pub use search::SearchPath;
