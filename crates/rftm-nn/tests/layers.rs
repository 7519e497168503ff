//! Layers against the operations they wrap, Adam against PyTorch, and state that survives a file.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Param, Tape, Var, ops};
use rftm_goldens::{Golden, assert_close, golden};
use rftm_nn::{
    Adam, AdamConfig, BatchNorm, ChannelsFirst, ChannelsLast, Conv2d, ConvOptions, ConvTranspose2d, Inference,
    LeakyRelu, Linear, Module, Sequential, StateDict, StateError, Visitor, count_parameters,
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
    let mut adam = Adam::new(AdamConfig { learning_rate: 1e-2, ..AdamConfig::default() });
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

#[test]
fn adam_notices_another_module() {
    let (mut tape, mut adam) = (Tape::<f32>::new(), Adam::default());
    for (size, fits) in [(3, true), (4, false)] {
        let mut module = Given(Param::new(Tensor::zeros([size])));
        let y = module.forward(&mut tape, Var::constant(Tensor::zeros([1]))).unwrap();
        let mut gradients = tape.backward_from(&y, Tensor::zeros([size])).unwrap();
        assert_eq!(adam.step(&mut module, &mut gradients).is_ok(), fits);
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
