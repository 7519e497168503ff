//! Sums. A float sum in source order cannot be vectorised, and loses precision with length; here 16 partial
//! sums are kept instead: some ten times faster, more accurate, and the same bits at every vector level.

use crate::Element;
use crate::simd::simd_fn;

/// Partial sums kept side by side: one AVX-512 register of `f32`.
const LANES: usize = 16;

/// The sum of `f(value)` over a slice.
#[inline(always)]
pub(crate) fn sum_by<E: Element>(values: &[E], f: impl Fn(E) -> E) -> E {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut sums = [E::ZERO; LANES];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, &value)| *sum += f(value));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &value)| *sum += f(value));
    fold_lanes(sums)
}

/// The sum of `f(left, right)` over two slices of equal length.
#[inline(always)]
pub(crate) fn sum_by2<E: Element>(left: &[E], right: &[E], f: impl Fn(E, E) -> E) -> E {
    assert_eq!(left.len(), right.len(), "slices of different lengths");
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [E::ZERO; LANES];
    for (left, right) in left.iter().zip(right) {
        sums.iter_mut().zip(left).zip(right).for_each(|((sum, &left), &right)| *sum += f(left, right));
    }
    sums.iter_mut().zip(left_rest).zip(right_rest).for_each(|((sum, &left), &right)| *sum += f(left, right));
    fold_lanes(sums)
}

#[inline(always)]
fn fold_lanes<E: Element>(mut sums: [E; LANES]) -> E {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = sums[lane + half];
            sums[lane] += other;
        }
        half /= 2;
    }
    sums[0]
}

simd_fn! {
    /// The sum of a slice.
    pub fn sum<E>(values: &[E]) -> E {
        sum_by(values, |value| value)
    }
}

simd_fn! {
    /// The dot product of two slices.
    ///
    /// # Panics
    /// If they differ in length.
    pub fn dot<E>(left: &[E], right: &[E]) -> E {
        sum_by2(left, right, |left, right| left * right)
    }
}

simd_fn! {
    /// The sum of squared differences of two slices, in blocks whose sums are added in `f64`.
    ///
    /// # Panics
    /// If they differ in length.
    pub fn squared_distance<E>(left: &[E], right: &[E]) -> f64 {
        assert_eq!(left.len(), right.len(), "squared_distance of slices of different lengths");
        let mut total = 0.0;
        for (left, right) in left.chunks(1024).zip(right.chunks(1024)) {
            total += sum_by2(left, right, |left, right| (left - right) * (left - right)).to_f64();
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_agree_with_f64_at_every_length() {
        for len in 0..100 {
            let values: Vec<f32> = (0..len).map(|i| ((i * 37 % 19) as f32 - 9.0) * 0.37).collect();
            let exact: f64 = values.iter().map(|&value| f64::from(value)).sum();
            let square: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
            assert!((f64::from(sum(&values)) - exact).abs() < 1e-4, "{len}");
            assert!((f64::from(dot(&values, &values)) - square).abs() < 1e-3, "{len}");
            assert!((squared_distance(&values, &vec![0.0; len]) - square).abs() < 1e-3, "{len}");
        }
    }
}
