//! The matrices of a convolution that exist only while they are packed.

use std::ops::Range;

use super::Geometry;
use super::class::Span;
use crate::Element;
use crate::gemm::ROW_STRIDE;
use crate::gemm::operand::{Dense, Operand, copy_panel};

/// An image batch (N, H, W, C).
#[derive(Clone, Copy)]
pub(super) struct Images<'a, E> {
    pub(super) data: &'a [E],
    pub(super) batch: usize,
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
}

/// One part of a class of pixels. Lanes: its pixels, sample by sample. Depth: (tap, channel), where tap (ty, tx) of a lane is
/// the pixel `direction * (ty, tx)` away from its first one. Both ways of moving between images are this: windows of the
/// large image for the pixels of the small one (forward), and the small pixels that reach each large pixel of one class
/// (backward).
#[derive(Clone, Copy)]
pub(super) struct Patches<'a, E> {
    pub(super) images: Images<'a, E>,
    /// Its pixels and taps along each axis.
    pub(super) spans: [Span; 2],
    /// The taps of the class: those of the depth.
    pub(super) taps: [usize; 2],
    pub(super) direction: isize,
    pub(super) unit: usize,
}

impl<E> Patches<'_, E> {
    fn row_len(&self) -> usize {
        self.taps[1] * self.images.channels
    }
}

impl<E: Element> Operand<E> for Patches<'_, E> {
    fn lanes(&self) -> usize {
        self.images.batch * self.spans[0].count * self.spans[1].count
    }

    fn depth(&self) -> usize {
        self.taps[0] * self.row_len()
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn window(&self, block: Range<usize>) -> Range<usize> {
        let ([y, x], channels, row_len) = (self.spans.map(|span| span.taps), self.images.channels, self.row_len());
        let row = block.start / row_len.max(1);
        let inside = if x == (0, self.taps[1]) {
            y.0 * row_len..y.1 * row_len
        } else if x.0 < x.1 && (y.0..y.1).contains(&row) {
            row * row_len + x.0 * channels..row * row_len + x.1 * channels
        } else {
            0..0
        };
        let start = inside.start.clamp(block.start, block.end);
        start..inside.end.clamp(start, block.end)
    }

    fn has_rows(&self) -> bool {
        true
    }

    fn pack_rows(&self, lanes: Range<usize>, depth: Range<usize>, out: &mut [E]) {
        let Images { data, size: [height, width], channels, .. } = self.images;
        let ([y, x], row_len) = (self.spans, self.row_len());
        for (lane, out) in lanes.zip(out.chunks_mut(ROW_STRIDE)) {
            let (sample, row, col) = (lane / (y.count * x.count), lane / x.count % y.count, lane % x.count);
            let (row, col) = (y.origin + (row * y.stride) as isize, x.origin + (col * x.stride) as isize);
            // Going forward, the taps of a kernel row are neighbours in memory, unless one reads outside the image and is no
            // matter of a part of its own. Otherwise every tap is a run.
            let (first, last) = (col + x.taps.0 as isize, col + x.taps.1 as isize);
            let whole_rows = self.direction == 1 && first >= 0 && last <= width as isize;
            let longest = if whole_rows { row_len } else { channels };
            let mut at = depth.start;
            while at < depth.end {
                let (tap_y, in_row) = (at / row_len, at % row_len);
                let from = in_row % longest;
                let run = (longest - from).min(depth.end - at);
                let tap_x = (in_row - from) / channels;
                let (row, col) = (row + self.direction * tap_y as isize, col + self.direction * tap_x as isize);
                let reached = (0..height as isize).contains(&row) && (whole_rows || (0..width as isize).contains(&col));
                let pixel = ((sample * height) as isize + row) * width as isize + col;
                let first = pixel * channels as isize + from as isize;
                copy_run(&mut out[at - depth.start..], reached.then(|| &data[first as usize..]), run);
                at += run;
            }
        }
    }

    fn pack(&self, _: Range<usize>, _: Range<usize>, _: usize, _: &mut [E]) {
        unreachable!("patches are left factors, and have rows")
    }
}

/// Lanes: (tap, channel) of the large image, for some of the kernel's rows. Depth: the pixels of some rows of the small image.
/// For the gradient by the weights.
pub(super) struct Windows<'a, E> {
    pub(super) images: Images<'a, E>,
    pub(super) geometry: Geometry,
    /// Rows of the kernel.
    pub(super) taps: (usize, usize),
    /// Rows of the small image.
    pub(super) rows: (usize, usize),
}

impl<E: Element> Operand<E> for Windows<'_, E> {
    fn lanes(&self) -> usize {
        (self.taps.1 - self.taps.0) * self.geometry.kernel[1] * self.images.channels
    }

    fn depth(&self) -> usize {
        self.images.batch * (self.rows.1 - self.rows.0) * self.geometry.small[1]
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let Images { data, size: [height, image_width], channels, .. } = self.images;
        let Geometry { kernel: [_, kernel_width], stride, padding, small: [_, cols], .. } = self.geometry;
        let (rows, row_len) = (self.rows.1 - self.rows.0, kernel_width * channels);
        let panel_len = depth.len() * width;
        let mut start = Position::new(depth.start, rows, cols);
        // A few pixels at a time for all panels: their windows overlap, and are read while they are near.
        for steps in (0..depth.len()).step_by(NEAR).map(|first| first..depth.len().min(first + NEAR)) {
            let mut end = start;
            for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(panel_len)) {
                let last = lanes.end.min(first + width);
                let mut pixel = start;
                for step in steps.clone() {
                    // Not beyond the panel: what a short copy writes too much must not reach the next one.
                    let mut to = &mut panel[step * width..];
                    let y = ((self.rows.0 + pixel.row) * stride + self.taps.0) as isize - padding as isize;
                    let x = (pixel.col * stride) as isize - padding as isize;
                    let base = ((pixel.sample * height) as isize + y) * image_width as isize + x;
                    pixel.advance(rows, cols);
                    // Within a kernel row the taps are neighbours in memory, see `Patches`.
                    let inside = x >= 0 && x as usize + kernel_width <= image_width;
                    let longest = if inside { row_len } else { channels };
                    let (mut tap_y, mut in_row, mut at) = (first / row_len, first % row_len, first);
                    while at < last {
                        let from = if inside { in_row } else { in_row % channels };
                        let run = (longest - from).min(last - at);
                        let tap_x = if inside { 0 } else { in_row / channels };
                        let reached = (0..height as isize).contains(&(y + tap_y as isize))
                            && (inside || (0..image_width as isize).contains(&(x + tap_x as isize)));
                        let source =
                            (base + (tap_y * image_width + tap_x) as isize) * channels as isize + from as isize;
                        copy_run(to, reached.then(|| &data[source as usize..]), run);
                        to = &mut to[run..];
                        at += run;
                        in_row += run;
                        if in_row == row_len {
                            (tap_y, in_row) = (tap_y + 1, 0);
                        }
                    }
                }
                end = pixel;
            }
            start = end;
        }
    }
}

/// Pixels whose windows are packed together: at 64 channels, 8 windows of 3 x 3 are about 10 KB.
const NEAR: usize = 8;

/// A pixel by its place, walked through in order without a division for each.
#[derive(Clone, Copy)]
struct Position {
    sample: usize,
    row: usize,
    col: usize,
}

impl Position {
    fn new(index: usize, rows: usize, cols: usize) -> Self {
        Self { sample: index / (rows * cols), row: index / cols % rows, col: index % cols }
    }

    fn advance(&mut self, rows: usize, cols: usize) {
        self.col += 1;
        if self.col == cols {
            (self.col, self.row) = (0, self.row + 1);
        }
        if self.row == rows {
            (self.row, self.sample) = (0, self.sample + 1);
        }
    }
}

/// Lanes: channels. Depth: the pixels of some rows of each image.
pub(super) struct Pixels<'a, E> {
    pub(super) images: Images<'a, E>,
    pub(super) rows: (usize, usize),
}

impl<E: Element> Operand<E> for Pixels<'_, E> {
    fn lanes(&self) -> usize {
        self.images.channels
    }

    fn depth(&self) -> usize {
        self.images.batch * (self.rows.1 - self.rows.0) * self.images.size[1]
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let Images { data, size: [height, image_width], channels, .. } = self.images;
        let per_sample = (self.rows.1 - self.rows.0) * image_width;
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
            let valid = width.min(lanes.end - first);
            let mut at = Position::new(depth.start, 1, per_sample);
            copy_panel(valid, width, panel, |_| {
                let pixel = (at.sample * height + self.rows.0) * image_width + at.col;
                at.advance(1, per_sample);
                Some(&data[pixel * channels + first..])
            });
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

/// Some taps of a kernel, evenly spaced along each axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    /// Number of the first.
    pub(super) first: usize,
    /// From each to the next along each axis.
    pub(super) steps: [usize; 2],
    pub(super) counts: [usize; 2],
    /// See [`Operand::unit`].
    pub(super) unit: usize,
}

/// Lanes: channels of the large image. Depth: (tap of one class, channel of the small image): the weights that belong to
/// [`Patches`] on the way to the large image.
pub(super) struct ClassWeights<'a, E> {
    /// (C_small, KH, KW, C_large)
    pub(super) weight: &'a [E],
    /// All taps of the kernel.
    pub(super) all: usize,
    pub(super) large: usize,
    pub(super) small: usize,
    pub(super) taps: Taps,
}

impl<E: Element> Operand<E> for ClassWeights<'_, E> {
    fn lanes(&self) -> usize {
        self.large
    }

    fn depth(&self) -> usize {
        self.taps.counts[0] * self.taps.counts[1] * self.small
    }

    fn unit(&self) -> usize {
        self.taps.unit
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let Taps { first: first_tap, steps, counts, .. } = self.taps;
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
            let valid = width.min(lanes.end - first);
            copy_panel(valid, width, panel, |step| {
                let (tap, small) = ((depth.start + step) / self.small, (depth.start + step) % self.small);
                let tap = first_tap + tap / counts[1] * steps[0] + tap % counts[1] * steps[1];
                Some(&self.weight[(small * self.all + tap) * self.large + first..])
            });
        }
    }
}

/// The same on the way to the small image: lanes are its channels, the depth is (tap, channel of the large image), in the
/// order in which the weights lie in memory.
pub(super) struct Weights<'a, E> {
    pub(super) dense: Dense<'a, E>,
    pub(super) unit: usize,
}

impl<E: Element> Operand<E> for Weights<'_, E> {
    fn lanes(&self) -> usize {
        self.dense.lanes
    }

    fn depth(&self) -> usize {
        self.dense.depth
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        self.dense.pack(lanes, depth, width, out);
    }
}
