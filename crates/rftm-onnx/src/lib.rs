#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod error;
mod export;
mod graph;
mod layers;
mod memory;
mod preprocessing;
pub mod proto;

pub use error::Error;
pub use export::{Options, Score, export};
pub use preprocessing::Preprocessing;
