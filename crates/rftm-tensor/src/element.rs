use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use std::thread::LocalKey;

use crate::gemm::{Kernels, Packing, kernel};
use crate::pool::Pool;
use crate::{Simd, simd};

/// A number a tensor can hold: `f32` to train, `f64` to check. Sealed: the kernels exist for these two.
pub trait Element:
    Kernel
    + Copy
    + Debug
    + Display
    + Default
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + 'static
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// Minus infinity, the start of every maximum.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// The nearest value to an `f64`.
    fn from_f64(value: f64) -> Self;
    /// Widened to `f64`, without loss.
    fn to_f64(self) -> f64;
    /// The nearest value to a count.
    fn from_usize(value: usize) -> Self {
        Self::from_f64(value as f64)
    }
    /// Square root.
    fn sqrt(self) -> Self;
    /// Natural exponential.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The larger of two; `self` if either is NaN.
    fn max(self, other: Self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Not a number.
    fn is_nan(self) -> bool;
}

/// A plain number whose buffers are pooled per thread. Outside the crate nobody can name it.
pub trait Pooled: Copy + Send + Sync + 'static {
    #[doc(hidden)]
    fn pool() -> &'static LocalKey<RefCell<Pool<Self>>>;
}

/// What the kernels need to know of an element; outside the crate nobody can name it, which seals [`Element`].
pub trait Kernel: Pooled {
    #[doc(hidden)]
    fn packing() -> &'static LocalKey<RefCell<Packing<Self>>>
    where
        Self: Element;
    #[doc(hidden)]
    fn kernels() -> &'static Kernels<Self>
    where
        Self: Element;
}

macro_rules! pooled {
    ($number:ty) => {
        impl Pooled for $number {
            fn pool() -> &'static LocalKey<RefCell<Pool<Self>>> {
                thread_local!(static POOL: RefCell<Pool<$number>> = const { RefCell::new(Pool::new()) });
                &POOL
            }
        }
    };
}
pooled!(f32);
pooled!(f64);
pooled!(u32);

macro_rules! element {
    ($element:ty, $avx2:ident, $avx512:ident) => {
        impl Kernel for $element {
            fn packing() -> &'static LocalKey<RefCell<Packing<Self>>> {
                thread_local!(static PACKING: RefCell<Packing<$element>> = const { RefCell::new(Packing::new()) });
                &PACKING
            }

            fn kernels() -> &'static Kernels<Self> {
                match simd() {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => &kernel::$avx512::KERNELS,
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => &kernel::$avx2::KERNELS,
                    _ => &kernel::Portable::<$element>::KERNELS,
                }
            }
        }

        impl Element for $element {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEG_INFINITY: Self = <$element>::NEG_INFINITY;
            const NAN: Self = <$element>::NAN;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $element
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn exp(self) -> Self {
                self.exp()
            }
            #[inline(always)]
            fn ln(self) -> Self {
                self.ln()
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // Not `f32::max`: this compiles to one instruction and keeps `self` when `other` is NaN.
                if other > self { other } else { self }
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    };
}
element!(f32, f32_avx2, f32_avx512);
element!(f64, f64_avx2, f64_avx512);
