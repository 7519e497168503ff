use rftm_tensor::{Element, Result, Tensor, elementwise};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y = x` where `x > 0`, `slope * x` elsewhere; the gradient at 0 is `slope`.
pub fn leaky_relu<E: Element>(tape: &mut Tape<E>, x: &Var<E>, slope: E) -> Var<E> {
    let y = elementwise::leaky_relu(x.value(), slope);
    tape.record(y, &[x.node()], || LeakyRelu { x: x.value().clone(), slope, input: x.node() })
}

struct LeakyRelu<E: Element> {
    x: Tensor<E>,
    slope: E,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for LeakyRelu<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        sink.add(self.input, || Ok(elementwise::leaky_relu_backward(&self.x, dy, self.slope)))
    }
}
