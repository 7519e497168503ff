use crate::Result;
use crate::ranking::Ranking;

/// The precision-recall curve, from "everything is called anomalous" to "nothing is".
#[derive(Debug, Clone, PartialEq)]
pub struct PrCurve {
    /// TP / (TP + FP); a last 1 without a threshold is appended.
    pub precision: Vec<f64>,
    /// TP / positives, descending (1 throughout if there are no positives); a last 0 without a threshold is appended.
    pub recall: Vec<f64>,
    /// Ascending, one element shorter than the other two.
    pub thresholds: Vec<f64>,
}

/// The precision-recall curve of the rule `score >= threshold`, one point per distinct score.
///
/// # Errors
/// Empty or non-finite input, or lengths that differ.
pub fn pr_curve(labels: &[bool], scores: &[f64]) -> Result<PrCurve> {
    let ranking = Ranking::new(labels, scores)?;
    let ascending = || ranking.levels.iter().rev();
    Ok(PrCurve {
        precision: ascending().map(|level| level.precision()).chain([1.0]).collect(),
        recall: ascending().map(|level| ranking.recall(*level)).chain([0.0]).collect(),
        thresholds: ascending().map(|level| level.threshold).collect(),
    })
}

/// Average precision, `sum over n of (R_n - R_(n-1)) P_n`, thresholds descending: a step function, no interpolation.
///
/// 0 without positives, 1 without negatives.
///
/// # Errors
/// Empty or non-finite input, or lengths that differ.
pub fn average_precision(labels: &[bool], scores: &[f64]) -> Result<f64> {
    Ok(average(&Ranking::new(labels, scores)?))
}

pub(crate) fn average(ranking: &Ranking) -> f64 {
    if ranking.positives == 0 {
        return 0.0;
    }
    let (mut sum, mut last) = (0.0, 0);
    for level in &ranking.levels {
        sum += (level.true_positives - last) as f64 * level.precision();
        last = level.true_positives;
    }
    sum / ranking.positives as f64
}

/// The trapezoid under the precision-recall curve (scikit-learn: `auc(recall, precision)`).
///
/// Not [`average_precision`]: joining the points by straight lines promises precisions that no threshold reaches. It is
/// here to compare with work that prints it. 0.5 without positives, 1 without negatives.
///
/// # Errors
/// Empty or non-finite input, or lengths that differ.
pub fn pr_auc_trapezoid(labels: &[bool], scores: &[f64]) -> Result<f64> {
    let curve = pr_curve(labels, scores)?;
    let pairs = curve.recall.windows(2).zip(curve.precision.windows(2));
    Ok(pairs.map(|(recall, precision)| (recall[0] - recall[1]) * (precision[0] + precision[1]) / 2.0).sum())
}

/// What [`best_f1`] finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestF1 {
    /// The largest F1 over all thresholds.
    pub f1: f64,
    /// The lowest score that, used as threshold, reaches it: `score >= threshold` is called anomalous.
    pub threshold: f64,
}

/// The best F1, `2PR / (P + R) = 2 TP / (TP + FP + positives)`, over all distinct scores as thresholds.
///
/// It cannot fall below `2p / (1 + p)`, p being the share of anomalies: calling everything anomalous reaches that.
/// 0 without positives, 1 without negatives, both at the lowest score.
///
/// # Errors
/// Empty or non-finite input, or lengths that differ.
pub fn best_f1(labels: &[bool], scores: &[f64]) -> Result<BestF1> {
    Ok(best(&Ranking::new(labels, scores)?))
}

pub(crate) fn best(ranking: &Ranking) -> BestF1 {
    let mut best = BestF1 { f1: 0.0, threshold: f64::INFINITY };
    for level in &ranking.levels {
        // One division of whole numbers: equal F1 are equal bits, so `>=` on the way down keeps the lowest threshold.
        let f1 = (2 * level.true_positives) as f64 / (level.predicted() + ranking.positives) as f64;
        if f1 >= best.f1 {
            best = BestF1 { f1, threshold: level.threshold };
        }
    }
    best
}
