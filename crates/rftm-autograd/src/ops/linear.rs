use rftm_tensor::gemm::{Init, Mat, gemm};
use rftm_tensor::{Element, Error, Result, Tensor, norm};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y = x w^T + b`.
///
/// # Shapes
/// `x` (N, in), `w` (out, in), `b` (out); result (N, out).
///
/// # Errors
/// If the shapes do not fit.
pub fn linear<E: Element>(tape: &mut Tape<E>, x: &Var<E>, w: &Var<E>, b: Option<&Var<E>>) -> Result<Var<E>> {
    let y = linear_values(x.value(), w.value(), b.map(Var::value))?;
    let bias = b.and_then(Var::node);
    Ok(tape.record(y, &[x.node(), w.node(), bias], || Linear {
        x: x.value().clone(),
        w: w.value().clone(),
        inputs: [x.node(), w.node(), bias],
    }))
}

/// [`linear`] on plain tensors.
///
/// # Errors
/// If the shapes do not fit.
pub fn linear_values<E: Element>(x: &Tensor<E>, w: &Tensor<E>, b: Option<&Tensor<E>>) -> Result<Tensor<E>> {
    let (&[batch, width], &[out, expected]) = (x.dims(), w.dims()) else {
        return Err(Error::shape("linear", "x", "(N, in) and w (out, in)", x.shape()));
    };
    if out * expected == 0 {
        return Err(Error::shape("linear", "w", "(out, in), neither of them 0", w.shape()));
    }
    if width != expected {
        return Err(Error::shape("linear", "x", format!("(N, {expected})"), x.shape()));
    }
    if let Some(b) = b {
        b.expect_shape("linear", "b", [out])?;
    }
    let mut y = Tensor::scratch([batch, out]);
    let init = b.map_or(Init::Zero, |b| Init::Row(b.data()));
    gemm(Mat::new(x.data(), batch, width), Mat::new(w.data(), out, width).t(), y.data_mut(), init);
    Ok(y)
}

/// `dx = dy w`, `dw = dy^T x`, `db = column sums of dy`.
struct Linear<E: Element> {
    x: Tensor<E>,
    w: Tensor<E>,
    inputs: [Option<NodeId>; 3],
}

impl<E: Element> Backward<E> for Linear<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let ((batch, width), (out, _)) = (self.x.rows_cols(), self.w.rows_cols());
        let [x, w, b] = self.inputs;
        let dy_matrix = Mat::new(dy.data(), batch, out);
        sink.add(w, || {
            let mut dw = Tensor::scratch([out, width]);
            gemm(dy_matrix.t(), Mat::new(self.x.data(), batch, width), dw.data_mut(), Init::Zero);
            Ok(dw)
        })?;
        sink.add(b, || Ok(norm::column_sum(&dy, out)))?;
        sink.add(x, || {
            let mut dx = Tensor::scratch([batch, width]);
            gemm(dy_matrix, Mat::new(self.w.data(), out, width), dx.data_mut(), Init::Zero);
            Ok(dx)
        })
    }
}
