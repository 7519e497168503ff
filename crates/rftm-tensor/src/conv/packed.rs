use super::{Geometry, batch, channels, class, init, large_weights, small_weights, spread, write_class};
use crate::gemm::Packed;
use crate::{Element, Error, Result, Tensor};

/// The weights of a convolution, in either direction, packed once for a model that only scores.
#[derive(Debug)]
pub struct PackedConv<E: Element> {
    /// (C_small, KH, KW, C_large)
    shape: [usize; 4],
    stride: usize,
    padding: usize,
    transposed: bool,
    /// One factor to the small image, or one for each class of pixels of the large one.
    factors: Vec<Packed<E>>,
    bias: Tensor<E>,
}

impl<E: Element> PackedConv<E> {
    /// Packs weights (C_small, KH, KW, C_large) for [`to_small`](Self::to_small).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn for_small(weight: &Tensor<E>, bias: &Tensor<E>, geometry: Geometry) -> Result<Self> {
        let (from, to) = channels("packed conv2d", weight, geometry)?;
        init("packed conv2d", Some(bias), to)?;
        let [height, width] = geometry.kernel;
        let Geometry { stride, padding, .. } = geometry;
        let factors = vec![Packed::new(&small_weights(weight, &class::small(geometry)))];
        Ok(Self { shape: [to, height, width, from], stride, padding, transposed: false, factors, bias: bias.clone() })
    }

    /// Packs weights (C_small, KH, KW, C_large) for [`to_large`](Self::to_large).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn for_large(weight: &Tensor<E>, bias: &Tensor<E>, geometry: Geometry) -> Result<Self> {
        let (to, from) = channels("packed conv_transpose2d", weight, geometry)?;
        init("packed conv_transpose2d", Some(bias), to)?;
        let factors = if spread::is_narrow(to) {
            vec![Packed::new(&spread::columns(weight))]
        } else {
            class::large(geometry).map(|class| Packed::new(&large_weights(weight, &class))).collect()
        };
        let [height, width] = geometry.kernel;
        let Geometry { stride, padding, .. } = geometry;
        Ok(Self { shape: [from, height, width, to], stride, padding, transposed: true, factors, bias: bias.clone() })
    }

    /// [`conv::to_small`](super::to_small), the same bits.
    ///
    /// # Errors
    /// If the weights were packed for something else, or the image does not fit the geometry.
    pub fn to_small(&self, large: &Tensor<E>, geometry: Geometry) -> Result<Tensor<E>> {
        let [to, _, _, from] = self.shape;
        self.check(geometry, false)?;
        let batch = batch("conv2d", "the image", large, geometry.large, from)?;
        let mut small = Tensor::scratch([batch, geometry.small[0], geometry.small[1], to]);
        let init = init("conv2d", Some(&self.bias), to)?;
        write_class(&class::small(geometry), large, &self.factors[0], init, &mut small);
        Ok(small)
    }

    /// [`conv::to_large`](super::to_large), the same bits.
    ///
    /// # Errors
    /// If the weights were packed for something else, or the image does not fit the geometry.
    pub fn to_large(&self, small: &Tensor<E>, geometry: Geometry) -> Result<Tensor<E>> {
        let [from, _, _, to] = self.shape;
        self.check(geometry, true)?;
        let batch = batch("conv_transpose2d", "the image", small, geometry.small, from)?;
        let mut large = Tensor::scratch([batch, geometry.large[0], geometry.large[1], to]);
        let init = init("conv_transpose2d", Some(&self.bias), to)?;
        if spread::is_narrow(to) {
            spread::write(small, &self.factors[0], Some(&self.bias), geometry, &mut large);
            return Ok(large);
        }
        for (class, factor) in class::large(geometry).zip(&self.factors) {
            write_class(&class, small, factor, init, &mut large);
        }
        Ok(large)
    }

    /// The image may have any size, but direction, kernel, stride and padding are those that were packed.
    fn check(&self, geometry: Geometry, transposed: bool) -> Result<()> {
        let packed = ([self.shape[1], self.shape[2]], self.stride, self.padding);
        if packed == (geometry.kernel, geometry.stride, geometry.padding) && transposed == self.transposed {
            return Ok(());
        }
        let direction = if self.transposed { "large" } else { "small" };
        Err(Error::invalid(
            "packed convolution",
            format!("packed to the {direction} image for (kernel, stride, padding) {packed:?}, not {geometry:?}"),
        ))
    }
}
