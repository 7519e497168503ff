use rftm_tensor::{Element, Result, Tensor, elementwise};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y = a + b`, element by element: a connection around a layer.
///
/// # Shapes
/// `a`, `b` and the result alike; nothing is broadcast.
///
/// # Errors
/// If the shapes differ.
pub fn add<E: Element>(tape: &mut Tape<E>, a: &Var<E>, b: &Var<E>) -> Result<Var<E>> {
    let mut y = a.value().clone();
    elementwise::add_assign(&mut y, b.value())?;
    Ok(tape.record(y, &[a.node(), b.node()], || Add { inputs: [a.node(), b.node()] }))
}

struct Add {
    inputs: [Option<NodeId>; 2],
}

impl<E: Element> Backward<E> for Add {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        sink.add(self.inputs[0], || Ok(dy.clone()))?;
        sink.add(self.inputs[1], || Ok(dy))
    }
}
