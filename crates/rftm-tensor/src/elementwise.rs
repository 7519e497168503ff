//! Element by element: activation, accumulation, mean squared error.

use crate::reduce::squared_distance;
use crate::simd::simd_fn;
use crate::{Element, Result, Tensor, parallel};

/// Elements a thread handles at once: 64 KB of `f32`, so that what one pass wrote is still in cache for the next.
const CHUNK: usize = 1 << 14;

/// `total += term`, element by element.
///
/// # Errors
/// If the shapes differ.
pub fn add_assign<E: Element>(total: &mut Tensor<E>, term: &Tensor<E>) -> Result<()> {
    term.expect_shape("add", "the term", *total.shape())?;
    let work = total.len();
    parallel::chunks_mut(total.data_mut(), CHUNK, work, |index, total| {
        add(total, &term.data()[index * CHUNK..][..total.len()]);
    });
    Ok(())
}

simd_fn! {
    fn add<E>(total: &mut [E], term: &[E]) {
        total.iter_mut().zip(term).for_each(|(total, &term)| *total += term);
    }
}

simd_fn! {
    /// `total += factor * term` over slices.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn axpy<E>(total: &mut [E], factor: E, term: &[E]) {
        assert_eq!(total.len(), term.len(), "axpy of slices of different lengths");
        total.iter_mut().zip(term).for_each(|(total, &term)| *total += factor * term);
    }
}

/// `y = x` where `x > 0`, `slope * x` elsewhere.
#[must_use]
pub fn leaky_relu<E: Element>(x: &Tensor<E>, slope: E) -> Tensor<E> {
    let mut y = Tensor::scratch(*x.shape());
    parallel::chunks_mut(y.data_mut(), CHUNK, x.len(), |index, y| {
        leaky(y, &x.data()[index * CHUNK..][..y.len()], slope);
    });
    y
}

simd_fn! {
    fn leaky<E>(y: &mut [E], x: &[E], slope: E) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x > E::ZERO { x } else { slope * x });
    }
}

/// [`leaky_relu`] in the memory of its input.
pub fn leaky_relu_in_place<E: Element>(x: &mut Tensor<E>, slope: E) {
    let work = x.len();
    parallel::chunks_mut(x.data_mut(), CHUNK, work, |_, x| leaky_over(x, slope));
}

simd_fn! {
    fn leaky_over<E>(x: &mut [E], slope: E) {
        x.iter_mut().for_each(|x| *x = if *x > E::ZERO { *x } else { slope * *x });
    }
}

/// The gradient of [`leaky_relu`]: `dx = dy` where `x > 0`, `slope * dy` elsewhere.
///
/// # Panics
/// If the shapes differ.
#[must_use]
pub fn leaky_relu_backward<E: Element>(x: &Tensor<E>, mut dy: Tensor<E>, slope: E) -> Tensor<E> {
    assert_eq!(x.shape(), dy.shape(), "leaky_relu_backward: x and dy");
    let work = x.len();
    parallel::chunks_mut(dy.data_mut(), CHUNK, work, |index, dy| {
        leaky_back(dy, &x.data()[index * CHUNK..][..dy.len()], slope);
    });
    dy
}

simd_fn! {
    fn leaky_back<E>(dy: &mut [E], x: &[E], slope: E) {
        dy.iter_mut().zip(x).for_each(|(dy, &x)| *dy = if x > E::ZERO { *dy } else { slope * *dy });
    }
}

/// Mean squared error, `sum (x - target)^2 / len`, summed in blocks whose totals are `f64`.
///
/// # Errors
/// If the shapes differ, or there are no elements to take a mean of.
pub fn mse<E: Element>(x: &Tensor<E>, target: &Tensor<E>) -> Result<f64> {
    target.expect_shape("mse", "the target", *x.shape())?;
    if x.is_empty() {
        return Err(crate::Error::invalid("mse", "the mean over no elements is undefined"));
    }
    Ok(squared_distance(x.data(), target.data()) / x.len() as f64)
}

/// The gradient of `scale * mse` by `x`: `scale * 2 (x - target) / len`.
///
/// # Panics
/// If the shapes differ.
#[must_use]
pub fn mse_backward<E: Element>(x: &Tensor<E>, target: &Tensor<E>, scale: E) -> Tensor<E> {
    assert_eq!(x.shape(), target.shape(), "mse_backward: x and the target");
    let factor = scale * E::from_f64(2.0 / x.len() as f64);
    let mut dx = Tensor::scratch(*x.shape());
    parallel::chunks_mut(dx.data_mut(), CHUNK, x.len(), |index, dx| {
        let from = index * CHUNK;
        scaled_difference(dx, &x.data()[from..][..dx.len()], &target.data()[from..][..dx.len()], factor);
    });
    dx
}

simd_fn! {
    fn scaled_difference<E>(out: &mut [E], left: &[E], right: &[E], factor: E) {
        out.iter_mut().zip(left).zip(right).for_each(|((out, &left), &right)| *out = factor * (left - right));
    }
}

/// Appends to `out` the Euclidean norm of every row of `x - y`, both seen as matrices: the anomaly score of Eq. 1 for each
/// sample.
///
/// # Errors
/// If the shapes differ.
pub fn row_distances<E: Element>(x: &Tensor<E>, y: &Tensor<E>, out: &mut Vec<f32>) -> Result<()> {
    y.expect_shape("row distances", "the reconstruction", *x.shape())?;
    let (rows, _) = x.rows_cols();
    out.extend((0..rows).map(|row| squared_distance(x.row(row), y.row(row)).sqrt() as f32));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaky_relu_keeps_the_sign_of_zero_out_of_the_positive_branch() {
        let x = Tensor::from_vec(vec![-2.0_f32, 0.0, 3.0], [3]).unwrap();
        assert_eq!(leaky_relu(&x, 0.5).data(), [-1.0, 0.0, 3.0]);
        let mut y = x.clone();
        leaky_relu_in_place(&mut y, 0.5);
        assert_eq!(y, leaky_relu(&x, 0.5));
        assert_eq!(leaky_relu_backward(&x, Tensor::full([3], 1.0), 0.5).data(), [0.5, 0.5, 1.0]);
    }

    #[test]
    fn results_do_not_depend_on_chunks() {
        let x = Tensor::from_vec((0..100_003).map(|i| (i % 11) as f64 - 5.0).collect(), [100_003]).unwrap();
        let y = leaky_relu(&x, 0.1);
        assert!(x.data().iter().zip(y.data()).all(|(&x, &y)| y == if x > 0.0 { x } else { 0.1 * x }));
        let mut total = x.clone();
        add_assign(&mut total, &x).unwrap();
        assert!(total.data().iter().zip(x.data()).all(|(&total, &x)| total == 2.0 * x));
        let mean = x.data().iter().map(|x| x * x).sum::<f64>() / 100_003.0;
        approx::assert_relative_eq!(mse(&x, &Tensor::zeros([100_003])).unwrap(), mean, max_relative = 1e-12);
        assert!(mse(&Tensor::<f32>::zeros([0]), &Tensor::zeros([0])).is_err());
    }
}
