//! Dense attention over the rows of a matrix: softmax, hard shrinkage, entropy, and their gradients.
//!
//! Unlike a [recall](crate::recall), which selects a few of many slots, this is for memories small enough that every
//! query weighs every slot.

use crate::simd::simd_fn;
use crate::{Element, Result, Tensor, parallel, reduce};

/// Keeps the quotient of the shrinkage, the sum of a row, and the logarithm of a weight away from 0, as MemAE's code
/// does.
pub const EPS: f64 = 1e-12;
/// Rows handled by one task.
const ROWS: usize = 16;
/// What an exponential or a logarithm costs, in element operations.
const TRANSCENDENTAL: usize = 8;

/// `a_i = exp(s_i) / sum_j exp(s_j)` for every row, in the memory of its input. A row that holds a NaN or plus infinity
/// becomes NaN.
///
/// # Shapes
/// `similarities` (queries, N); result the same.
#[must_use]
pub fn softmax<E: Element>(mut similarities: Tensor<E>) -> Tensor<E> {
    let work = similarities.len() * TRANSCENDENTAL;
    each_row(&mut similarities, work, |_, row| {
        let largest = row.iter().fold(E::NEG_INFINITY, |largest, &value| largest.max(value));
        row.iter_mut().for_each(|value| *value = (*value - largest).exp());
        let total = reduce::sum(row);
        divide(row, total);
    });
    similarities
}

/// The gradient of [`softmax`]: `ds_i = a_i (da_i - sum_j a_j da_j)`.
///
/// # Shapes
/// `attention` and `da` (queries, N); result the same.
///
/// # Errors
/// If the shapes differ.
pub fn softmax_backward<E: Element>(attention: &Tensor<E>, mut da: Tensor<E>) -> Result<Tensor<E>> {
    da.expect_shape("softmax", "the gradient", *attention.shape())?;
    each_row(&mut da, 2 * attention.len(), |row, da| {
        let attention = attention.row(row);
        let mean = reduce::dot(da, attention);
        centre(da, attention, mean);
    });
    Ok(da)
}

simd_fn! {
    fn divide<E>(row: &mut [E], by: E) {
        row.iter_mut().for_each(|value| *value /= by);
    }
}

simd_fn! {
    fn centre<E>(gradient: &mut [E], weights: &[E], mean: E) {
        gradient.iter_mut().zip(weights).for_each(|(gradient, &weight)| *gradient = weight * (*gradient - mean));
    }
}

/// Hard shrinkage, and division by what is left of a row:
/// `v_i = max(a_i - lambda, 0) a_i / (|a_i - lambda| + 1e-12)`, that is `a_i` where it exceeds lambda, else 0;
/// `w_i = v_i / max(sum_j v_j, 1e-12)`. A row of which nothing is left stays 0.
///
/// Returns the weights, and how many rows are 0.
///
/// # Shapes
/// `attention` (queries, N); result the same.
#[must_use]
pub fn shrink<E: Element>(attention: &Tensor<E>, lambda: E) -> (Tensor<E>, usize) {
    let mut weights = Tensor::scratch(*attention.shape());
    each_row(&mut weights, 4 * attention.len(), |row, weights| {
        shrink_row(weights, attention.row(row), lambda);
        let total = reduce::sum(weights).max(E::from_f64(EPS));
        divide(weights, total);
    });
    let empty = empty_rows(&weights);
    (weights, empty)
}

/// The gradient of [`shrink`]. With the total `t = sum_j v_j`: `dv_i = (dw_i - sum_j w_j dw_j) / t`, and
/// `da_i = dv_i dv_i/da_i`, which is 0 for the weights that were shrunk to 0 and, but for the 1e-12, 1 for the others.
///
/// # Shapes
/// `attention`, `weights` (what [`shrink`] made of it) and `dw` (queries, N); result the same.
///
/// # Errors
/// If the shapes differ.
pub fn shrink_backward<E: Element>(
    attention: &Tensor<E>,
    weights: &Tensor<E>,
    lambda: E,
    mut dw: Tensor<E>,
) -> Result<Tensor<E>> {
    weights.expect_shape("shrink", "the weights", *attention.shape())?;
    dw.expect_shape("shrink", "the gradient", *attention.shape())?;
    each_row(&mut dw, 8 * attention.len(), |row, dw| {
        let (attention, eps) = (attention.row(row), E::from_f64(EPS));
        let total = shrunk_total(attention, lambda);
        // A sum that was not what the row was divided by has no part in the gradient.
        let mean = if total < eps { E::ZERO } else { reduce::dot(dw, weights.row(row)) };
        shrink_row_backward(dw, attention, lambda, mean, total.max(eps));
    });
    Ok(dw)
}

/// Written so that what is not a number does not become 0: training has to notice.
#[inline(always)]
fn shrunk<E: Element>(attention: E, lambda: E) -> E {
    let above = attention - lambda;
    if above <= E::ZERO { E::ZERO } else { above * attention / (above + E::from_f64(EPS)) }
}

simd_fn! {
    fn shrink_row<E>(out: &mut [E], attention: &[E], lambda: E) {
        out.iter_mut().zip(attention).for_each(|(out, &attention)| *out = shrunk(attention, lambda));
    }
}

simd_fn! {
    fn shrunk_total<E>(attention: &[E], lambda: E) -> E {
        reduce::sum_by(attention, |attention| shrunk(attention, lambda))
    }
}

simd_fn! {
    fn shrink_row_backward<E>(gradient: &mut [E], attention: &[E], lambda: E, mean: E, total: E) {
        let eps = E::from_f64(EPS);
        for (gradient, &attention) in gradient.iter_mut().zip(attention) {
            let above = attention - lambda;
            let slope = (above + eps * attention / (above + eps)) / (above + eps);
            *gradient = if above <= E::ZERO { E::ZERO } else { (*gradient - mean) / total * slope };
        }
    }
}

fn empty_rows<E: Element>(weights: &Tensor<E>) -> usize {
    let (rows, _) = weights.rows_cols();
    (0..rows).filter(|&row| weights.row(row).iter().all(|&weight| weight == E::ZERO)).count()
}

/// The mean over the rows of `-sum_i w_i ln(w_i + 1e-12)`; row sums are added in `f64`.
///
/// # Shapes
/// `weights` (queries, N).
#[must_use]
pub fn entropy<E: Element>(weights: &Tensor<E>) -> f64 {
    let (rows, len) = weights.rows_cols();
    let mut sums = Tensor::scratch([rows]);
    parallel::chunks_mut(sums.data_mut(), ROWS, rows * len * TRANSCENDENTAL, |chunk, sums| {
        for (row, sum) in (ROWS * chunk..).zip(sums) {
            *sum = reduce::sum_by(weights.row(row), |weight| -weight * (weight + E::from_f64(EPS)).ln());
        }
    });
    sums.data().iter().map(|sum| sum.to_f64()).sum::<f64>() / rows as f64
}

/// The gradient of `scale * entropy`: `dw_i = -scale (ln(w_i + 1e-12) + w_i / (w_i + 1e-12)) / queries`.
///
/// # Shapes
/// `weights` (queries, N); result the same.
#[must_use]
pub fn entropy_backward<E: Element>(weights: &Tensor<E>, scale: E) -> Tensor<E> {
    let (rows, _) = weights.rows_cols();
    let (factor, eps) = (-scale / E::from_usize(rows), E::from_f64(EPS));
    let mut dw = Tensor::scratch(*weights.shape());
    each_row(&mut dw, weights.len() * TRANSCENDENTAL, |row, dw| {
        for (dw, &weight) in dw.iter_mut().zip(weights.row(row)) {
            *dw = factor * ((weight + eps).ln() + weight / (weight + eps));
        }
    });
    dw
}

/// Calls `each(index, row)` for every row, on one or more threads.
fn each_row<E: Element>(matrix: &mut Tensor<E>, work: usize, each: impl Fn(usize, &mut [E]) + Send + Sync) {
    let (_, len) = matrix.rows_cols();
    if len > 0 {
        parallel::chunks_mut(matrix.data_mut(), ROWS * len, work, |chunk, rows| {
            (ROWS * chunk..).zip(rows.chunks_exact_mut(len)).for_each(|(index, row)| each(index, row));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, len: usize) -> Tensor<f64> {
        Tensor::from_vec((0..rows * len).map(|i| (i as f64 * 0.7).sin() * 3.0).collect(), [rows, len]).unwrap()
    }

    #[test]
    fn agrees_with_the_equations() {
        for (rows, len, lambda) in [(1, 1, 0.5), (3, 5, 0.2), (70, 33, 0.04), (2, 100, 0.02)] {
            let similarities = matrix(rows, len);
            let attention = softmax(similarities.clone());
            let (weights, empty) = shrink(&attention, lambda);
            let mut expected_entropy = 0.0;
            for row in 0..rows {
                let total: f64 = similarities.row(row).iter().map(|s| s.exp()).sum();
                let naive: Vec<f64> = similarities.row(row).iter().map(|s| s.exp() / total).collect();
                let kept: Vec<f64> = naive.iter().map(|&a| if a > lambda { a } else { 0.0 }).collect();
                let left: f64 = kept.iter().sum();
                for (index, (&a, &w)) in attention.row(row).iter().zip(weights.row(row)).enumerate() {
                    approx::assert_relative_eq!(a, naive[index], max_relative = 1e-13);
                    approx::assert_relative_eq!(w, kept[index] / left, epsilon = 1e-8);
                }
                expected_entropy -= kept.iter().filter(|v| **v > 0.0).map(|v| v / left * (v / left).ln()).sum::<f64>();
            }
            assert_eq!(empty, 0);
            approx::assert_relative_eq!(entropy(&weights), expected_entropy / rows as f64, epsilon = 1e-8);
        }
    }

    #[test]
    fn nothing_left_is_zero_with_no_gradient() {
        // Four equal weights of 1/4, which lambda does not exceed but reaches; and one that survives.
        let similarities = Tensor::from_vec(vec![1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0], [2, 4]).unwrap();
        let attention = softmax(similarities);
        assert_eq!(attention.row(0), [0.25; 4]);
        let (weights, empty) = shrink(&attention, 0.25);
        assert_eq!((weights.data(), empty), ([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0].as_slice(), 1));
        let dw = entropy_backward(&weights, 1.0);
        assert!(dw.is_finite() && entropy(&weights).abs() < 1e-11);
        let ds = softmax_backward(&attention, shrink_backward(&attention, &weights, 0.25, dw).unwrap()).unwrap();
        assert_eq!(ds.row(0), [0.0; 4]);
        assert!(ds.is_finite());
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for bad in [f32::NAN, f32::INFINITY] {
            let attention = softmax(Tensor::from_vec(vec![1.0, bad, 3.0], [1, 3]).unwrap());
            let (weights, empty) = shrink(&attention, 0.1);
            assert!(weights.data().iter().all(|weight| weight.is_nan()) && empty == 0);
            assert!(entropy(&weights).is_nan());
            let da = shrink_backward(&attention, &weights, 0.1, Tensor::full([1, 3], 1.0)).unwrap();
            assert!(da.data().iter().all(|value| value.is_nan()));
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let similarities = matrix(700, 333);
        let run = || {
            let attention = softmax(similarities.clone());
            let (weights, _) = shrink(&attention, 0.004);
            let dw = entropy_backward(&weights, 0.3);
            let da = shrink_backward(&attention, &weights, 0.004, dw).unwrap();
            (entropy(&weights), softmax_backward(&attention, da).unwrap(), weights)
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(run), crate::serial(run));
    }

    #[test]
    fn shapes_are_checked() {
        let (a, b) = (matrix(2, 3), matrix(3, 2));
        assert!(softmax_backward(&a, b.clone()).is_err());
        assert!(shrink_backward(&a, &b, 0.1, a.clone()).is_err());
        assert!(shrink_backward(&a, &a, 0.1, b).is_err());
    }
}
