#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod affine;
mod error;
mod export;
mod graph;
mod layers;
mod memory;
pub mod proto;

pub use affine::Affine;
pub use error::Error;
pub use export::{Options, Score, export};
