//! Reading a memory, as operations on the tape.

mod attention;
mod separateness;

pub use attention::{attend, entropy, shrink};
pub use separateness::separateness;

use rftm_autograd::{Backward, NodeId, Sink, Tape, Var};
use rftm_tensor::recall::{self, Query, Recall};
use rftm_tensor::{Element, Result, Tensor};

/// Eq. 3: `h_out = sum_i w_i m_i` over the slots that `query` selects for each latent.
///
/// Returns the output, and how many latents were left without any slot (their output is 0).
///
/// # Shapes
/// `h` (batch, L'), `memory` (N, L'); result (batch, L').
///
/// # Errors
/// If the widths differ, or a surviving slot lies outside the memory.
pub fn memory_read<E: Element>(
    tape: &mut Tape<E>,
    h: &Var<E>,
    memory: &Var<E>,
    query: Query<'_>,
) -> Result<(Var<E>, usize)> {
    let recall = recall::recall(h.value(), memory.value(), query)?;
    let (y, empty) = (recall::read(&recall, memory.value()), recall.empty());
    let inputs = [h.node(), memory.node()];
    let record = || MemoryRead { recall, h: h.value().clone(), memory: memory.value().clone(), inputs };
    Ok((tape.record(y, &inputs, record), empty))
}

struct MemoryRead<E: Element> {
    recall: Recall<E>,
    h: Tensor<E>,
    memory: Tensor<E>,
    inputs: [Option<NodeId>; 2],
}

impl<E: Element> Backward<E> for MemoryRead<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let (dh, dm) = recall::backward(&self.recall, &self.h, &self.memory, &dy);
        sink.add(self.inputs[0], || Ok(dh))?;
        sink.add(self.inputs[1], || Ok(dm))
    }
}
