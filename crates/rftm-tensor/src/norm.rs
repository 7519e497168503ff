//! Batch normalisation over the columns of a matrix, with an optional LeakyReLU in the same pass.
//!
//! A channel is a column, a sample (or a pixel of one) is a row: (N, C) as it is, (N, H, W, C) as N H W rows. Rows are
//! summed in fixed blocks whose sums are added in order in `f64`, so nothing depends on the thread count.

use std::ops::Range;

use crate::simd::simd_fn;
use crate::{Element, Tensor, parallel};

/// Rows summed in `E` before the sum goes over to `f64`.
const ROWS: usize = 128;
/// Columns handled side by side: two AVX-512 registers of `f32` for each of two sums and three parameters.
const LANES: usize = 32;

/// What turns an input into its normalised, scaled, shifted and activated output, per channel:
/// `y = leaky((x - mean) * inv_std * gamma + beta)`.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a, E: Element> {
    /// Column means.
    pub mean: &'a Tensor<E>,
    /// `1 / sqrt(variance + eps)` per column.
    pub inv_std: &'a Tensor<E>,
    /// Scale.
    pub gamma: &'a Tensor<E>,
    /// Shift.
    pub beta: &'a Tensor<E>,
    /// Slope of the LeakyReLU that follows; 1 for none.
    pub slope: E,
}

/// Mean and biased variance of each column, in one pass over `x`.
///
/// Sums are taken of `x - x[0]`, so that the variance does not cancel when a mean is large beside its spread.
///
/// # Panics
/// If there are no rows or no channels, or `x` is not made of whole rows: callers have checked.
#[must_use]
pub fn statistics<E: Element>(x: &Tensor<E>, channels: usize) -> (Tensor<E>, Tensor<E>) {
    check(x, channels);
    let rows = x.len() / channels;
    let first = &x.data()[..channels];
    let totals = column_sums(x.len(), channels, |block, sums| {
        let x = &x.data()[block];
        shifted_sums(x, first, sums);
    });
    let (mut mean, mut variance) = (Tensor::scratch([channels]), Tensor::scratch([channels]));
    let (sums, squares) = totals.data().split_at(channels);
    for (channel, (mean, variance)) in mean.data_mut().iter_mut().zip(variance.data_mut()).enumerate() {
        let shift = sums[channel] / rows as f64;
        *mean = E::from_f64(first[channel].to_f64() + shift);
        let biased = squares[channel] / rows as f64 - shift * shift;
        // Not a maximum: what is not a number must not become 0.
        *variance = E::from_f64(if biased < 0.0 { 0.0 } else { biased });
    }
    (mean, variance)
}

/// Normalises, scales, shifts and activates, in one pass.
///
/// # Panics
/// If there are no channels or `x` is not made of whole rows: callers have checked.
#[must_use]
pub fn forward<E: Element>(x: &Tensor<E>, norm: Norm<'_, E>) -> Tensor<E> {
    let channels = norm.mean.len();
    check(x, channels);
    let scale = scale(norm);
    let mut y = Tensor::scratch(*x.shape());
    parallel::chunks_mut(y.data_mut(), ROWS * channels, x.len(), |index, y| {
        let x = &x.data()[index * ROWS * channels..][..y.len()];
        normalise(y, x, [norm.mean.data(), scale.data(), norm.beta.data()], norm.slope);
    });
    y
}

/// The gradients of [`forward`] with the statistics of `x` itself: by `x`, `gamma` and `beta`.
///
/// With `g = dy * leaky'(z)`, `z` the value before the activation and `x^ = (x - mean) * inv_std`:
/// `dgamma = sum g x^`, `dbeta = sum g` and `dx = gamma * inv_std * (g - dbeta / n - x^ dgamma / n)`.
/// Neither `z` nor `x^` is kept from the forward pass: both are cheaper to compute again than to read.
///
/// # Panics
/// If there are no channels or `x` is not made of whole rows: callers have checked.
#[must_use]
pub fn backward<E: Element>(x: &Tensor<E>, mut dy: Tensor<E>, norm: Norm<'_, E>) -> (Tensor<E>, Tensor<E>, Tensor<E>) {
    let channels = norm.mean.len();
    check(x, channels);
    let rows = (x.len() / channels) as f64;
    let scale = scale(norm);
    let parameters = [norm.mean.data(), scale.data(), norm.beta.data()];
    let totals = column_sums(x.len(), channels, |block, sums| {
        gradient_sums(&x.data()[block.clone()], &dy.data()[block], parameters, norm.slope, sums);
    });
    let (mut dgamma, mut dbeta) = (Tensor::scratch([channels]), Tensor::scratch([channels]));
    // dx = scale * g - towards_x * (x - mean) - offset
    let (mut towards_x, mut offset) = (Tensor::<E>::scratch([channels]), Tensor::<E>::scratch([channels]));
    let (sum_g, sum_gx) = totals.data().split_at(channels);
    for channel in 0..channels {
        let inv_std = norm.inv_std.data()[channel].to_f64();
        let scale = scale.data()[channel].to_f64();
        dbeta.data_mut()[channel] = E::from_f64(sum_g[channel]);
        dgamma.data_mut()[channel] = E::from_f64(sum_gx[channel] * inv_std);
        towards_x.data_mut()[channel] = E::from_f64(scale * inv_std * inv_std * sum_gx[channel] / rows);
        offset.data_mut()[channel] = E::from_f64(scale * sum_g[channel] / rows);
    }
    let (towards_x, offset) = (towards_x.data(), offset.data());
    parallel::chunks_mut(dy.data_mut(), ROWS * channels, 2 * x.len(), |index, dy| {
        let x = &x.data()[index * ROWS * channels..][..dy.len()];
        input_gradient(dy, x, parameters, towards_x, offset, norm.slope);
    });
    (dy, dgamma, dbeta)
}

/// The sum of each column: the gradient of a bias.
///
/// # Panics
/// If there are no channels or `x` is not made of whole rows: callers have checked.
#[must_use]
pub fn column_sum<E: Element>(x: &Tensor<E>, channels: usize) -> Tensor<E> {
    check(x, channels);
    let mut sum = Tensor::scratch([channels]);
    let totals = column_sums(x.len(), channels, |block, sums| {
        sums.fill(E::ZERO);
        add_rows(&mut sums[..channels], &x.data()[block]);
    });
    sum.data_mut().iter_mut().zip(totals.data()).for_each(|(sum, &total)| *sum = E::from_f64(total));
    sum
}

/// The last, incomplete row would be left out, and with it elements of a result that nobody has written.
fn check<E: Element>(x: &Tensor<E>, channels: usize) {
    assert!(channels > 0 && x.len().is_multiple_of(channels), "{} elements in rows of {channels}", x.len());
}

simd_fn! {
    fn add_rows<E>(sums: &mut [E], x: &[E]) {
        for row in x.chunks_exact(sums.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
        }
    }
}

/// `gamma * inv_std`
fn scale<E: Element>(norm: Norm<'_, E>) -> Tensor<E> {
    let mut scale = norm.gamma.clone();
    scale.data_mut().iter_mut().zip(norm.inv_std.data()).for_each(|(scale, &inv_std)| *scale *= inv_std);
    scale
}

/// Two sums per column over all rows: `each(block, sums)` gives those of one block of rows, `sums` of the first kind
/// for all columns, then of the second.
fn column_sums<E: Element>(
    len: usize,
    channels: usize,
    each: impl Fn(Range<usize>, &mut [E]) + Send + Sync,
) -> Tensor<f64> {
    let block_len = ROWS * channels;
    let mut partial = Tensor::<E>::scratch([len.div_ceil(block_len), 2 * channels]);
    parallel::chunks_mut(partial.data_mut(), 2 * channels, 2 * len, |block, sums| {
        each(block * block_len..len.min((block + 1) * block_len), sums);
    });
    let mut totals = Tensor::<f64>::zeros([2 * channels]);
    for block in partial.data().chunks_exact(2 * channels) {
        totals.data_mut().iter_mut().zip(block).for_each(|(total, part)| *total += part.to_f64());
    }
    totals
}

simd_fn! {
    /// Sums of `x - shift` and of `(x - shift)^2`.
    fn shifted_sums<E>(x: &[E], shift: &[E], sums: &mut [E]) {
        two_sums(x, x, [shift; 3], sums, |x, _, [shift, ..]| (x - shift, (x - shift) * (x - shift)));
    }
}

simd_fn! {
    /// Sums of `g` and of `g (x - mean)`, with `g = dy * leaky'(z)`.
    fn gradient_sums<E>(x: &[E], dy: &[E], parameters: [&[E]; 3], slope: E, sums: &mut [E]) {
        two_sums(x, dy, parameters, sums, |x, dy, [mean, scale, beta]| {
            let centred = x - mean;
            let g = if centred * scale + beta > E::ZERO { dy } else { slope * dy };
            (g, g * centred)
        });
    }
}

/// Both sums of `f(x, y, parameters of the column)` for every column, over the rows of one block.
#[inline(always)]
fn two_sums<E: Element>(
    x: &[E],
    y: &[E],
    parameters: [&[E]; 3],
    sums: &mut [E],
    f: impl Fn(E, E, [E; 3]) -> (E, E) + Copy,
) {
    let channels = parameters[0].len();
    let (first, second) = sums.split_at_mut(channels);
    let wide = channels - channels % LANES;
    for start in (0..wide).step_by(LANES) {
        let (a, b) = lane_sums::<E, LANES>(x, y, parameters, start, f);
        first[start..start + LANES].copy_from_slice(&a);
        second[start..start + LANES].copy_from_slice(&b);
    }
    for start in wide..channels {
        let ([a], [b]) = lane_sums::<E, 1>(x, y, parameters, start, f);
        (first[start], second[start]) = (a, b);
    }
}

#[inline(always)]
fn lane_sums<E: Element, const WIDTH: usize>(
    x: &[E],
    y: &[E],
    parameters: [&[E]; 3],
    start: usize,
    f: impl Fn(E, E, [E; 3]) -> (E, E),
) -> ([E; WIDTH], [E; WIDTH]) {
    let channels = parameters[0].len();
    let lanes = |row: &[E]| -> [E; WIDTH] { std::array::from_fn(|lane| row[start + lane]) };
    let [p, q, r] = parameters.map(lanes);
    let (mut first, mut second) = ([E::ZERO; WIDTH], [E::ZERO; WIDTH]);
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact(channels)) {
        let (x, y) = (&x[start..start + WIDTH], &y[start..start + WIDTH]);
        for lane in 0..WIDTH {
            let (a, b) = f(x[lane], y[lane], [p[lane], q[lane], r[lane]]);
            first[lane] += a;
            second[lane] += b;
        }
    }
    (first, second)
}

simd_fn! {
    fn normalise<E>(y: &mut [E], x: &[E], parameters: [&[E]; 3], slope: E) {
        let [mean, scale, beta] = parameters;
        let channels = mean.len();
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for ((((y, &x), &mean), &scale), &beta) in y.iter_mut().zip(x).zip(mean).zip(scale).zip(beta) {
                let z = (x - mean) * scale + beta;
                *y = if z > E::ZERO { z } else { slope * z };
            }
        }
    }
}

simd_fn! {
    fn input_gradient<E>(dy: &mut [E], x: &[E], parameters: [&[E]; 3], towards_x: &[E], offset: &[E], slope: E) {
        let [mean, scale, beta] = parameters;
        let channels = mean.len();
        for (dy, x) in dy.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let constants = mean.iter().zip(scale).zip(beta).zip(towards_x).zip(offset);
            for ((dy, &x), ((((&mean, &scale), &beta), &towards_x), &offset)) in dy.iter_mut().zip(x).zip(constants) {
                let centred = x - mean;
                let g = if centred * scale + beta > E::ZERO { *dy } else { slope * *dy };
                *dy = scale * g - towards_x * centred - offset;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    #[test]
    #[should_panic(expected = "15 elements in rows of 4")]
    fn an_incomplete_row_is_refused() {
        let ones = Tensor::full([4], 1.0_f32);
        let norm = Norm { mean: &ones, inv_std: &ones, gamma: &ones, beta: &ones, slope: 1.0 };
        let _ = forward(&Tensor::zeros([5, 3]), norm);
    }

    proptest! {
        #[test]
        fn statistics_agree_with_two_passes(rows in 1_usize..400, channels in 1_usize..80, offset in -1e6..1e6) {
            let x: Vec<f64> = (0..rows * channels).map(|i| offset + ((i * i * 31 + 7 * i) % 97) as f64 * 0.1).collect();
            let (mean, variance) = statistics(&Tensor::from_slice(&x, [rows, channels]).unwrap(), channels);
            for channel in 0..channels {
                let column: Vec<f64> = x.iter().skip(channel).step_by(channels).copied().collect();
                let expected = column.iter().sum::<f64>() / rows as f64;
                let spread = column.iter().map(|x| (x - expected).powi(2)).sum::<f64>() / rows as f64;
                assert_relative_eq!(mean.data()[channel], expected, max_relative = 1e-12, epsilon = 1e-9);
                assert_relative_eq!(variance.data()[channel], spread, max_relative = 1e-8, epsilon = 1e-8);
            }
        }
    }

    #[test]
    fn a_constant_column_has_no_variance_at_any_size() {
        let x = Tensor::from_slice(&[f32::NAN, 1.0, 1.0, f32::INFINITY], [2, 2]).unwrap();
        assert!(statistics(&x, 2).1.data().iter().all(|variance| variance.is_nan()));
        let (_, variance) = statistics(&Tensor::<f32>::full([1000, 3], 1.234e7), 3);
        assert_eq!(variance.data(), [0.0; 3]);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let x = Tensor::from_vec((0..3000 * 70).map(|i| (i % 1013) as f32 * 0.01).collect(), [3000, 70]).unwrap();
        let (mean, inv_std) = statistics(&x, 70);
        let (gamma, beta) = (Tensor::full([70], 1.5), Tensor::full([70], -0.1));
        let norm = Norm { mean: &mean, inv_std: &inv_std, gamma: &gamma, beta: &beta, slope: 0.01 };
        let run = || (statistics(&x, 70), forward(&x, norm), backward(&x, x.clone(), norm));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(run), crate::serial(run));
    }
}
