//! The way to a large image of very few channels: one product gives what every small pixel adds to its window, and each
//! large pixel then collects its parts.
//!
//! With 3 channels the products of [`to_large`](super::to_large) would fill 3 of a tile's 32 columns and pack every small
//! pixel once per tap. Here all taps together fill 27 columns and a pixel is packed once, at the price of a buffer of 27
//! numbers a pixel. (CIFAR-10's last layer, 64 to 3 channels, batch 256, one thread: 3 ms. The other way took 25 ms for 8
//! channels, the fewest it is used for.)

use super::Geometry;
use crate::gemm::operand::Dense;
use crate::gemm::{Init, Right, product};
use crate::{Element, Tensor, parallel};

/// Images of fewer channels go this way: they would fill less than a quarter of the widest tile.
pub(super) fn is_narrow(channels: usize) -> bool {
    channels < 8
}

/// The large image, from small pixels and weights as [`columns`], packed now or earlier.
pub(super) fn write<E: Element>(
    small: &Tensor<E>,
    columns: &impl Right<E>,
    bias: Option<&Tensor<E>>,
    geometry: Geometry,
    large: &mut Tensor<E>,
) {
    let (rows, width) = (rows(small), columns.cols());
    let mut parts = Tensor::scratch([rows.lanes, width]);
    #[allow(unsafe_code)]
    // SAFETY: the result is row-major, its rows are disjoint.
    unsafe {
        product(&rows, columns, parts.data_mut(), |row| row * width, Init::Zero);
    }
    gather(&parts, bias, geometry, large);
}

/// The small pixels, (pixels, C_small).
fn rows<E: Element>(small: &Tensor<E>) -> Dense<'_, E> {
    let channels = small.dims()[3];
    let lanes = small.len() / channels.max(1);
    Dense { data: small.data(), lanes, depth: channels, lane_stride: channels, depth_stride: 1 }
}

/// The weights (C_small, KH, KW, C_large) as a matrix of C_small rows.
pub(super) fn columns<E: Element>(weight: &Tensor<E>) -> Dense<'_, E> {
    let (depth, lanes) = weight.rows_cols();
    Dense { data: weight.data(), lanes, depth, lane_stride: 1, depth_stride: lanes }
}

/// Every large pixel collects its parts, in the order of the taps, on top of the bias.
fn gather<E: Element>(parts: &Tensor<E>, bias: Option<&Tensor<E>>, geometry: Geometry, large: &mut Tensor<E>) {
    // A number of channels that is known when this is compiled makes the innermost loop a few instructions.
    match large.dims()[3] {
        1 => gather_pixels::<E, 1>(parts, bias, geometry, large),
        2 => gather_pixels::<E, 2>(parts, bias, geometry, large),
        3 => gather_pixels::<E, 3>(parts, bias, geometry, large),
        4 => gather_pixels::<E, 4>(parts, bias, geometry, large),
        5 => gather_pixels::<E, 5>(parts, bias, geometry, large),
        6 => gather_pixels::<E, 6>(parts, bias, geometry, large),
        7 => gather_pixels::<E, 7>(parts, bias, geometry, large),
        channels => unreachable!("{channels} channels are not narrow"),
    }
}

fn gather_pixels<E: Element, const C: usize>(
    parts: &Tensor<E>,
    bias: Option<&Tensor<E>>,
    geometry: Geometry,
    large: &mut Tensor<E>,
) {
    let Geometry { kernel, stride, padding, large: [height, width], small } = geometry;
    let part_len = geometry.taps() * C;
    // The small positions along an axis that tap `tap` takes to a large position `at * stride + tap - padding` inside.
    let inside = |axis: usize, tap: usize, len: usize| {
        let first = padding.saturating_sub(tap).div_ceil(stride);
        first..(len + padding).saturating_sub(tap).div_ceil(stride).min(small[axis])
    };
    let work = 2 * parts.len();
    parallel::chunks_mut(large.data_mut(), height * width * C, work, |sample, image| {
        let (pixels, _) = image.as_chunks_mut::<C>();
        let start = bias.and_then(|bias| bias.data().first_chunk()).copied().unwrap_or([E::ZERO; C]);
        pixels.fill(start);
        for tap_y in 0..kernel[0] {
            for row in inside(0, tap_y, height) {
                let out = &mut pixels[(row * stride + tap_y - padding) * width..][..width];
                let from = (sample * small[0] + row) * small[1];
                let parts = &parts.data()[from * part_len..][..small[1] * part_len];
                for tap_x in 0..kernel[1] {
                    let offset = (tap_y * kernel[1] + tap_x) * C;
                    for col in inside(1, tap_x, width) {
                        let part = &parts[col * part_len + offset..][..C];
                        let out = &mut out[col * stride + tap_x - padding];
                        out.iter_mut().zip(part).for_each(|(out, &part)| *out += part);
                    }
                }
            }
        }
    });
}
