use std::fmt;

use crate::{Error, Result};

/// The largest number of axes a tensor can have.
pub const MAX_RANK: usize = 6;

/// The lengths of a tensor's axes, outermost first; row-major, so the last axis is contiguous.
///
/// Stored in place: making or copying a shape never allocates.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// A shape from its axis lengths.
    ///
    /// # Errors
    /// More than [`MAX_RANK`] axes, or a product that overflows `isize`, not counting axes of length 0.
    pub fn new(dims: &[usize]) -> Result<Self> {
        if dims.len() > MAX_RANK {
            return Err(Error::invalid("shape", format!("{} axes, at most {MAX_RANK} are supported", dims.len())));
        }
        // Parts of the shape are multiplied, too, and without the axes of length 0 nothing would bound the others.
        let len = dims.iter().try_fold(1_usize, |len, &dim| len.checked_mul(dim.max(1)));
        if len.is_none_or(|len| isize::try_from(len).is_err()) {
            return Err(Error::invalid("shape", format!("{dims:?} has more elements than memory has addresses")));
        }
        let mut shape = Self { dims: [1; MAX_RANK], rank: dims.len() };
        shape.dims[..dims.len()].copy_from_slice(dims);
        Ok(shape)
    }

    /// The axis lengths.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// How many axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many elements: the product of the axes, 1 for a scalar.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape seen as a matrix: the first axis, and the product of all others.
    #[must_use]
    pub fn rows_cols(&self) -> (usize, usize) {
        match self.dims() {
            [] => (1, 1),
            [rows, rest @ ..] => (*rows, rest.iter().product()),
        }
    }

    /// The same shape with another last axis.
    ///
    /// # Errors
    /// On a scalar, which has no last axis, or if there would be too many elements.
    pub fn with_last(&self, len: usize) -> Result<Self> {
        if self.rank == 0 {
            return Err(Error::invalid("shape", "a scalar has no last axis"));
        }
        let mut dims = self.dims;
        dims[self.rank - 1] = len;
        Self::new(&dims[..self.rank])
    }

    /// The same shape with another first axis.
    ///
    /// # Errors
    /// On a scalar, which has no first axis, or if there would be too many elements.
    pub fn with_batch(&self, batch: usize) -> Result<Self> {
        if self.rank == 0 {
            return Err(Error::invalid("shape", "a scalar has no batch axis"));
        }
        let mut dims = self.dims;
        dims[0] = batch;
        Self::new(&dims[..self.rank])
    }
}

/// # Panics
/// If the product of the axes overflows; [`Shape::new`] returns an error instead.
impl<const RANK: usize> From<[usize; RANK]> for Shape {
    fn from(dims: [usize; RANK]) -> Self {
        const { assert!(RANK <= MAX_RANK, "too many axes") };
        Self::new(&dims).expect("a shape with fewer elements than memory has addresses")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (axis, dim) in self.dims().iter().enumerate() {
            if axis > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{dim}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_length_and_says_it() {
        let shape = Shape::from([2, 3, 4]);
        assert_eq!((shape.rank(), shape.len(), shape.rows_cols()), (3, 24, (2, 12)));
        assert_eq!(shape.to_string(), "(2, 3, 4)");
        assert_eq!(Shape::from([]).len(), 1);
        assert!(Shape::from([3, 0]).is_empty());
        assert_eq!(shape.with_batch(7).unwrap().dims(), [7, 3, 4]);
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        assert!(Shape::new(&[1; 7]).is_err());
        assert!(Shape::new(&[usize::MAX, 2]).is_err());
        assert!(Shape::new(&[0, usize::MAX, 2]).is_err() && Shape::new(&[0, usize::MAX]).is_err());
        assert!(Shape::from([]).with_batch(2).is_err());
        assert!(Shape::from([1, 1 << 33]).with_batch(1 << 33).is_err());
    }
}
