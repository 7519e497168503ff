//! After the first two, a training step allocates nothing.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Tape, Var, ops};
use rftm_models::{Convention, MemorySpec, Model, ModelSpec};
use rftm_nn::{Adam, Module};
use rftm_tensor::{Shape, Tensor};

fn check_mlp(memory: MemorySpec, convention: Convention) {
    check(&ModelSpec::mlp(&[784, 512, 256, 128], memory, convention), [256, 784]);
}

fn check_conv(memory: MemorySpec) {
    check(&ModelSpec::conv([16, 16], &[3, 8, 16, 32], memory, Convention::Release), [32, 3, 16, 16]);
}

fn check(spec: &ModelSpec, batch: impl Into<Shape>) {
    let mut model = Model::new(spec, 1).unwrap();
    let batch = batch.into();
    let count = batch.dims().iter().product::<usize>();
    let pixels: Vec<f32> = (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0).collect();
    let (mut tape, mut adam) = (Tape::new(), Adam::default());
    let mut step = |fill: f32| {
        let mut x = Tensor::scratch(batch);
        x.data_mut().iter_mut().zip(&pixels).for_each(|(x, &pixel)| *x = pixel * fill);
        tape.clear();
        let y = model.forward(&mut tape, Var::constant(x.clone())).unwrap();
        let loss = ops::mse(&mut tape, &y, &x).unwrap();
        let loss = ops::penalised(&mut tape, loss).unwrap();
        adam.step(&mut model, &mut tape.backward(&loss).unwrap()).unwrap();
    };
    (0..2).for_each(|_| step(1.0));
    for number in 3..8 {
        let counted = allocation_counter::measure(|| step(1.0 / number as f32));
        assert_eq!(counted.count_total, 0, "step {number}: {} bytes", counted.bytes_total);
    }
}

#[test]
fn a_step_allocates_nothing() {
    // The counter sees this thread only, so all the work must be here.
    rftm_tensor::serial(|| {
        check_mlp(MemorySpec::None, Convention::Release);
        check_mlp(MemorySpec::twin(Convention::Release), Convention::Release);
        check_mlp(MemorySpec::twin(Convention::Text), Convention::Text);
        check_mlp(MemorySpec::memae(100), Convention::Release);
        check_mlp(MemorySpec::mnad(), Convention::Release);
        check_conv(MemorySpec::None);
        check_conv(MemorySpec::twin(Convention::Release));
        check_conv(MemorySpec::memae(100));
        check_conv(MemorySpec::mnad());
    });
}
