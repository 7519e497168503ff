use rftm_autograd::{Backward, NodeId, Sink, Tape, Var};
use rftm_tensor::{Element, Result, Tensor, items};

/// MNAD's separateness loss (Park et al., 2020), as a scalar: the mean over the queries of
/// `max(|q - p| - |q - n| + margin, 0)`, p the nearest item and n the second nearest. Only the queries have a gradient.
///
/// (The compactness loss is the mean squared error between `q` and p, which is [`mse`](rftm_autograd::ops::mse).)
///
/// # Shapes
/// `q`, `nearest`, `second` (batch, L').
///
/// # Errors
/// If the shapes differ.
pub fn separateness<E: Element>(
    tape: &mut Tape<E>,
    q: &Var<E>,
    nearest: &Tensor<E>,
    second: &Tensor<E>,
    margin: f64,
) -> Result<Var<E>> {
    let loss = Tensor::scalar(E::from_f64(items::triplet(q.value(), nearest, second, margin)?));
    Ok(tape.record(loss, &[q.node()], || Separateness {
        q: q.value().clone(),
        nearest: nearest.clone(),
        second: second.clone(),
        margin,
        input: q.node(),
    }))
}

struct Separateness<E: Element> {
    q: Tensor<E>,
    nearest: Tensor<E>,
    second: Tensor<E>,
    margin: f64,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Separateness<E> {
    fn backward(self, gradient: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let scale = gradient.item()?;
        let gradient = || items::triplet_backward(&self.q, &self.nearest, &self.second, self.margin, scale);
        sink.add(self.input, gradient)
    }
}
