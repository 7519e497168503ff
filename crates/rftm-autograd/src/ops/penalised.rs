use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y = loss + sum_i weight_i term_i` over the terms that modules asked for with [`Tape::penalise`] since the tape was
/// last empty; without any it is `loss` itself. The terms are used up, unless this fails.
///
/// # Errors
/// If the loss or a term is not a single number.
pub fn penalised<E: Element>(tape: &mut Tape<E>, loss: Var<E>) -> Result<Var<E>> {
    // Taken out and put back, so that the next step finds the memory of the list.
    let mut terms = std::mem::take(&mut tape.penalties);
    let sum = terms.iter().try_fold(loss, |loss, (weight, term)| add_scaled(tape, &loss, term, *weight));
    if sum.is_ok() {
        terms.clear();
    }
    tape.penalties = terms;
    sum
}

/// `y = a + factor b` for scalars.
fn add_scaled<E: Element>(tape: &mut Tape<E>, a: &Var<E>, b: &Var<E>, factor: f64) -> Result<Var<E>> {
    let scalar = |what, var: &Var<E>| {
        let wrong = || Error::shape("penalised loss", what, "one element", var.shape());
        var.value().item().map_err(|_| wrong())
    };
    let factor = E::from_f64(factor);
    let y = Tensor::scalar(scalar("the loss", a)? + factor * scalar("a penalty", b)?);
    let inputs = [a.node(), b.node()];
    Ok(tape.record(y, &inputs, || AddScaled { shapes: [*a.shape(), *b.shape()], factor, inputs }))
}

struct AddScaled<E: Element> {
    shapes: [rftm_tensor::Shape; 2],
    factor: E,
    inputs: [Option<NodeId>; 2],
}

impl<E: Element> Backward<E> for AddScaled<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let dy = dy.item()?;
        sink.add(self.inputs[0], || Ok(Tensor::full(self.shapes[0], dy)))?;
        sink.add(self.inputs[1], || Ok(Tensor::full(self.shapes[1], dy * self.factor)))
    }
}
