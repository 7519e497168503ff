use rftm_tensor::{Element, Error, Result, Shape, Tensor};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// Two tensors side by side along the last axis: features of (N, C), channels of (N, H, W, C).
///
/// # Errors
/// If they differ in any other axis.
pub fn concat<E: Element>(tape: &mut Tape<E>, left: &Var<E>, right: &Var<E>) -> Result<Var<E>> {
    let y = concat_values(left.value(), right.value())?;
    Ok(tape.record(y, &[left.node(), right.node()], || Concat {
        shapes: [*left.shape(), *right.shape()],
        inputs: [left.node(), right.node()],
    }))
}

/// [`concat()`] on plain tensors.
///
/// # Errors
/// If they differ in any axis but the last.
pub fn concat_values<E: Element>(left: &Tensor<E>, right: &Tensor<E>) -> Result<Tensor<E>> {
    let (Some((&l, outer)), Some((&r, other))) = (left.dims().split_last(), right.dims().split_last()) else {
        return Err(Error::shape("concat", "each tensor", "at least one axis", left.shape()));
    };
    if outer != other {
        let expected = format!("{outer:?} before the last axis");
        return Err(Error::shape("concat", "the right tensor", expected, right.shape()));
    }
    let mut y = Tensor::scratch(left.shape().with_last(l + r)?);
    if l + r > 0 {
        for (index, row) in y.data_mut().chunks_exact_mut(l + r).enumerate() {
            row[..l].copy_from_slice(&left.data()[index * l..][..l]);
            row[l..].copy_from_slice(&right.data()[index * r..][..r]);
        }
    }
    Ok(y)
}

struct Concat {
    shapes: [Shape; 2],
    inputs: [Option<NodeId>; 2],
}

impl<E: Element> Backward<E> for Concat {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let [l, r] = self.shapes.map(|shape| shape.dims().last().copied().unwrap_or(1));
        for (side, (from, width)) in [(0, l), (l, r)].into_iter().enumerate() {
            sink.add(self.inputs[side], || {
                let mut dx = Tensor::scratch(self.shapes[side]);
                if width > 0 {
                    for (to, row) in dx.data_mut().chunks_exact_mut(width).zip(dy.data().chunks_exact(l + r)) {
                        to.copy_from_slice(&row[from..from + width]);
                    }
                }
                Ok(dx)
            })?;
        }
        Ok(())
    }
}
