use rftm_tensor::{Error, Result, Tensor};

use crate::{Tape, Var};

/// Why [`gradcheck`] was not satisfied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GradcheckError {
    /// The function itself failed.
    #[error(transparent)]
    Function(#[from] Error),
    /// Its gradient is wrong.
    #[error(
        "gradient of input {input} at element {element}: the function's own is {analytic:e}, central differences give \
         {numeric:e}"
    )]
    Mismatch {
        /// Which input.
        input: usize,
        /// Which element of it.
        element: usize,
        /// What backward computed.
        analytic: f64,
        /// What differences computed.
        numeric: f64,
    },
}

/// Compares the gradients of `function` by all `inputs` with central differences in `f64`.
///
/// The output `y` may have any shape; checked is the gradient of `sum(y * g)` with a fixed, uneven `g`, so that errors
/// which cancel in a plain sum are seen. For every element, with step `h`:
/// `|analytic - numeric| <= tolerance * (1 + |analytic| + |numeric|)`, where `numeric = (f(x + h) - f(x - h)) / 2h`, and both
/// must be finite.
///
/// The function must be smooth within `h` of its inputs: keep them away from kinks and ties.
///
/// # Errors
/// The first element whose gradients differ, or an error of the function.
pub fn gradcheck(
    function: impl Fn(&mut Tape<f64>, &[Var<f64>]) -> Result<Var<f64>>,
    inputs: &[Tensor<f64>],
    step: f64,
    tolerance: f64,
) -> std::result::Result<(), GradcheckError> {
    let mut tape = Tape::new();
    let leaves: Vec<Var<f64>> = inputs.iter().map(|input| tape.leaf(input.clone())).collect();
    let output = function(&mut tape, &leaves)?;
    let mut weights = Tensor::scratch(*output.shape());
    for (index, weight) in weights.data_mut().iter_mut().enumerate() {
        *weight = (index as f64 * 1.7 + 0.5).sin() + 0.3;
    }
    let gradients = tape.backward_from(&output, weights.clone())?;
    let analytic: Vec<Tensor<f64>> =
        leaves.iter().map(|leaf| gradients.of(leaf).cloned().unwrap_or_else(|| Tensor::zeros(*leaf.shape()))).collect();
    drop(gradients);

    let objective = |inputs: &[Tensor<f64>]| -> Result<f64> {
        let constants: Vec<Var<f64>> = inputs.iter().cloned().map(Var::constant).collect();
        let output = function(&mut Tape::new(), &constants)?;
        Ok(output.value().data().iter().zip(weights.data()).map(|(y, g)| y * g).sum())
    };
    let mut moved = inputs.to_vec();
    for (input, analytic) in analytic.iter().enumerate() {
        for (element, &analytic) in analytic.data().iter().enumerate() {
            let centre = inputs[input].data()[element];
            let mut at = |value: f64| {
                moved[input].data_mut()[element] = value;
                objective(&moved)
            };
            let numeric = (at(centre + step)? - at(centre - step)?) / (2.0 * step);
            at(centre)?;
            let distance = (analytic - numeric).abs();
            if !distance.is_finite() || distance > tolerance * (1.0 + analytic.abs() + numeric.abs()) {
                return Err(GradcheckError::Mismatch { input, element, analytic, numeric });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backward, NodeId, Sink};

    /// y = x^2 with a factor in its gradient that should be 2.
    struct Square(Tensor<f64>, Option<NodeId>, f64);

    impl Backward<f64> for Square {
        fn backward(self, mut gradient: Tensor<f64>, sink: &mut Sink<'_, f64>) -> Result<()> {
            gradient.data_mut().iter_mut().zip(self.0.data()).for_each(|(g, x)| *g *= self.2 * x);
            sink.add(self.1, || Ok(gradient))
        }
    }

    fn check(factor: f64) -> std::result::Result<(), GradcheckError> {
        let x = Tensor::from_vec(vec![0.5, -1.5, 2.0], [3])?;
        gradcheck(
            |tape, inputs| {
                let x = inputs[0].value();
                let mut y = x.clone();
                y.data_mut().iter_mut().for_each(|y| *y *= *y);
                Ok(tape.record(y, &[inputs[0].node()], || Square(x.clone(), inputs[0].node(), factor)))
            },
            &[x],
            1e-5,
            1e-7,
        )
    }

    #[test]
    fn tells_right_from_wrong() {
        check(2.0).unwrap();
        let error = check(2.001).unwrap_err().to_string();
        assert!(error.starts_with("gradient of input 0 at element 0: "), "{error}");
        assert!(check(f64::NAN).is_err());
        assert!(check(f64::INFINITY).is_err());
    }
}
