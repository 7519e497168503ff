use rftm_tensor::{Element, Result, Tensor, conv};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// Reorders four axes: axis `i` of the result is axis `order[i]` of `x`. `[0, 2, 3, 1]` takes (N, C, H, W) to
/// (N, H, W, C), `[0, 3, 1, 2]` takes it back.
///
/// # Errors
/// If `x` has another rank, or `order` is no permutation.
pub fn permute<E: Element>(tape: &mut Tape<E>, x: &Var<E>, order: [usize; 4]) -> Result<Var<E>> {
    let y = conv::permute(x.value(), order)?;
    Ok(tape.record(y, &[x.node()], || Permute { order, input: x.node() }))
}

struct Permute {
    order: [usize; 4],
    input: Option<NodeId>,
}

impl<E: Element> Backward<E> for Permute {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let mut inverse = [0; 4];
        self.order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        sink.add(self.input, || conv::permute(&dy, inverse))
    }
}
