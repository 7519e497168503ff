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
    /// The layers of a convolutional model would shrink the image to nothing.
    #[error(
        "image: {} x {} pixels are too few for {layers} convolutions, which need {smallest} in height and width; \
         use fewer layers or larger images", image[0], image[1]
    )]
    ImageTooSmall {
        /// Its height and width.
        image: [usize; 2],
        /// How many layers the encoder has.
        layers: usize,
        /// The least height and width for that many.
        smallest: usize,
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
    /// The loss became infinite or NaN, or exploded: a million times the mean square of the data.
    #[error("the loss became {loss:e} in {}: try a smaller learning rate, and scale the inputs", place(*epoch, *step))]
    Diverged {
        /// Epoch, from 1; 0 for the weights that the model was built with.
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

fn place(epoch: usize, step: usize) -> String {
    match (epoch, step) {
        (0, _) => "the validation of the untrained model".to_owned(),
        (_, 0) => format!("the validation after epoch {epoch}"),
        _ => format!("epoch {epoch}, step {step}"),
    }
}
