#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod attention;
mod config;
mod items;
mod latent;
pub mod ops;
mod twin;
mod unit;

pub use attention::{AttentionConfig, AttentionMemory, Similarity};
pub use config::{ConfigError, TwinConfig, UnitConfig};
pub use items::{ItemConfig, ItemMemory};
pub use rftm_tensor::recall::Selection;
pub use twin::{Stage, TwinMemory};
pub use unit::MemoryUnit;
