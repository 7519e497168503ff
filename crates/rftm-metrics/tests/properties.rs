//! What must hold for any labels and scores.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use proptest::prelude::*;
use rftm_metrics::{
    MetricError, auroc, average_precision, best_f1, histogram, mean_std, pr_curve, quantile, roc_curve,
};

/// Both classes, and scores from a small grid so that ties are the rule.
fn sample() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
    let row = (any::<bool>(), -8_i32..8);
    (prop::collection::vec(row, 0..60), -8_i32..8, -8_i32..8).prop_map(|(mut rows, positive, negative)| {
        rows.extend([(true, positive), (false, negative)]);
        rows.into_iter().map(|(label, score)| (label, f64::from(score) / 4.0)).unzip()
    })
}

/// The definition: every pair of an anomaly and a normal sample, one half for a tie.
fn mann_whitney(labels: &[bool], scores: &[f64]) -> f64 {
    let of = |class| labels.iter().zip(scores).filter(move |(label, _)| **label == class).map(|(_, score)| *score);
    let (mut wins, mut pairs) = (0.0, 0.0);
    for positive in of(true) {
        for negative in of(false) {
            wins += if positive > negative { 1.0 } else { f64::from(u8::from(positive == negative)) / 2.0 };
            pairs += 1.0;
        }
    }
    wins / pairs
}

proptest! {
    #[test]
    fn auroc_is_the_mann_whitney_statistic((labels, scores) in sample()) {
        prop_assert!((auroc(&labels, &scores).unwrap() - mann_whitney(&labels, &scores)).abs() < 1e-14);
    }

    #[test]
    fn ranking_metrics_see_only_the_order((labels, scores) in sample()) {
        // Powers of two and a cube are exact here, so a tie stays a tie.
        for map in [|score: f64| score * 1024.0 - 512.0, |score: f64| score * score * score] {
            let mapped: Vec<f64> = scores.iter().copied().map(map).collect();
            prop_assert_eq!(auroc(&labels, &scores), auroc(&labels, &mapped));
            prop_assert_eq!(average_precision(&labels, &scores), average_precision(&labels, &mapped));
            let (before, after) = (best_f1(&labels, &scores).unwrap(), best_f1(&labels, &mapped).unwrap());
            prop_assert_eq!(before.f1, after.f1);
            prop_assert_eq!(map(before.threshold), after.threshold);
        }
    }

    #[test]
    fn the_order_of_the_samples_does_not_matter((labels, scores) in sample(), turn in 0_usize..60) {
        let turned = |rows: &[(bool, f64)]| -> (Vec<bool>, Vec<f64>) { rows.iter().copied().unzip() };
        let mut rows: Vec<(bool, f64)> = labels.iter().copied().zip(scores.iter().copied()).collect();
        let turn = turn % rows.len();
        rows.rotate_left(turn);
        let (other_labels, other_scores) = turned(&rows);
        prop_assert_eq!(pr_curve(&labels, &scores), pr_curve(&other_labels, &other_scores));
        prop_assert_eq!(roc_curve(&labels, &scores), roc_curve(&other_labels, &other_scores));
    }

    #[test]
    fn flipped_labels_and_negated_scores_cancel((labels, scores) in sample()) {
        let flipped: Vec<bool> = labels.iter().map(|label| !label).collect();
        let negated: Vec<f64> = scores.iter().map(|score| -score).collect();
        let area = auroc(&labels, &scores).unwrap();
        prop_assert_eq!(area, auroc(&flipped, &negated).unwrap());
        prop_assert!((area + auroc(&flipped, &scores).unwrap() - 1.0).abs() < 1e-14);
    }

    #[test]
    fn best_f1_is_reached_by_its_rule_and_not_below_its_floor((labels, scores) in sample()) {
        let best = best_f1(&labels, &scores).unwrap();
        let f1_at = |threshold: f64| {
            let called = scores.iter().filter(|score| **score >= threshold).count();
            let hits = labels.iter().zip(&scores).filter(|(label, score)| **label && **score >= threshold).count();
            let positives = labels.iter().filter(|label| **label).count();
            (2 * hits) as f64 / (called + positives) as f64
        };
        prop_assert_eq!(best.f1, f1_at(best.threshold));
        for score in &scores {
            prop_assert!(f1_at(*score) < best.f1 || (f1_at(*score) == best.f1 && *score >= best.threshold));
        }
        let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
        prop_assert!(best.f1 >= 2.0 * share / (1.0 + share) - 1e-14);
    }

    #[test]
    fn statistics_stay_inside_the_data(
        values in prop::collection::vec(-1e6_f64..1e6, 1..50), q in 0.0_f64..=1.0, bins in 1_usize..20,
    ) {
        let (low, high) = (quantile(&values, 0.0).unwrap(), quantile(&values, 1.0).unwrap());
        let middle = quantile(&values, q).unwrap();
        prop_assert!((low..=high).contains(&middle));
        let found = mean_std(&values, 0).unwrap();
        prop_assert!(found.mean >= low - 1e-9 && found.mean <= high + 1e-9 && found.std <= high - low);
        let counted = histogram(&values, bins, (low, high + 1.0)).unwrap();
        prop_assert_eq!(counted.counts.iter().sum::<u64>() as usize, values.len());
        prop_assert_eq!(counted.outside, 0);
    }

    #[test]
    fn nothing_panics(labels in prop::collection::vec(any::<bool>(), 0..20), scores in prop::collection::vec(prop::num::f64::ANY, 0..20), q in prop::num::f64::ANY) {
        let finite = !scores.is_empty() && scores.iter().all(|score| score.is_finite());
        prop_assert_eq!(average_precision(&labels, &scores).is_ok(), finite && labels.len() == scores.len());
        prop_assert!(auroc(&labels, &scores).is_ok_and(|area| (0.0..=1.0).contains(&area)) || auroc(&labels, &scores).is_err());
        prop_assert_eq!(quantile(&scores, q).is_ok(), finite && (0.0..=1.0).contains(&q));
        prop_assert!(quantile(&scores, q).is_ok_and(|value| value.is_finite()) || quantile(&scores, q).is_err());
        for ddof in [0, 1] {
            match mean_std(&scores, ddof) {
                Ok(found) => prop_assert!(found.mean.is_finite() && found.std.is_finite()),
                Err(error) => prop_assert!(!finite || scores.len() <= ddof || (ddof, error) == (1, MetricError::Overflow)),
            }
        }
    }
}
