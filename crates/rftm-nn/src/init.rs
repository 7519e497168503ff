//! PyTorch's default initialisation, from a stream of our own.

use ndarray::Array1;
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::Uniform;
use rftm_autograd::Param;
use rftm_rng::Rng;
use rftm_tensor::{Element, Result, Shape, Tensor};

/// A parameter drawn from `U(-bound, bound)`. Drawn in `f64` and rounded, so both precisions start alike.
///
/// # Errors
/// If `bound` is not a positive number.
pub fn uniform<E: Element>(shape: impl Into<Shape>, bound: f64, rng: &mut Rng) -> Result<Param<E>> {
    let shape = shape.into();
    let range = Uniform::new(-bound, bound)
        .map_err(|error| rftm_tensor::Error::invalid("initialisation", format!("bound {bound}: {error}")))?;
    let values = Array1::<f64>::random_using(shape.len(), range, rng);
    Ok(Param::new(Tensor::from_array(&values)?.reshape(shape)?.cast()))
}

/// Weight and bias of a layer whose outputs each sum `fan_in` products: both from `U(-1/sqrt(fan_in), 1/sqrt(fan_in))`.
/// (PyTorch writes the weight's bound as Kaiming with `a = sqrt(5)`, which is the same number.)
pub(crate) fn layer<E: Element>(weight: Shape, bias: usize, fan_in: usize, rng: &mut Rng) -> (Param<E>, Param<E>) {
    let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
    let mut draw = |shape| uniform(shape, bound, rng).expect("the bound is positive");
    (draw(weight), draw(Shape::from([bias])))
}
