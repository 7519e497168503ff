//! The update of Adam, in one pass over parameter, gradient and moments.

use crate::simd::simd_fn;
use crate::{Element, Result, Tensor, parallel};

/// What Adam needs besides the tensors, for step number `t` (the first is 1).
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<E> {
    /// `lr / (1 - beta1^t)`
    pub rate: E,
    /// Decay of the first moment.
    pub beta1: E,
    /// Decay of the second moment.
    pub beta2: E,
    /// `1 / sqrt(1 - beta2^t)`
    pub correction: E,
    /// Added to the root of the second moment; at least [`MIN_EPS`].
    pub eps: E,
}

/// Moments below this are set to zero. Without it the moments of a parameter whose gradient stays zero decay into
/// denormals, on which arithmetic is some hundred times slower; 1e-30 is far below anything that moves a parameter
/// (a second moment of 1e-30 has root 1e-15, to which [`MIN_EPS`] is added).
const FLUSH_BELOW: f64 = 1e-30;

/// The smallest `eps` for which [`adam`] computes what its formula says, to a few percent and for `beta2` up to 0.999. With less, a first moment that is kept would be
/// divided by the root of a second moment that was set to zero: constant gradients of 2e-14 move a parameter in 200 steps
/// by 0.004 with 1e-12, as they should, but by 40 instead of 0.2 with 1e-16.
pub const MIN_EPS: f64 = 1e-12;

const CHUNK: usize = 1 << 14;

/// One step of Adam (Kingma and Ba, 2015, with PyTorch's placement of `eps`):
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `p -= rate * m / (sqrt(v) * correction + eps)`.
///
/// # Errors
/// If the four shapes are not the same.
pub fn adam<E: Element>(
    parameter: &mut Tensor<E>,
    gradient: &Tensor<E>,
    moments: (&mut Tensor<E>, &mut Tensor<E>),
    step: AdamStep<E>,
) -> Result<()> {
    gradient.expect_shape("adam", "the gradient", *parameter.shape())?;
    moments.0.expect_shape("adam", "the first moment", *parameter.shape())?;
    moments.1.expect_shape("adam", "the second moment", *parameter.shape())?;
    let (len, gradient) = (parameter.len(), gradient.data());
    let all = [parameter.data_mut(), moments.0.data_mut(), moments.1.data_mut()];
    parallel::triples_mut(all, CHUNK, 8 * len, |index, [p, m, v]| {
        update(p, &gradient[index * CHUNK..][..p.len()], m, v, step);
    });
    Ok(())
}

simd_fn! {
    fn update<E>(p: &mut [E], g: &[E], m: &mut [E], v: &mut [E], step: AdamStep<E>) {
        let flush = E::from_f64(FLUSH_BELOW);
        let (keep1, keep2) = (E::ONE - step.beta1, E::ONE - step.beta2);
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let first = step.beta1 * *m + keep1 * g;
            let second = step.beta2 * *v + keep2 * g * g;
            *m = if first.abs() < flush { E::ZERO } else { first };
            *v = if second < flush { E::ZERO } else { second };
            *p -= step.rate * *m / (v.sqrt() * step.correction + step.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the formula as it stands in the documentation, nothing set to zero.
    #[test]
    fn the_smallest_eps_leaves_no_trace_of_flushing() {
        let [mut p, mut m, mut v] = [0; 3].map(|_| Tensor::<f64>::zeros([1]));
        let (mut expected, mut first, mut second) = (0.0_f64, 0.0_f64, 0.0_f64);
        for t in 1..=200 {
            let (gradient, rest1, rest2) = (2e-14, 1.0 - 0.9_f64.powi(t), 1.0 - 0.999_f64.powi(t));
            let step =
                AdamStep { rate: 1e-3 / rest1, beta1: 0.9, beta2: 0.999, correction: 1.0 / rest2.sqrt(), eps: MIN_EPS };
            adam(&mut p, &Tensor::full([1], gradient), (&mut m, &mut v), step).unwrap();
            (first, second) = (0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient * gradient);
            expected -= 1e-3 * (first / rest1) / ((second / rest2).sqrt() + MIN_EPS);
        }
        assert!(v.data()[0] == 0.0 && second > 0.0, "this is about second moments that are set to zero");
        assert!((p.data()[0] / expected - 1.0).abs() < 0.025, "{} instead of {expected}", p.data()[0]);
    }

    #[test]
    fn moments_never_become_denormal() {
        let (mut p, mut m, mut v) = (Tensor::<f32>::full([4], 1.0), Tensor::full([4], 1e-20), Tensor::full([4], 1e-29));
        let step = AdamStep { rate: 1e-3, beta1: 0.9, beta2: 0.999, correction: 1.0, eps: 1e-8 };
        for _ in 0..5000 {
            adam(&mut p, &Tensor::zeros([4]), (&mut m, &mut v), step).unwrap();
            assert!(m.data().iter().chain(v.data()).all(|value| *value == 0.0 || value.is_normal()));
        }
        assert_eq!((m.data()[0], v.data()[0]), (0.0, 0.0));
    }

    #[test]
    fn chunks_and_threads_do_not_matter() {
        let len = 200_001;
        let gradient = Tensor::from_vec((0..len).map(|i| (i % 17) as f32 - 8.0).collect(), [len]).unwrap();
        let step = AdamStep { rate: 1e-3, beta1: 0.9, beta2: 0.999, correction: 1.5, eps: 1e-8 };
        let run = || {
            let (mut p, mut m, mut v) = (Tensor::<f32>::zeros([len]), Tensor::zeros([len]), Tensor::zeros([len]));
            adam(&mut p, &gradient, (&mut m, &mut v), step).unwrap();
            p
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(run), crate::serial(run));
        assert!(
            adam(&mut Tensor::zeros([3]), &gradient, (&mut Tensor::zeros([3]), &mut Tensor::zeros([3])), step).is_err()
        );
    }
}
