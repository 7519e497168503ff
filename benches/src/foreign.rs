//! Matrix products of the shapes that the models have, ours and those of two other crates, on one thread.

use rftm_tensor::gemm::{Init, Mat, gemm};

use crate::clock::{WARM_UP, median, timed};
use crate::work::values;

/// Rows and columns of C and the summed length; then how A and B lie in memory: n as they are, t transposed.
///
/// nt is a linear layer forward, nn its gradient by the input, tn that by the weights. Convolutions are nn with the
/// patches as A. The two cubes are for comparison with the figures that others publish.
pub const SHAPES: [(usize, usize, usize, &str); 13] = [
    (256, 512, 784, "nt"),
    (256, 256, 512, "nt"),
    (256, 128, 256, "nt"),
    (256, 784, 512, "nt"),
    (256, 784, 512, "nn"),
    (512, 784, 256, "tn"),
    (784, 512, 256, "tn"),
    (256, 1000, 128, "nt"),
    (256, 3000, 2048, "nt"),
    (16384, 128, 576, "nn"),
    (1024, 512, 2304, "nn"),
    (1024, 1024, 1024, "nn"),
    (1024, 1024, 1024, "nt"),
];

/// One product with its factors.
pub struct Problem {
    m: usize,
    n: usize,
    k: usize,
    a_transposed: bool,
    b_transposed: bool,
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

/// Whose product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// `rftm_tensor::gemm`.
    Ours,
    /// The crate `matrixmultiply`.
    MatrixMultiply,
    /// The crate `gemm`.
    Gemm,
}

impl Whose {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Ours, Self::MatrixMultiply, Self::Gemm];

    /// The name in benches.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "rftm",
            Self::MatrixMultiply => "matrixmultiply",
            Self::Gemm => "gemm",
        }
    }
}

impl Problem {
    /// Random factors of a shape of [`SHAPES`].
    #[must_use]
    pub fn new((m, n, k, form): (usize, usize, usize, &str)) -> Self {
        let (a, b, c) = (values(m * k, 1), values(k * n, 2), vec![0.0; m * n]);
        Self { m, n, k, a_transposed: form.starts_with('t'), b_transposed: form.ends_with('t'), a, b, c }
    }

    /// Floating-point operations.
    #[must_use]
    pub fn flop(&self) -> usize {
        2 * self.m * self.n * self.k
    }

    /// `c = a b`.
    pub fn run(&mut self, whose: Whose) {
        let Self { m, n, k, a, b, c, .. } = self;
        let (m, n, k) = (*m, *n, *k);
        let (a_row, a_col) = if self.a_transposed { (1, m) } else { (k, 1) };
        let (b_row, b_col) = if self.b_transposed { (1, k) } else { (n, 1) };
        match whose {
            Whose::Ours => {
                let a = if self.a_transposed { Mat::new(a, k, m).t() } else { Mat::new(a, m, k) };
                let b = if self.b_transposed { Mat::new(b, n, k).t() } else { Mat::new(b, k, n) };
                rftm_tensor::serial(|| gemm(a, b, c, Init::Zero));
            }
            #[allow(unsafe_code)]
            // SAFETY: the crate has no safe interface; `new` made each buffer as long as these sizes and strides reach.
            Whose::MatrixMultiply => unsafe {
                let [a_row, a_col, b_row, b_col] = [a_row, a_col, b_row, b_col].map(|stride| stride as isize);
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                matrixmultiply::sgemm(m, k, n, 1.0, a, a_row, a_col, b, b_row, b_col, 0.0, c, n as isize, 1);
            },
            #[allow(unsafe_code)]
            // SAFETY: as above.
            Whose::Gemm => unsafe {
                let [a_row, a_col, b_row, b_col] = [a_row, a_col, b_row, b_col].map(|stride| stride as isize);
                let (c, c_row) = (c.as_mut_ptr(), n as isize);
                let one_thread = ::gemm::Parallelism::None;
                ::gemm::gemm(
                    m,
                    n,
                    k,
                    c,
                    1,
                    c_row,
                    false,
                    a.as_ptr(),
                    a_col,
                    a_row,
                    b.as_ptr(),
                    b_col,
                    b_row,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    one_thread,
                );
            },
        }
    }

    /// The median rates of [`Whose::ALL`] in GFLOP/s, taken in turn.
    pub fn rates(&mut self, rounds: usize) -> [f64; 3] {
        let mut all: [Vec<f64>; 3] = Default::default();
        for round in 0..WARM_UP + rounds {
            for (whose, times) in Whose::ALL.into_iter().zip(&mut all) {
                let (elapsed, ()) = timed(|| self.run(whose));
                if round >= WARM_UP {
                    times.push(elapsed);
                }
            }
        }
        all.map(|times| 1e-6 * self.flop() as f64 / median(&times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_compute_the_same_product() {
        for form in ["nn", "nt", "tn"] {
            let mut problem = Problem::new((19, 37, 23, form));
            let results = Whose::ALL.map(|whose| {
                problem.run(whose);
                problem.c.clone()
            });
            let a = |i: usize, d: usize| problem.a[if form == "tn" { d * 19 + i } else { i * 23 + d }];
            let b = |d: usize, j: usize| problem.b[if form == "nt" { j * 23 + d } else { d * 37 + j }];
            for (place, (i, j)) in (0..19).flat_map(|i| (0..37).map(move |j| (i, j))).enumerate() {
                let expected: f32 = (0..23).map(|d| a(i, d) * b(d, j)).sum();
                for result in &results {
                    assert!((result[place] - expected).abs() < 1e-4, "{form} at {i}, {j}");
                }
            }
        }
    }
}
