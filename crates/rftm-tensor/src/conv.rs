//! Convolution and its two gradients as implicit matrix products.
//!
//! Layout: images are (N, H, W, C), weights (C_small, KH, KW, C_large). One convolution relates a *large* image to a
//! *small* one; the transposed convolution relates them the other way round with the same weights. So three products
//! serve both, and neither ever lays out its patches in memory: they are gathered while the product is packed.
//!
//! | | convolution | transposed convolution |
//! |---|---|---|
//! | [`to_small`] | forward | gradient by the input |
//! | [`to_large`] | gradient by the input | forward |
//! | [`weight_gradient`] | gradient by the weights | gradient by the weights |

mod class;
mod layout;
mod packed;
mod patches;
mod spread;

pub use layout::{permute, to_nhwc};
pub use packed::PackedConv;

use class::Class;
use patches::{ClassWeights, Images, Pixels, Weights, Windows};

use crate::gemm::operand::Dense;
use crate::gemm::{Fresh, Init, Right, product, product_of_parts};
use crate::{Element, Error, Result, Tensor};

/// The largest stride. The large image is written in stride x stride passes, so one from a damaged file would have no end;
/// a layer's is rarely above 4.
pub const MAX_STRIDE: usize = 256;

/// The sizes that tie a large image to a small one. They fit each other: the kernels rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    large: [usize; 2],
    small: [usize; 2],
}

impl Geometry {
    /// The geometry of a convolution of a `large` image: `small = (large + 2 padding - kernel) / stride + 1`.
    ///
    /// # Errors
    /// If the kernel does not fit, a size is zero, the stride is larger than [`MAX_STRIDE`], or the padding is not smaller
    /// than the kernel (there would be windows of nothing but padding).
    pub fn convolution(large: [usize; 2], kernel: [usize; 2], stride: usize, padding: usize) -> Result<Self> {
        check_padding("conv2d", kernel, padding)?;
        check_stride("conv2d", stride)?;
        let small = [0, 1].map(|axis: usize| {
            let padded = padding.checked_mul(2)?.checked_add(large[axis]).filter(|_| large[axis] > 0)?;
            Some(padded.checked_sub(kernel[axis])?.checked_div(stride)? + 1)
        });
        match small {
            [Some(height), Some(width)] => Ok(Self { kernel, stride, padding, large, small: [height, width] }),
            _ => Err(Error::invalid(
                "conv2d",
                format!(
                    "kernel {kernel:?} with stride {stride} does not fit an image of {large:?} with padding {padding}"
                ),
            )),
        }
    }

    /// The geometry of a transposed convolution of a `small` image:
    /// `large = (small - 1) stride - 2 padding + kernel + output_padding`.
    ///
    /// # Errors
    /// If the result would be empty or too large to be counted, `output_padding >= stride` (then another small image would
    /// fit), the stride is larger than [`MAX_STRIDE`], or the padding is not smaller than the kernel.
    pub fn transposed(
        small: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        padding: usize,
        output_padding: [usize; 2],
    ) -> Result<Self> {
        check_padding("conv_transpose2d", kernel, padding)?;
        check_stride("conv_transpose2d", stride)?;
        let large = [0, 1].map(|axis: usize| {
            let steps = small[axis].checked_sub(1)?.checked_mul(stride)?;
            let reach = steps.checked_add(kernel[axis])?.checked_add(output_padding[axis])?;
            reach.checked_sub(padding.checked_mul(2)?).filter(|&large| large > 0)
        });
        match large {
            [Some(height), Some(width)] if output_padding.iter().all(|&rest| rest < stride) => {
                Ok(Self { kernel, stride, padding, large: [height, width], small })
            }
            _ => Err(Error::invalid(
                "conv_transpose2d",
                format!(
                    "kernel {kernel:?}, stride {stride}, padding {padding}, output padding {output_padding:?} give no \
                     image from one of {small:?} (output padding must be smaller than the stride)"
                ),
            )),
        }
    }

    /// Kernel height and width.
    #[must_use]
    pub fn kernel(&self) -> [usize; 2] {
        self.kernel
    }

    /// Step between neighbouring windows.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Zeros around the large image.
    #[must_use]
    pub fn padding(&self) -> usize {
        self.padding
    }

    /// Height and width of the large image.
    #[must_use]
    pub fn large(&self) -> [usize; 2] {
        self.large
    }

    /// Height and width of the small image.
    #[must_use]
    pub fn small(&self) -> [usize; 2] {
        self.small
    }

    /// The rows and columns of the padded large image that no window reaches: what the transposed convolution has to add
    /// so that its output has the size of the large image.
    #[must_use]
    pub fn output_padding(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let reach = (self.small[axis] - 1) * self.stride + self.kernel[axis];
            (self.large[axis] + 2 * self.padding).saturating_sub(reach)
        })
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

fn check_stride(op: &'static str, stride: usize) -> Result<()> {
    if stride <= MAX_STRIDE {
        return Ok(());
    }
    Err(Error::invalid(op, format!("stride {stride}: at most {MAX_STRIDE} are supported")))
}

/// A kernel must have pixels, and not fit into the padding.
fn check_padding(op: &'static str, kernel: [usize; 2], padding: usize) -> Result<()> {
    if kernel.iter().all(|&side| padding < side) {
        return Ok(());
    }
    Err(Error::invalid(op, format!("padding {padding} with kernel {kernel:?}; it must be smaller than the kernel")))
}

/// Large to small: `small[n, i, j, s] = bias[s] + sum over taps and l of large[n, i S + ky - P, j S + kx - P, l] w[s, ky, kx, l]`.
///
/// # Shapes
/// `large` (N, H, W, C_large), `weight` (C_small, KH, KW, C_large), `bias` (C_small); result (N, h, w, C_small).
///
/// # Errors
/// If a shape does not fit the geometry.
pub fn to_small<E: Element>(
    op: &'static str,
    large: &Tensor<E>,
    weight: &Tensor<E>,
    bias: Option<&Tensor<E>>,
    geometry: Geometry,
) -> Result<Tensor<E>> {
    let (from, to) = channels(op, weight, geometry)?;
    let batch = batch(op, "the image", large, geometry.large, from)?;
    let mut small = Tensor::scratch([batch, geometry.small[0], geometry.small[1], to]);
    let init = init(op, bias, to)?;
    let class = class::small(geometry);
    write_class(&class, large, &Fresh(&small_weights(weight, &class)), init, &mut small);
    Ok(small)
}

/// The pixels of one class of the image `to`: windows of `from` by weights that are packed now, or were earlier.
fn write_class<E: Element>(
    class: &Class,
    from: &Tensor<E>,
    columns: &impl Right<E>,
    init: Init<'_, E>,
    to: &mut Tensor<E>,
) {
    let channels = columns.cols();
    #[allow(unsafe_code)]
    // SAFETY: different rows are different pixels of the image, each of as many channels as there are columns.
    unsafe {
        let row_start = |part: &_, row| class.pixel(part, row) * channels;
        product_of_parts(class.parts(images(from)), columns, to.data_mut(), row_start, init);
    }
}

/// The weights that belong to the pixels of the small image.
fn small_weights<'a, E: Element>(weight: &'a Tensor<E>, class: &Class) -> Weights<'a, E> {
    let (lanes, depth) = weight.rows_cols();
    let unit = class.taps(weight.dims()[3]).unit;
    Weights { dense: Dense { data: weight.data(), lanes, depth, lane_stride: depth, depth_stride: 1 }, unit }
}

/// The weights that belong to one class of pixels of the large image.
fn large_weights<'a, E: Element>(weight: &'a Tensor<E>, class: &Class) -> ClassWeights<'a, E> {
    let &[small, height, width, large] = weight.dims() else { unreachable!("callers have checked the four axes") };
    ClassWeights { weight: weight.data(), all: height * width, large, small, taps: class.taps(small) }
}

/// A checked image tensor, as the patches want it.
fn images<E: Element>(image: &Tensor<E>) -> Images<'_, E> {
    let &[batch, height, width, channels] = image.dims() else { unreachable!("callers have checked the four axes") };
    Images { data: image.data(), batch, size: [height, width], channels }
}

/// Small to large, the adjoint of [`to_small`]: every small pixel is spread over its window of the large image.
///
/// With stride S the large pixels fall into S x S classes by position; the pixels of one class are reached by the same
/// taps, so each class is one product that writes its pixels once. Nothing is scattered or added up in memory. (Images of
/// very few channels would leave most of a register tile empty and go another way, see `spread`.)
///
/// # Shapes
/// `small` (N, h, w, C_small), `weight` (C_small, KH, KW, C_large), `bias` (C_large); result (N, H, W, C_large).
///
/// # Errors
/// If a shape does not fit the geometry.
pub fn to_large<E: Element>(
    op: &'static str,
    small: &Tensor<E>,
    weight: &Tensor<E>,
    bias: Option<&Tensor<E>>,
    geometry: Geometry,
) -> Result<Tensor<E>> {
    let (to, from) = channels(op, weight, geometry)?;
    let batch = batch(op, "the image", small, geometry.small, from)?;
    let mut large = Tensor::scratch([batch, geometry.large[0], geometry.large[1], to]);
    let init = init(op, bias, to)?;
    if spread::is_narrow(to) {
        spread::write(small, &Fresh(&spread::columns(weight)), bias, geometry, &mut large);
        return Ok(large);
    }
    for class in class::large(geometry) {
        write_class(&class, small, &Fresh(&large_weights(weight, &class)), init, &mut large);
    }
    Ok(large)
}

/// The gradient of either by the weights: `dw[s, ky, kx, l] = sum over n, i, j of large[n, i S + ky - P, j S + kx - P, l] small[n, i, j, s]`,
/// where one of the two images is an input and the other a gradient.
///
/// # Errors
/// If a shape does not fit the geometry.
pub fn weight_gradient<E: Element>(
    op: &'static str,
    large: &Tensor<E>,
    small: &Tensor<E>,
    geometry: Geometry,
) -> Result<Tensor<E>> {
    let (from, to) = match (large.dims(), small.dims()) {
        (&[_, _, _, from], &[_, _, _, to]) if from * to > 0 => (from, to),
        (&[_, _, _, _], _) => return Err(Error::shape(op, "the small image", "(N, H, W, C)", small.shape())),
        _ => return Err(Error::shape(op, "the large image", "(N, H, W, C)", large.shape())),
    };
    let batch_large = batch(op, "the large image", large, geometry.large, from)?;
    let batch = batch(op, "the small image", small, geometry.small, to)?;
    if batch != batch_large {
        return Err(Error::shape(op, "the small image", format!("a batch of {batch_large}"), small.shape()));
    }
    let [height, width] = geometry.kernel;
    let mut gradient = Tensor::scratch([to, height, width, from]);
    let row_len = geometry.taps() * from;
    for (taps, rows) in class::tap_rows(geometry, from) {
        let start = taps.start * width * from;
        let columns =
            Windows { images: images(large), geometry, taps: (taps.start, taps.end), rows: (rows.start, rows.end) };
        let rows = Pixels { images: images(small), rows: (rows.start, rows.end) };
        #[allow(unsafe_code)]
        // SAFETY: rows are as far apart as those of the result, of which each product fills some columns.
        unsafe {
            product(&rows, &Fresh(&columns), gradient.data_mut(), |row| row * row_len + start, Init::Zero);
        }
    }
    Ok(gradient)
}

/// The channels of the large and of the small image, from the weights.
fn channels<E: Element>(op: &'static str, weight: &Tensor<E>, geometry: Geometry) -> Result<(usize, usize)> {
    match weight.dims() {
        &[small, height, width, large] if [height, width] == geometry.kernel && small * large > 0 => Ok((large, small)),
        _ => {
            let [height, width] = geometry.kernel;
            Err(Error::shape(op, "the weight", format!("(C, {height}, {width}, C)"), weight.shape()))
        }
    }
}

/// The batch size of an image that must have these sizes.
fn batch<E: Element>(
    op: &'static str,
    what: &'static str,
    image: &Tensor<E>,
    [height, width]: [usize; 2],
    channels: usize,
) -> Result<usize> {
    match image.dims() {
        &[batch, h, w, c] if [h, w, c] == [height, width, channels] => Ok(batch),
        _ => Err(Error::shape(op, what, format!("(N, {height}, {width}, {channels})"), image.shape())),
    }
}

fn init<'a, E: Element>(op: &'static str, bias: Option<&'a Tensor<E>>, channels: usize) -> Result<Init<'a, E>> {
    match bias {
        None => Ok(Init::Zero),
        Some(bias) => {
            bias.expect_shape(op, "the bias", [channels])?;
            Ok(Init::Row(bias.data()))
        }
    }
}

#[cfg(test)]
mod tests;
