//! Between the layouts: users and PyTorch put channels before pixels, the kernels put them last.

use crate::{Element, Error, Result, Tensor};

/// Reorders the axes of a tensor of rank 4: axis `i` of the result is axis `order[i]` of `x`.
///
/// # Errors
/// If `x` has another rank, or `order` is no permutation.
pub fn permute<E: Element>(x: &Tensor<E>, order: [usize; 4]) -> Result<Tensor<E>> {
    let &[_, _, _, _] = x.dims() else {
        return Err(Error::shape("permute", "the tensor", "four axes", x.shape()));
    };
    let mut seen = [false; 4];
    for axis in order {
        if axis > 3 || std::mem::replace(&mut seen[axis], true) {
            return Err(Error::invalid("permute", format!("{order:?} is not an order of the axes 0 to 3")));
        }
    }
    let dims = x.dims();
    let strides = [dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1];
    let ([a, b, c, d], [sa, sb, sc, sd]) = (order.map(|axis| dims[axis]), order.map(|axis| strides[axis]));
    let mut out = Tensor::scratch([a, b, c, d]);
    if x.is_empty() {
        return Ok(out);
    }
    let data = x.data();
    for (index, row) in out.data_mut().chunks_exact_mut(d).enumerate() {
        let base = index / (b * c) * sa + index / c % b * sb + index % c * sc;
        row.iter_mut().zip(data[base..].iter().step_by(sd)).for_each(|(to, &from)| *to = from);
    }
    Ok(out)
}

/// (N, C, H, W) to (N, H, W, C).
///
/// # Errors
/// If `x` does not have four axes.
pub fn to_nhwc<E: Element>(x: &Tensor<E>) -> Result<Tensor<E>> {
    permute(x, [0, 2, 3, 1])
}
