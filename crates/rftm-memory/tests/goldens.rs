//! The memory unit, the twin memory, three whole training steps, and the memories of MemAE and MNAD against PyTorch.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Tape, Var, ops as layers};
use rftm_goldens::{assert_close, assert_close_above, golden};
use rftm_memory::{AttentionConfig, AttentionMemory, ItemConfig, ItemMemory, Selection, Similarity, ops};
use rftm_nn::{Adam, Inference, Module, Sequential, StateDict, Visitor};
use rftm_tensor::recall::Query;
use rftm_tensor::{Element, Result, Tensor};

fn surviving(capacity: usize, forgotten: &[u32]) -> Vec<u32> {
    (0..capacity as u32).filter(|slot| !forgotten.contains(slot)).collect()
}

fn selection(convention: &str) -> Selection {
    if convention == "zero" { Selection::Zero } else { Selection::Remove }
}

/// PyTorch leaves open which of several equal similarities `topk` takes; ours takes the lower index. So every query is
/// read by itself, from a memory whose slots are renumbered such that those the reference chose come first.
fn unit_agrees<E: Element>(case: &str, convention: &str, top_k: usize) {
    let g = golden(case);
    let (h, memory, gy) = (g.tensor::<E>("h"), g.tensor::<E>("M"), g.tensor::<E>("gy"));
    let ((queries, len), (capacity, _)) = (h.rows_cols(), memory.rows_cols());
    let (forgotten, chosen) = (g.mask("forgotten"), g.indices("indices"));
    let (mut y, mut gh) = (Tensor::<E>::zeros([queries, len]), Tensor::<E>::zeros([queries, len]));
    let mut gm = Tensor::<E>::zeros([capacity, len]);
    for b in 0..queries {
        let chosen = chosen[b * top_k..][..top_k].iter().map(|&slot| slot as u32);
        let mut order: Vec<u32> = chosen.collect();
        order.extend((0..capacity as u32).filter(|slot| !order.contains(slot)).collect::<Vec<_>>());
        let renumbered = order.iter().flat_map(|&slot| memory.row(slot as usize).to_vec()).collect();
        let alive: Vec<u32> =
            (0..).zip(&order).filter(|(_, slot)| !forgotten.contains(slot)).map(|(new, _)| new).collect();

        let mut tape = Tape::new();
        let one = tape.leaf(Tensor::from_slice(h.row(b), [1, len]).unwrap());
        let m = tape.leaf(Tensor::from_vec(renumbered, [capacity, len]).unwrap());
        let query = Query { top_k: Some(top_k), selection: selection(convention), surviving: &alive };
        let (out, _) = ops::memory_read(&mut tape, &one, &m, query).unwrap();
        y.data_mut()[b * len..][..len].copy_from_slice(out.value().data());
        let upstream = Tensor::from_slice(gy.row(b), [1, len]).unwrap();
        let gradients = tape.backward_from(&out, upstream).unwrap();
        gh.data_mut()[b * len..][..len].copy_from_slice(gradients.of(&one).unwrap().data());
        for (new, &slot) in order.iter().enumerate() {
            let total = &mut gm.data_mut()[slot as usize * len..][..len];
            total.iter_mut().zip(gradients.of(&m).unwrap().row(new)).for_each(|(total, &part)| *total += part);
        }
    }
    assert_close(&y, &g.tensor("y"), &format!("{case}/y"));
    assert_close(&gh, &g.tensor("gh"), &format!("{case}/gh"));
    assert_close(&gm, &g.tensor("gM"), &format!("{case}/gM"));
}

#[test]
fn units_agree() {
    for convention in ["remove", "zero"] {
        for (name, top_k) in [("small", 3), ("wide", 15), ("k_exceeds_positive", 4), ("no_forgetting", 2)] {
            let case = format!("unit_{convention}_{name}");
            unit_agrees::<f64>(&case, convention, top_k);
            unit_agrees::<f32>(&case, convention, top_k);
        }
    }
    unit_agrees::<f64>("unit_remove_all_negative", "remove", 2);
    unit_agrees::<f32>("unit_remove_all_negative", "remove", 2);
}

/// P of the paper: batch normalisation with LeakyReLU.
fn connector<E: Element>(tape: &mut Tape<E>, x: &Var<E>, gamma: &Var<E>, beta: &Var<E>) -> Var<E> {
    layers::batch_norm(tape, x, layers::BatchNorm { gamma, beta, eps: 1e-5, slope: Some(0.01) }).unwrap().0
}

fn twin_agrees<E: Element>(convention: &str) {
    let case = format!("twin_{convention}");
    let g = golden(&case);
    let selection = selection(convention);
    let (alive_h, alive_c) = (surviving(12, &g.mask("forgotten_H")), surviving(30, &g.mask("forgotten_C")));
    let mut tape = Tape::new();
    let names = ["h", "M_H", "M_C", "bn1_weight", "bn1_bias", "bn2_weight", "bn2_bias"];
    let v: Vec<Var<E>> = names.iter().map(|name| tape.leaf(g.tensor(name))).collect();
    let query = Query { top_k: Some(4), selection, surviving: &alive_h };
    let (h1, _) = ops::memory_read(&mut tape, &v[0], &v[1], query).unwrap();
    assert_close(h1.value(), &g.tensor("h1"), &format!("{case}/h1"));
    let h2 = connector(&mut tape, &h1, &v[3], &v[4]);
    let query = Query { top_k: Some(3), selection, surviving: &alive_c };
    let (h3, _) = ops::memory_read(&mut tape, &h2, &v[2], query).unwrap();
    let y = connector(&mut tape, &h3, &v[5], &v[6]);
    assert_close(y.value(), &g.tensor("y"), &format!("{case}/y"));
    let gradients = tape.backward_from(&y, g.tensor("gy")).unwrap();
    for (name, leaf) in names.iter().zip(&v) {
        assert_close(gradients.of(leaf).unwrap(), &g.tensor(&format!("g{name}")), &format!("{case}/g{name}"));
    }
}

#[test]
fn twin_memories_agree() {
    for convention in ["remove", "zero"] {
        twin_agrees::<f64>(convention);
        twin_agrees::<f32>(convention);
    }
}

/// A read whose forgotten slots are given from outside, one list a pass.
struct Scripted<E: Element> {
    slots: rftm_autograd::Param<E>,
    forgotten: Vec<Vec<u32>>,
    top_k: usize,
}

impl<E: Element> Module<E> for Scripted<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let alive = surviving(self.slots.value.dims()[0], &self.forgotten.remove(0));
        let slots = tape.param(&self.slots);
        let query = Query { top_k: Some(self.top_k), selection: Selection::Remove, surviving: &alive };
        Ok(ops::memory_read(tape, &x, &slots, query)?.0)
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        Ok(x)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("slots", &mut self.slots);
    }
}

/// Three steps of Adam on a small twin-memory autoencoder, from given weights with given masks.
fn training_agrees<E: Element>() {
    let g = golden("train3");
    let masks = |name: &str, capacity: usize| -> Vec<Vec<u32>> {
        let all = g.mask(name);
        let one = |step: u32| all.iter().filter(move |&&place| place / capacity as u32 == step);
        (0..3).map(|step| one(step).map(|place| place % capacity as u32).collect()).collect()
    };
    let unit = |name, capacity: usize, top_k| Scripted {
        slots: rftm_autograd::Param::new(Tensor::zeros([capacity, 6])),
        forgotten: masks(name, capacity),
        top_k,
    };
    let mut rng = rftm_rng::rng(0, "init", 0);
    let mut linear = |inputs, outputs| rftm_nn::Linear::new(inputs, outputs, &mut rng);
    let norm = |channels| rftm_nn::BatchNorm::new(channels);
    let mut model: Sequential<E> = linear(10, 8)
        .then(norm(8).with_leaky_relu(0.01))
        .then(linear(8, 6))
        .then(norm(6).with_leaky_relu(0.01))
        .then(unit("forgotten_H", 8, 3))
        .then(norm(6).with_leaky_relu(0.01))
        .then(unit("forgotten_C", 20, 4))
        .then(norm(6).with_leaky_relu(0.01))
        .then(linear(6, 8))
        .then(norm(8).with_leaky_relu(0.01))
        .then(linear(8, 10))
        .then(norm(10));
    // Our place for each of PyTorch's names.
    let places = [
        ("enc0", "0"),
        ("enc1", "1"),
        ("enc2", "2"),
        ("enc3", "3"),
        ("bn1", "5"),
        ("bn2", "7"),
        ("dec0", "8"),
        ("dec1", "9"),
        ("dec2", "10"),
        ("dec3", "11"),
    ];
    let mut names: Vec<(String, String)> = vec![("M_H".into(), "4.slots".into()), ("M_C".into(), "6.slots".into())];
    for (theirs, ours) in places {
        names.extend(["weight", "bias"].map(|part| (format!("{theirs}.{part}"), format!("{ours}.{part}"))));
    }
    let mut state = StateDict::of(&mut model, "");
    for (theirs, ours) in &names {
        state.tensors.insert(ours.clone(), g.tensor(&format!("before.{theirs}")));
    }
    state.apply(&mut model).unwrap();

    let (x, losses) = (g.tensor::<E>("x"), g.tensor::<E>("losses"));
    let (mut tape, mut adam) = (Tape::new(), Adam::default());
    for step in 0..3 {
        let batch = Tensor::from_slice(x.row(step), [12, 10]).unwrap();
        let y = model.forward(&mut tape, Var::constant(batch.clone())).unwrap();
        let loss = layers::mse(&mut tape, &y, &batch).unwrap();
        let expected = Tensor::from_slice(&losses.data()[step..=step], []).unwrap();
        assert_close(loss.value(), &expected, &format!("train3/loss {step}"));
        adam.step(&mut model, &mut tape.backward(&loss).unwrap()).unwrap();
    }
    let state = StateDict::of(&mut model, "");
    // In f32 the noise also turns steps of biases whose gradient is merely small, so only the others are compared.
    let exact = size_of::<E>() == 8;
    for (theirs, ours) in names.iter().filter(|(theirs, _)| exact || !theirs.ends_with("bias")) {
        let [before, after] = ["before", "after"].map(|when| g.tensor::<f64>(&format!("{when}.{theirs}")));
        // Where a following batch norm cancels a parameter its true gradient is 0, and Adam steps along the rounding
        // noise of whoever computes it. Such elements hardly move in the reference (three full steps are 3e-3); in ours
        // they may move as noise does: by next to nothing in f64, by whole steps in f32.
        let (least, noise) = if exact { (1e-4, 1e-8) } else { (1e-3, 6.1e-3) };
        let moved = |index: usize| (after.data()[index] - before.data()[index]).abs() > least;
        let (mut ours_moved, mut theirs_moved) =
            (state.tensors[ours].clone(), g.tensor::<E>(&format!("after.{theirs}")));
        for index in (0..after.len()).filter(|&index| !moved(index)) {
            assert!((ours_moved.data()[index].to_f64() - after.data()[index]).abs() < noise, "{theirs}[{index}]");
            ours_moved.data_mut()[index] = E::ZERO;
            theirs_moved.data_mut()[index] = E::ZERO;
        }
        // Adam divides by the gradient's own size, so a small gradient's rounding is seen in full.
        assert_close_above(1.0, &ours_moved, &theirs_moved, &format!("train3/{theirs}"));
    }
}

#[test]
fn three_training_steps_agree() {
    training_agrees::<f64>();
    training_agrees::<f32>();
}

/// A module whose tensor `name` is that of the reference.
fn set<E: Element>(module: &mut impl Module<E>, name: &str, value: Tensor<E>) {
    let mut state = StateDict::of(module, "");
    state.tensors.insert(name.into(), value);
    state.apply(module).unwrap();
}

/// The gradient of `sum(y gy) + penalties` by `leaf`: the sum as a constant and a penalty, as the trainer adds them.
fn penalised_gradient<E: Element>(tape: &mut Tape<E>, y: &Var<E>, gy: &Tensor<E>, leaf: &Var<E>) -> Tensor<E> {
    let len = gy.len();
    let flat = layers::reshape(tape, y, [1, len]).unwrap();
    let gy = Var::constant(gy.reshape([1, len]).unwrap());
    let sum = layers::linear(tape, &flat, &gy, None).unwrap();
    let loss = layers::penalised(tape, sum).unwrap();
    tape.backward(&loss).unwrap().of(leaf).unwrap().clone()
}

fn memae_agrees<E: Element>(case: &str, similarity: Similarity) {
    let g = golden(case);
    let config = AttentionConfig { similarity, shrinkage: 0.1, entropy_weight: 0.5, ..AttentionConfig::new(9) };
    let mut tape = Tape::new();
    let (h, m) = (tape.leaf(g.tensor::<E>("h")), tape.leaf(g.tensor::<E>("M")));
    let (weights, empty) = ops::attend(&mut tape, &h, &m, similarity, 0.1).unwrap();
    assert_close(weights.value(), &g.tensor("weights"), &format!("{case}/weights"));
    assert_eq!(empty, 0);
    let entropy = ops::entropy(&mut tape, &weights);
    assert_close(entropy.value(), &g.tensor("entropy"), &format!("{case}/entropy"));
    let y = layers::matmul(&mut tape, &weights, &m).unwrap();
    tape.penalise(0.5, entropy);
    let gm = penalised_gradient(&mut tape, &y, &g.tensor("gy"), &m);
    assert_close(&gm, &g.tensor("gM"), &format!("{case}/gM"));

    // The module does the same.
    let mut memory = AttentionMemory::<E>::new(6, config, 1).unwrap();
    set(&mut memory, "slots", g.tensor("M"));
    let h = tape.leaf(g.tensor::<E>("h"));
    let y = memory.forward(&mut tape, h.clone()).unwrap();
    assert_close(y.value(), &g.tensor("y"), &format!("{case}/y"));
    assert_close(&memory.weights(h.value()).unwrap(), &g.tensor("weights"), case);
    let gh = penalised_gradient(&mut tape, &y, &g.tensor("gy"), &h);
    assert_close(&gh, &g.tensor("gh"), &format!("{case}/gh"));
    let inferred = memory.infer(g.tensor("h"), Inference::default()).unwrap();
    assert_close(&inferred, &g.tensor("y"), &format!("{case}/inferred"));
}

#[test]
fn memae_agrees_with_both_similarities() {
    for (case, similarity) in [("memae_cosine", Similarity::Cosine), ("memae_inner", Similarity::Inner)] {
        memae_agrees::<f64>(case, similarity);
        memae_agrees::<f32>(case, similarity);
    }
}

fn mnad_agrees<E: Element>() {
    let g = golden("mnad");
    let mut memory = ItemMemory::<E>::new(5, ItemConfig { capacity: 4, ..ItemConfig::default() }, 1).unwrap();
    set(&mut memory, "items", g.tensor("items0"));
    let inferred = memory.infer(g.tensor("q"), Inference::default()).unwrap();
    assert_close(&inferred, &g.tensor("y"), "mnad/inferred");
    assert_eq!(memory.items(), &g.tensor("items0"), "evaluation moves nothing");

    let mut tape = Tape::new();
    let q = tape.leaf(g.tensor::<E>("q"));
    let y = memory.forward(&mut tape, q.clone()).unwrap();
    assert_close(y.value(), &g.tensor("y"), "mnad/y");
    assert_close(memory.items(), &g.tensor("items1"), "mnad/items1");
    let gq = penalised_gradient(&mut tape, &y, &g.tensor("gy"), &q);
    assert_close(&gq, &g.tensor("gq"), "mnad/gq");

    // Each loss by itself: the penalty of a pass in which the other is off, over a loss of 0.
    for (name, compactness_weight, separateness_weight) in [("compact", 1.0, 0.0), ("separate", 0.0, 1.0)] {
        let config = ItemConfig { capacity: 4, compactness_weight, separateness_weight, margin: 1.0 };
        let mut memory = ItemMemory::<E>::new(5, config, 1).unwrap();
        set(&mut memory, "items", g.tensor("items0"));
        memory.forward(&mut tape, Var::constant(g.tensor("q"))).unwrap();
        let loss = layers::penalised(&mut tape, Var::constant(Tensor::zeros([]))).unwrap();
        assert_close(loss.value(), &g.tensor(name), name);
    }
}

#[test]
fn mnad_agrees_forward_backward_and_in_its_update() {
    mnad_agrees::<f64>();
    mnad_agrees::<f32>();
}
