#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod capture;
mod error;
mod figure;
mod sheet;

pub use capture::{Capture, Datasets, Subject, Watch, Work};
pub use error::{Error, Result};
pub use figure::{Figure, widths_folder};
pub use sheet::{Row, Sheet, Source};
