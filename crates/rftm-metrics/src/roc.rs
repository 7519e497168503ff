use crate::ranking::Ranking;
use crate::{MetricError, Result};

/// The receiver operating characteristic: from (0, 0) to (1, 1), one point per distinct score.
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// FP / negatives, ascending; the first is 0.
    pub false_positive_rate: Vec<f64>,
    /// TP / positives, ascending; the first is 0.
    pub true_positive_rate: Vec<f64>,
    /// Descending; the first is infinity (nothing is called anomalous).
    pub thresholds: Vec<f64>,
}

/// The ROC curve of the rule `score >= threshold`.
///
/// Points on a straight line are kept (scikit-learn: `drop_intermediate=False`).
///
/// # Errors
/// Empty, non-finite or one-class input, or lengths that differ.
pub fn roc_curve(labels: &[bool], scores: &[f64]) -> Result<RocCurve> {
    let ranking = Ranking::new(labels, scores)?;
    ranking.require_both_classes()?;
    let points = ranking.levels.len() + 1;
    let mut curve = RocCurve {
        false_positive_rate: Vec::with_capacity(points),
        true_positive_rate: Vec::with_capacity(points),
        thresholds: Vec::with_capacity(points),
    };
    curve.push(0.0, 0.0, f64::INFINITY);
    for level in &ranking.levels {
        curve.push(
            level.false_positives as f64 / ranking.negatives as f64,
            level.true_positives as f64 / ranking.positives as f64,
            level.threshold,
        );
    }
    Ok(curve)
}

impl RocCurve {
    fn push(&mut self, false_positive_rate: f64, true_positive_rate: f64, threshold: f64) {
        self.false_positive_rate.push(false_positive_rate);
        self.true_positive_rate.push(true_positive_rate);
        self.thresholds.push(threshold);
    }
}

/// Area under the ROC curve: `P(score of an anomaly > score of a normal sample) + P(equal) / 2`.
///
/// # Errors
/// Empty, non-finite or one-class input, or lengths that differ.
pub fn auroc(labels: &[bool], scores: &[f64]) -> Result<f64> {
    area(&Ranking::new(labels, scores)?)
}

pub(crate) fn area(ranking: &Ranking) -> Result<f64> {
    ranking.require_both_classes()?;
    // Twice the trapezoid sum, in whole samples: exact, whatever the order of the additions.
    let (mut doubled, mut last_tp, mut last_fp) = (0_u128, 0, 0);
    for level in &ranking.levels {
        doubled += u128::from(level.false_positives - last_fp) * u128::from(last_tp + level.true_positives);
        (last_tp, last_fp) = (level.true_positives, level.false_positives);
    }
    let pairs = u128::from(ranking.positives) * u128::from(ranking.negatives);
    Ok(doubled as f64 / (2 * pairs) as f64)
}

/// Area under the ROC curve up to a false-positive rate of `max_fpr`, standardised after McClish (1989): 0.5 is chance
/// and 1 is perfect for every `max_fpr`.
///
/// `(1 + (A - m) / (M - m)) / 2` with A the area, `m = max_fpr^2 / 2` that of chance and `M = max_fpr` that of a perfect
/// ranking; at `max_fpr = 1` this is [`auroc`].
///
/// # Errors
/// As [`auroc`], and [`MetricError::Argument`] unless `max_fpr` lies in (0, 1].
pub fn partial_auroc(labels: &[bool], scores: &[f64], max_fpr: f64) -> Result<f64> {
    if !(max_fpr > 0.0 && max_fpr <= 1.0) {
        return Err(MetricError::Argument { name: "max_fpr", value: max_fpr, range: "(0, 1]" });
    }
    let curve = roc_curve(labels, scores)?;
    let points = || curve.false_positive_rate.iter().copied().zip(curve.true_positive_rate.iter().copied());
    let mut area = 0.0;
    for ((x0, y0), (x1, y1)) in points().zip(points().skip(1)) {
        if x1 <= max_fpr {
            area += (x1 - x0) * (y0 + y1) / 2.0;
        } else {
            let cut = y0 + (y1 - y0) * (max_fpr - x0) / (x1 - x0);
            area += (max_fpr - x0) * (y0 + cut) / 2.0;
            break;
        }
    }
    let (chance, perfect) = (max_fpr * max_fpr / 2.0, max_fpr);
    Ok(0.5 * (1.0 + (area - chance) / (perfect - chance)))
}
