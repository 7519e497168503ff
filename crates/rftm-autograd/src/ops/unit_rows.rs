use rftm_tensor::{Element, Result, Tensor, direction};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y = x / |x|` for every row; a row shorter than 1e-12 has no direction: it becomes 0 and passes no gradient.
///
/// # Shapes
/// `x` (N, L); result the same.
pub fn unit_rows<E: Element>(tape: &mut Tape<E>, x: &Var<E>) -> Var<E> {
    let (units, inverse_norms) = direction::unit_rows(x.value());
    let y = units.clone();
    tape.record(y, &[x.node()], || UnitRows { units, inverse_norms, input: x.node() })
}

struct UnitRows<E: Element> {
    units: Tensor<E>,
    inverse_norms: Tensor<E>,
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for UnitRows<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        sink.add(self.input, || direction::unit_rows_backward(&self.units, &self.inverse_norms, dy))
    }
}
