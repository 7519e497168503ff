//! Our detectors, as a user of the crate `rftm` fits them.

use anyhow::Result;
use ndarray::{Array2, Axis};
use rftm::{Data, Detector, ModelKind};

use super::data::Split;
use super::record::Measured;
use crate::clock::{median, timed};

/// Rows that are scored alone.
const SINGLE_ROWS: usize = 100;
/// Times that all rows are scored.
const REPETITIONS: usize = 3;

/// Fits a detector with its defaults, the split's seed for its own, and scores the test rows.
///
/// # Errors
/// Those of the detector.
pub fn measure(kind: ModelKind, split: &Split, seed: u64) -> Result<(Vec<f64>, Measured)> {
    let train = data(&split.train)?;
    let (fit_ms, detector) = timed(|| Detector::builder().kind(kind).seed(seed).fit(&train));
    let detector = detector?;
    let test = data(&split.test)?;
    let mut scores = detector.score(&test)?;
    let mut best = f64::INFINITY;
    for _ in 0..REPETITIONS {
        let (ms, again) = timed(|| detector.score(&test));
        scores = again?;
        best = best.min(ms);
    }
    let mut single = Vec::new();
    for row in split.test.axis_iter(Axis(0)).take(SINGLE_ROWS) {
        let row = data(&row.to_owned().insert_axis(Axis(0)))?;
        let (ms, score) = timed(|| detector.score(&row));
        score?;
        single.push(ms);
    }
    let measured = Measured { fit_s: fit_ms / 1e3, score_s: best / 1e3, single_ms: median(&single) };
    Ok((scores.into_iter().map(f64::from).collect(), measured))
}

/// So many threads for [`measure`] to run on.
///
/// # Errors
/// If the system gives none.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}

fn data(rows: &Array2<f32>) -> Result<Data> {
    let names = (0..rows.ncols()).map(|column| format!("x{column}"));
    Ok(Data::table(names, rows.iter().copied().collect())?)
}
