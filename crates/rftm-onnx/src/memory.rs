//! Memories as nodes: how each reads in evaluation.

use rftm_memory::{AttentionConfig, Selection, Similarity, UnitConfig};
use rftm_models::MemorySpec;
use rftm_tensor::Tensor;
use rftm_tensor::attention::EPS;
use rftm_tensor::direction::{SHORTEST, unit_rows};

use crate::Error;
use crate::graph::{Graph, Value, int, ints};
use crate::layers::{Coder, norm};

/// What the decoder gets for the latents `h`.
pub(crate) fn read(graph: &mut Graph, coder: &Coder<'_>, h: &Value) -> Result<Value, Error> {
    let memory = &coder.spec.memory;
    if *memory == MemorySpec::None {
        return Ok(h.clone());
    }
    let latent = coder.latent();
    let width = latent.iter().product();
    let image = latent.len() == 3;
    // A slot is flattened with channels last, as in rftm-models.
    let h = if image { graph.node("latent", "Transpose", &[h], vec![ints("perm", &[0, 2, 3, 1])]) } else { h.clone() };
    let flat = graph.reshape("memory.query", &h, &[width]);
    let y = match memory {
        MemorySpec::None => flat,
        MemorySpec::Twin { hippocampus, cortex, connector } => {
            let mut h = flat;
            for (name, unit) in [("hippocampus", hippocampus), ("cortex", cortex)] {
                let Some(unit) = unit else { continue };
                let part = format!("memory.{name}");
                if unit.forget_in_evaluation && unit.forgotten() > 0 {
                    return Err(Error::Forgets { memory: name });
                }
                h = recall(graph, coder.weights.get(&format!("{part}.slots"))?, &h, &part, unit);
                if *connector {
                    let slope = Some(coder.spec.negative_slope);
                    h = norm(graph, coder.weights, &h, &format!("{part}.connector"), slope)?;
                }
            }
            h
        }
        MemorySpec::MemAe(config) => attend(graph, coder.weights.get("memory.slots")?, &flat, config),
        MemorySpec::Mnad(_) => {
            let (query, read) = items(graph, coder.weights.get("memory.items")?, &flat);
            let query = graph.reshape("memory.query_pixels", &query, &latent);
            let read = graph.reshape("memory.read_pixels", &read, &latent);
            graph.node("memory.both", "Concat", &[&query, &read], vec![int("axis", -1)])
        }
    };
    let y = match memory {
        MemorySpec::Mnad(_) => y,
        _ => graph.reshape("memory.read_latent", &y, &latent),
    };
    Ok(if image { graph.node("memory.out", "Transpose", &[&y], vec![ints("perm", &[0, 3, 1, 2])]) } else { y })
}

/// `h / |h|`, and 0 for vectors without direction. What is not a number stays so.
fn unit(graph: &mut Graph, h: &Value, part: &str) -> Value {
    let name = |suffix| format!("{part}.{suffix}");
    let length = graph.node(&name("length"), "ReduceL2", &[h], vec![ints("axes", &[1]), int("keepdims", 1)]);
    let shortest = graph.scalar(&name("shortest"), SHORTEST as f32);
    let zero = graph.scalar(&name("nowhere"), 0.0);
    let short = graph.node(&name("short"), "Less", &[&length, &shortest], vec![]);
    let direction = graph.node(&name("direction"), "Div", &[h, &length], vec![]);
    graph.node(&name("unit"), "Where", &[&short, &zero, &direction], vec![])
}

/// `x m^T` for the rows of a constant.
fn products(graph: &mut Graph, x: &Value, rows: &Tensor, part: &str) -> Value {
    let rows = graph.tensor(&format!("{part}.rows"), rows);
    graph.node(&format!("{part}.similarities"), "Gemm", &[x, &rows], vec![int("transB", 1)])
}

fn softmax(graph: &mut Graph, x: &Value, part: &str) -> Value {
    graph.node(&format!("{part}.softmax"), "Softmax", &[x], vec![int("axis", 1)])
}

/// `w_i / max(sum_j w_j, least)`
fn normalise(graph: &mut Graph, weights: &Value, part: &str, least: f32) -> Value {
    let axes = graph.list(&format!("{part}.axes"), &[1]);
    let total = graph.node(&format!("{part}.total"), "ReduceSum", &[weights, &axes], vec![int("keepdims", 1)]);
    let least = graph.scalar(&format!("{part}.least"), least);
    let total = graph.node(&format!("{part}.divisor"), "Max", &[&total, &least], vec![]);
    graph.node(&format!("{part}.weights"), "Div", &[weights, &total], vec![])
}

/// The basic unit, Eq. 3: cosines, the k largest, softmax over what is positive among them, weighted mean.
///
/// `TopK` takes the lower index of two equal values first, as we do.
fn recall(graph: &mut Graph, slots: &Tensor, h: &Value, part: &str, config: &UnitConfig) -> Value {
    let name = |suffix| format!("{part}.{suffix}");
    let unit = unit(graph, h, part);
    let similarities = products(graph, &unit, &unit_rows(slots).0, part);
    let slots = graph.tensor(&name("slots"), slots);
    let Some(k) = config.top_k else {
        let weights = softmax(graph, &similarities, part);
        return graph.node(&name("read"), "MatMul", &[&weights, &slots], vec![]);
    };
    let k = graph.list(&name("k"), &[k as i64]);
    let outputs = [&*name("top"), &*name("indices")];
    let [top, indices] = graph.node_with(part, "TopK", &[&similarities, &k], vec![int("axis", 1)], outputs);
    let weights = match config.selection {
        Selection::Zero => {
            let positive = graph.node(&name("positive"), "Relu", &[&top], vec![]);
            softmax(graph, &positive, part)
        }
        Selection::Remove => {
            let zero = graph.scalar(&name("zero"), 0.0);
            let removed = graph.node(&name("removed"), "LessOrEqual", &[&top, &zero], vec![]);
            let exponentials = graph.node(&name("exponentials"), "Exp", &[&top], vec![]);
            let kept = graph.node(&name("kept"), "Where", &[&removed, &zero, &exponentials], vec![]);
            // A cosine is at most 1, so no exponential overflows; one that is kept exceeds 1, so 1 divides only zeros.
            normalise(graph, &kept, part, 1.0)
        }
    };
    let chosen = graph.node(&name("chosen"), "Gather", &[&slots, &indices], vec![int("axis", 0)]);
    let axis = graph.list(&name("axis"), &[1]);
    let rows = graph.node(&name("weights_row"), "Unsqueeze", &[&weights, &axis], vec![]);
    let read = graph.node(&name("read_row"), "MatMul", &[&rows, &chosen], vec![]);
    graph.node(&name("read"), "Squeeze", &[&read, &axis], vec![])
}

/// MemAE: softmax over all similarities, hard shrinkage, weighted mean of all slots.
fn attend(graph: &mut Graph, slots: &Tensor, h: &Value, config: &AttentionConfig) -> Value {
    let part = "memory";
    let name = |suffix| format!("{part}.{suffix}");
    let similarities = match config.similarity {
        Similarity::Cosine => {
            let unit = unit(graph, h, part);
            products(graph, &unit, &unit_rows(slots).0, part)
        }
        Similarity::Inner => products(graph, h, slots, part),
    };
    let mut weights = softmax(graph, &similarities, part);
    // As rftm-memory compares them, in 32 bits.
    let lambda = config.shrinkage as f32;
    if lambda > 0.0 {
        let (lambda, eps) = (graph.scalar(&name("lambda"), lambda), graph.scalar(&name("eps"), EPS as f32));
        let above = graph.node(&name("above"), "Sub", &[&weights, &lambda], vec![]);
        let positive = graph.node(&name("positive"), "Relu", &[&above], vec![]);
        let scaled = graph.node(&name("scaled"), "Mul", &[&positive, &weights], vec![]);
        let distance = graph.node(&name("distance"), "Abs", &[&above], vec![]);
        let divisor = graph.node(&name("distance_eps"), "Add", &[&distance, &eps], vec![]);
        let kept = graph.node(&name("kept"), "Div", &[&scaled, &divisor], vec![]);
        weights = normalise(graph, &kept, part, EPS as f32);
    }
    let slots = graph.tensor(&name("slots"), slots);
    graph.node(&name("read"), "MatMul", &[&weights, &slots], vec![])
}

/// MNAD: the query, scaled to length 1, and the mean of the items weighted by a softmax over their products with it.
fn items(graph: &mut Graph, items: &Tensor, h: &Value) -> (Value, Value) {
    let part = "memory";
    let query = unit(graph, h, part);
    let similarities = products(graph, &query, items, part);
    let weights = softmax(graph, &similarities, part);
    let read = graph.node(&format!("{part}.read"), "MatMul", &[&weights, &format!("{part}.rows")], vec![]);
    (query, read)
}
