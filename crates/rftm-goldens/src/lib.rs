//! Reference values computed by PyTorch in `float64`, for the tests of the other crates.
//!
//! `data/make_goldens.py OUT SEED` made `data/goldens.safetensors` (seed 7); `data/goldens.json` lists its cases with
//! their parameters. Not published: tests only, which is why it may panic.
#![deny(missing_docs)]

use rftm_tensor::{Element, Shape, Tensor, conv};
use safetensors::{Dtype, SafeTensors};

static DATA: &[u8] = include_bytes!("../data/goldens.safetensors");

/// One case of the reference file.
#[derive(Debug, Clone)]
pub struct Golden {
    case: String,
}

/// The case of this name.
#[must_use]
pub fn golden(case: &str) -> Golden {
    Golden { case: case.to_owned() }
}

impl Golden {
    /// A tensor of the case, in either precision.
    ///
    /// # Panics
    /// If the case has no such tensor of type `float64`.
    #[must_use]
    pub fn tensor<E: Element>(&self, name: &str) -> Tensor<E> {
        let (shape, bytes) = self.bytes(name, Dtype::F64);
        let values = bytes.as_chunks().0.iter().map(|bytes| E::from_f64(f64::from_le_bytes(*bytes))).collect();
        Tensor::from_vec(values, Shape::new(&shape).expect("a small rank")).expect("as many values as the shape has")
    }

    /// An image of the case, from PyTorch's (N, C, H, W) to (N, H, W, C).
    #[must_use]
    pub fn image<E: Element>(&self, name: &str) -> Tensor<E> {
        conv::to_nhwc(&self.tensor(name)).expect("four axes")
    }

    /// Convolution weights of the case, from PyTorch's (small, large, KH, KW) to (small, KH, KW, large).
    #[must_use]
    pub fn kernel<E: Element>(&self, name: &str) -> Tensor<E> {
        conv::to_nhwc(&self.tensor(name)).expect("four axes")
    }

    /// A tensor of `int64`.
    ///
    /// # Panics
    /// If the case has no such tensor of this type.
    #[must_use]
    pub fn indices(&self, name: &str) -> Vec<i64> {
        let (_, bytes) = self.bytes(name, Dtype::I64);
        bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    /// The positions at which a 0/1 tensor is 1.
    #[must_use]
    pub fn mask(&self, name: &str) -> Vec<u32> {
        let mask = self.tensor::<f64>(name);
        (0..).zip(mask.data()).filter(|(_, value)| **value != 0.0).map(|(index, _)| index).collect()
    }

    fn bytes(&self, name: &str, dtype: Dtype) -> (Vec<usize>, Vec<u8>) {
        let file = SafeTensors::deserialize(DATA).expect("the reference file is whole");
        let view = file.tensor(&format!("{}/{name}", self.case)).expect("the case has this tensor");
        assert_eq!(view.dtype(), dtype, "{}/{name}", self.case);
        (view.shape().to_vec(), view.data().to_vec())
    }
}

/// How close results must come to the reference: within 1e-10 in `f64` and 1e-4 in `f32` of the element's own size, or of
/// a thousandth of the reference's largest element if it is smaller than that (sums that cancel keep the rounding of
/// their terms).
pub fn assert_close<E: Element>(found: &Tensor<E>, expected: &Tensor<E>, what: &str) {
    assert_close_above(1e-3, found, expected, what);
}

/// [`assert_close`] where elements smaller than this share of the largest are compared at that size.
///
/// # Panics
/// If two elements are further apart.
pub fn assert_close_above<E: Element>(floor: f64, found: &Tensor<E>, expected: &Tensor<E>, what: &str) {
    let tolerance = if size_of::<E>() == 8 { 1e-10 } else { 1e-4 };
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let scale = expected.data().iter().fold(1e-3, |scale: f64, value| scale.max(value.to_f64().abs()));
    for (index, (found, expected)) in found.data().iter().zip(expected.data()).enumerate() {
        let (found, expected) = (found.to_f64(), expected.to_f64());
        let size = found.abs().max(expected.abs()).max(floor * scale);
        if (found - expected).abs() > tolerance * size || found.is_nan() {
            panic!("{what}[{index}]: {found:e} instead of {expected:e}");
        }
    }
}
