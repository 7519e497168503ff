//! The operations: one file each, forward and backward side by side.
//!
//! Every function checks its shapes, computes its output, and records the way back. Layouts: a batch is the first
//! axis; images are (N, H, W, C), see [`rftm_tensor::conv`].

mod add;
mod batch_norm;
mod concat;
mod conv2d;
mod leaky_relu;
mod linear;
mod matmul;
mod mse;
mod penalised;
mod permute;
mod reshape;
mod softmax;
mod unit_rows;

pub use add::add;
pub use batch_norm::{BatchNorm, batch_norm};
pub use concat::{concat, concat_values};
pub use conv2d::{ConvOptions, conv_transpose2d, conv_transpose2d_values, conv2d, conv2d_values};
pub use leaky_relu::leaky_relu;
pub use linear::{linear, linear_values};
pub use matmul::{matmul, matmul_values};
pub use mse::mse;
pub use penalised::penalised;
pub use permute::permute;
pub use reshape::reshape;
pub use softmax::softmax;
pub use unit_rows::unit_rows;
