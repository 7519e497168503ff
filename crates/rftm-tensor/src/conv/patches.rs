//! The matrices of a convolution that exist only while they are packed.

use std::ops::Range;

use super::Geometry;
use crate::Element;
use crate::gemm::operand::{Operand, transpose_panel};

/// Lanes: the pixels of the small image. Depth: (tap, channel) of the large image. For [`to_small`](super::to_small).
pub(super) struct SmallPatches<'a, E> {
    pub(super) image: &'a [E],
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) geometry: Geometry,
}

impl<E: Element> Operand<E> for SmallPatches<'_, E> {
    fn lanes(&self) -> usize {
        self.batch * self.geometry.small[0] * self.geometry.small[1]
    }

    fn depth(&self) -> usize {
        self.geometry.taps() * self.channels
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let channels = self.channels;
        pack_pixels(lanes, depth, width, channels, out, |pixel, tap| {
            let tap = [tap / self.geometry.kernel[1], tap % self.geometry.kernel[1]];
            let place = large_pixel(self.geometry, pixel, tap)?;
            Some(&self.image[place * channels..][..channels])
        });
    }
}

/// Where tap (ky, kx) of the window of small pixel number `pixel` lies in the large image; `None` in the padding.
#[inline(always)]
fn large_pixel(geometry: Geometry, pixel: usize, [tap_y, tap_x]: [usize; 2]) -> Option<usize> {
    let ([height, width], [rows, cols]) = (geometry.large, geometry.small);
    let (sample, row, col) = (pixel / (rows * cols), pixel / cols % rows, pixel % cols);
    let y = (row * geometry.stride + tap_y).checked_sub(geometry.padding).filter(|&y| y < height)?;
    let x = (col * geometry.stride + tap_x).checked_sub(geometry.padding).filter(|&x| x < width)?;
    Some((sample * height + y) * width + x)
}

/// Packs a matrix whose lanes are pixels and whose depth is (tap, channel): `source` gives the channels of a tap, or
/// `None` where the tap falls on a zero.
#[inline(always)]
fn pack_pixels<'a, E: Element>(
    lanes: Range<usize>,
    depth: Range<usize>,
    width: usize,
    channels: usize,
    out: &mut [E],
    source: impl Fn(usize, usize) -> Option<&'a [E]>,
) {
    for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
        let valid = width.min(lanes.end - first);
        let mut at = depth.start;
        while at < depth.end {
            let (tap, from) = (at / channels, at % channels);
            let steps = (channels - from).min(depth.end - at);
            let panel = &mut panel[(at - depth.start) * width..][..steps * width];
            transpose_panel(valid, steps, width, panel, |lane| Some((&source(first + lane, tap)?[from..], 1)));
            at += steps;
        }
    }
}

/// Lanes: (tap, channel) of the large image. Depth: the pixels of the small image. For
/// [`weight_gradient`](super::weight_gradient).
pub(super) struct WeightPatches<'a, E> {
    pub(super) image: &'a [E],
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) geometry: Geometry,
}

impl<E: Element> Operand<E> for WeightPatches<'_, E> {
    fn lanes(&self) -> usize {
        self.geometry.taps() * self.channels
    }

    fn depth(&self) -> usize {
        self.batch * self.geometry.small[0] * self.geometry.small[1]
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let (channels, kernel_width) = (self.channels, self.geometry.kernel[1]);
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
            let last = lanes.end.min(first + width);
            if last < first + width {
                panel.fill(E::ZERO);
            }
            // A panel may span several taps; each is a run of neighbouring channels.
            let mut at = first;
            while at < last {
                let (tap, from) = (at / channels, at % channels);
                let run = (channels - from).min(last - at);
                let tap = [tap / kernel_width, tap % kernel_width];
                for (pixel, row) in depth.clone().zip(panel.chunks_exact_mut(width)) {
                    let row = &mut row[at - first..][..run];
                    match large_pixel(self.geometry, pixel, tap) {
                        Some(place) => row.copy_from_slice(&self.image[place * channels + from..][..run]),
                        None => row.fill(E::ZERO),
                    }
                }
                at += run;
            }
        }
    }
}

/// The taps that reach one class of large pixels: along each axis, every `stride`-th from the first.
#[derive(Clone, Copy)]
pub(super) struct ClassTaps {
    first: [usize; 2],
    count: [usize; 2],
}

/// Lanes: the large pixels of one class. Depth: (tap of the class, channel) of the small image. For
/// [`to_large`](super::to_large).
pub(super) struct LargePixels<'a, E> {
    image: &'a [E],
    batch: usize,
    channels: usize,
    geometry: Geometry,
    /// Position of the class's first pixel.
    class: [usize; 2],
    /// Pixels of the class along each axis.
    size: [usize; 2],
    pub(super) taps: ClassTaps,
}

impl<'a, E> LargePixels<'a, E> {
    pub(super) fn new(image: &'a [E], batch: usize, channels: usize, geometry: Geometry, class: [usize; 2]) -> Self {
        let stride = geometry.stride;
        // Tap k reaches large pixel y from small pixel (y + padding - k) / stride, which must be whole.
        let first = class.map(|class| (class + geometry.padding) % stride);
        let axes = [0, 1];
        let count = axes.map(|axis| geometry.kernel[axis].saturating_sub(first[axis]).div_ceil(stride));
        let size = axes.map(|axis| (geometry.large[axis] - class[axis]).div_ceil(stride));
        Self { image, batch, channels, geometry, class, size, taps: ClassTaps { first, count } }
    }

    /// Sample and position of a lane.
    fn position(&self, lane: usize) -> (usize, [usize; 2]) {
        let [rows, cols] = self.size;
        let (sample, row, col) = (lane / (rows * cols), lane / cols % rows, lane % cols);
        let stride = self.geometry.stride;
        (sample, [self.class[0] + row * stride, self.class[1] + col * stride])
    }

    /// Number of a lane's pixel in the large image.
    pub(super) fn pixel(&self, lane: usize) -> usize {
        let (sample, [y, x]) = self.position(lane);
        (sample * self.geometry.large[0] + y) * self.geometry.large[1] + x
    }
}

impl<E: Element> Operand<E> for LargePixels<'_, E> {
    fn lanes(&self) -> usize {
        self.batch * self.size[0] * self.size[1]
    }

    fn depth(&self) -> usize {
        self.taps.count[0] * self.taps.count[1] * self.channels
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let Geometry { stride, padding, small, .. } = self.geometry;
        let channels = self.channels;
        pack_pixels(lanes, depth, width, channels, out, |lane, tap| {
            let (sample, position) = self.position(lane);
            let tap = [tap / self.taps.count[1], tap % self.taps.count[1]];
            let [row, col] = [0, 1].map(|axis| {
                let tap = self.taps.first[axis] + tap[axis] * stride;
                let place = (position[axis] + padding).checked_sub(tap)? / stride;
                (place < small[axis]).then_some(place)
            });
            let place = (sample * small[0] + row?) * small[1] + col?;
            Some(&self.image[place * channels..][..channels])
        });
    }
}

/// Lanes: channels of the large image. Depth: (tap of the class, channel of the small image): the weights that belong
/// to [`LargePixels`].
pub(super) struct Taps<'a, E> {
    pub(super) weight: &'a [E],
    pub(super) large: usize,
    pub(super) small: usize,
    pub(super) geometry: Geometry,
    pub(super) taps: ClassTaps,
}

impl<E: Element> Operand<E> for Taps<'_, E> {
    fn lanes(&self) -> usize {
        self.large
    }

    fn depth(&self) -> usize {
        self.taps.count[0] * self.taps.count[1] * self.small
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        pack_pixels(lanes, depth, width, self.small, out, |lane, tap| {
            let tap = [tap / self.taps.count[1], tap % self.taps.count[1]];
            let [tap_y, tap_x] = [0, 1].map(|axis| self.taps.first[axis] + tap[axis] * self.geometry.stride);
            let tap = tap_y * self.geometry.kernel[1] + tap_x;
            Some(&self.weight[(tap * self.large + lane) * self.small..][..self.small])
        });
    }
}
