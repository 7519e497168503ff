//! Numbers from a named stream, made here so that a library's next version cannot change them.

use rand::RngCore;
use rftm_rng::{Rng, below};

pub(super) struct Random(pub(super) Rng);

impl Random {
    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        // 53 random bits: every multiple of 2^-53 in [0, 1).
        let unit = (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }

    /// Nearly normal with mean 0 and standard deviation 1, and never beyond 3.5: four uniform numbers added.
    pub(super) fn bell(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.between(-0.5, 0.5)).sum();
        // The variance of the sum is 4/12; the square root of 3 makes it 1.
        sum * 1.732_050_807_568_877_2
    }

    /// Uniform in `0..count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        below(count, &mut self.0)
    }

    /// Uniform bytes.
    pub(super) fn bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
