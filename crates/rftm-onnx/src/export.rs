use std::collections::BTreeSet;

use prost::Message;
use rftm_models::{Model, ModelSpec};
use rftm_nn::StateDict;

use crate::graph::{Graph, Value, int, ints};
use crate::layers::{Coder, Weights};
use crate::proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use crate::{Error, Preprocessing, memory};

/// Version of the operators; onnxruntime knows it since 1.12 (2022).
const OPSET: i64 = 17;
/// Version of the format that came with it.
const IR_VERSION: i64 = 8;
/// Protobuf counts in signed 32 bits.
const LARGEST: usize = i32::MAX as usize;

/// What the output `score` is, in the model's units. Higher = more anomalous.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Score {
    /// Eq. 1, `|| y - x ||_2`, as [`rftm_models::Scorer::scores`].
    #[default]
    Distance,
    /// The mean over the features of `(y - x)^2`: the same order of samples.
    MeanSquaredError,
}

impl Score {
    fn describe(self) -> &'static str {
        match self {
            Self::Distance => "Euclidean distance of a sample and its reconstruction, scaled",
            Self::MeanSquaredError => "mean squared error of the reconstruction, scaled",
        }
    }
}

/// What is exported besides the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// What is done to samples before the model; `None`: the caller does it.
    pub preprocessing: Option<Preprocessing>,
    /// What `score` is.
    pub score: Score,
    /// Above which score a sample counts as anomalous; a note in the metadata, nothing in the graph depends on it.
    pub threshold: Option<f64>,
    /// More notes for the metadata, by name: the names of features, a checksum of the data.
    pub notes: Vec<(String, String)>,
}

/// The bytes of an ONNX file that scores as a model does in evaluation, from its specification and its
/// [state](StateDict::of).
///
/// # Shapes
/// Input `input` (batch, features) or (batch, C, H, W) in the units before preprocessing; outputs `score` (batch) and
/// `reconstruction`, of the input's shape and units. The batch may have any size.
///
/// # Errors
/// A specification of no model, a state of another one, a preprocessing that does not fit the model, a memory that forgets in
/// evaluation, two notes of one name (ours included), or a model of 2 GiB.
pub fn export(spec: &ModelSpec, state: &StateDict, options: &Options) -> Result<Vec<u8>, Error> {
    // The graph takes tensors by name: those of another model could make one that runs, and scores wrongly.
    state.apply(&mut Model::new(spec, 0)?)?;
    let proto = model_proto(spec, state, options)?;
    match proto.encoded_len() {
        bytes if bytes > LARGEST => Err(Error::TooLarge { bytes }),
        _ => Ok(proto.encode_to_vec()),
    }
}

fn model_proto(spec: &ModelSpec, state: &StateDict, options: &Options) -> Result<ModelProto, Error> {
    let weights = Weights(state);
    let sample = spec.architecture.sample_shape();
    let mut graph = Graph::default();
    let input = graph.input("input", &sample, "samples in their own units");
    let x = match &options.preprocessing {
        None => input,
        Some(preprocessing) => {
            preprocessing.check(&sample)?;
            preprocessing.forward(&mut graph, &input, &sample)
        }
    };
    let coder = Coder::new(spec, &weights)?;
    let h = coder.encode(&mut graph, &x)?;
    let h = memory::read(&mut graph, &coder, &h)?;
    let y = coder.decode(&mut graph, &h)?;
    score(&mut graph, &x, &y, sample.len(), options.score);
    match &options.preprocessing {
        None => graph.node("reconstruction", "Identity", &[&y], vec![]),
        Some(preprocessing) => preprocessing.backward(&mut graph, &y, &sample),
    };
    let about = format!("{}; higher = more anomalous", options.score.describe());
    graph.output("score", &[], &about);
    graph.output("reconstruction", &sample, "what the model makes of the samples, in their own units");

    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut notes = vec![
        ("rftm.version".to_owned(), version.clone()),
        ("rftm.model".to_owned(), spec.kind().to_string()),
        ("rftm.spec".to_owned(), serde_json::to_string(spec)?),
        ("rftm.score".to_owned(), about),
    ];
    notes.extend(options.threshold.map(|threshold| ("rftm.threshold".to_owned(), threshold.to_string())));
    notes.extend(options.notes.iter().cloned());
    let mut names = BTreeSet::new();
    if let Some((name, _)) = notes.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(Error::Note { name: name.clone() });
    }
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: "rftm".to_owned(),
        producer_version: version,
        doc_string: "An anomaly detector: score, higher = more anomalous, and reconstruction of each sample."
            .to_owned(),
        graph: Some(graph.finish("rftm")),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: notes.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect(),
    })
}

/// The node `score` from samples and reconstructions with so many axes besides the batch.
fn score(graph: &mut Graph, x: &Value, y: &Value, axes: usize, score: Score) {
    let axes: Vec<usize> = (1..=axes).collect();
    let over = || vec![ints("axes", &axes), int("keepdims", 0)];
    let residual = graph.node("residual", "Sub", &[y, x], vec![]);
    match score {
        Score::Distance => graph.node("score", "ReduceL2", &[&residual], over()),
        Score::MeanSquaredError => {
            let squares = graph.node("residual.squared", "Mul", &[&residual, &residual], vec![]);
            graph.node("score", "ReduceMean", &[&squares], over())
        }
    };
}
