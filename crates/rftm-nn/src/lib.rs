#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod activation;
mod adam;
mod batch_norm;
mod channels;
mod conv;
mod frozen;
pub mod init;
mod linear;
mod module;
mod reshape;
mod sequential;
mod state;

pub use activation::LeakyRelu;
pub use adam::{Adam, AdamConfig, Moments};
pub use batch_norm::BatchNorm;
pub use channels::{ChannelsFirst, ChannelsLast};
pub use conv::{Conv2d, ConvTranspose2d};
pub use frozen::{Custom, Freezer, Frozen};
pub use linear::Linear;
pub use module::{Inference, Module, Segment, Visitor, count_parameters};
pub use reshape::Reshape;
pub use rftm_autograd::ops::ConvOptions;
pub use rftm_tensor::{Error, Result};
pub use sequential::Sequential;
pub use state::{StateDict, StateError};
