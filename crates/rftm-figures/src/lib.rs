#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod capture;
mod draw;
mod error;
mod figure;
mod page;
mod sheet;
mod width;

pub use capture::{Capture, Captured, Datasets, Event, Failure, Subject, Watch, Work};
pub use draw::{Drawing, Drawings, drawings, write_drawings};
pub use error::{Error, Result};
pub use figure::{Figure, widths_folder};
pub use page::{page, write_page};
pub use sheet::{Field, Row, Sheet, Source};
