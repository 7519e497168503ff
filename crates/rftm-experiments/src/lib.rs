#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod cell;
mod definition;
mod environment;
mod error;
mod estimate;
mod eta;
mod events;
mod files;
mod ledger;
mod merge;
mod paper;
mod plan;
mod protocol;
mod real;
mod record;
mod render;
mod report;
mod runner;
mod scores;
mod spec;
mod table;
mod verify;

pub use cell::{Cell, Key, REVISION};
pub use definition::{Catalogue, Definition, Variant};
pub use environment::{Environment, Host, utc_now};
pub use error::{Error, Result};
pub use estimate::{Basis, Estimator, duration};
pub use events::{Event, Reporter};
pub use ledger::{Ledger, LedgerWriter, TornLine, ledger_path};
pub use merge::{Conflict, Merged, merge};
pub use paper::{MeanStd, Paper};
pub use plan::{Plan, Selection, Shard};
pub use protocol::{DatasetProtocol, Protocol};
pub use real::RealRunner;
pub use record::{Finished, Metric, Metrics, Outcome, Record};
pub use render::{csv, heading, legend, markdown, markdown_file};
pub use report::{terminal_text, write_report};
pub use runner::{CellError, CellOutcome, CellProgress, CellRunner, Parallelism, Run, Summary, Workplace};
pub use scores::{Scores, read_scores, scores_path, write_scores};
pub use table::{Comparison, DDOF, Row, RowClass, RowId, Scope, Table, row_of, tables, unplaced};
pub use verify::{Verification, metrics, verify};
