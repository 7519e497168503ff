//! The way to a large image of very few channels: one product gives what every small pixel adds to its window, and each
//! large pixel then collects its parts.
//!
//! With 3 channels the products of [`to_large`](super::to_large) would fill 3 of a tile's 32 columns and pack every small
//! pixel once per tap. Here all taps together fill 27 columns and a pixel is packed once, at the price of a buffer of 27
//! numbers a pixel. (CIFAR-10's last layer, 64 to 3 channels, batch 256, one thread: 7 ms. The other way takes 25 ms for 8
//! channels, the fewest it is used for.)

use super::Geometry;
use crate::gemm::operand::Dense;
use crate::{Element, Tensor, parallel};

/// Images of fewer channels go this way: they would fill less than a quarter of the widest tile.
pub(super) fn is_narrow(channels: usize) -> bool {
    channels < 8
}

/// The small pixels, (pixels, C_small).
pub(super) fn rows<E: Element>(small: &Tensor<E>) -> Dense<'_, E> {
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
pub(super) fn gather<E: Element>(
    parts: &Tensor<E>,
    bias: Option<&Tensor<E>>,
    geometry: Geometry,
    large: &mut Tensor<E>,
) {
    let channels = large.dims()[3];
    let Geometry { kernel, stride, padding, large: [height, width], small } = geometry;
    let work = 2 * parts.len();
    // The taps that reach position `at` along an axis, each with the small position it comes from.
    let reach = |axis: usize, at: usize| {
        let first = (at + padding) % stride;
        let taps = (first..kernel[axis]).step_by(stride).take_while(move |tap| *tap <= at + padding);
        taps.map(move |tap| (tap, (at + padding - tap) / stride)).filter(move |(_, from)| *from < small[axis])
    };
    parallel::chunks_mut(large.data_mut(), height * width * channels, work, |sample, image| {
        for (pixel, out) in image.chunks_exact_mut(channels).enumerate() {
            match bias {
                Some(bias) => out.copy_from_slice(bias.data()),
                None => out.fill(E::ZERO),
            }
            for (tap_y, row) in reach(0, pixel / width) {
                for (tap_x, col) in reach(1, pixel % width) {
                    let part = parts.row((sample * small[0] + row) * small[1] + col);
                    let part = &part[(tap_y * kernel[1] + tap_x) * channels..][..channels];
                    out.iter_mut().zip(part).for_each(|(out, &part)| *out += part);
                }
            }
        }
    });
}
