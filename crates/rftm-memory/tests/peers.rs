//! The memories of MemAE and MNAD at their edges: shapes, single samples, ties, vectors without direction, nothing left.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Tape, Var, ops};
use rftm_memory::{AttentionConfig, AttentionMemory, ItemConfig, ItemMemory, Similarity};
use rftm_nn::{Frozen, Inference, Module, StateDict, count_parameters};
use rftm_tensor::Tensor;

fn latents<const RANK: usize>(shape: [usize; RANK]) -> Tensor {
    let len = shape.iter().product::<usize>();
    Tensor::from_vec((0..len).map(|i| ((i * i) as f32 * 0.37).sin()).collect(), shape).unwrap()
}

fn train(module: &mut impl Module, x: &Tensor) -> Tensor {
    module.forward(&mut Tape::new(), Var::constant(x.clone())).unwrap().into_value()
}

fn infer(module: &impl Module, x: &Tensor) -> Tensor {
    module.infer(x.clone(), Inference::default()).unwrap()
}

fn set(module: &mut impl Module, name: &str, values: &[f32]) {
    let mut state = StateDict::of(module, "");
    let shape = *state.tensors[name].shape();
    state.tensors.insert(name.into(), Tensor::from_slice(values, shape).unwrap());
    state.apply(module).unwrap();
}

fn attention(width: usize, config: AttentionConfig) -> AttentionMemory {
    AttentionMemory::new(width, config, 3).unwrap()
}

fn items(width: usize, capacity: usize) -> ItemMemory {
    let separateness_weight = if capacity > 1 { 0.1 } else { 0.0 };
    ItemMemory::new(width, ItemConfig { capacity, separateness_weight, ..ItemConfig::default() }, 3).unwrap()
}

/// Loss and gradient of one step by the latent.
fn step(module: &mut impl Module, x: &Tensor) -> (f32, Option<Tensor>) {
    let mut tape = Tape::new();
    let h = tape.leaf(x.clone());
    let y = module.forward(&mut tape, h.clone()).unwrap();
    let target = Tensor::full(*y.shape(), 0.3);
    let loss = ops::mse(&mut tape, &y, &target).unwrap();
    let loss = ops::penalised(&mut tape, loss).unwrap();
    let gradients = tape.backward(&loss).unwrap();
    (loss.value().item().unwrap(), gradients.of(&h).cloned())
}

#[test]
fn latents_of_any_shape_are_read_whole() {
    let x = latents([4, 24]);
    for shape in [vec![4, 24], vec![4, 2, 3, 4], vec![4, 4, 6]] {
        let x = x.reshape(rftm_tensor::Shape::new(&shape).unwrap()).unwrap();
        let mut memory = attention(24, AttentionConfig::new(10));
        assert_eq!(infer(&memory, &x).data(), infer(&memory, &latents([4, 24])).data());
        assert_eq!(train(&mut memory, &x).dims(), shape);

        // Per pixel the channels of the query, then those of the read.
        let memory = items(24, 10);
        let (flat, y) = (infer(&memory, &latents([4, 24])), infer(&memory, &x));
        let channels = *shape.last().unwrap();
        assert_eq!(y.dims(), [&shape[..shape.len() - 1], &[2 * channels]].concat());
        for (pixel, row) in y.data().chunks(2 * channels).enumerate() {
            let (sample, from) = (pixel * channels / 24, pixel * channels % 24);
            assert_eq!(row[..channels], flat.row(sample)[from..][..channels]);
            assert_eq!(row[channels..], flat.row(sample)[24 + from..][..channels]);
        }
        assert_eq!(train(&mut items(24, 10), &x).dims(), y.dims());
    }
    let expected = "memory: the latent must have shape (batch, ..) with 24 elements a sample, found (4, 25)";
    let wrong = || Var::constant(latents([4, 25]));
    let error = attention(24, AttentionConfig::new(5)).forward(&mut Tape::new(), wrong()).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(items(24, 5).forward(&mut Tape::new(), wrong()).unwrap_err().to_string(), expected);
    assert_eq!(items(24, 5).weights(&latents([4, 25])).unwrap_err().to_string(), expected);
}

#[test]
fn evaluation_does_not_mix_samples_and_freezes() {
    let x = latents([9, 6]);
    let modules: [Box<dyn Module>; 2] = [Box::new(attention(6, AttentionConfig::new(12))), Box::new(items(6, 10))];
    for module in modules {
        let whole = module.infer(x.clone(), Inference::default()).unwrap();
        let frozen = Frozen::new(&*module).unwrap();
        assert_eq!(frozen.infer(x.clone()).unwrap(), whole);
        for row in 0..9 {
            let one = Tensor::from_slice(x.row(row), [1, 6]).unwrap();
            assert_eq!(module.infer(one.clone(), Inference { pass: 7 }).unwrap().data(), whole.row(row));
            assert_eq!(frozen.infer(one).unwrap().data(), whole.row(row));
        }
    }
}

#[test]
fn a_batch_of_one_trains() {
    let one = latents([1, 6]);
    for similarity in [Similarity::Cosine, Similarity::Inner] {
        let (loss, gradient) = step(&mut attention(6, AttentionConfig { similarity, ..AttentionConfig::new(5) }), &one);
        assert!(loss.is_finite() && gradient.unwrap().is_finite());
    }
    for capacity in [1, 2, 10] {
        let (loss, gradient) = step(&mut items(6, capacity), &one);
        assert!(loss.is_finite() && gradient.unwrap().is_finite());
    }
}

#[test]
fn nothing_left_reads_zero_passes_no_gradient_and_is_counted() {
    // With cosines between -1 and 1 no weight of 100 slots can exceed 0.0695.
    let config = AttentionConfig { shrinkage: 0.07, ..AttentionConfig::new(100) };
    let mut memory = attention(6, config);
    let x = latents([8, 6]);
    assert_eq!(train(&mut memory, &x), Tensor::zeros([8, 6]));
    assert_eq!(memory.empty_reads(), 8);
    let (loss, gradient) = step(&mut memory, &x);
    assert!((loss - 0.09).abs() < 1e-6, "{loss}");
    assert_eq!(gradient.unwrap(), Tensor::zeros([8, 6]));
    assert_eq!(infer(&memory, &x), Tensor::zeros([8, 6]));
    assert_eq!(memory.empty_reads(), 24);
    assert_eq!(StateDict::of(&mut memory, "").counters["empty_reads"], 24);
}

#[test]
fn a_latent_or_slot_of_length_zero_is_equally_far_from_everything() {
    let x = Tensor::from_vec(vec![0.0, 0.0, 3.0, 4.0], [2, 2]).unwrap();
    let mut memory = attention(2, AttentionConfig { shrinkage: 0.0, ..AttentionConfig::new(2) });
    set(&mut memory, "slots", &[0.0, 0.0, 0.6, 0.8]);
    let weights = memory.weights(&x).unwrap();
    assert_eq!(weights.row(0), [0.5, 0.5]);
    let expected = 1.0 / (1.0 + 1_f32.exp());
    assert!((weights.row(1)[0] - expected).abs() < 1e-6, "{weights:?}");
    let (_, gradient) = step(&mut memory, &x);
    let gradient = gradient.unwrap();
    assert_eq!(gradient.row(0), [0.0, 0.0]);
    assert!(gradient.is_finite());
    // Pruned at 1/N, such a latent has nothing left.
    let mut memory = attention(2, AttentionConfig::new(2));
    assert_eq!(train(&mut memory, &x).row(0), [0.0, 0.0]);
    assert_eq!(memory.empty_reads(), 1);

    let mut memory = items(2, 2);
    set(&mut memory, "items", &[0.0, 0.0, 0.6, 0.8]);
    let (loss, gradient) = step(&mut memory, &x);
    let gradient = gradient.unwrap();
    assert!(loss.is_finite() && gradient.is_finite());
    assert_eq!(gradient.row(0), [0.0, 0.0]);
    // The latent without direction is nearest to the first item by the rule for ties, and cannot move it.
    assert_eq!(memory.items().row(0), [0.0, 0.0]);
    assert_eq!(infer(&memory, &x).row(0)[..2], [0.0, 0.0]);
}

#[test]
fn equal_slots_and_items_are_tied_not_broken() {
    let x = latents([5, 2]);
    let mut memory = attention(2, AttentionConfig { shrinkage: 0.0, ..AttentionConfig::new(3) });
    set(&mut memory, "slots", &[0.6, 0.8, 0.6, 0.8, 0.6, 0.8]);
    let y = train(&mut memory, &x);
    for (y, slot) in y.data().iter().zip([0.6_f32, 0.8].iter().cycle()) {
        assert!((y - slot).abs() < 1e-6);
    }
    let mut memory = items(2, 3);
    set(&mut memory, "items", &[0.6, 0.8, 0.6, 0.8, 0.6, 0.8]);
    let (loss, gradient) = step(&mut memory, &x);
    assert!(loss.is_finite() && gradient.unwrap().is_finite());
    // All queries went to the lowest index: the others stayed.
    let moved = memory.items();
    assert_ne!(moved.row(0), [0.6, 0.8]);
    for row in [1, 2] {
        assert!((moved.row(row)[0] - 0.6).abs() < 1e-6 && (moved.row(row)[1] - 0.8).abs() < 1e-6);
    }
}

#[test]
fn infinite_latents_are_not_hidden() {
    for bad in [f32::NAN, f32::INFINITY] {
        let x = Tensor::from_vec(vec![bad, 1.0, 0.5, 1.0], [2, 2]).unwrap();
        assert!(!train(&mut attention(2, AttentionConfig::new(4)), &x).is_finite());
        assert!(!train(&mut items(2, 4), &x).is_finite());
        assert!(step(&mut items(2, 4), &x).0.is_nan());
    }
}

#[test]
fn items_move_in_training_only_and_are_state() {
    let (x, y) = (latents([7, 6]), latents([11, 6]));
    let mut memory = items(6, 10);
    let first = memory.items().clone();
    for row in 0..10 {
        assert!(first.row(row).iter().all(|&value| value >= 0.0));
        assert!((first.row(row).iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6);
    }
    infer(&memory, &x);
    assert_eq!(memory.items(), &first);
    train(&mut memory, &x);
    assert_ne!(memory.items(), &first);
    // A state taken between two passes goes on to the same bits.
    let state = StateDict::of(&mut memory, "");
    let after = (train(&mut memory, &y), memory.items().clone());
    let mut resumed = items(6, 10);
    state.apply(&mut resumed).unwrap();
    assert_eq!((train(&mut resumed, &y), resumed.items().clone()), after);
    // Nothing of it is trained.
    assert_eq!(count_parameters(&mut memory), 0);
    assert_eq!(count_parameters(&mut attention(6, AttentionConfig::new(12))), 12 * 6);
}

#[test]
fn a_weight_of_zero_asks_for_nothing() {
    let zero = || Var::constant(Tensor::scalar(0.0_f32));
    let penalty = |module: &mut dyn Module| {
        let mut tape = Tape::new();
        module.forward(&mut tape, Var::constant(latents([7, 6]))).unwrap();
        ops::penalised(&mut tape, zero()).unwrap().value().item().unwrap()
    };
    let attend = |entropy_weight| attention(6, AttentionConfig { entropy_weight, ..AttentionConfig::new(5) });
    assert_eq!(penalty(&mut attend(0.0)), 0.0);
    let (one, two) = (penalty(&mut attend(1.0)), penalty(&mut attend(2.0)));
    assert!(one > 0.1 && (two - 2.0 * one).abs() < 1e-6);
    let item = |compactness_weight, separateness_weight| {
        let config = ItemConfig { compactness_weight, separateness_weight, ..ItemConfig::default() };
        ItemMemory::new(6, config, 3).unwrap()
    };
    assert_eq!(penalty(&mut item(0.0, 0.0)), 0.0);
    let (compact, separate, both) =
        (penalty(&mut item(1.0, 0.0)), penalty(&mut item(0.0, 1.0)), penalty(&mut item(1.0, 1.0)));
    assert!(compact > 0.0 && separate > 0.0 && (compact + separate - both).abs() < 1e-6);
}

#[test]
fn wrong_parameters_are_refused_by_name() {
    let refused = |change: fn(&mut AttentionConfig)| {
        let mut config = AttentionConfig::new(100);
        change(&mut config);
        AttentionMemory::<f32>::new(8, config, 1).unwrap_err().to_string()
    };
    assert_eq!(refused(|c| c.capacity = 0), "attention.capacity: 0 slots; at least 1 and fewer than 2^32 are needed");
    assert_eq!(refused(|c| c.shrinkage = 1.0), "attention.shrinkage: 1 is not in [0, 1)");
    assert_eq!(refused(|c| c.shrinkage = f64::NAN), "attention.shrinkage: NaN is not in [0, 1)");
    assert_eq!(refused(|c| c.entropy_weight = -1.0), "attention.entropy_weight: -1 is not a number from 0 on");
    let refused = |change: fn(&mut ItemConfig)| {
        let mut config = ItemConfig::default();
        change(&mut config);
        ItemMemory::<f32>::new(8, config, 1).unwrap_err().to_string()
    };
    assert_eq!(refused(|c| c.capacity = 0), "items.capacity: 0 items; at least 1 and fewer than 2^32 are needed");
    assert_eq!(
        refused(|c| c.capacity = 1),
        "items.capacity: 1 item has no second nearest; use 2 items, or separateness_weight 0"
    );
    assert!(refused(|c| c.compactness_weight = f64::INFINITY).starts_with("items.compactness_weight: "));
    assert!(refused(|c| c.separateness_weight = f64::NAN).starts_with("items.separateness_weight: "));
    assert!(refused(|c| c.margin = -0.5).starts_with("items.margin: "));
    let error = ItemMemory::<f32>::new(0, ItemConfig::default(), 1).unwrap_err().to_string();
    assert_eq!(error, "items.width: 0 elements; a latent has at least 1");
    assert!(AttentionMemory::<f32>::new(0, AttentionConfig::new(5), 1).is_err());
}

#[test]
fn configurations_are_plain_data() {
    let config = AttentionConfig::new(100);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(text, r#"{"capacity":100,"similarity":"cosine","shrinkage":0.01,"entropy_weight":0.0002}"#);
    assert_eq!(serde_json::from_str::<AttentionConfig>(&text).unwrap(), config);
    assert!(serde_json::from_str::<AttentionConfig>(&text.replace("cosine", "angle")).is_err());
    let config = ItemConfig::default();
    let text = serde_json::to_string(&config).unwrap();
    let expected = r#"{"capacity":10,"compactness_weight":0.1,"separateness_weight":0.1,"margin":1.0}"#;
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<ItemConfig>(&text).unwrap(), config);
    assert!(serde_json::from_str::<ItemConfig>(&text.replace("margin", "margins")).is_err());
}
