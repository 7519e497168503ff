//! Matrix products: one blocked loop for everything that is a GEMM, dense or implicit.
//!
//! The loops follow BLIS (Van Zee and van de Geijn, 2015): pack a block of B, then blocks of A, and run a register
//! tile over them. What is our own is that a factor need not exist in memory (see `operand`), that rows of C may lie
//! anywhere, and that a bias starts the sum instead of being added in a pass of its own.
//!
//! Depth is cut into blocks by the depth alone, so an element of C is summed in the same order however the product is
//! cut among threads: the bits do not depend on the thread count.
#![allow(unsafe_code)]

pub(crate) mod kernel;
pub(crate) mod operand;
mod transpose;

use std::iter::once;
use std::ops::Range;

pub use kernel::Kernels;
pub(crate) use kernel::ROW_STRIDE;
use kernel::Start;
use operand::{Dense, Operand};

use crate::parallel::{self, Share};
use crate::{Element, Error, Result, Tensor};

/// Longest stretch of depth packed at once: a B panel of 320 x 32 `f32` is 40 KB, most of a 48 KB L1.
const DEPTH_BLOCK: usize = 320;
/// Columns of B packed at once, 320 x 512 x 4 bytes = 640 KB: with a block of A beside it, an L2 of 1 MB.
const COLS_BLOCK: usize = 512;
/// Rows of A packed at once, rounded down to whole tiles.
const ROWS_BLOCK: usize = 256;

/// A matrix operand: a slice and how to read it.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, E> {
    data: &'a [E],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, E: Element> Mat<'a, E> {
    /// A row-major matrix.
    ///
    /// # Panics
    /// If `data` does not hold exactly `rows * cols` elements.
    #[must_use]
    pub fn new(data: &'a [E], rows: usize, cols: usize) -> Self {
        assert_eq!(rows.checked_mul(cols), Some(data.len()), "a {rows} x {cols} matrix");
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, without moving anything.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }
}

/// What the result holds before the product is added to it.
#[derive(Clone, Copy, Debug)]
pub enum Init<'a, E> {
    /// Nothing: the result is overwritten.
    Zero,
    /// What is in it: the product is added.
    Add,
    /// This row in every row: a bias.
    Row(&'a [E]),
}

/// `c = init + a b`, the result row-major.
///
/// # Panics
/// If the shapes do not fit: callers have checked them.
pub fn gemm<E: Element>(a: Mat<'_, E>, b: Mat<'_, E>, c: &mut [E], init: Init<'_, E>) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let fits = b.rows == k && m.checked_mul(n) == Some(c.len());
    assert!(fits, "({m} x {k}) times ({} x {n}) into {} elements", b.rows, c.len());
    let a = Dense { data: a.data, lanes: m, depth: k, lane_stride: a.row_stride, depth_stride: a.col_stride };
    let b = Dense { data: b.data, lanes: n, depth: k, lane_stride: b.col_stride, depth_stride: b.row_stride };
    // SAFETY: rows of a row-major matrix are disjoint, and the assertions above bound them.
    unsafe { product(&a, &Fresh(&b), c, |row| row * n, init) }
}

/// The weights of a linear layer, packed once for a model that only scores.
#[derive(Debug)]
pub struct PackedLinear<E: Element> {
    weight: Packed<E>,
    inputs: usize,
    bias: Tensor<E>,
}

impl<E: Element> PackedLinear<E> {
    /// Packs `weight` (out, in) with `bias` (out).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn new(weight: &Tensor<E>, bias: &Tensor<E>) -> Result<Self> {
        let &[outputs, inputs] = weight.dims() else {
            return Err(Error::shape("packed linear", "the weight", "(out, in)", weight.shape()));
        };
        if outputs * inputs == 0 {
            return Err(Error::shape("packed linear", "the weight", "(out, in), neither of them 0", weight.shape()));
        }
        bias.expect_shape("packed linear", "the bias", [outputs])?;
        let weight = Dense { data: weight.data(), lanes: outputs, depth: inputs, lane_stride: inputs, depth_stride: 1 };
        Ok(Self { weight: Packed::new(&weight), inputs, bias: bias.clone() })
    }

    /// `x w^T + b`, the same bits as with the weights themselves.
    ///
    /// # Errors
    /// If `x` is not (N, in).
    pub fn apply(&self, x: &Tensor<E>) -> Result<Tensor<E>> {
        let &[batch, width] = x.dims() else {
            return Err(Error::shape("linear", "x", format!("(N, {})", self.inputs), x.shape()));
        };
        if width != self.inputs {
            return Err(Error::shape("linear", "x", format!("(N, {})", self.inputs), x.shape()));
        }
        let outputs = self.bias.len();
        let mut y = Tensor::scratch([batch, outputs]);
        let rows = Dense { data: x.data(), lanes: batch, depth: width, lane_stride: width, depth_stride: 1 };
        let init = Init::Row(self.bias.data());
        // SAFETY: rows of a row-major matrix are disjoint.
        unsafe { product(&rows, &self.weight, y.data_mut(), |row| row * outputs, init) };
        Ok(y)
    }
}

/// `C = init + A B`, where row `r` of C starts at `row_start(r)`; B is packed here ([`Fresh`]) or was before ([`Packed`]).
///
/// # Safety
/// `row_start(r) .. row_start(r) + n` must be disjoint for different `r` (they are checked to lie inside `c`).
pub(crate) unsafe fn product<E: Element>(
    a: &impl Operand<E>,
    b: &impl Right<E>,
    c: &mut [E],
    row_start: impl Fn(usize) -> usize + Sync,
    init: Init<'_, E>,
) {
    // SAFETY: the caller's promise.
    unsafe { product_with(E::kernels(), once(a), b, c, |_, row| row_start(row), init) }
}

/// [`product`] with a left factor in parts, one above the other, each of which may be zero along some of the depth (see
/// [`Operand::window`]). Row `r` of part `p` starts at `row_start(p, r)`.
///
/// # Safety
/// As for [`product`], for all rows of all parts.
pub(crate) unsafe fn product_of_parts<E: Element, A: Operand<E>>(
    parts: impl Iterator<Item = A> + Clone + Sync,
    b: &impl Right<E>,
    c: &mut [E],
    row_start: impl Fn(&A, usize) -> usize + Sync,
    init: Init<'_, E>,
) {
    // SAFETY: the caller's promise.
    unsafe { product_with(E::kernels(), parts, b, c, row_start, init) }
}

/// [`product`] with the tiles of a given vector level.
///
/// # Safety
/// As for [`product`], and the processor must have the level.
unsafe fn product_with<E: Element, A: Operand<E>>(
    kernels: &Kernels<E>,
    a: impl Iterator<Item = A> + Clone + Sync,
    b: &impl Right<E>,
    c: &mut [E],
    row_start: impl Fn(&A, usize) -> usize + Sync,
    init: Init<'_, E>,
) {
    let (n, k) = (b.cols(), b.depth());
    let m = a.clone().map(|part| part.lanes()).sum::<usize>();
    assert!(a.clone().all(|part| part.depth() == k), "both factors have the same depth");
    if let Init::Row(bias) = init {
        // The tiles read it by the columns of C.
        assert_eq!(bias.len(), n, "a bias has one element per column");
    }
    if m == 0 || n == 0 {
        return;
    }
    let out = Out { start: c.as_mut_ptr(), len: c.len() };
    let threads = parallel::parts(m * n * k / 16);
    // The longer side is cut: the shorter one is then packed once per thread, which costs least.
    if m >= n {
        parallel::shares(m.div_ceil(kernels.mr), threads, |share| {
            // SAFETY: every thread takes its own share of the rows of every part, so no element of C has two writers.
            unsafe { block(kernels, a.clone(), b, &out, &row_start, init, share, 0..n) }
        });
    } else {
        parallel::ranges(n, kernels.nr, threads, |cols| {
            // SAFETY: these are disjoint ranges of columns, so no element of C has two writers.
            unsafe { block(kernels, a.clone(), b, &out, &row_start, init, Share::ALL, cols) }
        });
    }
}

/// How the depth of a product is cut: by the depth alone, see the head of this file. No block crosses the border of a unit.
fn depth_blocks(k: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let unit = unit.max(1);
    (0..k.max(1)).step_by(unit).flat_map(move |start| {
        let unit = unit.min(k - start);
        let count = unit.div_ceil(DEPTH_BLOCK).max(1);
        let len = unit.div_ceil(count);
        (0..count).map(move |index| start + index * len..start + unit.min((index + 1) * len))
    })
}

/// The right factor as the loop below needs it: panels of a block, packed now or earlier.
pub(crate) trait Right<E: Element>: Sync {
    fn cols(&self) -> usize;
    fn depth(&self) -> usize;
    /// See [`Operand::unit`].
    fn unit(&self) -> usize;
    /// The panels of `cols` (from a whole panel on) by `depth`; `space` is there to pack them into.
    fn panels<'s>(&'s self, cols: Range<usize>, depth: Range<usize>, nr: usize, space: &'s mut [E]) -> &'s [E];
    /// How much space the largest block needs.
    fn space(&self, block: usize) -> usize;
}

/// A right factor that is packed block by block.
pub(crate) struct Fresh<'a, B>(pub(crate) &'a B);

impl<E: Element, B: Operand<E>> Right<E> for Fresh<'_, B> {
    fn cols(&self) -> usize {
        self.0.lanes()
    }

    fn depth(&self) -> usize {
        self.0.depth()
    }

    fn unit(&self) -> usize {
        self.0.unit()
    }

    fn panels<'s>(&'s self, cols: Range<usize>, depth: Range<usize>, nr: usize, space: &'s mut [E]) -> &'s [E] {
        let space = &mut space[..cols.len().next_multiple_of(nr) * depth.len()];
        if !depth.is_empty() {
            self.0.pack(cols, depth, nr, space);
        }
        space
    }

    fn space(&self, block: usize) -> usize {
        block
    }
}

/// A right factor packed once, for products that are computed again and again: the weights of a model that only scores.
/// A product with it has the same bits as with the factor itself.
#[derive(Debug)]
pub(crate) struct Packed<E: Element> {
    panels: Tensor<E>,
    cols: usize,
    unit: usize,
    nr: usize,
}

impl<E: Element> Packed<E> {
    pub(crate) fn new(b: &impl Operand<E>) -> Self {
        let (cols, k, nr) = (b.lanes(), b.depth(), E::kernels().nr);
        let width = cols.next_multiple_of(nr);
        let mut panels = Tensor::zeros([width, k]);
        for depth in depth_blocks(k, b.unit()).filter(|depth| !depth.is_empty() && cols > 0) {
            let out = &mut panels.data_mut()[width * depth.start..width * depth.end];
            b.pack(0..cols, depth, nr, out);
        }
        Self { panels, cols, unit: b.unit(), nr }
    }
}

impl<E: Element> Right<E> for Packed<E> {
    fn cols(&self) -> usize {
        self.cols
    }

    fn depth(&self) -> usize {
        self.panels.dims()[1]
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn panels<'s>(&'s self, cols: Range<usize>, depth: Range<usize>, _: usize, _: &'s mut [E]) -> &'s [E] {
        let width = self.cols.next_multiple_of(self.nr);
        let start = width * depth.start + cols.start * depth.len();
        &self.panels.data()[start..start + cols.len().next_multiple_of(self.nr) * depth.len()]
    }

    fn space(&self, _: usize) -> usize {
        0
    }
}

/// C, to be written by several threads at disjoint places.
struct Out<E> {
    start: *mut E,
    len: usize,
}

// SAFETY: `product` gives every thread its own rows or columns; the pointer outlives the call.
unsafe impl<E: Send> Sync for Out<E> {}

/// The columns `cols` of C, and this thread's share of its rows.
///
/// # Safety
/// As for [`product_of_parts`]; nobody else may touch this part of C meanwhile.
#[allow(clippy::too_many_arguments)]
unsafe fn block<E: Element, A: Operand<E>>(
    kernels: &Kernels<E>,
    a: impl Iterator<Item = A> + Clone,
    b: &impl Right<E>,
    out: &Out<E>,
    row_start: &impl Fn(&A, usize) -> usize,
    init: Init<'_, E>,
    share: Share,
    cols: Range<usize>,
) {
    let (mr, nr) = (kernels.mr, kernels.nr);
    let (k, unit) = (b.depth(), b.unit());
    let rows_block = ROWS_BLOCK.div_ceil(mr) * mr;
    let depth_block = depth_blocks(k, unit).map(|depth| depth.len()).max().unwrap_or(0);
    let most_rows = a.clone().map(|part| share.of(part.lanes(), mr).len()).max().unwrap_or(0).min(rows_block);
    with_packing(|packing: &mut Packing<E>| {
        let (a_space, b_space) = packing.split(
            // Rows of A lie `ROW_STRIDE` apart where it is packed row by row.
            most_rows.next_multiple_of(mr) * ROW_STRIDE,
            b.space(COLS_BLOCK.min(cols.len().next_multiple_of(nr)) * depth_block),
        );
        for first_col in cols.clone().step_by(COLS_BLOCK) {
            let block_cols = first_col..cols.end.min(first_col + COLS_BLOCK);
            for depth in depth_blocks(k, unit) {
                let b_block = b.panels(block_cols.clone(), depth.clone(), nr, b_space);
                for part in a.clone() {
                    let window = part.window(depth.clone());
                    debug_assert!(depth.start <= window.start && window.end <= depth.end);
                    // The first block starts the result even where the part is zero.
                    if window.is_empty() && depth.start > 0 {
                        continue;
                    }
                    let rows = share.of(part.lanes(), mr);
                    for first_row in rows.clone().step_by(rows_block) {
                        let block_rows = first_row..rows.end.min(first_row + rows_block);
                        // SAFETY: the caller's promise; the panels hold depth.len() steps at full width.
                        unsafe {
                            rows_by_panels(
                                kernels,
                                &part,
                                block_rows,
                                window.clone(),
                                a_space,
                                &b_block[(window.start - depth.start) * nr..],
                                depth.len() * nr,
                                block_cols.clone(),
                                out,
                                row_start,
                                if depth.start > 0 { Init::Add } else { init },
                            );
                        }
                    }
                }
            }
        }
    });
}

/// A block of rows of A by the packed panels of a block of B, `panel` elements apart, added to C.
///
/// # Safety
/// As for [`block`]; every panel must hold a full width for each step of the window.
#[allow(clippy::too_many_arguments)]
unsafe fn rows_by_panels<E: Element, A: Operand<E>>(
    kernels: &Kernels<E>,
    a: &A,
    rows: Range<usize>,
    window: Range<usize>,
    space: &mut [E],
    b_block: &[E],
    panel: usize,
    cols: Range<usize>,
    out: &Out<E>,
    row_start: &impl Fn(&A, usize) -> usize,
    init: Init<'_, E>,
) {
    let (mr, nr) = (kernels.mr, kernels.nr);
    let by_rows = a.has_rows();
    let (row_len, tiles) = if by_rows { (ROW_STRIDE, kernels.row_tiles) } else { (window.len(), kernels.tiles) };
    let a_block = &mut space[..rows.len().next_multiple_of(mr) * row_len];
    match (window.is_empty(), by_rows) {
        (true, _) => {}
        (false, true) => a.pack_rows(rows.clone(), window.clone(), a_block),
        (false, false) => a.pack(rows.clone(), window.clone(), mr, a_block),
    }
    let mut starts = [0; ROWS_BLOCK + 16];
    for (start, row) in starts.iter_mut().zip(rows.clone()) {
        *start = row_start(a, row);
        assert!(*start + cols.end <= out.len, "row {row} of the product lies outside the result");
    }
    for (b_index, col) in cols.clone().step_by(nr).enumerate() {
        let start = match init {
            Init::Zero => Start::Zero,
            Init::Add => Start::Add,
            Init::Row(bias) => Start::Row(bias[col..].as_ptr()),
        };
        for row in (0..rows.len()).step_by(mr) {
            let tile_rows = mr.min(rows.len() - row);
            // SAFETY: both panels hold the window at full width; `starts` was checked above for the whole row, so
            // the elements from `col` on lie inside C and belong to this call.
            unsafe {
                (tiles[tile_rows - 1])(
                    window.len(),
                    a_block[row * row_len..].as_ptr(),
                    b_block[(b_index * panel).min(b_block.len())..].as_ptr(),
                    out.start.add(col),
                    starts[row..row + tile_rows].as_ptr(),
                    nr.min(cols.end - col),
                    start,
                );
            }
        }
    }
}

/// The space in which one thread packs: two blocks that grow to what was needed and stay.
pub struct Packing<E>(Vec<E>);

impl<E: Element> Packing<E> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Two cache-line-aligned slices. Their contents are left over.
    fn split(&mut self, a: usize, b: usize) -> (&mut [E], &mut [E]) {
        let line = 64 / size_of::<E>();
        let a = a.next_multiple_of(line);
        let need = a + b + line;
        if self.0.len() < need {
            self.0.resize(need, E::ZERO);
        }
        let shift = self.0.as_ptr().align_offset(64).min(line);
        let (a_space, rest) = self.0[shift..].split_at_mut(a);
        (a_space, &mut rest[..b])
    }
}

fn with_packing<E: Element, T>(work: impl FnOnce(&mut Packing<E>) -> T) -> T {
    E::packing().with(|packing| work(&mut packing.borrow_mut()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Simd, simd};
    use proptest::prelude::*;

    /// Small integers: products and sums are exact in `f32`, so every kernel must agree to the bit.
    fn values(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * step) % 17) as f32 - 8.0).collect()
    }

    /// Every tile that this processor can run.
    fn all_kernels<E: Element>() -> Vec<&'static Kernels<E>> {
        let mut all: Vec<&'static Kernels<E>> = vec![&kernel::Portable::<E>::KERNELS];
        if simd() > Simd::Portable {
            all.push(E::kernels());
        }
        all
    }

    fn check(m: usize, k: usize, n: usize, a_transposed: bool, b_transposed: bool) {
        let (a, b) = (values(m * k, 7), values(k * n, 5));
        let a = if a_transposed { Mat::new(&a, k, m).t() } else { Mat::new(&a, m, k) };
        let b = if b_transposed { Mat::new(&b, n, k).t() } else { Mat::new(&b, k, n) };
        let at = |mat: Mat<'_, f32>, row, col| mat.data[row * mat.row_stride + col * mat.col_stride];
        let bias = values(n, 3);
        for init in [Init::Zero, Init::Add, Init::Row(&bias)] {
            let before = values(m * n, 11);
            let expected: Vec<f32> = (0..m * n)
                .map(|i| {
                    let start = match init {
                        Init::Zero => 0.0,
                        Init::Add => before[i],
                        Init::Row(bias) => bias[i % n],
                    };
                    start + (0..k).map(|j| at(a, i / n, j) * at(b, j, i % n)).sum::<f32>()
                })
                .collect();
            let lanes = |mat: Mat<'_, f32>| (mat.row_stride, mat.col_stride);
            for kernels in all_kernels() {
                let mut c = before.clone();
                let (a_strides, b_strides) = (lanes(a), lanes(b));
                let left =
                    Dense { data: a.data, lanes: m, depth: k, lane_stride: a_strides.0, depth_stride: a_strides.1 };
                let right =
                    Dense { data: b.data, lanes: n, depth: k, lane_stride: b_strides.1, depth_stride: b_strides.0 };
                // SAFETY: row-major rows are disjoint; `all_kernels` lists only what the processor has.
                unsafe { product_with(kernels, once(left), &Fresh(&right), &mut c, |_, row| row * n, init) };
                assert_eq!(c, expected, "{m} x {k} x {n}, tile {} x {}, {init:?}", kernels.mr, kernels.nr);
                let mut c = before.clone();
                // SAFETY: as above.
                unsafe { product(&left, &Packed::new(&right), &mut c, |row| row * n, init) };
                assert_eq!(c, expected, "{m} x {k} x {n}, packed, {init:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a 8589934592 x 2147483648 matrix")]
    fn a_size_beyond_counting_does_not_pass_for_a_small_one() {
        let _ = Mat::<f32>::new(&[], 1 << 33, 1 << 31);
    }

    #[test]
    fn every_small_shape_agrees_with_the_naive_loop() {
        for m in 0..17 {
            for n in [0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 40] {
                for k in [0, 1, 2, 5, 16] {
                    check(m, k, n, m % 2 == 0, n % 2 == 0);
                }
            }
        }
    }

    #[test]
    fn block_borders_agree_with_the_naive_loop() {
        for (m, k, n) in [(300, 3, 20), (5, 700, 9), (9, 321, 530), (257, 320, 33)] {
            for transposed in 0..4 {
                check(m, k, n, transposed & 1 == 1, transposed & 2 == 2);
            }
        }
    }

    proptest! {
        #[test]
        fn f64_agrees_with_another_implementation(m in 1_usize..40, k in 1_usize..90, n in 1_usize..70) {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 0.3).cos()).collect();
            let mut c = vec![f64::NAN; m * n];
            gemm(Mat::new(&a, m, k), Mat::new(&b, k, n), &mut c, Init::Zero);
            let a = ndarray::ArrayView2::from_shape((m, k), &a).unwrap();
            let b = ndarray::ArrayView2::from_shape((k, n), &b).unwrap();
            for (ours, theirs) in c.iter().zip(&a.dot(&b)) {
                approx::assert_relative_eq!(ours, theirs, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (a, b): (Vec<f32>, Vec<f32>) =
            ((0..700 * 333).map(|i| (i as f32).sin()).collect(), (0..333 * 300).map(|i| (i as f32).cos()).collect());
        let run = || {
            let mut c = vec![0.0; 700 * 300];
            gemm(Mat::new(&a, 700, 333), Mat::new(&b, 333, 300), &mut c, Init::Zero);
            c
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(run), crate::serial(run));
    }
}
