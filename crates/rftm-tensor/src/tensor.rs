use std::fmt;
use std::sync::Arc;

use ndarray::{Array, ArrayD, ArrayViewD, Dimension, IxDyn};

use crate::buffer::Buffer;
use crate::{Element, Error, Result, Shape, pool};

/// A dense row-major array of `f32` or `f64`.
///
/// Cloning shares the memory; writing to a shared tensor copies it first. Dropped memory goes back to a per-thread
/// pool, so code that makes the same shapes over and over (a training step) soon allocates nothing more.
///
/// ```
/// use rftm_tensor::Tensor;
///
/// let mut a = Tensor::from_vec(vec![1.0_f32, 2.0, 3.0, 4.0], [2, 2])?;
/// let b = a.clone();
/// a.data_mut()[0] = 9.0;
/// assert_eq!((a.data()[0], b.data()[0]), (9.0, 1.0));
/// # Ok::<(), rftm_tensor::Error>(())
/// ```
pub struct Tensor<E: Element = f32> {
    /// `Some` until the tensor is dropped.
    buffer: Option<Arc<Buffer<E>>>,
    shape: Shape,
}

impl<E: Element> Tensor<E> {
    /// A tensor whose contents are unspecified: every element is a valid number, left over from earlier use.
    /// For results that will be written in full. Debug builds fill it with NaN, so that a test sees what was not written.
    #[must_use]
    pub fn scratch(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let tensor = Self { buffer: Some(pool::take(shape.len())), shape };
        if cfg!(debug_assertions) { tensor.filled(E::NAN) } else { tensor }
    }

    /// All zeros.
    #[must_use]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::full(shape, E::ZERO)
    }

    /// All `value`.
    #[must_use]
    pub fn full(shape: impl Into<Shape>, value: E) -> Self {
        let shape = shape.into();
        Self { buffer: Some(pool::take(shape.len())), shape }.filled(value)
    }

    fn filled(mut self, value: E) -> Self {
        self.data_mut().fill(value);
        self
    }

    /// A scalar.
    #[must_use]
    pub fn scalar(value: E) -> Self {
        Self::full([], value)
    }

    /// The values of `vec` in row-major order.
    ///
    /// # Errors
    /// If their number does not fill the shape.
    pub fn from_vec(vec: Vec<E>, shape: impl Into<Shape>) -> Result<Self> {
        Self::from_slice(&vec, shape)
    }

    /// The values of `slice` in row-major order.
    ///
    /// # Errors
    /// If their number does not fill the shape.
    pub fn from_slice(slice: &[E], shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if slice.len() != shape.len() {
            return Err(Error::Length { op: "tensor", shape, found: slice.len() });
        }
        let mut tensor = Self { buffer: Some(pool::take(shape.len())), shape };
        tensor.data_mut().copy_from_slice(slice);
        Ok(tensor)
    }

    /// A copy of an `ndarray`, whatever its memory layout.
    ///
    /// # Errors
    /// If the array has more axes than [`MAX_RANK`](crate::MAX_RANK).
    pub fn from_array<D: Dimension>(array: &Array<E, D>) -> Result<Self> {
        let mut tensor = Self { buffer: Some(pool::take(array.len())), shape: Shape::new(array.shape())? };
        tensor.data_mut().iter_mut().zip(array).for_each(|(to, &from)| *to = from);
        Ok(tensor)
    }

    /// A view for `ndarray`, without a copy.
    ///
    /// # Panics
    /// Never: a tensor's shape and memory always agree.
    #[must_use]
    pub fn view(&self) -> ArrayViewD<'_, E> {
        ArrayViewD::from_shape(IxDyn(self.dims()), self.data()).expect("a tensor's shape fits its memory")
    }

    /// A copy as an `ndarray`.
    #[must_use]
    pub fn to_array(&self) -> ArrayD<E> {
        self.view().to_owned()
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The axis lengths.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// First axis and the product of the others: the tensor as a matrix with one row a sample.
    #[must_use]
    pub fn rows_cols(&self) -> (usize, usize) {
        self.shape.rows_cols()
    }

    /// The elements, row-major.
    #[must_use]
    pub fn data(&self) -> &[E] {
        self.buffer.as_ref().expect("present until dropped")
    }

    /// The elements, to write; copies them first if the memory is shared.
    pub fn data_mut(&mut self) -> &mut [E] {
        let buffer = self.buffer.as_mut().expect("present until dropped");
        if Arc::get_mut(buffer).is_none() {
            let mut own = pool::take::<E>(buffer.len());
            Arc::get_mut(&mut own).expect("fresh from the pool").copy_from_slice(buffer);
            pool::give(std::mem::replace(buffer, own));
        }
        Arc::get_mut(buffer).expect("unshared above")
    }

    /// Row `index` of the tensor seen as a matrix.
    #[must_use]
    pub fn row(&self, index: usize) -> &[E] {
        let (_, cols) = self.rows_cols();
        &self.data()[index * cols..][..cols]
    }

    /// The same elements in another shape; shares the memory.
    ///
    /// # Errors
    /// If the shapes differ in length.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.len() != self.len() {
            return Err(Error::Length { op: "reshape", shape, found: self.len() });
        }
        Ok(Self { buffer: self.buffer.clone(), shape })
    }

    /// The only element of a tensor of one.
    ///
    /// # Errors
    /// If there are more, or none.
    pub fn item(&self) -> Result<E> {
        match self.data() {
            [value] => Ok(*value),
            _ => Err(Error::shape("item", "the tensor", "one element", &self.shape)),
        }
    }

    /// The elements in another precision.
    #[must_use]
    pub fn cast<F: Element>(&self) -> Tensor<F> {
        let mut tensor = Tensor::scratch(self.shape);
        tensor.data_mut().iter_mut().zip(self.data()).for_each(|(to, from)| *to = F::from_f64(from.to_f64()));
        tensor
    }

    /// Fails unless the shape is exactly this one.
    ///
    /// # Errors
    /// Names the operation, the input and both shapes.
    pub fn expect_shape(&self, op: &'static str, what: &'static str, shape: impl Into<Shape>) -> Result<()> {
        let expected = shape.into();
        if self.shape == expected { Ok(()) } else { Err(Error::shape(op, what, expected, &self.shape)) }
    }

    /// Whether no element is infinite or NaN.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        // Branch-free over blocks: a NaN or infinity times zero is NaN, and NaN stays NaN in a sum.
        crate::reduce::sum_by(self.data(), |value| value * E::ZERO) == E::ZERO
    }
}

impl<E: Element> Clone for Tensor<E> {
    fn clone(&self) -> Self {
        Self { buffer: self.buffer.clone(), shape: self.shape }
    }
}

impl<E: Element> Drop for Tensor<E> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            pool::give(buffer);
        }
    }
}

impl<E: Element> PartialEq for Tensor<E> {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.data() == other.data()
    }
}

impl<E: Element> fmt::Debug for Tensor<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor{} {}", self.shape, self.view())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_to_a_shared_tensor_copies_it() {
        let a = Tensor::<f64>::zeros([2, 3]);
        let mut b = a.reshape([6]).unwrap();
        assert_eq!(a.data().as_ptr(), b.data().as_ptr());
        b.data_mut()[5] = 1.0;
        assert_eq!((a.data()[5], b.data()[5]), (0.0, 1.0));
    }

    #[test]
    fn errors_name_both_sides() {
        let a = Tensor::<f32>::zeros([2, 3]);
        assert_eq!(a.reshape([7]).unwrap_err().to_string(), "reshape: 6 values cannot fill shape (7), which needs 7");
        assert_eq!(
            a.expect_shape("linear", "x", [3, 2]).unwrap_err().to_string(),
            "linear: x must have shape (3, 2), found (2, 3)"
        );
        assert!(a.item().is_err());
        assert!(Tensor::from_vec(vec![0.0_f32; 5], [2, 3]).is_err());
    }

    #[test]
    fn arrays_go_in_and_out() {
        let array = Array::from_shape_fn((2, 3), |(i, j)| (3 * i + j) as f32);
        let transposed = array.t().to_owned();
        assert_eq!(Tensor::from_array(&array).unwrap().to_array(), array.clone().into_dyn());
        assert_eq!(Tensor::from_array(&array.reversed_axes()).unwrap().to_array(), transposed.into_dyn());
    }

    #[test]
    fn finiteness_sees_every_position() {
        let mut a = Tensor::<f32>::full([37], 3e38);
        assert!(a.is_finite());
        for place in [0, 16, 36] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                a.data_mut()[place] = bad;
                assert!(!a.is_finite());
                a.data_mut()[place] = 0.0;
            }
        }
    }
}
