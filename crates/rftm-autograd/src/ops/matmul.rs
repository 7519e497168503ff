use rftm_tensor::gemm::{Init, Mat, gemm};
use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// `y = a b`: every row of the result is a sum of the rows of `b`, weighted by a row of `a`.
///
/// # Shapes
/// `a` (N, K), `b` (K, L); result (N, L).
///
/// # Errors
/// If the shapes do not fit.
pub fn matmul<E: Element>(tape: &mut Tape<E>, a: &Var<E>, b: &Var<E>) -> Result<Var<E>> {
    let y = matmul_values(a.value(), b.value())?;
    let inputs = [a.node(), b.node()];
    Ok(tape.record(y, &inputs, || Matmul { a: a.value().clone(), b: b.value().clone(), inputs }))
}

/// [`matmul`] on plain tensors.
///
/// # Errors
/// If the shapes do not fit.
pub fn matmul_values<E: Element>(a: &Tensor<E>, b: &Tensor<E>) -> Result<Tensor<E>> {
    let (&[rows, depth], &[expected, cols]) = (a.dims(), b.dims()) else {
        return Err(Error::shape("matmul", "a", "(N, K) and b (K, L)", a.shape()));
    };
    if depth != expected {
        return Err(Error::shape("matmul", "a", format!("(N, {expected})"), a.shape()));
    }
    let mut y = Tensor::scratch([rows, cols]);
    gemm(Mat::new(a.data(), rows, depth), Mat::new(b.data(), depth, cols), y.data_mut(), Init::Zero);
    Ok(y)
}

/// `da = dy b^T`, `db = a^T dy`.
struct Matmul<E: Element> {
    a: Tensor<E>,
    b: Tensor<E>,
    inputs: [Option<NodeId>; 2],
}

impl<E: Element> Backward<E> for Matmul<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let ((rows, depth), (_, cols)) = (self.a.rows_cols(), self.b.rows_cols());
        let dy = Mat::new(dy.data(), rows, cols);
        sink.add(self.inputs[1], || {
            let mut db = Tensor::scratch([depth, cols]);
            gemm(Mat::new(self.a.data(), rows, depth).t(), dy, db.data_mut(), Init::Zero);
            Ok(db)
        })?;
        sink.add(self.inputs[0], || {
            let mut da = Tensor::scratch([rows, depth]);
            gemm(dy, Mat::new(self.b.data(), depth, cols).t(), da.data_mut(), Init::Zero);
            Ok(da)
        })
    }
}
