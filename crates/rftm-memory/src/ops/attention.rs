//! MemAE's way of reading (Gong et al., 2019): attention over all slots, pruned, with an entropy that wants it sparse.

use rftm_autograd::{Backward, NodeId, Sink, Tape, Var, ops as layers};
use rftm_tensor::{Element, Result, Tensor, attention};

use crate::Similarity;

/// The weights of the slots for each latent: `w = shrink(softmax(s))`, where `s_i` is the similarity of the latent and
/// slot i (the softmax is MemAE's Eq. 4), and [`shrink`] prunes what does not exceed `lambda`. With `lambda` 0 nothing is
/// pruned.
///
/// Returns the weights, and how many latents were left without any slot (their weights are all 0).
///
/// # Shapes
/// `h` (batch, L'), `memory` (N, L'); result (batch, N).
///
/// # Errors
/// If the widths differ.
pub fn attend<E: Element>(
    tape: &mut Tape<E>,
    h: &Var<E>,
    memory: &Var<E>,
    similarity: Similarity,
    lambda: f64,
) -> Result<(Var<E>, usize)> {
    let similarities = match similarity {
        Similarity::Inner => layers::linear(tape, h, memory, None)?,
        Similarity::Cosine => {
            let (h, memory) = (layers::unit_rows(tape, h), layers::unit_rows(tape, memory));
            layers::linear(tape, &h, &memory, None)?
        }
    };
    let attention = layers::softmax(tape, similarities);
    Ok(if lambda > 0.0 { shrink(tape, &attention, lambda) } else { (attention, 0) })
}

/// Hard shrinkage and renormalisation: `v_i = max(a_i - lambda, 0) a_i / (|a_i - lambda| + 1e-12)`,
/// `w_i = v_i / max(sum_j v_j, 1e-12)`.
///
/// Returns the weights, and how many rows are all 0: nothing of them exceeded lambda, and no gradient passes them.
///
/// # Shapes
/// `attention` (batch, N); result the same.
pub fn shrink<E: Element>(tape: &mut Tape<E>, attention: &Var<E>, lambda: f64) -> (Var<E>, usize) {
    let lambda = E::from_f64(lambda);
    let (weights, empty) = attention::shrink(attention.value(), lambda);
    let (saved, input) = (weights.clone(), attention.node());
    let record = || Shrink { attention: attention.value().clone(), weights: saved, lambda, input };
    (tape.record(weights, &[input], record), empty)
}

struct Shrink<E: Element> {
    attention: Tensor<E>,
    weights: Tensor<E>,
    lambda: E,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Shrink<E> {
    fn backward(self, dw: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        sink.add(self.input, || attention::shrink_backward(&self.attention, &self.weights, self.lambda, dw))
    }
}

/// The mean over the batch of `-sum_i w_i ln(w_i + 1e-12)`, as a scalar: small where a few slots have all the
/// weight.
///
/// # Shapes
/// `weights` (batch, N).
pub fn entropy<E: Element>(tape: &mut Tape<E>, weights: &Var<E>) -> Var<E> {
    let entropy = Tensor::scalar(E::from_f64(attention::entropy(weights.value())));
    tape.record(entropy, &[weights.node()], || Entropy { weights: weights.value().clone(), input: weights.node() })
}

struct Entropy<E: Element> {
    weights: Tensor<E>,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Entropy<E> {
    fn backward(self, gradient: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let scale = gradient.item()?;
        sink.add(self.input, || Ok(attention::entropy_backward(&self.weights, scale)))
    }
}
