use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Dataset, Error, Result, Split};

/// Rows of numbers that a model can be trained on or score.
pub trait Samples: Send + Sync {
    /// How many samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one sample, such as `[784]` or `[3, 32, 32]`.
    fn shape(&self) -> &[usize];

    /// Numbers in one sample.
    fn features(&self) -> usize {
        self.shape().iter().product()
    }

    /// Writes the samples `rows`, in that order, one after the other into `out`.
    ///
    /// # Panics
    /// If a row is not below `len()` or `out` does not hold exactly `rows.len() * features()` numbers: like an index
    /// out of bounds, a mistake in the calling code and never in the data.
    fn fill(&self, rows: &[u32], out: &mut [f32]);
}

/// How a pixel `x` in 0..=255 becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// `(x/255 - 0.5) / 0.5`, in [-1, 1].
    Symmetric,
    /// `x/255`, in [0, 1].
    Unit,
}

impl Scaling {
    /// The number for a pixel.
    #[must_use]
    pub fn apply(self, pixel: u8) -> f32 {
        let unit = f32::from(pixel) / 255.0;
        match self {
            Self::Symmetric => (unit - 0.5) / 0.5,
            Self::Unit => unit,
        }
    }
}

/// Training or test part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Dataset::train`].
    Train,
    /// [`Dataset::test`].
    Test,
}

/// Some images of a shared [`Dataset`], scaled on the way out; the bytes are never copied.
#[derive(Debug, Clone)]
pub struct Subset {
    dataset: Arc<Dataset>,
    part: Part,
    indices: Vec<u32>,
    shape: Vec<usize>,
    /// The 256 scaled values: a look-up is as exact as the division and cheaper.
    table: Box<[f32; 256]>,
}

impl Subset {
    /// The images `indices` of a part, in that order, as rows (`flat`) or as channel-first images.
    ///
    /// # Panics
    /// If an index is not below the number of images. That the pixels are those of as many images is not looked at here,
    /// but by [`hold_out`](crate::hold_out): where they are not, reading panics.
    #[must_use]
    pub fn new(dataset: &Arc<Dataset>, part: Part, indices: Vec<u32>, scaling: Scaling, flat: bool) -> Self {
        let shape = if flat { vec![dataset.features()] } else { vec![dataset.channels, dataset.height, dataset.width] };
        let table = Box::new(std::array::from_fn(|pixel| scaling.apply(pixel as u8)));
        let subset = Self { dataset: Arc::clone(dataset), part, indices, shape, table };
        let images = subset.split().len();
        assert!(subset.indices.iter().all(|index| (*index as usize) < images), "an index is not below {images} images");
        subset
    }

    /// Where each sample stands in its part of the data set.
    #[must_use]
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The class of each sample.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = u8> {
        self.indices.iter().map(|index| self.split().labels[*index as usize])
    }

    /// The unscaled pixels of a sample.
    ///
    /// # Panics
    /// If `row` is not below `len()`.
    #[must_use]
    pub fn pixels(&self, row: usize) -> &[u8] {
        let features = self.dataset.features();
        let start = self.indices[row] as usize * features;
        &self.split().pixels[start..start + features]
    }

    fn split(&self) -> &Split {
        match self.part {
            Part::Train => &self.dataset.train,
            Part::Test => &self.dataset.test,
        }
    }
}

impl Samples for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn fill(&self, rows: &[u32], out: &mut [f32]) {
        check_length(rows, out, self.features());
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.features())) {
            for (out, &pixel) in out.iter_mut().zip(self.pixels(row as usize)) {
                *out = self.table[usize::from(pixel)];
            }
        }
    }
}

/// Samples in an array of one's own, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    values: Vec<f32>,
    shape: Vec<usize>,
}

impl Rows {
    /// Samples of `shape`, one after the other in `values`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the values make one or more whole samples, [`Error::NonFinite`] with row and column of
    /// the first NaN or infinity.
    pub fn new(values: Vec<f32>, shape: Vec<usize>) -> Result<Self> {
        let features = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).unwrap_or(0);
        if features == 0 || values.is_empty() || !values.len().is_multiple_of(features) {
            return Err(Error::Shape { values: values.len(), samples: None, shape });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Error::NonFinite { row: at / features, column: at % features, value: values[at] }),
            None => Ok(Self { values, shape }),
        }
    }
}

impl Samples for Rows {
    fn len(&self) -> usize {
        self.values.len() / self.features()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn fill(&self, rows: &[u32], out: &mut [f32]) {
        let features = self.features();
        check_length(rows, out, features);
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(features)) {
            out.copy_from_slice(&self.values[row as usize * features..][..features]);
        }
    }
}

fn check_length(rows: &[u32], out: &[f32], features: usize) {
    assert_eq!(out.len(), rows.len() * features, "the buffer must hold {} rows of {features} numbers", rows.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn scaling_reaches_both_ends_and_keeps_the_formula() {
        assert_eq!([0, 255].map(|pixel| Scaling::Symmetric.apply(pixel)), [-1.0, 1.0]);
        assert_eq!([0, 255].map(|pixel| Scaling::Unit.apply(pixel)), [0.0, 1.0]);
        for pixel in 0..=255_u8 {
            let exact = f64::from(pixel) / 255.0;
            assert!((f64::from(Scaling::Unit.apply(pixel)) - exact).abs() < 1e-7);
            assert!((f64::from(Scaling::Symmetric.apply(pixel)) - (2.0 * exact - 1.0)).abs() < 2e-7);
        }
    }

    #[test]
    fn a_subset_gathers_scaled_images() {
        // Image i of the test set is filled with the byte i.
        let dataset = Arc::new(testing::dataset(&[0, 1], &[0, 1, 0, 1]));
        let subset = Subset::new(&dataset, Part::Test, vec![3, 1], Scaling::Unit, false);
        assert_eq!((subset.len(), subset.shape(), subset.features()), (2, &[1, 2, 2][..], 4));
        let mut out = [9.0; 12];
        subset.fill(&[1, 0, 1], &mut out);
        let expected = [1, 3, 1].map(|pixel| [Scaling::Unit.apply(pixel); 4]);
        assert_eq!(out[..], expected.as_flattened()[..]);
        assert_eq!(subset.labels().collect::<Vec<_>>(), [1, 1]);
        assert_eq!((subset.pixels(0), subset.indices()), (&[3; 4][..], &[3, 1][..]));
        assert_eq!(Subset::new(&dataset, Part::Train, vec![0], Scaling::Unit, true).shape(), [4]);
    }

    #[test]
    fn rows_name_what_is_wrong_and_where() {
        let rows = Rows::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], vec![3]).unwrap();
        assert_eq!((rows.len(), rows.is_empty()), (2, false));
        let mut out = [0.0; 3];
        rows.fill(&[1], &mut out);
        assert_eq!(out, [3.0, 4.0, 5.0]);

        let message = Rows::new(vec![0.0, 1.0, 2.0, f32::NAN], vec![2]).unwrap_err().to_string();
        assert!(message.starts_with("row 1, column 1 is NaN"), "{message}");
        assert!(matches!(
            Rows::new(vec![f32::NEG_INFINITY; 2], vec![1, 2]),
            Err(Error::NonFinite { row: 0, column: 0, value: f32::NEG_INFINITY })
        ));
        for (values, shape) in [(5, vec![2]), (0, vec![2]), (4, vec![0]), (4, vec![usize::MAX, 2])] {
            let error = Rows::new(vec![0.0; values], shape.clone()).unwrap_err();
            assert!(
                matches!(&error, Error::Shape { values: v, samples: None, shape: s } if *v == values && *s == shape),
                "{error}"
            );
        }
    }
}
