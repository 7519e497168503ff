//! One file a command.

pub(crate) mod eval;
pub(crate) mod example;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fit;
pub(crate) mod inspect;
mod panel;
pub(crate) mod score;
pub(crate) mod threshold;
