#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod config;
pub mod ops;
mod twin;
mod unit;

pub use config::{ConfigError, TwinConfig, UnitConfig};
pub use rftm_tensor::recall::Selection;
pub use twin::TwinMemory;
pub use unit::MemoryUnit;
