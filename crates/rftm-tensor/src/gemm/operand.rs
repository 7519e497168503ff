//! The two factors of a product, and how they are packed for the kernels.
#![allow(unsafe_code)]

use std::ops::Range;

use super::kernel::ROW_STRIDE;
use super::transpose::MAX_LANES;
use crate::Element;

/// One factor of a product, seen from the kernel: `lanes` (rows of A, columns of B) by `depth` (the summed index).
///
/// Packing is where a matrix that exists only implicitly (the patches of a convolution, a selection of rows) becomes
/// one: it is read element by element into panels here and never laid out as a whole.
pub(crate) trait Operand<E>: Sync {
    /// Rows of A, or columns of B.
    fn lanes(&self) -> usize;
    /// Length of the summed index.
    fn depth(&self) -> usize;
    /// Depth is cut into blocks that do not cross a multiple of this.
    fn unit(&self) -> usize {
        self.depth()
    }
    /// Where in a block of the depth a left factor is not zero: a contiguous part of it, possibly empty.
    fn window(&self, block: Range<usize>) -> Range<usize> {
        block
    }
    /// Whether it is better packed row by row, because each lane is contiguous along the depth: then
    /// [`pack_rows`](Self::pack_rows) works, and transposing is saved.
    fn has_rows(&self) -> bool {
        false
    }
    /// Writes lane `i` of the block to `out[i * ROW_STRIDE..]`, for left factors that have rows.
    fn pack_rows(&self, _lanes: Range<usize>, _depth: Range<usize>, _out: &mut [E]) {
        unreachable!("only for operands that have rows")
    }
    /// Writes the block `lanes` x `depth` as panels of `width` lanes: element (lane, d) of panel p goes to
    /// `out[(p * depth.len() + d) * width + lane]`. What stands in the
    /// last panel beyond the lanes is never stored, and may be anything.
    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]);
}

impl<E, T: Operand<E>> Operand<E> for &T {
    fn lanes(&self) -> usize {
        T::lanes(self)
    }

    fn depth(&self) -> usize {
        T::depth(self)
    }

    fn unit(&self) -> usize {
        T::unit(self)
    }

    fn window(&self, block: Range<usize>) -> Range<usize> {
        T::window(self, block)
    }

    fn has_rows(&self) -> bool {
        T::has_rows(self)
    }

    fn pack_rows(&self, lanes: Range<usize>, depth: Range<usize>, out: &mut [E]) {
        T::pack_rows(self, lanes, depth, out);
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        T::pack(self, lanes, depth, width, out);
    }
}

/// A matrix in memory, contiguous along its lanes or along its depth.
#[derive(Clone, Copy)]
pub(crate) struct Dense<'a, E> {
    pub(crate) data: &'a [E],
    pub(crate) lanes: usize,
    pub(crate) depth: usize,
    pub(crate) lane_stride: usize,
    pub(crate) depth_stride: usize,
}

impl<E: Element> Operand<E> for Dense<'_, E> {
    fn lanes(&self) -> usize {
        self.lanes
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn has_rows(&self) -> bool {
        self.depth_stride == 1
    }

    fn pack_rows(&self, lanes: Range<usize>, depth: Range<usize>, out: &mut [E]) {
        for (lane, out) in lanes.zip(out.chunks_mut(ROW_STRIDE)) {
            let from = lane * self.lane_stride + depth.start;
            out[..depth.len()].copy_from_slice(&self.data[from..from + depth.len()]);
        }
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let panel_len = depth.len() * width;
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(panel_len)) {
            let valid = width.min(lanes.end - first);
            let base = first * self.lane_stride + depth.start * self.depth_stride;
            if self.lane_stride == 1 {
                copy_panel(valid, width, panel, |step| Some(&self.data[base + step * self.depth_stride..]));
            } else {
                debug_assert_eq!(self.depth_stride, 1, "a dense operand is contiguous one way or the other");
                transpose_panel(valid, depth.len(), width, panel, |lane| {
                    Some(&self.data[base + lane * self.lane_stride..])
                });
            }
        }
    }
}

/// Some rows of a row-major matrix as lanes, each scaled: a product with a selection that is never copied out.
pub(crate) struct Selected<'a, E> {
    pub(crate) data: &'a [E],
    pub(crate) rows: &'a [u32],
    pub(crate) cols: usize,
    /// A factor for every row of the matrix.
    pub(crate) scales: &'a [E],
}

impl<E: Element> Operand<E> for Selected<'_, E> {
    fn lanes(&self) -> usize {
        self.rows.len()
    }

    fn depth(&self) -> usize {
        self.cols
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(depth.len() * width)) {
            let valid = width.min(lanes.end - first);
            transpose_panel(valid, depth.len(), width, panel, |lane| {
                let row = self.rows[first + lane] as usize;
                Some(&self.data[row * self.cols + depth.start..])
            });
            for (lane, &row) in self.rows[first..first + valid].iter().enumerate() {
                panel[lane..].iter_mut().step_by(width).for_each(|value| *value *= self.scales[row as usize]);
            }
        }
    }
}

/// Fills one panel from a source that is contiguous along the lanes: `row(step)` starts with the `valid` lanes of a step,
/// `None` is all zeros.
#[inline(always)]
pub(crate) fn copy_panel<'a, E: Element>(
    valid: usize,
    width: usize,
    panel: &mut [E],
    mut row: impl FnMut(usize) -> Option<&'a [E]>,
) {
    let steps = panel.len() / width;
    for step in 0..steps {
        let to = &mut panel[step * width..];
        match row(step) {
            None => to[..width].fill(E::ZERO),
            // Copies of a length that is known when this is compiled are one or two instructions. They may read lanes beyond
            // the valid ones, and write past the panel's row into the next one, which is written after it.
            Some(from) if from.len() >= CHUNK * width.div_ceil(CHUNK) => {
                for (to, from) in to.chunks_mut(CHUNK).zip(from.chunks(CHUNK)).take(width.div_ceil(CHUNK)) {
                    match (<&mut [E; CHUNK]>::try_from(&mut *to), <&[E; CHUNK]>::try_from(from)) {
                        (Ok(to), Ok(from)) => *to = *from,
                        _ => to.copy_from_slice(&from[..to.len()]),
                    }
                }
            }
            Some(from) => {
                to[..valid].copy_from_slice(&from[..valid]);
                to[valid..width].fill(E::ZERO);
            }
        }
    }
}

/// Elements copied at once: one AVX-512 register of `f32`.
const CHUNK: usize = 16;

/// Fills `steps` steps of a panel from lanes that are contiguous along the depth: `lane(index)` starts with the first
/// step, `None` and the lanes from `valid` on are all zeros.
#[inline(always)]
pub(crate) fn transpose_panel<'a, E: Element>(
    valid: usize,
    steps: usize,
    width: usize,
    panel: &mut [E],
    lane: impl Fn(usize) -> Option<&'a [E]>,
) {
    let mut lanes = [std::ptr::null(); MAX_LANES];
    for (index, start) in lanes[..valid].iter_mut().enumerate() {
        if let Some(values) = lane(index) {
            *start = values[..steps].as_ptr();
        }
    }
    let out = &mut panel[..steps * width];
    // SAFETY: each lane was cut to `steps` elements and `out` to `steps * width`; the kernels are this processor's.
    unsafe { (E::kernels().transpose)(&lanes[..width], steps, out.as_mut_ptr()) }
}
