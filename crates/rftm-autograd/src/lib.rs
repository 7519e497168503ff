#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod gradcheck;
mod param;
mod tape;

pub mod ops;

pub use gradcheck::{GradcheckError, gradcheck};
pub use param::{Param, ParamId};
pub use rftm_tensor::{Error, Result};
pub use tape::{Backward, Gradients, NodeId, Sink, Tape, Var};
