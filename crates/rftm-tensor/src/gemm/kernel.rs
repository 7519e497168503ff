//! The innermost loop: a register tile of C, `mr` rows by up to `nr` columns, from one packed panel of A and one of B.
//!
//! Per step along k it loads the tile's columns of B once and broadcasts one element of A per row; all of C stays in
//! registers. Tile shapes: as many accumulators as the register file holds beside them (32 registers: 14 x 2,
//! 16 registers: 6 x 2), so that two fused multiply-adds can start every cycle.
#![allow(unsafe_code)]

use super::transpose::{self, TransposeFn};
use crate::Element;

/// Computes one tile: `C[row, ..cols] = start + A_panel * B_panel`.
///
/// * `k`: depth of the panels. `b`: k x NR, zero-padded to full width. `a`: k x MR, or MR rows of k that lie
///   [`ROW_STRIDE`] apart; a stride known when this is compiled costs no register, so both are read equally fast.
/// * `c`: base of C; `rows`: offset of each of the `mr` tile rows from it; `cols` <= NR: valid columns.
/// * `start`: what the tile begins with.
pub(crate) type TileFn<E> =
    unsafe fn(k: usize, a: *const E, b: *const E, c: *mut E, rows: *const usize, cols: usize, start: Start<E>);

/// Distance between the rows of an A panel that is packed row by row, in elements: the longest stretch of depth.
pub(crate) const ROW_STRIDE: usize = super::DEPTH_BLOCK;

/// What C holds before the product is added.
#[derive(Clone, Copy)]
pub(crate) enum Start<E> {
    /// Nothing: C is overwritten.
    Zero,
    /// What is there already: the product is added.
    Add,
    /// The same row everywhere: a bias, pointing at the tile's first column.
    Row(*const E),
}

/// The tiles of one element type and vector level.
pub struct Kernels<E: Element> {
    /// Rows of a full tile.
    pub(crate) mr: usize,
    /// Columns of a full tile.
    pub(crate) nr: usize,
    /// `tiles[mr - 1]` for each number of rows, for A panels packed step by step (k x MR).
    pub(crate) tiles: &'static [TileFn<E>],
    /// The same for A panels packed row by row.
    pub(crate) row_tiles: &'static [TileFn<E>],
    /// How panels are packed from sources that run the other way.
    pub(crate) transpose: TransposeFn<E>,
}

/// One kernel family. `$ops` are the vector intrinsics, `$rows` the row counts to instantiate.
#[cfg(target_arch = "x86_64")]
macro_rules! kernels {
    ($module:ident, $feature:literal, $element:ty, $vector:ty, lanes $lanes:literal, mr $mr:literal,
     [$zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident, $add:ident], $transpose:expr,
     rows [$($rows:literal)*]) => {
        pub(crate) mod $module {
            use std::arch::x86_64::*;

            use super::{Kernels, ROW_STRIDE, Start};

            const LANES: usize = $lanes;
            const NR: usize = 2 * LANES;
            const MR: usize = $mr;

            #[target_feature(enable = $feature)]
            unsafe fn tile<const ROWS: usize, const ROW: usize, const STEP: usize>(
                k: usize,
                a: *const $element,
                b: *const $element,
                c: *mut $element,
                rows: *const usize,
                cols: usize,
                start: Start<$element>,
            ) {
                // SAFETY: the caller promises panels of depth k and full width, and `ROWS` rows of `cols` elements in C.
                unsafe {
                    let mut sums: [[$vector; 2]; ROWS] = [[$zero(); 2]; ROWS];
                    for step in 0..k {
                        let b0 = $load(b.add(step * NR));
                        let b1 = $load(b.add(step * NR + LANES));
                        for row in 0..ROWS {
                            let factor = $splat(*a.add(step * STEP + row * ROW));
                            sums[row][0] = $fma(factor, b0, sums[row][0]);
                            sums[row][1] = $fma(factor, b1, sums[row][1]);
                        }
                    }
                    for row in 0..ROWS {
                        let out = c.add(*rows.add(row));
                        for half in 0..2 {
                            let sum = sums[row][half];
                            let place = half * LANES;
                            if place + LANES <= cols {
                                let out = out.add(place);
                                $store(out, match start {
                                    Start::Zero => sum,
                                    Start::Add => $add($load(out), sum),
                                    Start::Row(bias) => $add($load(bias.add(place)), sum),
                                });
                            } else if place < cols {
                                let mut values = [0.0; LANES];
                                $store(values.as_mut_ptr(), sum);
                                for (lane, &value) in values[..cols - place].iter().enumerate() {
                                    let out = out.add(place + lane);
                                    *out = match start {
                                        Start::Zero => value,
                                        Start::Add => *out + value,
                                        Start::Row(bias) => *bias.add(place + lane) + value,
                                    };
                                }
                            }
                        }
                    }
                }
            }

            pub(crate) static KERNELS: Kernels<$element> = Kernels {
                mr: MR,
                nr: NR,
                tiles: &[$(tile::<$rows, 1, MR>),*],
                row_tiles: &[$(tile::<$rows, ROW_STRIDE, 1>),*],
                transpose: $transpose,
            };
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(f32_avx512, "avx512f", f32, __m512, lanes 16, mr 14,
    [_mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps], super::transpose::f32_avx512,
    rows [1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
#[cfg(target_arch = "x86_64")]
kernels!(f64_avx512, "avx512f", f64, __m512d, lanes 8, mr 14,
    [_mm512_setzero_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_add_pd], super::transpose::portable::<f64>,
    rows [1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
#[cfg(target_arch = "x86_64")]
kernels!(f32_avx2, "avx2,fma", f32, __m256, lanes 8, mr 6,
    [_mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps], super::transpose::f32_avx2,
    rows [1 2 3 4 5 6]);
#[cfg(target_arch = "x86_64")]
kernels!(f64_avx2, "avx2,fma", f64, __m256d, lanes 4, mr 6,
    [_mm256_setzero_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_add_pd], super::transpose::portable::<f64>,
    rows [1 2 3 4 5 6]);

/// The tile for every other processor: plain Rust that the compiler vectorises with what the target has. 4 x 8 `f32`
/// are 8 accumulators of 4 lanes, half of the 16 registers that SSE2 has.
pub(crate) struct Portable<E>(std::marker::PhantomData<E>);

impl<E: Element> Portable<E> {
    const MR: usize = 4;
    const NR: usize = 8;
    pub(crate) const KERNELS: Kernels<E> = Kernels {
        mr: Self::MR,
        nr: Self::NR,
        tiles: &[Self::tile::<1, 1, 4>, Self::tile::<2, 1, 4>, Self::tile::<3, 1, 4>, Self::tile::<4, 1, 4>],
        row_tiles: &[
            Self::tile::<1, ROW_STRIDE, 1>,
            Self::tile::<2, ROW_STRIDE, 1>,
            Self::tile::<3, ROW_STRIDE, 1>,
            Self::tile::<4, ROW_STRIDE, 1>,
        ],
        transpose: transpose::portable::<E>,
    };

    unsafe fn tile<const ROWS: usize, const ROW: usize, const STEP: usize>(
        k: usize,
        a: *const E,
        b: *const E,
        c: *mut E,
        rows: *const usize,
        cols: usize,
        start: Start<E>,
    ) {
        // SAFETY: the caller promises panels of depth k and full width, and `ROWS` rows of `cols` elements in C.
        unsafe {
            let b = std::slice::from_raw_parts(b, k * Self::NR);
            let mut sums = [[E::ZERO; 8]; ROWS];
            for (step, b) in b.chunks_exact(Self::NR).enumerate() {
                for (row, sums) in sums.iter_mut().enumerate() {
                    let factor = *a.add(step * STEP + row * ROW);
                    sums.iter_mut().zip(b).for_each(|(sum, &b)| *sum += factor * b);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let out = std::slice::from_raw_parts_mut(c.add(*rows.add(row)), cols);
                match start {
                    Start::Zero => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum),
                    Start::Add => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
                    Start::Row(bias) => {
                        let bias = std::slice::from_raw_parts(bias, cols);
                        out.iter_mut().zip(sums).zip(bias).for_each(|((out, &sum), &bias)| *out = bias + sum);
                    }
                }
            }
        }
    }
}
