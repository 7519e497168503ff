#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod atomic;
mod builder;
mod card;
mod data;
pub mod defaults;
mod detector;
mod error;
mod explain;
mod features;
mod file;
mod onnx;
mod scaling;
mod split;
mod threshold;

pub use atomic::{check_writable, write_atomic};
pub use builder::{Builder, Plan};
pub use card::{Card, Origin, SourceTable, Training};
pub use data::{Column, Data, Layout};
pub use detector::Detector;
pub use error::{Error, Result};
pub use explain::{Contribution, Explanation, Pattern, Value};
pub use features::{Features, Missing};
pub use file::FORMAT_VERSION;
pub use rftm_memory::{AttentionConfig, ItemConfig, Selection, Similarity, UnitConfig};
pub use rftm_models::{
    Architecture, Capacities, Convention, EpochReport, MemorySpec, Model, ModelKind, ModelSpec, Observer, Silent,
    TrainConfig,
};
pub use rftm_nn::StateDict;
pub use scaling::{Affine, Scaling};
pub use threshold::{Rule, Threshold};
