use rftm_tensor::{Element, Result, Tensor, elementwise};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// Mean squared error against a target that wants no gradient, `sum (x - target)^2 / len`, as a scalar.
///
/// # Errors
/// If the shapes differ, or there are no elements.
pub fn mse<E: Element>(tape: &mut Tape<E>, x: &Var<E>, target: &Tensor<E>) -> Result<Var<E>> {
    let loss = Tensor::scalar(E::from_f64(elementwise::mse(x.value(), target)?));
    Ok(tape.record(loss, &[x.node()], || Mse { x: x.value().clone(), target: target.clone(), input: x.node() }))
}

struct Mse<E: Element> {
    x: Tensor<E>,
    target: Tensor<E>,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Mse<E> {
    fn backward(self, gradient: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let scale = gradient.item()?;
        sink.add(self.input, || Ok(elementwise::mse_backward(&self.x, &self.target, scale)))
    }
}
