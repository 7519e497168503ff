//! Which vector instructions the kernels use: chosen once, at run time, from what the processor has.
//!
//! Hot loops are written as plain Rust inside [`simd_fn!`], which compiles the same body for each level, so that one
//! source serves all and the bits of element-wise kernels agree between them.

use std::sync::OnceLock;

/// A level of vector instructions; ordered, each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Simd {
    /// Whatever the compiler's baseline for the target has (SSE2 on x86-64, NEON on AArch64).
    Portable,
    /// AVX2 and FMA: 8 `f32` at a time.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 `f32` at a time.
    Avx512,
}

/// The level in use: the best this processor has, or a lower one named by the environment variable `RFTM_SIMD`
/// (`portable`, `avx2`, `avx512`), which is read once. A level the processor lacks, or a name that is none of these,
/// falls back to the best it has.
#[must_use]
pub fn simd() -> Simd {
    static LEVEL: OnceLock<Simd> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let best = detect();
        match std::env::var("RFTM_SIMD").as_deref() {
            Ok("portable") => Simd::Portable,
            Ok("avx2") => best.min(Simd::Avx2),
            _ => best,
        }
    })
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Simd {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Simd::Avx512,
        (true, false) => Simd::Avx2,
        _ => Simd::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Simd {
    Simd::Portable
}

/// Defines a function generic over [`Element`](crate::Element) whose body is compiled once per level and chosen at run
/// time. Write the loop so that the compiler can vectorise it: slices of equal length, no early exit.
macro_rules! simd_fn {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$E:ident>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$E: crate::Element>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$E: crate::Element>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512<$E: crate::Element>($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$E: crate::Element>($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[allow(unsafe_code)]
                match crate::simd() {
                    // SAFETY: `simd()` never names a level that the processor lacks.
                    crate::Simd::Avx512 => unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    crate::Simd::Avx2 => unsafe { avx2($($arg),*) },
                    crate::Simd::Portable => body($($arg),*),
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            body($($arg),*)
        }
    };
}
pub(crate) use simd_fn;
