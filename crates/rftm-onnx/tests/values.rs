//! What an exported graph computes, operator by operator as ONNX defines them, is what we compute. Needs no runtime, so it runs
//! everywhere; `onnxruntime.rs` asks a real one.
#![allow(clippy::unwrap_used)]

mod common;
mod infer;

use common::{cases, expected};
use prost::Message;
use rftm_onnx::proto::ModelProto;

const ROWS: usize = 24;
/// Our rounding in 32 bits; the graph is evaluated in 64.
const ERROR: f32 = 2e-5;

#[test]
fn every_graph_computes_what_the_model_does() {
    for (index, case) in cases().into_iter().enumerate() {
        let case = expected(index, case, ROWS);
        let graph = ModelProto::decode(&*case.onnx).unwrap().graph.unwrap();
        let values = infer::values(&graph, &case.input, ROWS);
        let of = |name: &str| values[name].iter().map(|&x| x as f32).collect::<Vec<f32>>();
        case.compare("by definition", &of("score"), &of("reconstruction"), ERROR);
    }
}
