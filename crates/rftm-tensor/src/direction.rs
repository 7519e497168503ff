//! Rows as directions: their lengths, the unit vectors along them, and the way back.
//!
//! A cosine does not change when a vector grows, so its gradient has no part along the vector: a gradient through a
//! direction is the gradient through the product, less that part. [`unit_rows_backward`] is all a cosine needs.

use crate::elementwise::axpy;
use crate::simd::simd_fn;
use crate::{Element, Result, Tensor, parallel, reduce};

/// Vectors shorter than this have no direction: their similarity to anything is 0, and no gradient passes them.
pub const SHORTEST: f64 = 1e-12;
/// Rows handled by one task.
const ROWS: usize = 64;

/// `1 / |row|` for every row, 0 for rows without direction, NaN for rows that are not finite or whose squares are not.
///
/// # Shapes
/// `matrix` (N, ..); result (N).
#[must_use]
pub fn inverse_norms<E: Element>(matrix: &Tensor<E>) -> Tensor<E> {
    let (rows, len) = matrix.rows_cols();
    let mut norms = Tensor::scratch([rows]);
    parallel::chunks_mut(norms.data_mut(), ROWS, rows * len, |chunk, norms| {
        for (row, norm) in (ROWS * chunk..).zip(norms) {
            let length = reduce::dot(matrix.row(row), matrix.row(row)).to_f64().sqrt();
            *norm = match length {
                _ if !length.is_finite() => E::NAN,
                _ if length < SHORTEST => E::ZERO,
                _ => E::from_f64(1.0 / length),
            };
        }
    });
    norms
}

/// `row / |row|` for every row, 0 for rows without direction; and the [`inverse_norms`] that the gradient needs.
///
/// # Shapes
/// `matrix` (N, L); results (N, L) and (N).
#[must_use]
pub fn unit_rows<E: Element>(matrix: &Tensor<E>) -> (Tensor<E>, Tensor<E>) {
    let ((rows, len), norms) = (matrix.rows_cols(), inverse_norms(matrix));
    let mut units = Tensor::scratch(*matrix.shape());
    if len > 0 {
        parallel::chunks_mut(units.data_mut(), ROWS * len, rows * len, |chunk, units| {
            for (row, unit) in (ROWS * chunk..).zip(units.chunks_exact_mut(len)) {
                scaled(unit, norms.data()[row], matrix.row(row));
            }
        });
    }
    (units, norms)
}

/// The gradient of [`unit_rows`]: with the unit vector u of a row x, `dx = (du - <du, u> u) / |x|`.
///
/// # Shapes
/// `units` and `du` (N, L), `inverse_norms` (N); result (N, L).
///
/// # Errors
/// If the shapes differ.
pub fn unit_rows_backward<E: Element>(
    units: &Tensor<E>,
    inverse_norms: &Tensor<E>,
    mut du: Tensor<E>,
) -> Result<Tensor<E>> {
    du.expect_shape("unit rows", "the gradient", *units.shape())?;
    let (rows, len) = units.rows_cols();
    inverse_norms.expect_shape("unit rows", "the norms", [rows])?;
    if len > 0 {
        parallel::chunks_mut(du.data_mut(), ROWS * len, 3 * rows * len, |chunk, du| {
            for (row, du) in (ROWS * chunk..).zip(du.chunks_exact_mut(len)) {
                let (unit, scale) = (units.row(row), inverse_norms.data()[row]);
                axpy(du, -reduce::dot(du, unit), unit);
                multiply(du, scale);
            }
        });
    }
    Ok(du)
}

simd_fn! {
    fn scaled<E>(out: &mut [E], factor: E, row: &[E]) {
        out.iter_mut().zip(row).for_each(|(out, &value)| *out = factor * value);
    }
}

simd_fn! {
    fn multiply<E>(values: &mut [E], factor: E) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, len: usize) -> Tensor<f64> {
        Tensor::from_vec((0..rows * len).map(|i| (i as f64 * 0.7).sin() * 3.0).collect(), [rows, len]).unwrap()
    }

    #[test]
    fn units_have_length_one_and_the_gradient_leaves_it_so() {
        // Enough rows for several tasks, and a length that fills no register.
        let (x, dy) = (matrix(200, 37), matrix(37, 200).reshape([200, 37]).unwrap());
        let (units, norms) = unit_rows(&x);
        let dx = unit_rows_backward(&units, &norms, dy.clone()).unwrap();
        for row in 0..200 {
            let length = x.row(row).iter().map(|x| x * x).sum::<f64>().sqrt();
            let along: f64 = x.row(row).iter().zip(dy.row(row)).map(|(x, dy)| x * dy / length).sum();
            for ((&x, &unit), (&dy, &dx)) in
                x.row(row).iter().zip(units.row(row)).zip(dy.row(row).iter().zip(dx.row(row)))
            {
                approx::assert_relative_eq!(unit, x / length, max_relative = 1e-13);
                approx::assert_relative_eq!(dx, (dy - along * x / length) / length, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn rows_without_direction_are_zero_and_rows_that_are_no_numbers_stay_so() {
        let x = Tensor::from_vec(vec![0.0, 0.0, 1e-13, 0.0, f64::INFINITY, 1.0, f64::NAN, 1.0], [4, 2]).unwrap();
        let (units, norms) = unit_rows(&x);
        let dx = unit_rows_backward(&units, &norms, Tensor::full([4, 2], 1.0)).unwrap();
        for result in [&units, &dx] {
            assert_eq!(result.data()[..4], [0.0; 4]);
            assert!(result.data()[4..].iter().all(|value| value.is_nan()), "{result:?}");
        }
        assert!(unit_rows_backward(&units, &Tensor::zeros([3]), x.clone()).is_err());
        assert!(unit_rows_backward(&units, &norms, Tensor::zeros([2, 4])).is_err());
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let x = matrix(3000, 64);
        let run = || {
            let (units, norms) = unit_rows(&x);
            unit_rows_backward(&units, &norms, x.clone()).unwrap()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        // Only the directions of rows differ from the rows, so what is left is rounding, and must be the same rounding.
        assert_eq!(pool.install(run), crate::serial(run));
    }
}
