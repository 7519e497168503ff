//! The matrices of a convolution that exist only while they are packed.

use std::ops::Range;

use super::Geometry;
use crate::Element;
use crate::gemm::ROW_STRIDE;
use crate::gemm::operand::{Operand, copy_panel};

/// An image batch (N, H, W, C).
#[derive(Clone, Copy)]
pub(super) struct Images<'a, E> {
    pub(super) data: &'a [E],
    pub(super) batch: usize,
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
}

impl<'a, E> Images<'a, E> {
    /// The data from pixel (y, x) of a sample on; `None` outside the image.
    #[inline(always)]
    fn at(&self, sample: usize, y: isize, x: isize) -> Option<&'a [E]> {
        let [height, width] = self.size;
        let (y, x) = (usize::try_from(y).ok()?, usize::try_from(x).ok()?);
        (y < height && x < width).then(|| &self.data[((sample * height + y) * width + x) * self.channels..])
    }
}

/// Positions in an image that are a grid: `start + index * step`.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) size: [usize; 2],
    pub(super) start: [isize; 2],
    pub(super) step: usize,
}

/// Lanes: one pixel grid per sample. Depth: (tap, channel), where tap (ty, tx) of a lane is the pixel `direction * (ty, tx)`
/// away from it. Both ways of moving between images are this: windows of the large image for the pixels of the small one
/// (forward), and the small pixels that reach each large pixel of one class (backward).
pub(super) struct Patches<'a, E> {
    pub(super) images: Images<'a, E>,
    pub(super) grid: Grid,
    pub(super) taps: [usize; 2],
    pub(super) direction: isize,
}

impl<E: Element> Operand<E> for Patches<'_, E> {
    fn lanes(&self) -> usize {
        self.images.batch * self.grid.size[0] * self.grid.size[1]
    }

    fn depth(&self) -> usize {
        self.taps[0] * self.taps[1] * self.images.channels
    }

    fn has_rows(&self) -> bool {
        true
    }

    fn pack_rows(&self, lanes: Range<usize>, depth: Range<usize>, out: &mut [E]) {
        let (channels, [rows, cols]) = (self.images.channels, self.grid.size);
        let row_len = self.taps[1] * channels;
        for (lane, out) in lanes.zip(out.chunks_mut(ROW_STRIDE)) {
            let (sample, row, col) = (lane / (rows * cols), lane / cols % rows, lane % cols);
            let [y, x] =
                [(0, row), (1, col)].map(|(axis, index)| self.grid.start[axis] + (index * self.grid.step) as isize);
            // Going forward, the taps of a kernel row are neighbours in memory: unless one falls off the image, the
            // whole row is one run. Otherwise every tap is a run of its own.
            let whole_rows = self.direction == 1 && x >= 0 && x as usize + self.taps[1] <= self.images.size[1];
            let longest = if whole_rows { row_len } else { channels };
            let mut at = depth.start;
            while at < depth.end {
                let (tap_y, in_row) = (at / row_len, at % row_len);
                let from = in_row % longest;
                let run = (longest - from).min(depth.end - at);
                let tap_x = (in_row - from) / channels;
                let [dy, dx] = [tap_y, tap_x].map(|tap| self.direction * tap as isize);
                let source = self.images.at(sample, y + dy, x + dx).map(|source| &source[from..]);
                copy_run(&mut out[at - depth.start..], source, run);
                at += run;
            }
        }
    }

    fn pack(&self, _: Range<usize>, _: Range<usize>, _: usize, _: &mut [E]) {
        unreachable!("patches are left factors, and have rows")
    }
}

/// Lanes: (tap, channel) of the large image. Depth: the pixels of the small image. For the gradient by the weights.
pub(super) struct Windows<'a, E> {
    pub(super) images: Images<'a, E>,
    pub(super) geometry: Geometry,
}

impl<E: Element> Operand<E> for Windows<'_, E> {
    fn lanes(&self) -> usize {
        self.geometry.taps() * self.images.channels
    }

    fn depth(&self) -> usize {
        self.images.batch * self.geometry.small[0] * self.geometry.small[1]
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let (channels, [_, kernel_width]) = (self.images.channels, self.geometry.kernel);
        let Geometry { stride, padding, small: [rows, cols], .. } = self.geometry;
        let row_len = kernel_width * channels;
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
            let last = lanes.end.min(first + width);
            for (pixel, step) in depth.clone().zip(0..) {
                let (sample, row, col) = (pixel / (rows * cols), pixel / cols % rows, pixel % cols);
                let [y, x] = [row, col].map(|index| (index * stride) as isize - padding as isize);
                let inside = x >= 0 && x as usize + kernel_width <= self.images.size[1];
                let mut at = first;
                while at < last {
                    let (tap_y, in_row) = (at / row_len, at % row_len);
                    // Within a kernel row the taps are neighbours in memory, see `Patches`.
                    let longest = if inside { row_len } else { channels };
                    let from = in_row % longest;
                    let run = (longest - from).min(last - at);
                    let tap_x = (in_row - from) / channels;
                    let source = self.images.at(sample, y + tap_y as isize, x + tap_x as isize);
                    let to = &mut panel[step * width + at - first..];
                    copy_run(to, source.map(|source| &source[from..]), run);
                    at += run;
                }
            }
        }
    }
}

/// Copies a run of `len` elements. A short one is copied with a constant length if there is room for it: the surplus
/// lands where the next run, the next step or nobody will read.
#[inline(always)]
fn copy_run<E: Element>(to: &mut [E], source: Option<&[E]>, len: usize) {
    const SHORT: usize = 16;
    match source {
        None => to[..len].fill(E::ZERO),
        Some(from) if len <= SHORT && from.len() >= SHORT && to.len() >= SHORT => {
            to[..SHORT].copy_from_slice(&from[..SHORT]);
        }
        Some(from) if len == 2 * SHORT => to[..2 * SHORT].copy_from_slice(&from[..2 * SHORT]),
        Some(from) => to[..len].copy_from_slice(&from[..len]),
    }
}

/// Lanes: channels of the large image. Depth: (tap of one class, channel of the small image): the weights that belong to
/// [`Patches`] on the way to the large image.
pub(super) struct ClassWeights<'a, E> {
    /// (C_small, KH, KW, C_large)
    pub(super) weight: &'a [E],
    pub(super) large: usize,
    pub(super) small: usize,
    pub(super) geometry: Geometry,
    /// The first tap of the class along each axis; the others follow at the stride.
    pub(super) first: [usize; 2],
    pub(super) taps: [usize; 2],
}

impl<E: Element> Operand<E> for ClassWeights<'_, E> {
    fn lanes(&self) -> usize {
        self.large
    }

    fn depth(&self) -> usize {
        self.taps[0] * self.taps[1] * self.small
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let Geometry { kernel: [_, kernel_width], stride, .. } = self.geometry;
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
            let valid = width.min(lanes.end - first);
            copy_panel(valid, width, panel, |step| {
                let (tap, small) = ((depth.start + step) / self.small, (depth.start + step) % self.small);
                let [y, x] = [tap / self.taps[1], tap % self.taps[1]];
                let tap = (self.first[0] + y * stride) * kernel_width + self.first[1] + x * stride;
                Some(&self.weight[(small * self.geometry.taps() + tap) * self.large + first..])
            });
        }
    }
}
