use std::path::PathBuf;

use rftm_nn::StateError;

/// Why a model could not be built, trained or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hyper-parameter is out of range.
    #[error("{parameter}: {problem}")]
    Config {
        /// Its name.
        parameter: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A memory's parameter is out of range.
    #[error(transparent)]
    Memory(#[from] rftm_memory::ConfigError),
    /// The data cannot be batched.
    #[error(transparent)]
    Data(#[from] rftm_data::Error),
    /// Tensors do not fit, for example because the samples do not have the width of the model.
    #[error(transparent)]
    Tensor(#[from] rftm_tensor::Error),
    /// The loss became infinite or NaN.
    #[error("the loss became {loss} in epoch {epoch}, step {step}: try a smaller learning rate, and scale the inputs")]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Step of the epoch, from 1; 0 for the validation after it.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A checkpoint does not belong to this training.
    #[error("{}: {problem}; delete it to train from the start", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
