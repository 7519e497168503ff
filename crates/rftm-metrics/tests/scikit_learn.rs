//! The conventions and edge cases of scikit-learn 1.9.1 and NumPy 2.4.6, whose output the expected values are.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use rftm_metrics::{
    BestF1, MetricError, Summary, auroc, average_precision, best_f1, histogram, mean_std, min_max, partial_auroc,
    pr_auc_trapezoid, pr_curve, quantile, roc_curve,
};

const TOLERANCE: f64 = 1e-12;

fn close(name: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= TOLERANCE, "{name}: found {found:?}, expected {expected:?}");
}

/// AUROC (`None`: one class), average precision, trapezoid, best F1 and its threshold.
type Expected = (Option<f64>, f64, f64, f64, f64);

fn check(name: &str, labels: &[bool], scores: &[f64], (roc, average, trapezoid, f1, threshold): Expected) {
    match (auroc(labels, scores), roc) {
        (Ok(found), Some(expected)) => close(name, found, expected),
        (Err(MetricError::OneClass { positives, negatives }), None) => {
            assert_eq!((positives + negatives) as usize, labels.len(), "{name}");
        }
        (found, expected) => panic!("{name}: AUROC {found:?}, expected {expected:?}"),
    }
    close(name, average_precision(labels, scores).unwrap(), average);
    close(name, pr_auc_trapezoid(labels, scores).unwrap(), trapezoid);
    let best = best_f1(labels, scores).unwrap();
    close(name, best.f1, f1);
    assert_eq!(best.threshold, threshold, "{name}");
    match Summary::new(labels, scores) {
        Ok(summary) => {
            let parts = (summary.auroc, summary.auprc, BestF1 { f1: summary.f1, threshold: summary.threshold });
            assert_eq!(parts, (auroc(labels, scores).unwrap(), average_precision(labels, scores).unwrap(), best));
        }
        Err(error) => assert_eq!(Err(error), auroc(labels, scores), "{name}"),
    }
}

fn labels(text: &str) -> Vec<bool> {
    text.bytes().map(|byte| byte == b'1').collect()
}

#[test]
fn the_table() {
    let third = 1.0 / 3.0;
    let one_ulp_above_1 = f64::from_bits(1.0_f64.to_bits() + 1);
    let tenths: Vec<f64> = (0..10).map(|tenth| f64::from(tenth) / 10.0).collect();
    let cases: &[(&str, &str, &[f64], Expected)] = &[
        ("mixed", "0011", &[0.1, 0.4, 0.35, 0.8], (Some(0.75), 2.5 * third, 0.7916666666666666, 0.8, 0.35)),
        ("a tie", "0101", &[0.5, 0.5, 0.2, 0.8], (Some(0.875), 2.5 * third, 0.9166666666666666, 0.8, 0.5)),
        ("all tied, 2 of 4", "0101", &[0.5; 4], (Some(0.5), 0.5, 0.75, 2.0 * third, 0.5)),
        ("all tied, 1 of 4", "0001", &[0.5; 4], (Some(0.5), 0.25, 0.625, 0.4, 0.5)),
        ("perfect", "0011", &[0.1, 0.2, 0.3, 0.4], (Some(1.0), 1.0, 1.0, 1.0, 0.3)),
        (
            "reversed",
            "1100",
            &[0.1, 0.2, 0.3, 0.4],
            (Some(0.0), 0.41666666666666663, 0.29166666666666663, 2.0 * third, 0.1),
        ),
        ("reversed, 1 of 10", "1000000000", &tenths, (Some(0.0), 0.1, 0.05, 0.18181818181818182, 0.0)),
        ("no positives", "000", &[0.1, 0.2, 0.3], (None, 0.0, 0.5, 0.0, 0.1)),
        ("no negatives", "111", &[0.1, 0.2, 0.3], (None, 1.0, 1.0, 1.0, 0.1)),
        ("single positive", "1", &[0.3], (None, 1.0, 1.0, 1.0, 0.3)),
        ("-0.0 below 0.0", "01", &[-0.0, 0.0], (Some(0.5), 0.5, 0.75, 2.0 * third, 0.0)),
        ("0.0 above -0.0", "10", &[-0.0, 0.0], (Some(0.5), 0.5, 0.75, 2.0 * third, 0.0)),
        ("one ulp apart", "01", &[1.0, one_ulp_above_1], (Some(1.0), 1.0, 1.0, 1.0, one_ulp_above_1)),
        // Labels and scores that scikit-learn reaches by dropping rows of weight zero: what is left is ranked alone.
        ("zero weights dropped", "011", &[0.1, 0.35, 0.8], (Some(1.0), 1.0, 1.0, 1.0, 0.35)),
        // Two thresholds reach F1 = 2/3 (at 0.1: 2*2/(4+2), at 0.4: 2*1/(1+2)): the lower one is reported.
        ("equal best F1", "1001", &[0.1, 0.2, 0.3, 0.4], (Some(0.5), 0.75, 0.7083333333333333, 2.0 * third, 0.1)),
    ];
    for (name, text, scores, expected) in cases {
        check(name, &labels(text), scores, *expected);
    }
}

#[test]
fn bad_input_is_a_typed_error() {
    let check = |name: &str, labels: &[bool], scores: &[f64], expected: fn(&MetricError) -> bool| {
        let errors = [
            auroc(labels, scores).unwrap_err(),
            partial_auroc(labels, scores, 0.5).unwrap_err(),
            average_precision(labels, scores).unwrap_err(),
            pr_auc_trapezoid(labels, scores).unwrap_err(),
            best_f1(labels, scores).unwrap_err(),
            roc_curve(labels, scores).unwrap_err(),
            pr_curve(labels, scores).unwrap_err(),
            Summary::new(labels, scores).unwrap_err(),
        ];
        assert!(errors.iter().all(expected), "{name}: {errors:?}");
    };
    use MetricError::{Empty, LengthMismatch, NonFinite};
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        check("not finite", &labels("010"), &[1.0, 2.0, value], |error| matches!(error, NonFinite { index: 2, .. }));
    }
    check("empty", &[], &[], |error| *error == Empty);
    check("lengths", &labels("01"), &[0.5], |error| *error == LengthMismatch { labels: 2, scores: 1 });
    let message = auroc(&labels("01"), &[0.5, f64::NAN]).unwrap_err().to_string();
    assert!(message.contains("NaN at index 1"), "{message}");
    assert!(matches!(roc_curve(&labels("00"), &[1.0, 2.0]), Err(MetricError::OneClass { positives: 0, negatives: 2 })));
}

/// numpy default_rng(0): label = random(1000) < 0.1, score = standard_normal(1000) + label, rounded to one decimal.
fn thousand() -> (Vec<bool>, Vec<f64>, Vec<f64>) {
    let (mut labels, mut scores, mut rounded) = (Vec::new(), Vec::new(), Vec::new());
    for line in include_str!("thousand_scores.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        labels.push(fields[0] == "1");
        scores.push(fields[1].parse().unwrap());
        rounded.push(fields[2].parse().unwrap());
    }
    assert_eq!(labels.len(), 1000);
    (labels, scores, rounded)
}

#[test]
fn a_thousand_scores() {
    let (labels, scores, rounded) = thousand();
    let expected = (Some(0.7805350337325324), 0.3187862990720116, 0.3270431601604724, 0.37719298245614036, 1.3);
    check("rounded, many ties", &labels, &rounded, expected);
    let expected =
        (Some(0.7800170204368578), 0.3304020967047774, 0.32635516662491926, 0.380952380952381, 1.2419430815388781);
    check("no ties", &labels, &scores, expected);
    let partial = [
        (0.05, 0.5863527604374851),
        (0.1, 0.6179126640768665),
        (0.3, 0.706899225344006),
        (0.5, 0.7386382341015065),
        (1.0, 0.7805350337325324),
    ];
    for (max_fpr, expected) in partial {
        close("partial", partial_auroc(&labels, &rounded, max_fpr).unwrap(), expected);
    }
}

#[test]
fn partial_area_and_its_range() {
    let (labels, scores) = (labels("0011"), [0.1, 0.4, 0.35, 0.8]);
    close("max_fpr 0.5", partial_auroc(&labels, &scores, 0.5).unwrap(), 2.0 / 3.0);
    for max_fpr in [0.0, -0.1, 1.1, f64::NAN] {
        let error = partial_auroc(&labels, &scores, max_fpr).unwrap_err();
        assert!(matches!(error, MetricError::Argument { name: "max_fpr", .. }), "{error:?}");
    }
}

#[test]
fn curves_have_the_documented_ends() {
    let (labels, scores) = (labels("0011"), [0.1, 0.4, 0.35, 0.8]);
    let roc = roc_curve(&labels, &scores).unwrap();
    assert_eq!(roc.false_positive_rate, [0.0, 0.0, 0.5, 0.5, 1.0]);
    assert_eq!(roc.true_positive_rate, [0.0, 0.5, 0.5, 1.0, 1.0]);
    assert_eq!(roc.thresholds, [f64::INFINITY, 0.8, 0.4, 0.35, 0.1]);
    let pr = pr_curve(&labels, &scores).unwrap();
    assert_eq!(pr.precision, [0.5, 2.0 / 3.0, 0.5, 1.0, 1.0]);
    assert_eq!(pr.recall, [1.0, 1.0, 0.5, 0.5, 0.0]);
    assert_eq!(pr.thresholds, [0.1, 0.35, 0.4, 0.8]);
}

#[test]
fn numpy_statistics() {
    let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0];
    for (q, expected) in [(0.0, 1.0), (0.1, 1.0), (0.25, 2.5), (0.5, 4.0), (0.77, 5.0), (0.95, 7.5), (1.0, 9.0)] {
        close("quantile", quantile(&values, q).unwrap(), expected);
    }
    for (ddof, expected) in [(0, 2.256304299271065), (1, 2.3664319132398464)] {
        let found = mean_std(&values, ddof).unwrap();
        close("mean", found.mean, 4.0);
        close("std", found.std, expected);
    }
    let (_, scores, _) = thousand();
    let expected = [
        (0.01, -2.379062685851642),
        (0.1, -1.2826163782927307),
        (0.5, 0.09336725754146298),
        (0.9, 1.4410084669689078),
        (0.999, 3.2044697542888154),
    ];
    for (q, expected) in expected {
        close("quantile", quantile(&scores, q).unwrap(), expected);
    }
    let found = mean_std(&scores, 1).unwrap();
    close("mean", found.mean, 0.0769993922634047);
    close("std", found.std, 1.074891283268981);

    assert_eq!(quantile(&[7.0], 0.3), Ok(7.0));
    assert_eq!(mean_std(&[7.0], 0).map(|found| found.std), Ok(0.0));
    assert_eq!(mean_std(&[7.0], 1), Err(MetricError::TooFew { values: 1, ddof: 1 }));
    assert_eq!(mean_std(&[], 0), Err(MetricError::Empty));
    assert!(matches!(quantile(&[1.0, f64::NAN], 0.5), Err(MetricError::NonFinite { index: 1, .. })));
    for q in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(quantile(&values, q), Err(MetricError::Argument { name: "q", .. })));
    }
}

#[test]
fn numpy_histograms() {
    let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0];
    let whole = histogram(&values, 4, (1.0, 9.0)).unwrap();
    assert_eq!((whole.counts, whole.outside), (vec![3, 3, 4, 1], 0));
    assert_eq!(whole.edges, [1.0, 3.0, 5.0, 7.0, 9.0]);
    let part = histogram(&values, 3, (2.0, 5.0)).unwrap();
    assert_eq!((part.counts, part.outside), (vec![1, 2, 4], 4));

    let (_, scores, rounded) = thousand();
    // Many rounded scores lie on an edge that no float hits exactly.
    let found = histogram(&rounded, 10, (-4.0, 4.0)).unwrap();
    assert_eq!(found.counts, [0, 8, 54, 165, 231, 306, 166, 55, 13, 2]);
    let range = (quantile(&scores, 0.0).unwrap(), quantile(&scores, 1.0).unwrap());
    assert_eq!(histogram(&scores, 7, range).unwrap().counts, [14, 107, 287, 350, 191, 47, 4]);

    let bad = [(0, (0.0, 1.0)), (3, (1.0, 1.0)), (3, (1.0, 0.0)), (3, (0.0, f64::INFINITY)), (3, (f64::NAN, 1.0))];
    for (bins, range) in bad {
        let error = histogram(&values, bins, range).unwrap_err();
        assert!(matches!(error, MetricError::Argument { .. }), "{error:?}");
    }
    assert_eq!(histogram(&[], 3, (0.0, 1.0)), Err(MetricError::Empty));
}

#[test]
fn min_max_reaches_both_ends() {
    assert_eq!(min_max(&[3.0, 1.0, 2.0]), Ok(vec![1.0, 0.0, 0.5]));
    assert_eq!(min_max(&[2.0, 2.0]), Ok(vec![0.0, 0.0]));
    assert_eq!(min_max(&[]), Err(MetricError::Empty));
    assert!(matches!(min_max(&[f64::MAX, f64::MIN]), Err(MetricError::Argument { .. })));
}
