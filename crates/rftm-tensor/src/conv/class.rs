//! Which pixels and taps meet. Pixels of the image that is written fall into classes by the taps that can reach them, and a
//! class into parts by the taps that do: near a border some of them fall outside the image that is read. What falls
//! outside is zero and is left out of the product; with an image of 4 x 4 (CIFAR-10's third layer) that is a sixth
//! of the work, with one of 2 x 2 nearly a third.

use std::ops::Range;

use super::Geometry;
use super::patches::{Images, Patches, Taps};
use crate::Element;

/// Pixels of an image that the same taps can reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) geometry: Geometry,
    /// How its pixels and taps lie along each axis.
    axes: [Axis; 2],
    /// Width and height of the image that is written.
    image: [usize; 2],
}

/// The pixels and taps of a class along one axis: pixel `first + i * step` reads `origin + i * stride + t * direction` by
/// its tap `first_tap + t * tap_step`.
#[derive(Clone, Copy, Debug)]
struct Axis {
    first: usize,
    step: usize,
    count: usize,
    first_tap: usize,
    tap_step: usize,
    taps: usize,
    origin: isize,
    stride: usize,
    direction: isize,
    /// Size of the image that is read.
    source: usize,
}

/// Neighbouring pixels of a class along one axis that are reached by the same of its taps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Their numbers in the class.
    start: usize,
    pub(super) count: usize,
    /// Where tap 0 of the first of them reads; outside the image if that tap does not reach it.
    pub(super) origin: isize,
    /// From each to the next.
    pub(super) stride: usize,
    /// The taps, by their number in the class.
    pub(super) taps: (usize, usize),
}

/// All pixels of the small image: every tap can reach them.
pub(super) fn small(geometry: Geometry) -> Class {
    let axes = [0, 1].map(|axis| Axis {
        first: 0,
        step: 1,
        count: geometry.small[axis],
        first_tap: 0,
        tap_step: 1,
        taps: geometry.kernel[axis],
        origin: -(geometry.padding as isize),
        stride: geometry.stride,
        direction: 1,
        source: geometry.large[axis],
    });
    Class { geometry, axes, image: geometry.small }
}

/// The pixels of the large image by their position modulo the stride: those of one class are reached by the same taps.
pub(super) fn large(geometry: Geometry) -> impl Iterator<Item = Class> {
    let Geometry { kernel, stride, padding, large, small } = geometry;
    (0..stride * stride).map(move |index| {
        let position = [index / stride, index % stride];
        let axes = [0, 1].map(|axis| {
            // Tap k reaches large pixel y from small pixel (y + padding - k) / stride, which must be whole.
            let first_tap = (position[axis] + padding) % stride;
            Axis {
                first: position[axis],
                step: stride,
                count: large[axis].saturating_sub(position[axis]).div_ceil(stride),
                first_tap,
                tap_step: stride,
                taps: kernel[axis].saturating_sub(first_tap).div_ceil(stride),
                origin: ((position[axis] + padding) / stride) as isize,
                stride: 1,
                direction: -1,
                source: small[axis],
            }
        });
        Class { geometry, axes, image: large }
    })
}

/// Whether an image of so many channels is read in parts. A kernel row of few channels is too short for a block of its own:
/// with 3 of them (CIFAR-10's first layer, batch 256, one thread) parts take 11 ms, the zeros 4.
fn is_cut(channels: usize) -> bool {
    channels >= 32
}

impl Axis {
    /// The taps of pixel `index` that read inside the image.
    fn reach(&self, index: usize) -> (usize, usize) {
        let (at, source) = (self.origin + (index * self.stride) as isize, self.source as isize);
        let (from, to) = if self.direction > 0 { (-at, source - at) } else { (at - source + 1, at + 1) };
        let clamp = |tap: isize| tap.clamp(0, self.taps as isize) as usize;
        (clamp(from), clamp(to).max(clamp(from)))
    }

    /// All pixels, cut where their taps change; in one piece, with all taps, unless they shall be `cut`.
    fn spans(self, cut: bool) -> impl Iterator<Item = Span> + Clone {
        let reach = move |index| if cut { self.reach(index) } else { (0, self.taps) };
        let mut start = 0;
        std::iter::from_fn(move || {
            (start < self.count).then(|| {
                let taps = reach(start);
                let count = (start..self.count).take_while(|&index| reach(index) == taps).count();
                let origin = self.origin + (start * self.stride) as isize;
                let span = Span { start, count, origin, stride: self.stride, taps };
                start += count;
                span
            })
        })
    }
}

impl Class {
    /// The pixels that are read, for every pixel of the class: a left factor in parts.
    pub(super) fn parts<'a, E: Element>(
        self,
        images: Images<'a, E>,
    ) -> impl Iterator<Item = Patches<'a, E>> + Clone + Sync {
        let [y, x] = self.axes;
        let (taps, cut, unit) = ([y.taps, x.taps], is_cut(images.channels), self.unit(images.channels));
        y.spans(cut).flat_map(move |y| x.spans(cut).map(move |x| (y, x))).map(move |(y_span, x_span)| Patches {
            images,
            spans: [y_span, x_span],
            taps,
            direction: y.direction,
            unit,
        })
    }

    /// Depth is cut at kernel rows, so that a part is zero at the ends of a block only; unless no part can be cut along a row.
    /// Does not depend on the size of the image, as packed weights do not.
    fn unit(&self, channels: usize) -> usize {
        let [y, x] = self.axes;
        let along_rows = if x.direction > 0 { self.geometry.padding > 0 } else { x.taps > 1 };
        if is_cut(channels) && along_rows { x.taps * channels } else { y.taps * x.taps * channels }
    }

    /// The taps of the class, for a right factor whose depth is (tap, `channels`).
    pub(super) fn taps(&self, channels: usize) -> Taps {
        let [y, x] = self.axes;
        let first = y.first_tap * self.geometry.kernel[1] + x.first_tap;
        let steps = [y.tap_step * self.geometry.kernel[1], x.tap_step];
        Taps { first, steps, counts: [y.taps, x.taps], unit: self.unit(channels) }
    }

    /// Number of a part's pixel `row` in the image that is written.
    pub(super) fn pixel<E>(&self, part: &Patches<'_, E>, row: usize) -> usize {
        let [rows, cols] = part.spans.map(|span| span.count);
        let index = [row / cols % rows, row % cols];
        let [y, x] =
            [0, 1].map(|axis| self.axes[axis].first + (part.spans[axis].start + index[axis]) * self.axes[axis].step);
        (row / (rows * cols) * self.image[0] + y) * self.image[1] + x
    }
}

/// Taps along the first axis that read inside the image for the same pixels: (taps, small pixels). For the gradient by the
/// weights, which is computed for each of these groups by itself.
pub(super) fn tap_rows(geometry: Geometry, channels: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let Geometry { kernel, stride, padding, large, small } = geometry;
    let pixels = move |tap: usize| {
        if !is_cut(channels) {
            return 0..small[0];
        }
        let first = padding.saturating_sub(tap).div_ceil(stride).min(small[0]);
        let end = (large[0] + padding).saturating_sub(tap).div_ceil(stride).min(small[0]);
        first..end.max(first)
    };
    let mut start = 0;
    std::iter::from_fn(move || {
        (start < kernel[0]).then(|| {
            let rows = pixels(start);
            let count = (start..kernel[0]).take_while(|&tap| pixels(tap) == rows).count();
            start += count;
            (start - count..start, rows)
        })
    })
}
