//! Layers against the operations they wrap, Adam against PyTorch, and state that survives a file.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Param, Tape, Var, ops};
use rftm_goldens::{Golden, assert_close, golden};
use rftm_nn::{
    Adam, AdamConfig, BatchNorm, ChannelsFirst, ChannelsLast, Conv2d, ConvOptions, ConvTranspose2d, Frozen, Inference,
    LeakyRelu, Linear, Module, Reshape, Sequential, StateDict, StateError, Visitor, count_parameters,
};
use rftm_rng::rng;
use rftm_tensor::{Element, Result, Tensor};

/// A parameter whose gradient is whatever we say: the loss is the parameter itself.
struct Given<E: Element>(Param<E>);

impl<E: Element> Module<E> for Given<E> {
    fn forward(&mut self, tape: &mut Tape<E>, _: Var<E>) -> Result<Var<E>> {
        Ok(tape.param(&self.0))
    }

    fn infer(&self, _: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        Ok(self.0.value.clone())
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("p", &mut self.0);
    }
}

fn adam_agrees<E: Element>() {
    let g = golden("adam");
    let (gradients, trajectory) = (g.tensor::<E>("grads"), g.tensor::<E>("trajectory"));
    let at = |all: &Tensor<E>, step: usize| Tensor::from_slice(all.row(step), [3, 4]).unwrap();
    let mut module = Given(Param::new(at(&trajectory, 0)));
    let mut adam = Adam::new(AdamConfig { learning_rate: 1e-2, ..AdamConfig::default() }).unwrap();
    let mut tape = Tape::new();
    for step in 0..5 {
        let y = module.forward(&mut tape, Var::constant(Tensor::zeros([1]))).unwrap();
        let mut found = tape.backward_from(&y, at(&gradients, step)).unwrap();
        adam.step(&mut module, &mut found).unwrap();
        drop(found);
        assert_close(&module.0.value, &at(&trajectory, step + 1), "adam");
    }
    assert_eq!(adam.steps(), 5);
}

#[test]
fn adam_follows_pytorch() {
    adam_agrees::<f64>();
    adam_agrees::<f32>();
}

/// One step on `sum(parameter)` for each parameter.
fn try_step<const N: usize>(adam: &mut Adam, parts: &mut [Given<f32>; N]) -> Result<()> {
    struct All<'a>(&'a mut [Given<f32>]);
    impl Module for All<'_> {
        fn forward(&mut self, _: &mut Tape, x: Var) -> Result<Var> {
            Ok(x)
        }

        fn infer(&self, x: Tensor, _: Inference) -> Result<Tensor> {
            Ok(x)
        }

        fn visit(&mut self, visitor: &mut dyn Visitor<f32>) {
            self.0.iter_mut().for_each(|part| part.visit(visitor));
        }
    }
    let mut tape = Tape::new();
    let mut leaves = parts.iter().map(|part| tape.param(&part.0)).collect::<Vec<_>>().into_iter();
    let first = leaves.next().unwrap();
    let all = leaves.try_fold(first, |left, right| ops::concat(&mut tape, &left, &right))?;
    let mut gradients = tape.backward_from(&all, Tensor::full(*all.shape(), 1.0))?;
    adam.step(&mut All(parts), &mut gradients)
}

#[test]
fn a_refused_step_of_adam_changes_nothing() {
    let given = |size| Given(Param::new(Tensor::full([size], 0.5)));
    let mut adam = Adam::default();
    let mut own = [given(3), given(4)];
    try_step(&mut adam, &mut own).unwrap();
    let after_one = adam.state().1[0].first.clone();
    fn refused<const N: usize>(adam: &mut Adam, mut parts: [Given<f32>; N], expected: &str) {
        let error = try_step(adam, &mut parts).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(parts.iter().all(|part| part.0.value.data().iter().all(|value| *value == 0.5)), "{expected}");
    }
    refused(&mut adam, [given(3), given(4)], "p is not the parameter of the earlier steps");
    refused(&mut adam, [given(3)], "p is not the parameter of the earlier steps");
    let (steps, moments) = adam.state();
    assert_eq!((steps, &moments[0].first), (1, &after_one));
    // Taken up, it serves whom it meets first, if that has as many parameters.
    adam.restore(steps, moments.clone());
    refused(&mut adam, [given(3), given(5)], "p has shape (5), the moments kept for it (4)");
    refused(&mut adam, [given(3)], "the module has 1 parameters, moments are kept for 2");
    refused(&mut adam, [given(3), given(4), given(3)], "the module has 3 parameters, moments are kept for 2");
    let mut other = [given(3), given(4)];
    try_step(&mut adam, &mut other).unwrap();
    try_step(&mut adam, &mut other).unwrap();
    assert_eq!(adam.steps(), 3);
    assert!(try_step(&mut adam, &mut own).is_err());
}

#[test]
fn adam_refuses_numbers_out_of_range() {
    let check = |change: fn(&mut AdamConfig), expected: Option<&str>| {
        let mut config = AdamConfig::default();
        change(&mut config);
        let error = Adam::<f32>::new(config).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    };
    check(|_| (), None);
    check(|c| c.beta1 = 0.0, None);
    check(|c| c.learning_rate = f64::NAN, Some("adam: learning_rate NaN is not a number from 0 on"));
    check(|c| c.learning_rate = 1e38, Some("adam: learning_rate 1e38 is too large to step by"));
    check(|c| c.learning_rate = f64::INFINITY, Some("adam: learning_rate inf is not a number from 0 on"));
    check(|c| c.eps = 1e-12, None);
    check(|c| c.eps = -1.0, Some("adam: eps -1e0 is not a number from 1e-12 on"));
    check(|c| c.eps = 0.0, Some("adam: eps 0e0 is not a number from 1e-12 on"));
    check(|c| c.eps = 1e-13, Some("adam: eps 1e-13 is not a number from 1e-12 on"));
    check(|c| c.eps = f64::NAN, Some("adam: eps NaN is not a number from 1e-12 on"));
    // Infinite in `f32`.
    check(|c| c.eps = 1e39, Some("adam: eps 1e39 is not a number from 1e-12 on"));
    check(|c| c.beta1 = 1.0, Some("adam: beta1 1 is not in [0, 1)"));
    check(|c| c.beta2 = f64::NAN, Some("adam: beta2 NaN is not in [0, 1)"));
    // 1 in `f32`.
    check(|c| c.beta2 = 1.0 - 1e-12, Some("adam: beta2 0.999999999999 is not in [0, 1)"));
}

fn batch_norm_agrees<E: Element>(case: &str, images: bool) {
    let load = |g: &Golden| {
        let mut layer = BatchNorm::<E>::new(g.tensor::<E>("weight").len());
        let mut state = StateDict::of(&mut layer, "");
        for (name, key) in [("running_mean", "running_mean0"), ("running_var", "running_var0")] {
            state.tensors.insert(name.into(), g.tensor(key));
        }
        for name in ["weight", "bias"] {
            state.tensors.insert(name.into(), g.tensor(name));
        }
        state.apply(&mut layer).unwrap();
        layer
    };
    let (train, eval) = (golden(&format!("{case}_train")), golden(&format!("{case}_eval")));
    let image = |g: &Golden, name| if images { g.image::<E>(name) } else { g.tensor(name) };
    let mut layer = load(&train);
    let y = layer.forward(&mut Tape::new(), Var::constant(image(&train, "x"))).unwrap();
    assert_close(y.value(), &image(&train, "y"), case);
    let state = StateDict::of(&mut layer, "");
    assert_close(&state.tensors["running_mean"], &train.tensor("running_mean1"), case);
    assert_close(&state.tensors["running_var"], &train.tensor("running_var1"), case);
    let y = load(&eval).infer(image(&eval, "x"), Inference::default()).unwrap();
    assert_close(&y, &image(&eval, "y"), case);
}

#[test]
fn batch_norm_and_its_running_statistics_follow_pytorch() {
    for (case, images) in [("bn1d", false), ("bn2d", true)] {
        batch_norm_agrees::<f64>(case, images);
        batch_norm_agrees::<f32>(case, images);
    }
}

#[test]
fn evaluation_needs_no_batch() {
    let (mut layer, alone) = (BatchNorm::<f32>::new(3), Tensor::zeros([1, 3]));
    assert!(layer.forward(&mut Tape::new(), Var::constant(alone.clone())).is_err());
    assert_eq!(layer.infer(alone.clone(), Inference::default()).unwrap(), alone);
}

/// A batch norm of another width cannot be folded; it must not change places with the layer before it.
#[test]
fn a_frozen_model_refuses_what_its_model_refuses() {
    let model = Linear::<f32>::new(4, 8, &mut rng(1, "init", 0)).then(BatchNorm::new(4));
    let x = Tensor::full([2, 4], 1.0);
    assert!(model.infer(x.clone(), Inference::default()).is_err());
    assert!(Frozen::new(&model).unwrap().infer(x).is_err());
    // One sample without a batch around it.
    let (alone, x) = (BatchNorm::<f32>::new(4), Tensor::full([4], 1.0));
    assert!(alone.infer(x.clone(), Inference::default()).is_err());
    assert!(Frozen::new(&alone).unwrap().infer(x).is_err());
    let nothing = Linear::<f32>::new(4, 0, &mut rng(1, "init", 0)).then(BatchNorm::new(0));
    let message = nothing.infer(Tensor::full([2, 4], 1.0), Inference::default()).unwrap_err().to_string();
    assert_eq!(message, "linear: w must have shape (out, in), neither of them 0, found (0, 4)");
    assert!(Frozen::new(&nothing).is_err());
    let (nothing, x) = (BatchNorm::<f32>::new(0), Tensor::zeros([2, 0]));
    assert!(nothing.infer(x.clone(), Inference::default()).is_err());
    assert!(Frozen::new(&nothing).and_then(|frozen| frozen.infer(x)).is_err());
}

fn image_model() -> Sequential {
    let mut rng = rng(7, "init", 0);
    let options = ConvOptions { stride: 2, padding: 1, output_padding: [1; 2] };
    ChannelsLast
        .then(Conv2d::new(3, 4, 3, options, &mut rng))
        .then(BatchNorm::new(4).with_leaky_relu(0.01))
        .then(ConvTranspose2d::new(4, 3, 3, options, &mut rng))
        .then(LeakyRelu::default())
        .then(ChannelsFirst)
}

/// Images to one row of numbers and back, in training, evaluation and frozen alike.
#[test]
fn images_pass_through_a_linear_layer() {
    let mut rng = rng(7, "init", 0);
    let options = ConvOptions { stride: 2, padding: 1, output_padding: [1; 2] };
    let mut model = ChannelsLast
        .then(Conv2d::new(3, 4, 3, options, &mut rng))
        .then(Reshape::new(&[4 * 4 * 4]).unwrap())
        .then(Linear::new(64, 5, &mut rng))
        .then(Linear::new(5, 64, &mut rng))
        .then(Reshape::new(&[4, 4, 4]).unwrap())
        .then(ConvTranspose2d::new(4, 3, 3, options, &mut rng))
        .then(ChannelsFirst);
    let y = model.forward(&mut Tape::new(), Var::constant(images(2))).unwrap();
    assert_eq!(y.shape().dims(), [2, 3, 8, 8]);
    let inferred = model.infer(images(2), Inference::default()).unwrap();
    assert_eq!(&inferred, y.value());
    assert_close(&Frozen::new(&model).unwrap().infer(images(2)).unwrap(), &inferred, "frozen");
    // What it says of itself tells one shape from another; an image of another size does not fit.
    assert!(model.description().contains("Reshape") && model.description().contains("(1, 64)"));
    let large = Tensor::zeros([2, 3, 16, 16]);
    assert!(
        model.infer(large.clone(), Inference::default()).is_err() && Frozen::new(&model).unwrap().infer(large).is_err()
    );
    assert!(Reshape::new(&[1; 6]).is_err());
}

fn images(batch: usize) -> Tensor {
    let len = batch * 3 * 8 * 8;
    Tensor::from_vec((0..len).map(|i| ((i * 31) % 17) as f32 / 17.0).collect(), [batch, 3, 8, 8]).unwrap()
}

fn train(model: &mut Sequential, steps: usize) -> Vec<f32> {
    let (mut tape, mut adam) = (Tape::new(), Adam::default());
    let x = images(4);
    (0..steps)
        .map(|_| {
            let y = model.forward(&mut tape, Var::constant(x.clone())).unwrap();
            let loss = ops::mse(&mut tape, &y, &x).unwrap();
            adam.step(model, &mut tape.backward(&loss).unwrap()).unwrap();
            loss.value().item().unwrap()
        })
        .collect()
}

#[test]
fn an_image_model_trains_and_evaluates_alike() {
    let mut model = image_model();
    let losses = train(&mut model, 200);
    assert!(losses[199] < 0.5 * losses[0], "{losses:?}");
    // With momentum 0.1 the running statistics have caught up with those of the one batch.
    let y = model.infer(images(4), Inference::default()).unwrap();
    let error = rftm_tensor::elementwise::mse(&y, &images(4)).unwrap();
    assert!((error - f64::from(losses[199])).abs() < 0.1 * error, "{error} {}", losses[199]);
    // Evaluation does not mix samples.
    let alone = model.infer(Tensor::from_slice(images(4).row(0), [1, 3, 8, 8]).unwrap(), Inference::default()).unwrap();
    assert_eq!(alone.data(), y.row(0));
}

#[test]
fn parameters_start_within_pytorchs_bounds() {
    let mut rng = rng(1, "init", 0);
    let check = |module: &mut dyn Module, parameters: usize, bound: f32| {
        assert_eq!(count_parameters(module), parameters);
        let state = StateDict::of(module, "");
        for (name, tensor) in &state.tensors {
            let largest = tensor.data().iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(largest <= bound && largest > 0.8 * bound, "{name}: {largest} of {bound}");
        }
    };
    let options = ConvOptions { stride: 2, padding: 0, output_padding: [0; 2] };
    check(&mut Linear::new(64, 50, &mut rng), 64 * 50 + 50, 0.125);
    check(&mut Conv2d::new(4, 32, 3, options, &mut rng), 9 * 4 * 32 + 32, 1.0 / 6.0);
    check(&mut ConvTranspose2d::new(32, 16, 2, options, &mut rng), 4 * 32 * 16 + 16, 0.125);
}

#[test]
fn a_state_goes_through_a_file_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut trained = image_model();
    train(&mut trained, 3);
    let state = StateDict::of(&mut trained, "{\"spec\": 1}");
    state.save(&path).unwrap();
    let read = StateDict::load(&path).unwrap();
    assert_eq!(read, state);
    assert_eq!(read.to_bytes().unwrap(), state.to_bytes().unwrap());
    let mut fresh = image_model();
    read.apply(&mut fresh).unwrap();
    let both = [&trained, &fresh].map(|model| model.infer(images(2), Inference::default()).unwrap());
    assert_eq!(both[0], both[1]);
    let names: Vec<&str> = state.tensors.keys().map(String::as_str).collect();
    let expected =
        ["1.bias", "1.weight", "2.bias", "2.running_mean", "2.running_var", "2.weight", "3.bias", "3.weight"];
    assert_eq!(names, expected);
}

#[test]
fn damaged_and_foreign_states_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut model = image_model();
    let state = StateDict::of(&mut model, "");
    let bytes = state.to_bytes().unwrap();
    for length in [0, 4, 8, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = StateDict::<f32>::load(&path).unwrap_err();
        assert!(matches!(error, StateError::Damaged { .. }), "{length}: {error}");
        assert!(error.to_string().contains("model.safetensors"), "{error}");
    }
    assert!(matches!(StateDict::<f64>::from_bytes(&bytes, &path), Err(StateError::Type { .. })));
    assert!(matches!(StateDict::<f32>::load(&folder.path().join("none")), Err(StateError::Io { .. })));
    // A file where a folder should be: refused for any user, and nothing half-written is left.
    let inside = path.join("model.safetensors");
    assert!(matches!(state.save(&inside), Err(StateError::Io { .. })));

    let mut missing = state.clone();
    missing.tensors.remove("1.weight");
    assert_eq!(missing.apply(&mut model).unwrap_err().to_string(), "tensor 1.weight is missing");
    let mut extra = state.clone();
    extra.tensors.insert("9.weight".into(), Tensor::zeros([1]));
    assert_eq!(extra.apply(&mut model).unwrap_err().to_string(), "tensor 9.weight is not part of the model");
    let mut other = state.clone();
    other.tensors.insert("1.bias".into(), Tensor::zeros([5]));
    let error = other.apply(&mut model).unwrap_err().to_string();
    assert_eq!(error, "tensor 1.bias has shape (5), the model needs (4)");
    assert_eq!(StateDict::of(&mut model, ""), state, "a refused state changes nothing");
}
