//! The bootstrap against what is known of it, with the project's own streams.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use rftm_metrics::{Interval, MetricError, bootstrap_mean, mean_std};
use rftm_rng::{below, rng};

fn interval(values: &[f64], confidence: f64, seed: u64) -> Interval {
    let mut stream = rng(seed, "bootstrap", 0);
    bootstrap_mean(values, 10_000, confidence, |count| below(count, &mut stream)).unwrap()
}

#[test]
fn it_is_the_normal_interval_where_that_holds() {
    // 200 values from a triangle: means are as good as normal, with the standard error std / sqrt(n).
    let mut stream = rng(1, "values", 0);
    let mut uniform = || below(1 << 20, &mut stream) as f64 / f64::from(1 << 20);
    let values: Vec<f64> = (0..200).map(|_| uniform() + uniform()).collect();
    let spread = mean_std(&values, 0).unwrap();
    let error = spread.std / (values.len() as f64).sqrt();
    for (confidence, z) in [(0.95, 1.959_964), (0.8, 1.281_552), (0.5, 0.674_490)] {
        let found = interval(&values, confidence, 7);
        assert_eq!(found.mean, spread.mean);
        // 10,000 resamples place a quantile to about 0.03 standard errors.
        assert!((found.low - (spread.mean - z * error)).abs() < 0.1 * error, "{found:?}, {confidence}");
        assert!((found.high - (spread.mean + z * error)).abs() < 0.1 * error, "{found:?}, {confidence}");
    }
}

#[test]
fn two_values_give_the_binomial_distribution() {
    // Means of two draws from {0, 1} are 0, 1/2, 1 with the chances 1/4, 1/2, 1/4.
    let values = [0.0, 1.0];
    assert_eq!(interval(&values, 0.6, 3), Interval { mean: 0.5, low: 0.0, high: 1.0 });
    assert_eq!(interval(&values, 0.4, 3), Interval { mean: 0.5, low: 0.5, high: 0.5 });
}

#[test]
fn equal_values_have_no_spread_and_equal_streams_no_difference() {
    assert_eq!(interval(&[2.5; 9], 0.95, 1), Interval { mean: 2.5, low: 2.5, high: 2.5 });
    let values: Vec<f64> = (0..30).map(|i| f64::from(i * i)).collect();
    assert_eq!(interval(&values, 0.95, 1), interval(&values, 0.95, 1));
    assert_ne!(interval(&values, 0.95, 1), interval(&values, 0.95, 2));
    // Shifted values shift the interval (all numbers here are exact); it holds the mean.
    let shifted: Vec<f64> = values.iter().map(|value| value + 1024.0).collect();
    let (here, there) = (interval(&values, 0.95, 1), interval(&shifted, 0.95, 1));
    assert!(here.low < here.mean && here.mean < here.high);
    assert!((there.low - here.low - 1024.0).abs() < 1e-9 && (there.high - here.high - 1024.0).abs() < 1e-9);
}

#[test]
fn wrong_arguments_are_named() {
    let error =
        |values: &[f64], resamples, confidence| bootstrap_mean(values, resamples, confidence, |_| 0).unwrap_err();
    assert_eq!(error(&[], 10, 0.95), MetricError::Empty);
    assert!(matches!(error(&[1.0, f64::NAN], 10, 0.95), MetricError::NonFinite { index: 1, .. }));
    assert_eq!(error(&[1.5e308, 1.5e308], 10, 0.95), MetricError::Overflow);
    assert!(matches!(error(&[1.0], 0, 0.95), MetricError::Argument { name: "resamples", .. }));
    for confidence in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(matches!(error(&[1.0], 10, confidence), MetricError::Argument { name: "confidence", .. }));
    }
}
