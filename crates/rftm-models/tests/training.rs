//! A training is a function of its seed: not of threads, not of interruptions.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use rftm_autograd::{Param, Tape, Var, ops};
use rftm_data::{Rows, Samples};
use rftm_memory::{AttentionConfig, TwinConfig, TwinMemory, UnitConfig};
use rftm_models::{
    Bottleneck, Capacities, Convention, EpochReport, Error, MemorySpec, Model, ModelKind, ModelSpec, Observer, Silent,
    TrainConfig, TrainOutcome, train,
};
use rftm_nn::{Inference, LeakyRelu, Linear, Module, StateDict, StateError, Visitor};
use rftm_tensor::Tensor;

/// Vectors of 20 features that lie on a curved surface: learnable, and different for every row.
fn rows(from: usize, to: usize) -> Rows {
    let values = (from..to).flat_map(|i| {
        let (a, b) = ((i as f32 * 0.7).sin(), (i as f32 * 1.3).cos());
        (0..20).map(move |j| (a * j as f32 * 0.2).sin() * 0.6 + b * 0.3)
    });
    Rows::new(values.collect(), vec![20]).unwrap()
}

fn spec(kind: ModelKind, convention: Convention) -> ModelSpec {
    ModelSpec::mlp(&[20, 16, 8], MemorySpec::of(kind, convention, Capacities::default()), convention)
}

fn config() -> TrainConfig {
    TrainConfig { seed: 5, batch_size: 32, max_epochs: 12, ..TrainConfig::default() }
}

/// Vectors of 20 features, and not one of them.
struct Nothing;

impl Samples for Nothing {
    fn len(&self) -> usize {
        0
    }

    fn shape(&self) -> &[usize] {
        &[20]
    }

    fn fill(&self, _: &[u32], _: &mut [f32]) {}
}

/// Stops after so many steps in all.
struct StopAfter(usize);

impl Observer for StopAfter {
    fn epoch(&mut self, _: &EpochReport) {}

    fn step(&mut self, _: usize, _: usize) {
        self.0 = self.0.saturating_sub(1);
    }

    fn should_stop(&self) -> bool {
        self.0 == 0
    }
}

fn run(spec: &ModelSpec, checkpoint: Option<&Path>, observer: &mut dyn Observer) -> (TrainOutcome, String) {
    let mut model = Model::new(spec, 5).unwrap();
    let outcome = train(&mut model, &config(), &rows(0, 300), &rows(300, 380), checkpoint, observer).unwrap();
    (outcome, model.digest())
}

/// What must be the same: everything but the clock.
fn without_times(outcome: TrainOutcome) -> TrainOutcome {
    match outcome {
        TrainOutcome::Finished(mut report) => {
            report.history.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
            TrainOutcome::Finished(report)
        }
        other => other,
    }
}

#[test]
fn training_lowers_the_loss_and_keeps_the_best_weights() {
    let release = ModelKind::ALL.map(|kind| (kind, Convention::Release));
    for (kind, convention) in release.into_iter().chain([(ModelKind::Rftm, Convention::Text)]) {
        let mut model = Model::new(&spec(kind, convention), 5).unwrap();
        let config = TrainConfig { patience: 12, learning_rate: 5e-3, ..config() };
        let outcome = train(&mut model, &config, &rows(0, 300), &rows(300, 380), None, &mut Silent).unwrap();
        let TrainOutcome::Finished(report) = outcome else { panic!("nobody stopped it") };
        assert!(report.best_validation_loss < 0.7 * report.history[0].validation_loss, "{report:?}");
        let lowest = report.history.iter().map(|epoch| epoch.validation_loss).fold(f64::INFINITY, f64::min);
        assert_eq!(report.best_validation_loss, lowest);
        assert_eq!(report.history[report.best_epoch - 1].validation_loss, lowest);
        assert!(report.hit_epoch_limit && report.warnings[0].contains("limit of 12 epochs"), "{report:?}");
    }
}

#[test]
fn early_stopping_waits_its_patience() {
    let config = TrainConfig { patience: 2, max_epochs: 500, learning_rate: 0.05, ..config() };
    for kind in ModelKind::ALL {
        let mut model = Model::new(&spec(kind, Convention::Release), 5).unwrap();
        let mut run = |config: &TrainConfig| {
            let outcome = train(&mut model, config, &rows(0, 64), &rows(64, 80), None, &mut Silent).unwrap();
            let TrainOutcome::Finished(report) = outcome else { panic!("nobody stopped it") };
            report
        };
        let report = run(&config);
        assert!(!report.hit_epoch_limit && report.epochs < 500);
        assert_eq!(report.epochs, report.best_epoch + 2);
        // The weights are those of the best epoch, not of the last: measured again, without a step.
        let measured = run(&TrainConfig { max_epochs: 0, ..config });
        assert_eq!(measured.best_validation_loss, report.best_validation_loss, "{kind}");
        assert_ne!(report.history.last().unwrap().validation_loss, report.best_validation_loss, "{kind}");
    }
}

/// A loss that stays the same is an improvement in every epoch (choice 13 of `docs/method.md`): patience never ends.
#[test]
fn a_tie_is_an_improvement() {
    let TrainOutcome::Finished(report) = Factors::new(|_| 0.5, 0.5).run().unwrap() else { panic!("nobody stopped it") };
    assert_eq!((report.epochs, report.best_epoch, report.hit_epoch_limit), (3, 3, true));
}

#[test]
fn threads_do_not_change_a_bit() {
    for kind in ModelKind::ALL {
        // A product of a hidden layer has 128 x 512 x 128 / 16 units of work; from 2^17 on work is split.
        let memory = MemorySpec::of(kind, Convention::Release, Capacities::default());
        let spec = ModelSpec::mlp(&[20, 512, 128], memory, Convention::Release);
        let config = TrainConfig { batch_size: 128, max_epochs: 2, ..config() };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = Model::new(&spec, 5).unwrap();
                let outcome = train(&mut model, &config, &rows(0, 300), &rows(300, 380), None, &mut Silent).unwrap();
                (without_times(outcome), model.digest())
            })
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(3));
    }
}

/// Interrupted in the first, a middle and the last epoch, several times in a row.
#[test]
fn an_interrupted_training_ends_in_the_same_bits() {
    for kind in ModelKind::ALL {
        let spec = spec(kind, Convention::Text);
        let (whole, expected) = run(&spec, None, &mut Silent);
        let TrainOutcome::Finished(report) = &whole else { panic!("nobody stopped it") };
        for steps in [3, 25, 47, 10 * report.epochs - 5] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("checkpoint");
            let mut interruptions = 0;
            let (outcome, digest) = loop {
                match run(&spec, Some(&path), &mut StopAfter(steps)) {
                    // Ten steps are an epoch; fewer at a time would never get past the first.
                    (TrainOutcome::Interrupted { epoch }, _) if steps < 10 => {
                        assert_eq!(epoch, 0);
                        break run(&spec, Some(&path), &mut Silent);
                    }
                    (TrainOutcome::Interrupted { .. }, _) => interruptions += 1,
                    finished => break finished,
                }
            };
            assert!(interruptions > 0 || steps < 10);
            assert_eq!(without_times(outcome), without_times(whole.clone()), "{steps}");
            assert_eq!(digest, expected, "{steps}");
            // A finished training that is asked for again is not repeated.
            let (again, digest) = run(&spec, Some(&path), &mut StopAfter(1));
            assert!(matches!(again, TrainOutcome::Finished(_)));
            assert_eq!(digest, expected);
        }
    }
}

/// Whoever stops a training and calls it again with the same model gets what he would have got.
#[test]
fn an_interrupted_model_is_as_it_was() {
    let spec = spec(ModelKind::Rftm, Convention::Release);
    let (_, expected) = run(&spec, None, &mut Silent);
    for with_file in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut model = Model::new(&spec, 5).unwrap();
        let before = model.digest();
        let run = |steps, model: &mut Model| {
            let file = with_file.then_some(path.as_path());
            train(model, &config(), &rows(0, 300), &rows(300, 380), file, &mut StopAfter(steps)).unwrap()
        };
        // In the first epoch, of ten steps, and in the third.
        for (steps, epoch) in [(3, 0), (25, 2)] {
            assert_eq!(run(steps, &mut model), TrainOutcome::Interrupted { epoch });
            assert_eq!(model.digest(), before);
        }
        run(usize::MAX, &mut model);
        assert_eq!(model.digest(), expected);
    }
}

/// Layers put together by hand have no specification; what they are made with tells them apart all the same.
#[test]
fn checkpoints_of_modules_in_a_row_know_their_options() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let run = |rate: f64, slope: f64, observer: &mut dyn Observer| {
        let mut stream = rftm_rng::rng(5, "layers", 0);
        let memory = TwinConfig { cortex: Some(UnitConfig::new(40, 5, rate)), ..TwinConfig::default() };
        let mut model = Linear::new(20, 8, &mut stream)
            .then(LeakyRelu::new(slope))
            .then(TwinMemory::new(8, memory, 5).unwrap())
            .then(Linear::new(8, 20, &mut stream));
        train(
            &mut model,
            &TrainConfig { max_epochs: 3, ..config() },
            &rows(0, 96),
            &rows(96, 128),
            Some(&path),
            observer,
        )
    };
    let stopped = run(0.5, 0.01, &mut StopAfter(4)).unwrap();
    assert!(matches!(stopped, TrainOutcome::Interrupted { epoch: 1 }), "{stopped:?}");
    for (rate, slope) in [(0.25, 0.01), (0.5, 0.02)] {
        let error = run(rate, slope, &mut Silent).unwrap_err().to_string();
        assert!(error.contains("another model or with other data; delete it"), "{rate}, {slope}: {error}");
    }
    assert!(matches!(run(0.5, 0.01, &mut Silent).unwrap(), TrainOutcome::Finished(_)));
}

#[test]
fn foreign_and_damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let spec = spec(ModelKind::Rftm, Convention::Release);
    run(&spec, Some(&path), &mut StopAfter(15));
    let mut model = Model::new(&spec, 5).unwrap();
    let mut resume = |config: &TrainConfig| {
        train(&mut model, config, &rows(0, 300), &rows(300, 380), Some(&path), &mut Silent).unwrap_err()
    };
    let error = resume(&TrainConfig { seed: 6, ..config() });
    assert!(matches!(&error, Error::Checkpoint { .. }), "{error}");
    assert!(error.to_string().contains("other data or hyper-parameters; delete it to train from the start"), "{error}");

    // As many samples, other numbers; then other weights, another memory.
    let refused = |spec: &ModelSpec, seed: u64, parts: [&Rows; 2]| {
        let mut model = Model::new(spec, seed).unwrap();
        let digest = model.digest();
        let error = train(&mut model, &config(), parts[0], parts[1], Some(&path), &mut Silent).unwrap_err();
        assert!(matches!(&error, Error::Checkpoint { .. }), "{error}");
        assert!(error.to_string().contains("another model or with other data; delete it"), "{error}");
        assert_eq!(model.digest(), digest);
    };
    let (own, own_validation) = (rows(0, 300), rows(300, 380));
    refused(&spec, 5, [&rows(1, 301), &own_validation]);
    refused(&spec, 5, [&own, &rows(301, 381)]);
    refused(&spec, 6, [&own, &own_validation]);
    let MemorySpec::Twin { hippocampus, mut cortex, connector } = spec.memory.clone() else { panic!("a twin memory") };
    cortex.as_mut().unwrap().forgetting_rate = 0.25;
    refused(
        &ModelSpec { memory: MemorySpec::Twin { hippocampus, cortex, connector }, ..spec.clone() },
        5,
        [&own, &own_validation],
    );

    let bytes = std::fs::read(&path).unwrap();
    // As earlier versions wrote it.
    let whole = StateDict::<f32>::load(&path).unwrap();
    let position = whole.note.split_once('\n').unwrap().1.to_owned();
    StateDict { note: position, ..whole.clone() }.save(&path).unwrap();
    let error = resume(&config()).to_string();
    assert!(error.contains("written by an earlier version") && error.contains("delete it"), "{error}");
    // Something else is in it than was written.
    let mut changed = |change: fn(&mut StateDict)| {
        let mut state = whole.clone();
        change(&mut state);
        state.save(&path).unwrap();
        let error = resume(&config()).to_string();
        assert!(error.contains("damaged checkpoint") && error.contains("delete it"), "{error}");
    };
    changed(|state| {
        let value = &mut state.tensors.get_mut("adam/second/00000").unwrap().data_mut()[3];
        *value = f32::from_bits(value.to_bits() ^ 1);
    });
    changed(|state| state.tensors.retain(|name, _| !name.starts_with("adam/")));
    changed(|state| *state.counters.get_mut("adam/steps").unwrap() += 1);
    changed(|state| state.note = state.note.replacen("\"epoch\":1", "\"epoch\":2", 1));
    for length in [0, 7, 500, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = resume(&config());
        assert!(error.to_string().contains("damaged checkpoint"), "{length}: {error}");
    }
    std::fs::remove_file(&path).unwrap();
    // A folder under the name of the file that a save begins with, for any user: the first save fails and says where.
    let partial = path.with_added_extension("partial");
    std::fs::create_dir(&partial).unwrap();
    match resume(&config()) {
        Error::State(StateError::Io { path: named, .. }) => assert_eq!(named, path),
        other => panic!("{other}"),
    }
}

#[test]
fn bad_parameters_and_data_are_named() {
    let refused = |config: TrainConfig, samples: &Rows| {
        let mut model = Model::new(&spec(ModelKind::Ae, Convention::Release), 5).unwrap();
        train(&mut model, &config, samples, &rows(0, 40), None, &mut Silent).unwrap_err().to_string()
    };
    let good = rows(0, 100);
    let check = |change: fn(&mut TrainConfig), start: &str| {
        let mut config = config();
        change(&mut config);
        let error = refused(config, &good);
        assert!(error.starts_with(start), "{error}");
    };
    check(|c| c.batch_size = 1, "batch_size: 1; batch normalisation needs at least 2");
    check(|c| c.patience = 0, "patience: ");
    check(|c| c.learning_rate = f64::NAN, "learning_rate: NaN is not a positive number");
    check(|c| c.learning_rate = -1.0, "learning_rate: ");
    check(|c| c.learning_rate = 1e30, "the loss became ");
    // No memory hides a diverged encoder.
    for kind in ModelKind::ALL {
        let mut model = Model::new(&spec(kind, Convention::Release), 5).unwrap();
        let wild = TrainConfig { learning_rate: 1e30, ..config() };
        let error = train(&mut model, &wild, &good, &good, None, &mut Silent).unwrap_err();
        assert!(matches!(error, Error::Diverged { .. }), "{kind}: {error}");
    }
    let narrow = Rows::new(vec![0.5; 19 * 40], vec![19]).unwrap();
    assert_eq!(refused(config(), &narrow), "validation: samples of shape [20], those to train on have shape [19]");
    let check = |samples: &dyn Samples, validation: &dyn Samples, start: &str| {
        let mut model = Model::new(&spec(ModelKind::Ae, Convention::Release), 5).unwrap();
        let before = model.digest();
        let error = train(&mut model, &config(), samples, validation, None, &mut Silent).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
        assert_eq!(model.digest(), before, "nothing was trained");
    };
    check(&narrow, &narrow, "linear: x must have shape (N, 20), found (32, 19)");
    check(&good, &narrow, "validation: samples of shape [19], those to train on have shape [20]");
    check(&good, &Nothing, "0 rows in batches of 32: ");

    let missing = ModelSpec::mlp(&[20, 8], MemorySpec::memae(0), Convention::Release);
    assert!(Model::new(&missing, 1).unwrap_err().to_string().starts_with("attention.capacity: 0 slots"));
    let build = |widths: &[usize]| Model::new(&ModelSpec::mlp(widths, MemorySpec::None, Convention::Release), 1);
    assert!(build(&[20]).unwrap_err().to_string().starts_with("widths: "));
    assert!(build(&[20, 0]).unwrap_err().to_string().starts_with("widths: "));
}

/// A model that reconstructs with a constant factor, which the test chooses, per pass.
struct Factors {
    train: fn(u64) -> f32,
    evaluation: f32,
    passes: u64,
    weight: Param,
}

impl Factors {
    fn new(train: fn(u64) -> f32, evaluation: f32) -> Self {
        Self { train, evaluation, passes: 0, weight: Param::new(Tensor::full([20, 20], 0.0)) }
    }

    fn run(mut self) -> Result<TrainOutcome, String> {
        let config = TrainConfig { max_epochs: 3, patience: 1, ..config() };
        train(&mut self, &config, &rows(0, 96), &rows(96, 128), None, &mut Silent).map_err(|error| error.to_string())
    }
}

impl Module for Factors {
    fn forward(&mut self, tape: &mut Tape, x: Var) -> rftm_tensor::Result<Var> {
        self.passes += 1;
        let factor = (self.train)(self.passes);
        let mut weight = Tensor::zeros([20, 20]);
        weight.data_mut().iter_mut().step_by(21).for_each(|diagonal| *diagonal = factor);
        let x = ops::linear(tape, &x, &Var::constant(weight), None)?;
        // A parameter that does nothing: there must be one.
        let mut small = x.value().clone();
        small.data_mut().fill(0.0);
        let weight = tape.param(&self.weight);
        let nothing = ops::linear(tape, &Var::constant(small), &weight, None)?;
        let both = ops::concat(tape, &x, &nothing)?;
        let mut sum = Tensor::zeros([20, 40]);
        sum.data_mut().iter_mut().step_by(41).for_each(|one| *one = 1.0);
        ops::linear(tape, &both, &Var::constant(sum), None)
    }

    fn infer(&self, mut x: Tensor, _: Inference) -> rftm_tensor::Result<Tensor> {
        x.data_mut().iter_mut().for_each(|x| *x *= self.evaluation);
        Ok(x)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<f32>) {
        visitor.param("weight", &mut self.weight);
    }
}

/// Three steps are an epoch. What explodes, or is not a number, ends the training with its place and value.
#[test]
fn failures_are_found_where_they_happen() {
    let check = |train: fn(u64) -> f32, evaluation: f32, expected: &str| {
        let error = Factors::new(train, evaluation).run().unwrap_err();
        assert!(error.starts_with("the loss became "), "{error}");
        assert!(error.contains(expected), "{error}");
    };
    Factors::new(|_| 0.5, 0.5).run().unwrap();
    // A thousand times as large as the data may be a bad start; far more is the end.
    Factors::new(|_| 900.0, 900.0).run().unwrap();
    check(|_| 1e5, 0.5, "in epoch 1, step 1: ");
    check(|pass| if pass == 5 { 1e5 } else { 0.5 }, 0.5, "in epoch 2, step 2: ");
    check(|pass| if pass == 5 { f32::NAN } else { 0.5 }, 0.5, "NaN in epoch 2, step 2: ");
    check(|pass| if pass == 9 { 1e30 } else { 0.5 }, 0.5, "inf in epoch 3, step 3: ");
    check(|_| 0.5, f32::NAN, "NaN in the validation after epoch 1: ");
    check(|_| 0.5, 1e5, "in the validation after epoch 1: ");
    let value = Factors::new(|_| 0.5, 1e5).run().unwrap_err();
    assert!(value.contains("e9 in") || value.contains("e8 in"), "a number in full: {value}");
}

#[test]
fn no_epoch_measures_the_model_as_it_was_built() {
    let config = TrainConfig { max_epochs: 0, ..config() };
    for kind in ModelKind::ALL {
        let mut model = Model::new(&spec(kind, Convention::Release), 5).unwrap();
        let digest = model.digest();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let outcome =
            train(&mut model, &config, &rows(0, 300), &rows(300, 380), Some(&path), &mut StopAfter(1)).unwrap();
        let TrainOutcome::Finished(report) = outcome else { panic!("there was nothing to stop") };
        assert_eq!(model.digest(), digest);
        assert_eq!((report.epochs, report.best_epoch, report.hit_epoch_limit), (0, 0, false));
        assert!(report.history.is_empty() && !path.exists());
        // The loss by another way: scores are the lengths of residuals.
        let squares: f64 = model.scores(&rows(300, 380)).unwrap().iter().map(|score| f64::from(*score).powi(2)).sum();
        assert!((report.best_validation_loss - squares / 1600.0).abs() < 1e-6, "{kind}");
    }
    let error = train(&mut Factors::new(|_| 0.5, 1e9), &config, &rows(0, 96), &rows(96, 128), None, &mut Silent);
    assert!(error.unwrap_err().to_string().contains("in the validation of the untrained model: "));
}

/// A memory whose pruning leaves nothing makes no NaN: it is trained to the end, and the report says what happened.
#[test]
fn a_memory_that_is_pruned_away_is_a_warning() {
    let config_of = |shrinkage| AttentionConfig { shrinkage, ..AttentionConfig::new(100) };
    for (shrinkage, warned) in [(0.9, true), (0.0, false)] {
        let spec = ModelSpec::mlp(&[20, 16, 8], MemorySpec::MemAe(config_of(shrinkage)), Convention::Release);
        let mut model = Model::new(&spec, 5).unwrap();
        let outcome = train(&mut model, &config(), &rows(0, 300), &rows(300, 380), None, &mut Silent).unwrap();
        let TrainOutcome::Finished(report) = outcome else { panic!("nobody stopped it") };
        assert!(report.best_validation_loss.is_finite());
        assert!(model.scores(&rows(300, 380)).unwrap().iter().all(|score| score.is_finite()));
        let found = report.warnings.iter().find(|warning| warning.contains("found no slot"));
        // 12 epochs of 300 training and 80 validation samples.
        let expected = "memory.empty_reads: 4560 latents found no slot and read the zero vector";
        assert_eq!(found.map(String::as_str), warned.then_some(expected));
        // What was read before is not of this training.
        let untrained = TrainConfig { max_epochs: 0, ..config() };
        let outcome = train(&mut model, &untrained, &rows(0, 300), &rows(300, 380), None, &mut Silent).unwrap();
        let TrainOutcome::Finished(report) = outcome else { panic!("nobody stopped it") };
        let expected = "memory.empty_reads: 80 latents found no slot and read the zero vector";
        assert_eq!(report.warnings.first().map(String::as_str), warned.then_some(expected));
    }
}

#[test]
fn scores_do_not_depend_on_the_batch() {
    for kind in ModelKind::ALL {
        let mut model = Model::new(&spec(kind, Convention::Release), 5).unwrap();
        train(&mut model, &config(), &rows(0, 300), &rows(300, 380), None, &mut Silent).unwrap();
        let samples = rows(100, 421);
        let expected = model.scores(&samples).unwrap();
        for batch_size in [1, 7, 64, 1000] {
            assert_eq!(rftm_models::scores(&model, &samples, batch_size).unwrap(), expected, "{kind} {batch_size}");
        }
        let reconstructed = rftm_models::reconstruct(&model, &samples, 100).unwrap();
        assert_eq!(reconstructed.len(), 321 * 20);
    }
}

/// MNAD's items are state: the best epoch's come back with its weights, and a saved model scores as before.
#[test]
fn items_are_saved_with_the_model() {
    let mut model = Model::new(&spec(ModelKind::Mnad, Convention::Release), 5).unwrap();
    let items = |model: &Model| match model.bottleneck() {
        Bottleneck::Items(memory) => memory.items().clone(),
        _ => panic!("it has items"),
    };
    let before = items(&model);
    train(&mut model, &config(), &rows(0, 300), &rows(300, 380), None, &mut Silent).unwrap();
    assert_ne!(items(&model), before);
    let state = StateDict::of(&mut model, "");
    let mut loaded = Model::new(model.spec(), 6).unwrap();
    state.apply(&mut loaded).unwrap();
    assert_eq!(items(&loaded), items(&model));
    assert_eq!(loaded.scores(&rows(300, 380)).unwrap(), model.scores(&rows(300, 380)).unwrap());
}

#[test]
fn an_ignored_input_moves_nothing_but_its_own_residual() {
    let with = |inputs: &[usize], value: f32, rows: &Rows| {
        let mut values = vec![0.0; rows.len() * 20];
        rows.fill(&(0..rows.len() as u32).collect::<Vec<_>>(), &mut values);
        values.chunks_exact_mut(20).for_each(|row| inputs.iter().for_each(|&input| row[input] = value));
        values
    };
    let ignored = [0, 7, 19];
    for kind in ModelKind::ALL {
        let mut model = Model::new(&spec(kind, Convention::Release), 5).unwrap();
        model.ignore(&ignored);
        let data = |from, to| Rows::new(with(&ignored, 0.0, &rows(from, to)), vec![20]).unwrap();
        train(
            &mut model,
            &TrainConfig { max_epochs: 3, ..config() },
            &data(0, 300),
            &data(300, 380),
            None,
            &mut Silent,
        )
        .unwrap();
        let reconstruct = |value| {
            let x = Tensor::from_vec(with(&ignored, value, &rows(380, 400)), [20, 20]).unwrap();
            model.scorer().unwrap().reconstruct(&x).unwrap()
        };
        let (quiet, loud) = (reconstruct(0.0), reconstruct(1e4));
        assert_eq!(quiet.data(), loud.data(), "{kind:?}");
        assert!(quiet.data().chunks(20).all(|row| ignored.iter().all(|&input| row[input] == 0.0)), "{kind:?}");
        assert!(quiet.data().chunks(20).all(|row| row[1] != 0.0), "{kind:?}");
    }
}

/// The paper's CIFAR-10 autoencoder has its shapes under both paddings, and trains with every memory.
#[test]
fn images_are_restored_to_their_size() {
    for (padding, latent) in [(0, 512), (1, 2048)] {
        for kind in [ModelKind::MemAe, ModelKind::Mnad, ModelKind::Rftm] {
            let capacities = Capacities { hippocampus: 50, cortex: 1000, ..Capacities::CIFAR10 };
            let memory = MemorySpec::of(kind, Convention::Release, capacities);
            let mut model = Model::new(&ModelSpec::cifar10(padding, memory, Convention::Release), 1).unwrap();
            let dims = match model.bottleneck() {
                Bottleneck::Identity => panic!("it has a memory"),
                Bottleneck::Twin(memory) => memory.cortex().unwrap().slots().dims().to_vec(),
                Bottleneck::Attention(memory) => memory.slots().dims().to_vec(),
                Bottleneck::Items(memory) => memory.items().dims().to_vec(),
            };
            let slots = match kind {
                ModelKind::MemAe => 500,
                ModelKind::Mnad => 10,
                _ => 1000,
            };
            assert_eq!(dims, [slots, latent]);
            let pixels = (0..6 * 3 * 32 * 32).map(|i| ((i * 37) % 101) as f32 / 101.0).collect();
            let images = Rows::new(pixels, vec![3, 32, 32]).unwrap();
            let config = TrainConfig { batch_size: 3, max_epochs: 2, ..config() };
            train(&mut model, &config, &images, &images, None, &mut Silent).unwrap();
            assert_eq!(rftm_models::reconstruct(&model, &images, 4).unwrap().len(), 6 * 3 * 32 * 32);
        }
    }
}

/// Frozen models score like the models they were made of, alone or in a batch.
#[test]
fn a_scorer_agrees_with_its_model() {
    let specs = [
        (spec(ModelKind::Ae, Convention::Text), vec![20]),
        (spec(ModelKind::Rftm, Convention::Release), vec![20]),
        (spec(ModelKind::MemAe, Convention::Release), vec![20]),
        (spec(ModelKind::Mnad, Convention::Release), vec![20]),
        (ModelSpec::cifar10(0, MemorySpec::None, Convention::Release), vec![3, 32, 32]),
        (ModelSpec::cifar10(0, MemorySpec::memae(500), Convention::Release), vec![3, 32, 32]),
        (ModelSpec::cifar10(1, MemorySpec::mnad(), Convention::Release), vec![3, 32, 32]),
        (ModelSpec::cifar10(1, MemorySpec::twin(Convention::Text), Convention::Text), vec![3, 32, 32]),
    ];
    for (spec, shape) in specs {
        let features: usize = shape.iter().product();
        let values: Vec<f32> = (0..24 * features).map(|i| ((i * i) as f32 * 0.013).sin()).collect();
        let samples = Rows::new(values.clone(), shape.clone()).unwrap();
        let mut model = Model::new(&spec, 3).unwrap();
        let config = TrainConfig { batch_size: 12, max_epochs: 3, ..config() };
        train(&mut model, &config, &samples, &samples, None, &mut Silent).unwrap();

        let expected = model.scores(&samples).unwrap();
        let scorer = model.scorer().unwrap();
        let tensor = |rows: &[f32]| {
            let dims = [vec![rows.len() / features], shape.clone()].concat();
            rftm_tensor::Tensor::from_slice(rows, rftm_tensor::Shape::new(&dims).unwrap()).unwrap()
        };
        let found = scorer.scores(&tensor(&values)).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4 * expected, "{found} {expected}");
        }
        for (row, found) in values.chunks(features).zip(found) {
            assert_eq!(scorer.scores(&tensor(row)).unwrap(), [found]);
        }
    }
}
