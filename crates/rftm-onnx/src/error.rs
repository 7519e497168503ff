/// Why a model could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Numbers of the preprocessing are of no use.
    #[error("preprocessing: {0}")]
    Preprocessing(String),
    /// The model is random in evaluation, which no ONNX graph can repeat.
    #[error(
        "{memory} forgets in evaluation, so its scores differ from pass to pass and cannot be exported; \
         build the model with forget_in_evaluation off"
    )]
    Forgets {
        /// Which memory.
        memory: &'static str,
    },
    /// The specification is of no model.
    #[error("no model can be built from the specification: {0}")]
    Model(#[from] rftm_models::Error),
    /// The state is not that of a model of this specification.
    #[error("the state is of another model than the specification: {0}")]
    State(#[from] rftm_nn::StateError),
    /// The model, which fits its specification, names a tensor otherwise than this crate expects.
    #[error("the model has no tensor {name}; this version of rftm-onnx does not know such a model")]
    Missing {
        /// The tensor's name.
        name: String,
    },
    /// Two notes of the metadata bear one name, so a reader would see only one of them.
    #[error(
        "two notes of the metadata are named {name:?}; the names rftm.version, .model, .spec, .score and .threshold are taken"
    )]
    Note {
        /// The name.
        name: String,
    },
    /// Layers do not fit each other.
    #[error(transparent)]
    Tensor(#[from] rftm_tensor::Error),
    /// The specification cannot be written as JSON.
    #[error("the specification cannot be written into the metadata: {0}")]
    Spec(#[from] serde_json::Error),
    /// The format holds at most 2 GiB.
    #[error("the model takes {bytes} bytes; an ONNX file holds fewer than 2^31")]
    TooLarge {
        /// What it would take.
        bytes: usize,
    },
}
