use rftm_tensor::{Element, Result, Tensor, attention};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y_i = exp(x_i) / sum_j exp(x_j)` for every row.
///
/// # Shapes
/// `x` (N, C); result the same.
pub fn softmax<E: Element>(tape: &mut Tape<E>, x: Var<E>) -> Var<E> {
    // By value: nobody needs the input on the way back, so its memory becomes the output.
    let input = x.node();
    let y = attention::softmax(x.into_value());
    let saved = y.clone();
    tape.record(y, &[input], || Softmax { y: saved, input })
}

struct Softmax<E: Element> {
    y: Tensor<E>,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Softmax<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        sink.add(self.input, || attention::softmax_backward(&self.y, dy))
    }
}
