//! A detector from fit to load, on data small enough to train in a moment.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rand::Rng;
use rftm::{Column, Data, Detector, Error, Layout, Missing, ModelKind, Rule, Samples, Scaling, Value};

/// Rows (a, b, a + b, 3): three numbers that belong together and one that never changes.
fn table(rows: usize, stream: u64) -> Data {
    let mut random = rftm_rng::rng(7, "test", stream);
    let row = |_| {
        let (a, b) = (random.random_range(0.0..1.0_f32), random.random_range(10.0..20.0_f32));
        [a, b, a + b, 3.0]
    };
    Data::table(["a", "b", "sum", "same"], (0..rows).flat_map(row).collect()).unwrap()
}

fn fitted(kind: ModelKind) -> Detector {
    Detector::builder().kind(kind).max_epochs(15).fit(&table(300, 0)).unwrap()
}

fn odd() -> Data {
    Data::table(["a", "b", "sum", "same"], vec![0.5, 15.0, 15.5, 3.0, 0.5, 15.0, 60.0, 3.0]).unwrap()
}

#[test]
fn every_model_finds_what_is_odd_and_says_where() {
    for kind in ModelKind::ALL {
        let detector = fitted(kind);
        let scores = detector.score(&odd()).unwrap();
        assert!(scores[1] > scores[0], "{kind}: {scores:?}");
        let all = detector.score(&table(200, 1)).unwrap();
        let distinct: std::collections::BTreeSet<u32> = all.iter().map(|score| score.to_bits()).collect();
        assert!(distinct.len() > 190, "{kind}: scores must not collapse");

        let explained = detector.explain(&odd(), &[1, 0], 3).unwrap();
        assert_eq!((explained[0].sample, explained[0].score), (1, scores[1]));
        let sum = explained[0].contributions.iter().find(|one| one.name == "sum").unwrap();
        assert_eq!(sum.observed, Value::Number(60.0));
        if kind == ModelKind::Rftm {
            // Others follow an extreme value a good part of the way, and spoil another column by it.
            assert_eq!(explained[0].contributions[0], *sum);
        }
        assert!((explained[0].shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(explained[0].contributions.is_sorted_by(|a, b| a.share >= b.share));
        let patterns = &explained[0].patterns;
        assert_eq!(patterns.is_empty(), kind == ModelKind::Ae);
        assert!(patterns.len() <= 3 && patterns.is_sorted_by(|a, b| a.weight >= b.weight));
        assert!(patterns.iter().all(|pattern| pattern.values.len() == 4 && pattern.weight > 0.0));
    }
}

#[test]
fn scores_depend_on_nothing_but_the_sample() {
    for kind in ModelKind::ALL {
        let detector = fitted(kind);
        let data = table(300, 2);
        let together = detector.score(&data).unwrap();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for threads in [1, 2] {
            let scores = pool(threads).install(|| detector.score(&data)).unwrap();
            assert_eq!(scores, together, "{kind}, {threads} threads");
        }
        for row in 0..data.len() {
            let one = Data::new(data.layout().clone(), data.sample(row).to_vec()).unwrap();
            assert_eq!(detector.score(&one).unwrap(), together[row..=row], "{kind}, row {row} alone");
        }
    }
}

#[test]
fn a_fit_is_reproducible_and_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ModelKind::ALL {
        let path = folder.path().join(kind.name());
        let (mut detector, again) = (fitted(kind), fitted(kind));
        let scores = detector.score(&table(50, 3)).unwrap();
        assert_eq!(again.score(&table(50, 3)).unwrap(), scores);
        detector.save(&path).unwrap();
        let mut loaded = Detector::load(&path).unwrap();
        assert_eq!(loaded.card(), detector.card());
        assert_eq!(loaded.calibration(), detector.calibration());
        assert_eq!(loaded.score(&table(50, 3)).unwrap(), scores);
        assert_eq!(loaded.explain(&odd(), &[1], 2).unwrap(), detector.explain(&odd(), &[1], 2).unwrap());
        let second = folder.path().join("again");
        loaded.save(&second).unwrap();
        assert_eq!(fs::read(second).unwrap(), fs::read(path).unwrap(), "equal detectors are equal files");
    }
}

#[test]
fn a_threshold_changes_without_training() {
    let mut detector = fitted(ModelKind::Ae);
    assert_eq!(detector.calibration().len(), 60);
    let digest = detector.score(&odd()).unwrap();
    let flagged = |detector: &Detector| detector.predict(&table(500, 4)).unwrap().iter().filter(|&&odd| odd).count();
    detector.set_threshold(Rule::FalsePositiveRate(0.2)).unwrap();
    let loose = flagged(&detector);
    detector.set_threshold(Rule::FalsePositiveRate(0.02)).unwrap();
    let tight = flagged(&detector);
    // 100 and 10 expected.
    assert!((50..150).contains(&loose) && tight < 50 && tight < loose, "{loose}, {tight}");
    assert_eq!(detector.score(&odd()).unwrap(), digest);
    assert!(detector.set_threshold(Rule::FalsePositiveRate(0.001)).is_err());
    let p = detector.p_value(digest[1]);
    assert_eq!(p, 1.0 / 61.0, "nothing in calibration is as odd");
}

#[test]
fn p_values_of_normal_samples_keep_their_promise() {
    let detector = fitted(ModelKind::Rftm);
    let scores = detector.score(&table(2000, 5)).unwrap();
    for rate in [0.05, 0.1, 0.3] {
        let share = scores.iter().filter(|&&score| detector.p_value(score) <= rate).count() as f64 / 2000.0;
        // Given the calibration scores the share is about Beta: a standard deviation of sqrt(rate (1 - rate) / 60).
        let spread = (rate * (1.0 - rate) / 60.0).sqrt();
        assert!(share < rate + 4.0 * spread, "{share} of normal samples at rate {rate}");
    }
}

#[test]
fn a_constant_column_that_moves_is_odd() {
    let detector = fitted(ModelKind::Rftm);
    let data = Data::table(["a", "b", "sum", "same"], vec![0.5, 15.0, 15.5, 3.1]).unwrap();
    let explained = &detector.explain(&data, &[0], 0).unwrap()[0];
    assert!(explained.anomalous);
    assert_eq!(explained.contributions[0].name, "same");
}

#[test]
fn categories_and_missing_values() {
    let mut random = rftm_rng::rng(7, "test", 9);
    let columns = vec![Column::number("x"), Column::category("kind", vec!["low".into(), "high".into()])];
    let layout = Layout::Table { columns };
    let mut values = Vec::new();
    for row in 0..200 {
        let high = random.random_range(0..2_u8);
        let x = random.random_range(0.0..1.0_f32) + 5.0 * f32::from(high);
        values.extend([if row % 40 == 0 { f32::NAN } else { x }, f32::from(high)]);
    }
    let data = Data::new(layout.clone(), values).unwrap();
    let refused = Detector::builder().fit(&data).unwrap_err();
    assert!(matches!(refused, Error::MissingValue { row: 1, .. }), "{refused}");
    let builder = Detector::builder().missing(Missing::Median).scaling(Scaling::Robust).max_epochs(40);
    let detector = builder.fit(&data).unwrap();
    let new = Data::new(layout, vec![0.5, 0.0, 0.5, Column::UNSEEN, f32::NAN, 1.0]).unwrap();
    let explained = detector.explain(&new, &[0, 1, 2], 1).unwrap();
    assert!(explained[1].score > explained[0].score);
    let top = &explained[1].contributions[0];
    assert_eq!((top.name.as_str(), top.observed.to_string().as_str()), ("kind", "(not seen in training)"));
    let numeric = explained[2].contributions.iter().find(|one| one.name == "x").unwrap();
    assert_eq!(numeric.observed, Value::Missing);
}

#[test]
fn series_and_images_of_odd_sizes() {
    let wave = |row: usize| [(row as f32 / 5.0).sin(), (row as f32 / 5.0).cos()];
    let mut values: Vec<f32> = (0..600).flat_map(wave).collect();
    let series = Data::series(["sin", "cos"], 10, 1, values.clone()).unwrap();
    let detector = Detector::builder().max_epochs(25).fit(&series).unwrap();
    values[2 * 300] = 4.0;
    let spiked = Data::series(["sin", "cos"], 10, 1, values).unwrap();
    let scores = detector.score(&spiked).unwrap();
    let worst = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
    assert!((291..=300).contains(&worst), "window {worst}");
    let explained = &detector.explain(&spiked, &[worst], 1).unwrap()[0];
    assert_eq!(explained.contributions[0].name, format!("sin[{}]", 300 - worst));

    let mut random = rftm_rng::rng(7, "test", 20);
    let mut image = |dot: bool| -> Vec<f32> {
        let mut pixels: Vec<f32> =
            (0..3 * 9 * 14).map(|at| ((at % 14) * 18) as f32 + random.random_range(0.0..9.0)).collect();
        if dot {
            pixels[9 * 14 + 4 * 14 + 2] = 255.0;
        }
        pixels
    };
    let train: Vec<f32> = (0..60).flat_map(|_| image(false)).collect();
    let detector = Detector::builder().max_epochs(60).fit(&Data::images([3, 9, 14], train).unwrap()).unwrap();
    let new = [image(false), image(true)].concat();
    let new = Data::images([3, 9, 14], new).unwrap();
    let explained = detector.explain(&new, &[0, 1], 2).unwrap();
    assert!(explained[1].score > explained[0].score);
    let dot = explained[1].contributions.iter().position(|one| one.name == "channel 1, y 4, x 2").unwrap();
    assert!(dot < 20, "place {dot} of {}", 3 * 9 * 14);
    assert_eq!(explained[1].patterns[0].values.len(), 3 * 9 * 14);
}

#[test]
fn other_data_are_refused() {
    let detector = fitted(ModelKind::Ae);
    let check = |data: Data, expected: &str| {
        let message = detector.score(&data).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    };
    check(
        Data::table(["a"], vec![1.0]).unwrap(),
        "the model was fitted on a table of 4 columns, these data are a table of 1",
    );
    check(
        Data::images([1, 2, 2], vec![0.0; 4]).unwrap(),
        "the model was fitted on a table of 4 columns, these data are images",
    );
    check(
        Data::table(["a", "b", "sum", "same"], vec![1.0, 2.0, f32::NAN, 3.0]).unwrap(),
        "row 1, column \"sum\": the value is missing",
    );
    let error = Detector::builder().fit(&table(1, 0)).unwrap_err();
    assert!(matches!(error, Error::TooFew { found: 1, needed: 10, .. }), "{error}");
    let rate = Detector::builder().threshold(Rule::FalsePositiveRate(1e-4)).fit(&table(100, 0)).unwrap_err();
    assert!(rate.to_string().contains("cannot be promised by 20 calibration scores"), "{rate}");
}

#[test]
fn files_that_are_no_models_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.rftm");
    fitted(ModelKind::Rftm).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Detector::load(&path).unwrap_err()
    };
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        let error = load(&whole[..length]);
        assert!(matches!(error, Error::Damaged { .. }), "{length} bytes: {error}");
    }
    // Nothing that is covered by the checksum can change unnoticed: tensors and header alike.
    for at in (8..whole.len()).step_by(whole.len() / 97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        load(&bytes);
    }
    let error = load(b"a,b\n1,2\n3,4\n");
    assert!(matches!(error, Error::NotADetector { .. }), "{error}");
    let format = b"\\\"format\\\":";
    let header = whole.windows(format.len()).position(|bytes| bytes == format).expect("the header names its format");
    let mut newer = whole.clone();
    newer[header + format.len()] = b'9';
    let error = load(&newer);
    assert!(matches!(error, Error::NewerFormat { found: 9, supported: 1, .. }), "{error}");
    assert!(error.to_string().contains("use a newer rftm"));
    assert!(matches!(Detector::load(Path::new("/no/such/file")).unwrap_err(), Error::Io { .. }));
}
