//! A detector from fit to load, on data small enough to train in a moment.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rand::Rng;
use rftm::{
    Architecture, Column, Data, Detector, EpochReport, Error, Layout, MemorySpec, Missing, ModelKind, Observer, Rule,
    Scaling, UnitConfig, Value,
};

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
fn batches_of_every_size_take_no_more_memory_than_a_few() {
    let (detector, data) = (fitted(ModelKind::Rftm), table(256, 2));
    detector.score(&data).unwrap();
    let once = rftm_tensor::pooled_bytes();
    for rows in 1..=256 {
        let part = Data::new(data.layout().clone(), data.values()[..4 * rows].to_vec()).unwrap();
        detector.score(&part).unwrap();
    }
    assert!(once > 0 && rftm_tensor::pooled_bytes() <= 3 * once, "{once}, then {}", rftm_tensor::pooled_bytes());
}

#[test]
fn samples_without_variation_are_refused_and_an_idle_model_is_told() {
    let same = Data::table(["a", "b"], [1.0, 2.0].repeat(50)).unwrap();
    let error = Detector::builder().fit(&same).unwrap_err();
    assert!(matches!(error, Error::NoVariation { what: "rows", samples: 35 }), "{error}");
    // What differs in the data may be the same to the model: rare categories, a gap and what fills it, the sign of a zero,
    // what is too small for 32 bits.
    let two = |values: Vec<f32>| Data::table(["a", "b"], values).unwrap();
    let levels = (0..60).map(|id| format!("id {id}")).collect();
    let layout = Layout::Table { columns: vec![Column::category("id", levels)] };
    for data in [
        Data::new(layout, (0..60).map(|id| id as f32).collect()).unwrap(),
        two([1.0, 2.0, f32::NAN, 2.0].repeat(30)),
        two([0.0, 2.0, -0.0, 2.0].repeat(30)),
        two((0..60).flat_map(|row| [row as f32 * 1e-40, 2.0]).collect()),
    ] {
        let error = Detector::builder().missing(Missing::Mean).fit(&data).unwrap_err();
        assert!(matches!(error, Error::NoVariation { what: "rows", .. }), "{error}");
    }
    let warned = |epochs| {
        let fitted = Detector::builder().max_epochs(epochs).fit(&table(300, 0)).unwrap();
        fitted.card().training.warnings.iter().any(|warning| warning.contains("guessing the mean"))
    };
    assert!(warned(1) && !warned(40));
}

#[test]
fn what_would_take_all_memory_is_refused() {
    let wide = Detector::builder().widths(&[100_000_000, 100_000_000]).fit(&table(50, 0)).unwrap_err();
    assert!(wide.to_string().contains("at most"), "{wide}");
    let memory = rftm_models::MemorySpec::memae(usize::MAX);
    let slots = Detector::builder().memory(memory).fit(&table(50, 0)).unwrap_err();
    assert!(slots.to_string().contains("capacity"), "{slots}");
}

#[test]
fn a_fit_is_reproducible_and_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ModelKind::ALL {
        let path = folder.path().join(kind.name());
        let (detector, again) = (fitted(kind), fitted(kind));
        let scores = detector.score(&table(50, 3)).unwrap();
        assert_eq!(again.score(&table(50, 3)).unwrap(), scores);
        detector.save(&path).unwrap();
        let loaded = Detector::load(&path).unwrap();
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

/// Rows of two numbers and a hundred flags, each of which is set in one of a thousand rows: training rows lack most of them,
/// and one new row in ten has one.
fn flags(rows: usize, stream: u64) -> Data {
    let mut random = rftm_rng::rng(7, "test", stream);
    let mut row = |_| -> Vec<f32> {
        let x = random.random_range(0.0..1.0_f32);
        let mut row = vec![x, x + random.random_range(0.0..0.1_f32)];
        row.extend((0..100).map(|_| f32::from(u8::from(random.random_bool(0.001)))));
        row
    };
    let values = (0..rows).flat_map(&mut row).collect();
    Data::table((0..102).map(|column| format!("c{column}")), values).unwrap()
}

#[test]
fn the_rate_is_kept_where_columns_are_constant_in_training() {
    let new = flags(2000, 60);
    let rate = 0.02;
    // The promise is one on average over calibrations.
    let share = |stream| {
        let builder = Detector::builder().kind(ModelKind::Ae).max_epochs(3).threshold(Rule::FalsePositiveRate(rate));
        let detector = builder.fit(&flags(400, stream)).unwrap();
        assert!(detector.calibration().len() >= 49);
        detector.predict(&new).unwrap().iter().filter(|&&odd| odd).count() as f64 / 2000.0
    };
    let mean = (61..69).map(share).sum::<f64>() / 8.0;
    assert!(mean < 1.5 * rate, "{mean} of normal rows at a rate of {rate}");
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
    assert_eq!((top.name.as_str(), top.observed.to_string().as_str()), ("kind", "(rare or not seen in training)"));
    let numeric = explained[2].contributions.iter().find(|one| one.name == "x").unwrap();
    assert_eq!(numeric.observed, Value::Missing);
}

/// Rows of four numbers and a category of which there are many: x, y, x + y, all alike but for `code`.
fn coded(rows: usize, stream: u64, code: impl Fn(usize) -> f32) -> Data {
    let mut random = rftm_rng::rng(7, "test", stream);
    let levels = (0..100).map(|level| format!("level {level}")).collect();
    let columns = ["x", "y", "sum"].map(Column::number).into_iter().chain([Column::category("code", levels)]);
    let mut row = |row: usize| {
        let (x, y) = (random.random_range(0.0..1.0_f32), random.random_range(0.0..1.0_f32));
        [x, y, x + y, code(row)]
    };
    let values = (0..rows).flat_map(&mut row).collect();
    Data::new(Layout::Table { columns: columns.collect() }, values).unwrap()
}

/// The same rows, every second with a sum that is wrong; the share of those that are found, at a rate of 1 %.
fn found(detector: &Detector) -> f64 {
    let data = coded(400, 40, |_| 0.0);
    let mut values = data.values().to_vec();
    values.chunks_exact_mut(8).for_each(|rows| rows[2] += 1.0);
    let flags = detector.predict(&Data::new(data.layout().clone(), values).unwrap()).unwrap();
    flags.iter().step_by(2).filter(|&&flag| flag).count() as f64 / 200.0
}

#[test]
fn rare_categories_and_missing_ones_do_not_spoil_the_rest() {
    let builder = || Detector::builder().kind(ModelKind::Ae).max_epochs(60);
    // Every tenth row has a category of its own, or none; the others have one of two.
    let common = |row: usize| (row % 2) as f32;
    for (what, odd) in [("rare", None), ("missing", Some(f32::NAN))] {
        let train =
            coded(800, 30, |row| if row % 10 == 5 { odd.unwrap_or(2.0 + (row / 10) as f32) } else { common(row) });
        let detector = builder().missing(Missing::Mean).fit(&train).unwrap();
        let Layout::Table { columns } = &detector.features().layout else { panic!("a table") };
        assert_eq!(columns[3].levels.as_deref(), Some(&["level 0".to_owned(), "level 1".to_owned()][..]));
        let (error, found) = (detector.card().training.validation_loss, found(&detector));
        assert!(error < 1.0 && found > 0.9, "{what}: error {error}, {found} found");
    }
}

#[test]
fn one_value_that_only_held_out_rows_have_chooses_neither_epoch_nor_threshold() {
    let builder = || Detector::builder().kind(ModelKind::Ae).max_epochs(60);
    let alone = |odd: usize| {
        let data = coded(300, 31, |_| 0.0);
        let names = ["x", "y", "sum", "flag"];
        let mut values = data.values().to_vec();
        values[4 * odd + 3] = 1.0;
        Data::table(names, values).unwrap()
    };
    let without = Data::table(["x", "y", "sum", "flag"], coded(300, 31, |_| 0.0).values().to_vec()).unwrap();
    let without = builder().fit(&without).unwrap();
    let (best_epoch, loss) = (without.card().training.best_epoch, without.card().training.validation_loss);
    // Ten deviations in one column of four, and nothing else: the others are reconstructed as if it had not moved.
    let change = 10.0_f32.powi(2) / 4.0;
    // Wherever it falls: 10 % of the rows are held out to stop in time, 20 % to calibrate.
    let mut warned = 0;
    for odd in 0..30 {
        let detector = builder().fit(&alone(odd)).unwrap();
        let training = &detector.card().training;
        let (worst, others) = detector.calibration().split_last().unwrap();
        let moved = "column \"flag\" is 0 in all training rows but not in 1 of the 90 others";
        if training.warnings.iter().any(|warning| warning.starts_with(moved)) {
            warned += 1;
            assert_eq!(training.best_epoch, best_epoch, "row {odd}");
            if *worst > 1.0 {
                assert!((worst - change).abs() < 0.1, "row {odd}: {worst}");
                assert_eq!(training.validation_loss, loss, "row {odd}");
                assert!(others.iter().all(|score| without.calibration().contains(score)), "row {odd}");
            } else {
                assert!((training.validation_loss - loss - f64::from(change) / 30.0).abs() < 1e-4, "row {odd}");
                assert_eq!(detector.calibration(), without.calibration(), "row {odd}");
            }
        } else {
            assert!(training.validation_loss < 0.1 && *worst < 1.0, "row {odd}: {}, {worst}", training.validation_loss);
        }
    }
    assert!((1..20).contains(&warned), "{warned} of 30");
}

/// A series is held out in time, so what begins late is in all rows that stop the training and in none that train. No model
/// could learn it; that it did not is no news.
#[test]
fn a_column_that_begins_to_change_late_does_not_make_a_model_idle() {
    let mut values = coded(600, 31, |_| 0.0).values().to_vec();
    values.chunks_exact_mut(4).skip(439).for_each(|row| row[3] = 1.0);
    let data = Data::series(["x", "y", "sum", "flag"], 2, 1, values).unwrap();
    let detector = Detector::builder().kind(ModelKind::Ae).max_epochs(60).fit(&data).unwrap();
    let warnings = &detector.card().training.warnings;
    assert!(detector.card().training.validation_loss > 20.0);
    assert!(
        warnings.iter().any(|warning| warning.starts_with("column \"flag\" is 0 in all training rows")),
        "{warnings:?}"
    );
    assert!(!warnings.iter().any(|warning| warning.contains("learned little")), "{warnings:?}");
}

/// An outlier in the training rows does not widen the robust scale, which is why that is recommended for them; nor may it
/// come to the model in full, whose running variances would be its own.
#[test]
fn robust_scaling_takes_outliers_in_the_training_rows() {
    let names = ["x", "y", "sum", "flag"];
    let normal = |rows, stream| coded(rows, stream, |_| 0.0).values().to_vec();
    let test = Data::table(names, normal(200, 41)).unwrap();
    let error = |sentinel: bool| {
        let mut values = normal(600, 31);
        values.chunks_exact_mut(4 * 150).filter(|_| sentinel).for_each(|rows| rows[1] = -9999.0);
        let builder = Detector::builder().kind(ModelKind::Ae).scaling(Scaling::Robust).max_epochs(60);
        let scores = builder.fit(&Data::table(names, values).unwrap()).unwrap().score(&test).unwrap();
        scores.iter().sum::<f32>() / scores.len() as f32
    };
    let (without, with) = (error(false), error(true));
    assert!(with < 2.0 * without, "normal rows: {with} after outliers, {without} without");
}

#[test]
fn what_cannot_score_is_refused_before_the_training() {
    struct Untrained;
    impl Observer for Untrained {
        fn epoch(&mut self, _: &EpochReport) {
            panic!("it was trained");
        }
    }
    let cortex = UnitConfig { forget_in_evaluation: true, ..UnitConfig::cortex() };
    let memory = MemorySpec::Twin { hippocampus: None, cortex: Some(cortex), connector: true };
    let data = table(100, 1);
    let error = Detector::builder().memory(memory).plan(&data).unwrap().fit(&mut Untrained).unwrap_err();
    assert!(error.to_string().contains("forgets in evaluation"), "{error}");
}

#[test]
fn numbers_at_the_ends_of_32_bits_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    for scale in [1e-45_f32, 5e-42, 1e-38, 1e36] {
        let values = (0..60).flat_map(|row| [row as f32 * scale, row as f32, scale]).collect();
        let data = Data::table(["small", "row", "constant"], values).unwrap();
        let detector = Detector::builder().kind(ModelKind::Ae).max_epochs(3).fit(&data).unwrap();
        detector.save(&path).unwrap();
        let loaded = Detector::load(&path).unwrap();
        assert_eq!(loaded.score(&data).unwrap(), detector.score(&data).unwrap(), "{scale:e}");
        detector.export_onnx().unwrap();
    }
}

#[test]
fn of_two_settings_the_later_counts() {
    let data = table(100, 0);
    let spec = |builder: rftm::Builder| builder.plan(&data).unwrap().spec().clone();
    let twin = || rftm::defaults::memory(ModelKind::Rftm, data.layout());
    let mlp = || Architecture::Mlp { widths: vec![4, 12, 3] };
    assert_eq!(spec(Detector::builder().memory(twin()).kind(ModelKind::Ae)).kind(), ModelKind::Ae);
    assert_eq!(spec(Detector::builder().kind(ModelKind::Ae).memory(twin())).kind(), ModelKind::Rftm);
    let widths = Architecture::Mlp { widths: vec![4, 9, 2] };
    assert_eq!(spec(Detector::builder().architecture(mlp()).widths(&[9, 2])).architecture, widths);
    assert_eq!(spec(Detector::builder().widths(&[9, 2]).architecture(mlp())).architecture, mlp());
    // The width of what the model sees is the builder's business: here a number and two indicators.
    let levels = vec!["low".to_owned(), "high".to_owned()];
    let columns = vec![Column::number("x"), Column::category("c", levels)];
    let values = (0..40).flat_map(|row| [row as f32, (row % 2) as f32]).collect();
    let mixed = Data::new(Layout::Table { columns }, values).unwrap();
    let plan = Detector::builder().widths(&[9, 2]).plan(&mixed).unwrap();
    assert_eq!(plan.spec().architecture, Architecture::Mlp { widths: vec![4, 9, 2] });
}

#[test]
fn a_shared_detector_is_saved_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let detector = std::sync::Arc::new(fitted(ModelKind::Rftm));
    detector.save(&path).unwrap();
    assert_eq!(Detector::load(&path).unwrap().export_onnx().unwrap(), detector.export_onnx().unwrap());
}

#[test]
fn how_far_the_rate_may_be_off_is_said_where_it_is_known() {
    let mut detector = fitted(ModelKind::Ae);
    let [low, high] = detector.false_positive_range().unwrap();
    assert!(0.0 < low && low < 1.0 / 61.0 && 1.0 / 61.0 < high && high < 0.1, "{low} to {high}");
    detector.set_threshold(Rule::Quantile(0.9)).unwrap();
    assert_eq!(detector.false_positive_range(), None);
    let series = Data::series(["x"], 4, 1, (0..200).map(|row| (row as f32 / 3.0).sin()).collect()).unwrap();
    let detector = Detector::builder().kind(ModelKind::Ae).max_epochs(2).fit(&series).unwrap();
    assert_eq!(detector.false_positive_range(), None, "windows depend on each other");
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
        Data::table(["a", "b", "same", "sum"], vec![1.0; 4]).unwrap(),
        "the model was fitted on a table whose column 3 is \"sum\", these data are a table whose column 3 is \"same\"",
    );
    let columns = ["a", "b", "sum", "same"].map(Column::number);
    let columns = columns[..3].iter().cloned().chain([Column::category("same", vec![])]).collect();
    check(
        Data::new(Layout::Table { columns }, vec![1.0; 4]).unwrap(),
        "the model was fitted on a table whose column 4 is \"same\", these data are a table whose column 4 is \"same\", of categories",
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

/// What stands in front of the number of a file's format.
const FORMAT: &[u8] = b"\\\"format\\\":";

fn format_at(file: &[u8]) -> usize {
    file.windows(FORMAT.len()).position(|bytes| bytes == FORMAT).expect("the header names its format") + FORMAT.len()
}

#[test]
fn files_of_earlier_formats_score_as_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.rftm");
    let data = Data::table(["x", "y"], (0..200).map(|x| (x * x % 37) as f32).collect()).unwrap();
    let detector = Detector::builder().kind(ModelKind::Ae).max_epochs(2).fit(&data).unwrap();
    detector.save(&path).unwrap();
    // Without a constant column, and of data that were no file, nothing but the number tells the formats apart.
    let mut bytes = fs::read(&path).unwrap();
    let at = format_at(&bytes);
    assert_eq!(bytes[at], b'3');
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(!text.contains(r#"\"limit\""#) && !text.contains(r#"\"named\""#));
    for format in [b'1', b'2'] {
        bytes[at] = format;
        fs::write(&path, &bytes).unwrap();
        let loaded = Detector::load(&path).unwrap();
        assert_eq!(loaded.card(), detector.card());
        assert_eq!(loaded.score(&data).unwrap(), detector.score(&data).unwrap());
    }
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
    let at = format_at(&whole);
    let mut zero = whole.clone();
    zero[at] = b'0';
    let error = load(&zero);
    assert!(matches!(error, Error::NotADetector { .. }) && error.to_string().contains("model format 0"), "{error}");
    let mut newer = whole.clone();
    newer[at] = b'9';
    let error = load(&newer);
    assert!(matches!(error, Error::NewerFormat { found: 9, supported: 3, .. }), "{error}");
    assert!(error.to_string().contains("use a newer rftm"));
    assert!(matches!(Detector::load(Path::new("/no/such/file")).unwrap_err(), Error::Io { .. }));
}
