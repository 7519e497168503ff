#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod checkpoint;
mod coder;
mod error;
mod identity;
mod model;
mod patterns;
mod score;
mod spec;
mod train;

pub use error::Error;
pub use model::{Bottleneck, Model};
pub use patterns::Pattern;
pub use score::{SCORING_BATCH, Scorer, gather, reconstruct, scores};
pub use spec::{Architecture, Capacities, Convention, MemorySpec, ModelKind, ModelSpec};
pub use train::{EpochReport, Observer, Silent, TrainConfig, TrainOutcome, TrainReport, train};
