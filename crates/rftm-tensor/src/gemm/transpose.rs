//! Packing a panel means transposing it whenever its source is contiguous along the depth, and a product reads each
//! element of a panel only a few dozen times: at 200 GFLOP/s a scalar transposition costs as much as the product.
#![allow(unsafe_code)]

use crate::Element;

/// Writes `out[s * width + lane] = lanes[lane][s]` for all `s < steps`; a null lane is all zeros.
///
/// # Safety
/// Every lane is null or readable for `steps` elements, `out` is writable for `steps * lanes.len()`, and the processor has the
/// instructions.
pub(crate) type TransposeFn<E> = unsafe fn(lanes: &[*const E], steps: usize, out: *mut E);

/// The most lanes a panel can have.
pub(crate) const MAX_LANES: usize = 32;

/// Any element, any processor: 16 steps at a time, so that what is written stays in L1.
pub(crate) unsafe fn portable<E: Element>(lanes: &[*const E], steps: usize, out: *mut E) {
    const BLOCK: usize = 16;
    for start in (0..steps).step_by(BLOCK) {
        for (index, &lane) in lanes.iter().enumerate() {
            for step in start..steps.min(start + BLOCK) {
                // SAFETY: the caller's promise.
                unsafe {
                    *out.add(step * lanes.len() + index) = if lane.is_null() { E::ZERO } else { *lane.add(step) }
                };
            }
        }
    }
}

/// 16 x 16 `f32` in registers: four rounds of shuffles, masks at the borders.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn f32_avx512(lanes: &[*const f32], steps: usize, out: *mut f32) {
    use std::arch::x86_64::*;
    let width = lanes.len();
    for first in (0..width).step_by(16) {
        let group = &lanes[first..width.min(first + 16)];
        let stored = (0xffff_u32 >> (16 - group.len())) as __mmask16;
        for start in (0..steps).step_by(16) {
            let rows = (steps - start).min(16);
            let loaded = (0xffff_u32 >> (16 - rows)) as __mmask16;
            let mut r = [_mm512_setzero_ps(); 16];
            for (r, &lane) in r.iter_mut().zip(group) {
                if !lane.is_null() {
                    // SAFETY: the mask keeps to the `steps` elements of the lane.
                    *r = unsafe { _mm512_maskz_loadu_ps(loaded, lane.add(start)) };
                }
            }
            let mut t = r;
            for i in 0..8 {
                t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            for i in 0..4 {
                let [a, b, c, d] =
                    [t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]].map(_mm512_castps_pd as fn(_) -> _);
                r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
                r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
                r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
                r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
            }
            for i in 0..4 {
                t[i] = _mm512_shuffle_f32x4::<0x88>(r[i], r[4 + i]);
                t[4 + i] = _mm512_shuffle_f32x4::<0xdd>(r[i], r[4 + i]);
                t[8 + i] = _mm512_shuffle_f32x4::<0x88>(r[8 + i], r[12 + i]);
                t[12 + i] = _mm512_shuffle_f32x4::<0xdd>(r[8 + i], r[12 + i]);
            }
            for i in 0..8 {
                r[i] = _mm512_shuffle_f32x4::<0x88>(t[i], t[8 + i]);
                r[8 + i] = _mm512_shuffle_f32x4::<0xdd>(t[i], t[8 + i]);
            }
            for (step, &row) in r[..rows].iter().enumerate() {
                // SAFETY: the mask keeps to the lanes of the panel.
                unsafe { _mm512_mask_storeu_ps(out.add((start + step) * width + first), stored, row) };
            }
        }
    }
}

/// 8 x 8 `f32` in registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn f32_avx2(lanes: &[*const f32], steps: usize, out: *mut f32) {
    use std::arch::x86_64::*;
    let width = lanes.len();
    let numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let mask = |count: usize| _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), numbers);
    for first in (0..width).step_by(8) {
        let group = &lanes[first..width.min(first + 8)];
        let stored = mask(group.len());
        for start in (0..steps).step_by(8) {
            let rows = (steps - start).min(8);
            let loaded = mask(rows);
            let mut r = [_mm256_setzero_ps(); 8];
            for (r, &lane) in r.iter_mut().zip(group) {
                if !lane.is_null() {
                    // SAFETY: the mask keeps to the `steps` elements of the lane.
                    *r = unsafe { _mm256_maskload_ps(lane.add(start), loaded) };
                }
            }
            let mut t = r;
            for i in 0..4 {
                t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            for i in 0..2 {
                r[4 * i] = _mm256_shuffle_ps::<0x44>(t[4 * i], t[4 * i + 2]);
                r[4 * i + 1] = _mm256_shuffle_ps::<0xee>(t[4 * i], t[4 * i + 2]);
                r[4 * i + 2] = _mm256_shuffle_ps::<0x44>(t[4 * i + 1], t[4 * i + 3]);
                r[4 * i + 3] = _mm256_shuffle_ps::<0xee>(t[4 * i + 1], t[4 * i + 3]);
            }
            for i in 0..4 {
                t[i] = _mm256_permute2f128_ps::<0x20>(r[i], r[4 + i]);
                t[4 + i] = _mm256_permute2f128_ps::<0x31>(r[i], r[4 + i]);
            }
            for (step, &row) in t[..rows].iter().enumerate() {
                // SAFETY: the mask keeps to the lanes of the panel.
                unsafe { _mm256_maskstore_ps(out.add((start + step) * width + first), stored, row) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gemm::operand::transpose_panel;

    #[test]
    fn every_size_agrees_with_the_definition() {
        for width in 1..=32 {
            for steps in 1..40 {
                let source: Vec<f32> = (0..width * steps).map(|i| i as f32 + 1.0).collect();
                let valid = width - width / 5;
                let mut out = vec![f32::NAN; width * steps + 1];
                transpose_panel(valid, steps, width, &mut out, |lane| {
                    (lane % 7 != 3).then(|| &source[lane * steps..][..steps])
                });
                for step in 0..steps {
                    for lane in 0..width {
                        let expected = if lane < valid && lane % 7 != 3 { source[lane * steps + step] } else { 0.0 };
                        assert_eq!(out[step * width + lane], expected, "{width} x {steps}: {lane}, {step}");
                    }
                }
                assert!(out[width * steps].is_nan(), "{width} x {steps}: written past the end");
            }
        }
    }
}
