use rftm_tensor::{Element, Result, Shape, Tensor};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// The same elements in another shape; moves nothing. `[batch, rest]` flattens.
///
/// # Errors
/// If the number of elements differs.
pub fn reshape<E: Element>(tape: &mut Tape<E>, x: &Var<E>, shape: impl Into<Shape>) -> Result<Var<E>> {
    let y = x.value().reshape(shape)?;
    Ok(tape.record(y, &[x.node()], || Reshape { from: *x.shape(), input: x.node() }))
}

struct Reshape {
    from: Shape,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Reshape {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        sink.add(self.input, || dy.reshape(self.from))
    }
}
