#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod buffer;
mod element;
mod error;
mod indices;
mod parallel;
mod pool;
mod shape;
mod simd;
mod tensor;

pub mod attention;
pub mod conv;
pub mod direction;
pub mod elementwise;
pub mod gemm;
pub mod items;
pub mod norm;
pub mod optim;
pub mod recall;
pub mod reduce;
pub mod topk;

pub use element::Element;
pub use error::{Error, Result};
pub use indices::Indices;
pub use parallel::serial;
pub use pool::{pooled_bytes, release_pool};
pub use shape::{MAX_RANK, Shape};
pub use simd::{Simd, simd};
pub use tensor::Tensor;
