//! The two factors of a product, and how they are packed for the kernels.

use std::ops::Range;

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
    /// Writes the block `lanes` x `depth` as panels of `width` lanes: element (lane, d) of panel p goes to
    /// `out[(p * depth.len() + d) * width + lane]`. The last panel is filled up with zeros.
    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]);
}

/// A matrix in memory with any two strides.
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

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, out: &mut [E]) {
        let panel_len = depth.len() * width;
        for (first, panel) in lanes.clone().step_by(width).zip(out.chunks_exact_mut(panel_len)) {
            let valid = width.min(lanes.end - first);
            let base = first * self.lane_stride + depth.start * self.depth_stride;
            if self.lane_stride == 1 {
                for (step, row) in panel.chunks_exact_mut(width).enumerate() {
                    let from = &self.data[base + step * self.depth_stride..][..valid];
                    row[..valid].copy_from_slice(from);
                    row[valid..].fill(E::ZERO);
                }
            } else {
                transpose_panel(valid, depth.len(), width, panel, |lane| {
                    let start = base + lane * self.lane_stride;
                    Some((&self.data[start..], self.depth_stride))
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
                Some((&self.data[row * self.cols + depth.start..], 1))
            });
            for (lane, &row) in self.rows[first..first + valid].iter().enumerate() {
                panel[lane..].iter_mut().step_by(width).for_each(|value| *value *= self.scales[row as usize]);
            }
        }
    }
}

/// Fills one panel from lanes that are each strided along the depth (`None`: all zeros), 16 steps of depth at a time so
/// that what is written stays in L1.
pub(crate) fn transpose_panel<'a, E: Element>(
    valid: usize,
    depth: usize,
    width: usize,
    panel: &mut [E],
    lane: impl Fn(usize) -> Option<(&'a [E], usize)>,
) {
    const BLOCK: usize = 16;
    if valid < width {
        panel.fill(E::ZERO);
    }
    for start in (0..depth).step_by(BLOCK) {
        let steps = BLOCK.min(depth - start);
        for index in 0..valid {
            let to = panel[start * width + index..].iter_mut().step_by(width);
            match lane(index) {
                None => to.take(steps).for_each(|to| *to = E::ZERO),
                Some((from, 1)) => to.zip(&from[start..start + steps]).for_each(|(to, &from)| *to = from),
                Some((from, stride)) => {
                    let from = from[start * stride..].iter().step_by(stride).take(steps);
                    to.zip(from).for_each(|(to, &from)| *to = from);
                }
            }
        }
    }
}
