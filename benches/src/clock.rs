//! Medians of repeated timings.

use std::time::Instant;

/// Runs that are not counted: buffers are allocated and caches filled in them.
pub const WARM_UP: usize = 3;

/// The timings of one thing, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// How many were counted.
    pub n: usize,
    /// Their median.
    pub median: f64,
    /// The shortest.
    pub min: f64,
}

impl Times {
    /// The summary of some timings; all NaN where there are none.
    #[must_use]
    pub fn of(milliseconds: &[f64]) -> Self {
        let min = milliseconds.iter().copied().reduce(f64::min).unwrap_or(f64::NAN);
        Self { n: milliseconds.len(), median: median(milliseconds), min }
    }
}

/// The middle value, or the mean of the two middle ones; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Milliseconds that `work` takes, and what it returns.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begin = Instant::now();
    let result = work();
    (1e3 * begin.elapsed().as_secs_f64(), result)
}

/// Runs `work` [`WARM_UP`] times and then `rounds` times against the clock.
///
/// # Errors
/// The first failure of `work`.
pub fn measure<E>(rounds: usize, mut work: impl FnMut() -> Result<(), E>) -> Result<Times, E> {
    for _ in 0..WARM_UP {
        work()?;
    }
    let mut all = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let (elapsed, result) = timed(&mut work);
        result?;
        all.push(elapsed);
    }
    Ok(Times::of(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in
            [(&[3.0][..], 3.0), (&[4.0, 1.0], 2.5), (&[9.0, 1.0, 2.0], 2.0), (&[4., 3., 1., 2.], 2.5)]
        {
            assert_eq!(median(values), expected, "{values:?}");
        }
        assert!(median(&[]).is_nan());
        assert_eq!(Times::of(&[5.0, 1.0, 3.0]), Times { n: 3, median: 3.0, min: 1.0 });
    }

    #[test]
    fn the_warm_up_is_not_counted_and_failures_end_it() {
        let mut calls = 0;
        let times = measure(4, || {
            calls += 1;
            Ok::<_, ()>(())
        });
        assert_eq!((calls, times.unwrap().n), (WARM_UP + 4, 4));
        assert_eq!(measure(4, || Err("no")), Err("no"));
    }
}
