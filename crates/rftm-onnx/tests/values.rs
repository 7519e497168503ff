//! What an exported graph computes, operator by operator as ONNX defines them, is what we compute. Needs no runtime, so it runs
//! everywhere; `onnxruntime.rs` asks a real one.
#![allow(clippy::unwrap_used)]

mod common;
mod infer;

use common::cases;
use common::expected::expected;
use infer::values::values;
use prost::Message;
use rftm_onnx::proto::{GraphProto, ModelProto, NodeProto};

const ROWS: usize = 24;
/// Our rounding in 32 bits; the graph is evaluated in 64.
const ERROR: f32 = 1e-5;

#[test]
fn every_graph_computes_what_the_model_does() {
    for (index, case) in cases().into_iter().enumerate() {
        let case = expected(index, case, ROWS);
        let graph = ModelProto::decode(&*case.onnx).unwrap().graph.unwrap();
        let computed = values(&graph, &case.input, ROWS);
        let of = |name: &str| computed[name].iter().map(|&x| x as f32).collect::<Vec<f32>>();
        case.compare("by definition", &of("score"), &of("reconstruction"), ERROR);
    }
}

/// Makes a node a wrong one.
type Change = fn(&mut NodeProto);

/// What the comparison is there to notice lies far above its tolerance.
#[test]
fn a_wrong_graph_gives_other_scores() {
    let case = cases().into_iter().find(|case| case.name == "small-variance").unwrap();
    let case = expected(0, case, ROWS);
    let graph = ModelProto::decode(&*case.onnx).unwrap().graph.unwrap();
    let scores = |graph: &GraphProto| values(graph, &case.input, ROWS)["score"].clone();
    let right = scores(&graph);
    let changes: [(&str, Change); 4] = [
        ("LeakyRelu", |node| node.op_type = "Identity".to_owned()),
        ("LeakyRelu", |node| node.attribute[0].f = node.attribute[0].f.map(|slope| 2.0 * slope)),
        ("BatchNormalization", |node| node.attribute[0].f = Some(1e-6)),
        ("Sub", |node| node.input.swap(0, 1)),
    ];
    for (at, (op, change)) in changes.into_iter().enumerate() {
        let mut graph = graph.clone();
        graph.node.iter_mut().filter(|node| node.op_type == op).for_each(change);
        let off = right.iter().zip(scores(&graph)).map(|(right, wrong)| (right - wrong).abs() / right.max(1.0));
        let off = off.fold(0.0, f64::max);
        assert!(off > 5.0 * f64::from(ERROR), "{at}, {op}: {off:e}");
    }
}
