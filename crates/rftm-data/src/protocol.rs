use std::sync::Arc;

use rftm_rng::{rng, sample_sorted};

use crate::samples::Part;
use crate::{Dataset, Error, Result, Samples, Scaling, Subset};

/// The split seed of the paper and of its release.
pub const SPLIT_SEED: u64 = 2022;

/// One task of the hold-one-class-out protocol: one class is the anomaly, all others together are normal.
#[derive(Debug, Clone)]
pub struct HoldOut {
    /// Normal samples to train on.
    pub train: Subset,
    /// Normal samples to stop early by.
    pub validation: Subset,
    /// The whole test part.
    pub test: Subset,
    /// Whether a test sample is of the anomalous class.
    pub anomalous: Vec<bool>,
}

/// Splits `dataset` with `class` held out (the paper, section 4.1).
///
/// First every sample of the class leaves the training part. Of the `n` that stay, `ceil(n / 10)` (scikit-learn's
/// `test_size=0.1`) are drawn with `split_seed` as validation set, the others train the model; both keep the original
/// order. The test part stays whole. The draw depends on seed and class only, so all models see one split.
///
/// # Errors
/// [`Error::UnknownClass`]; [`Error::Shape`] unless the pixels of both parts make as many images as there are labels;
/// [`Error::TooFewSamples`] if fewer than two normal samples could be trained on, nothing could
/// be validated, or the test part lacks anomalies or normal samples, without which no ROC curve exists.
pub fn hold_out(dataset: &Arc<Dataset>, class: u8, scaling: Scaling, split_seed: u64, flat: bool) -> Result<HoldOut> {
    if usize::from(class) >= dataset.class_names.len() {
        return Err(Error::UnknownClass { id: dataset.id, class, classes: dataset.class_names.clone() });
    }
    // A data set of one's own may be wrong, and the subsets do not look again.
    for split in [&dataset.train, &dataset.test] {
        let (samples, shape) = (split.len(), vec![dataset.channels, dataset.height, dataset.width]);
        let size = shape.iter().try_fold(samples, |size, &side| size.checked_mul(side));
        if shape.contains(&0) || size != Some(split.pixels.len()) {
            return Err(Error::Shape { values: split.pixels.len(), samples: Some(samples), shape });
        }
    }
    let need = |count: usize, needed: usize, what| {
        let error = || Error::TooFewSamples { id: dataset.id, class, what, count, needed };
        if count < needed { Err(error()) } else { Ok(()) }
    };
    let normal: Vec<u32> = indices(dataset.train.labels.iter().map(|label| *label != class));
    need(normal.len(), 3, "normal training samples (two to train, one to validate)")?;
    let anomalous: Vec<bool> = dataset.test.labels.iter().map(|label| *label == class).collect();
    let anomalies = anomalous.iter().filter(|anomalous| **anomalous).count();
    need(anomalies, 1, "test samples of the held-out class")?;
    need(anomalous.len() - anomalies, 1, "normal test samples")?;

    let [train, validation] = split(normal.len(), split_seed, u64::from(class))
        .map(|places| places.into_iter().map(|place| normal[place as usize]).collect());
    let subset = |part, indices| Subset::new(dataset, part, indices, scaling, flat);
    let hold_out = HoldOut {
        train: subset(Part::Train, train),
        validation: subset(Part::Train, validation),
        test: subset(Part::Test, indices(anomalous.iter().map(|_| true))),
        anomalous,
    };
    debug_assert_eq!(hold_out.train.len() + hold_out.validation.len(), normal.len());
    Ok(hold_out)
}

/// The places among `count` samples of those that train and of those that validate, the latter `ceil(count / 10)` and drawn
/// from stream `stream`, each in order. [`hold_out`] takes the class for the stream's number.
#[must_use]
pub fn split(count: usize, split_seed: u64, stream: u64) -> [Vec<u32>; 2] {
    let mut validation = Vec::new();
    sample_sorted(count, count.div_ceil(10), &mut rng(split_seed, "split", stream), &mut validation);
    let train = (0..count as u32).filter(|place| validation.binary_search(place).is_err()).collect();
    [train, validation]
}

fn indices(wanted: impl Iterator<Item = bool>) -> Vec<u32> {
    (0..).zip(wanted).filter(|(_, wanted)| *wanted).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn labels(counts: &[usize]) -> Vec<u8> {
        let mut labels: Vec<u8> = (0..).zip(counts).flat_map(|(class, count)| vec![class; *count]).collect();
        rftm_rng::shuffle(&mut labels, &mut rng(7, "test", 0));
        labels
    }

    #[test]
    fn anomalies_leave_first_and_a_tenth_rounded_up_validates() {
        // 30, 31, 35 and 39 normal samples: 3, 4, 4 and 4 validate.
        for (normal, expected) in [(30, 3), (31, 4), (35, 4), (39, 4)] {
            let dataset = Arc::new(testing::dataset(&labels(&[10, normal - 5, 5]), &labels(&[3, 2, 2])));
            let split = hold_out(&dataset, 0, Scaling::Unit, SPLIT_SEED, true).unwrap();
            assert_eq!((split.train.len(), split.validation.len()), (normal - expected, expected));
            assert!(split.train.labels().chain(split.validation.labels()).all(|label| label != 0));

            let mut all = [split.train.indices(), split.validation.indices()].concat();
            assert!(split.train.indices().is_sorted() && split.validation.indices().is_sorted());
            all.sort_unstable();
            assert_eq!(all, indices(dataset.train.labels.iter().map(|label| *label != 0)), "disjoint and complete");

            assert_eq!(split.test.len(), 7);
            let expected: Vec<bool> = dataset.test.labels.iter().map(|label| *label == 0).collect();
            assert_eq!(split.anomalous, expected);
        }
    }

    #[test]
    fn a_tenth_validates_and_nothing_is_lost() {
        let [train, validation] = split(101, 2022, 10);
        assert_eq!((train.len(), validation.len()), (90, 11));
        let mut all = [train, validation].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..101));
        assert_ne!(split(101, 2022, 10), split(101, 2022, 9));
    }

    #[test]
    fn the_draw_depends_on_seed_and_class_only() {
        let dataset = Arc::new(testing::dataset(&labels(&[40, 40, 40]), &labels(&[2, 2, 2])));
        let drawn = |class, scaling, seed, flat| {
            hold_out(&dataset, class, scaling, seed, flat).unwrap().validation.indices().to_vec()
        };
        let base = drawn(0, Scaling::Unit, SPLIT_SEED, true);
        assert_eq!(drawn(0, Scaling::Symmetric, SPLIT_SEED, false), base);
        assert_ne!(drawn(0, Scaling::Unit, 1997, true), base);
        assert_ne!(drawn(1, Scaling::Unit, SPLIT_SEED, true), base);
    }

    #[test]
    fn the_draw_is_pinned() {
        // A change here changes every recorded result: it must be deliberate.
        let labels: Vec<u8> = (0..60).map(|index| index % 3).collect();
        let dataset = Arc::new(testing::dataset(&labels, &[0, 1, 2]));
        for (class, expected) in [(0, [7, 22, 25, 56]), (1, [15, 23, 48, 56]), (2, [9, 10, 34, 58])] {
            let split = hold_out(&dataset, class, Scaling::Unit, SPLIT_SEED, true).unwrap();
            assert_eq!(split.validation.indices(), expected, "class {class}");
        }
    }

    #[test]
    fn every_sample_validates_as_often_as_any_other() {
        let dataset = Arc::new(testing::dataset(&labels(&[1, 20]), &labels(&[1, 1])));
        let mut counts = [0_u32; 21];
        for seed in 0..2000 {
            let split = hold_out(&dataset, 0, Scaling::Unit, seed, true).unwrap();
            split.validation.indices().iter().for_each(|index| counts[*index as usize] += 1);
        }
        // 200 expected, standard deviation 13.4: 5 sigma.
        assert!(counts.iter().all(|&count| count == 0 || (133..=267).contains(&count)), "{counts:?}");
        assert_eq!(counts.iter().filter(|count| **count == 0).count(), 1, "the anomaly never");
    }

    #[test]
    fn pixels_that_are_not_those_of_the_labels_are_an_error() {
        let check = |change: &dyn Fn(&mut Dataset), values: usize, samples: usize, shape: [usize; 3]| {
            let mut dataset = testing::dataset(&labels(&[5, 5]), &labels(&[1, 1]));
            change(&mut dataset);
            match hold_out(&Arc::new(dataset), 0, Scaling::Unit, SPLIT_SEED, true) {
                Err(Error::Shape { values: v, samples: n, shape: s }) => {
                    assert_eq!((v, n, &s[..]), (values, Some(samples), &shape[..]));
                }
                other => panic!("{other:?}"),
            }
        };
        check(&|it| it.train.pixels.truncate(39), 39, 10, [1, 2, 2]);
        check(&|it| it.train.pixels.extend([0; 40]), 80, 10, [1, 2, 2]);
        check(&|it| it.test.pixels.clear(), 0, 2, [1, 2, 2]);
        check(&|it| it.height = 0, 40, 10, [1, 0, 2]);
        check(&|it| (it.height, it.width) = (usize::MAX, usize::MAX), 40, 10, [1, usize::MAX, usize::MAX]);
    }

    #[test]
    fn impossible_splits_are_errors() {
        let check = |train: &[usize], test: &[usize], class, part: &str| {
            let dataset = Arc::new(testing::dataset(&labels(train), &labels(test)));
            let message = hold_out(&dataset, class, Scaling::Unit, SPLIT_SEED, true).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        check(&[5, 5], &[1, 1], 10, "glyphs has no class 10: its classes are 0 (zero)");
        check(&[5, 0], &[1, 1], 0, "0 normal training samples");
        check(&[5, 2], &[1, 1], 0, "2 normal training samples (two to train, one to validate), at least 3 needed");
        check(&[5, 5], &[0, 1], 0, "0 test samples of the held-out class");
        check(&[5, 5], &[2, 0], 0, "0 normal test samples");
        check(&[], &[], 0, "0 normal training samples");
    }
}
