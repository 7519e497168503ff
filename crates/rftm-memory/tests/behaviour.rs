//! What users rely on: shapes, parts that switch off, masks that can be drawn again, and counts of empty reads.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Tape, Var};
use rftm_memory::{
    AttentionConfig, AttentionMemory, ItemConfig, ItemMemory, MemoryUnit, Selection, TwinConfig, TwinMemory, UnitConfig,
};
use rftm_nn::{Frozen, Inference, Module, StateDict, count_parameters};
use rftm_tensor::Tensor;

fn latents<const RANK: usize>(shape: [usize; RANK]) -> Tensor {
    let len = shape.iter().product::<usize>();
    Tensor::from_vec((0..len).map(|i| ((i * i) as f32 * 0.37).sin()).collect(), shape).unwrap()
}

fn train(module: &mut impl Module, x: &Tensor) -> Tensor {
    let mut tape = Tape::new();
    module.forward(&mut tape, Var::constant(x.clone())).unwrap().into_value()
}

#[test]
fn latents_of_any_shape_are_restored() {
    for shape in [vec![4, 24], vec![4, 2, 3, 4], vec![4, 4, 6]] {
        let shape = rftm_tensor::Shape::new(&shape).unwrap();
        let x = latents([4, 24]).reshape(shape).unwrap();
        let mut twin = TwinMemory::new(24, TwinConfig::default(), 0).unwrap();
        assert_eq!(train(&mut twin, &x).shape(), &shape);
        assert_eq!(twin.infer(x, Inference::default()).unwrap().shape(), &shape);
    }
    let mut twin = TwinMemory::<f32>::new(24, TwinConfig::default(), 0).unwrap();
    let error = twin.infer(latents([4, 25]), Inference::default()).unwrap_err().to_string();
    assert_eq!(error, "memory: the latent must have shape (batch, ..) with 24 elements a sample, found (4, 25)");
    assert!(twin.forward(&mut Tape::new(), Var::constant(latents([24]))).is_err());
    // In the shape that it was given, and without any memory, too.
    let off = TwinConfig { hippocampus: None, cortex: None, ..TwinConfig::default() };
    for config in [TwinConfig::default(), off] {
        let mut twin = TwinMemory::<f32>::new(24, config, 0).unwrap();
        let x = latents([4, 5, 5]);
        let expected = "memory: the latent must have shape (batch, ..) with 24 elements a sample, found (4, 5, 5)";
        let refused = [
            twin.infer(x.clone(), Inference::default()).err(),
            twin.last_recall(&x, Inference::default()).err(),
            twin.forward(&mut Tape::new(), Var::constant(x)).err(),
        ];
        assert!(
            refused.iter().all(|error| error.as_ref().is_some_and(|error| error.to_string() == expected)),
            "{refused:?}"
        );
    }
}

/// As the paper's release has it: uniform within 1/sqrt(L'), for the twin memory, its units alone, and MemAE's.
#[test]
fn slots_start_within_their_bound() {
    let check = |slots: &Tensor| {
        assert_eq!(slots.dims()[1], 16);
        let (least, most) =
            slots.data().iter().fold((0.0_f32, 0.0_f32), |(a, b), value| (a.min(*value), b.max(*value)));
        assert!((-0.25..-0.24).contains(&least) && (0.24..=0.25).contains(&most), "{least} {most}");
    };
    let twin = TwinMemory::<f32>::new(16, TwinConfig::default(), 3).unwrap();
    check(twin.hippocampus().unwrap().slots());
    check(twin.cortex().unwrap().slots());
    check(MemoryUnit::<f32>::new(16, UnitConfig::hippocampus(), 3).unwrap().slots());
    check(AttentionMemory::<f32>::new(16, AttentionConfig::new(100), 3).unwrap().slots());
}

#[test]
fn a_seed_is_a_memory() {
    let slots = |seed| {
        let twin = TwinMemory::<f32>::new(6, TwinConfig::default(), seed).unwrap();
        twin.stages().map(|stage| stage.memory().slots().clone()).collect::<Vec<_>>()
    };
    assert_eq!(slots(1), slots(1));
    assert_ne!(slots(1)[0], slots(2)[0]);
    assert_ne!(slots(1)[1], slots(2)[1]);
}

#[test]
fn each_part_switches_off() {
    let count = |change: fn(&mut TwinConfig)| {
        let mut config = TwinConfig::default();
        change(&mut config);
        let mut twin = TwinMemory::<f32>::new(8, config, 0).unwrap();
        let x = latents([6, 8]);
        assert!(train(&mut twin, &x).is_finite());
        (count_parameters(&mut twin), twin)
    };
    let connector = 2 * 8;
    assert_eq!(count(|_| ()).0, 1050 * 8 + 2 * connector);
    assert_eq!(count(|c| c.hippocampus = None).0, 1000 * 8 + connector);
    assert_eq!(count(|c| c.cortex = None).0, 50 * 8 + connector);
    assert_eq!(count(|c| c.connector = false).0, 1050 * 8);
    let (none, twin) = count(|c| (c.hippocampus, c.cortex) = (None, None));
    assert_eq!((none, twin.infer(latents([3, 8]), Inference::default()).unwrap()), (0, latents([3, 8])));
    let frozen = Frozen::new(&twin).unwrap();
    assert_eq!(frozen.infer(latents([3, 8])).unwrap(), latents([3, 8]));
    for wrong in [latents([3, 9]), latents([8, 1]), Tensor::full([8], 1.0)] {
        assert!(twin.infer(wrong.clone(), Inference::default()).is_err() && frozen.infer(wrong).is_err());
    }
    count(|c| each_unit(c, |unit| unit.forgetting_rate = 0.0));
    count(|c| each_unit(c, |unit| unit.top_k = None));
    count(|c| each_unit(c, |unit| unit.selection = Selection::Remove));
}

#[test]
fn without_sparsification_every_slot_takes_part() {
    let config = UnitConfig { top_k: None, ..UnitConfig::new(30, 1, 0.0) };
    let unit = MemoryUnit::<f32>::new(6, config, 3).unwrap();
    let recall = unit.recall(&latents([5, 6]), Inference::default()).unwrap();
    for query in 0..5 {
        assert_eq!(recall.slots(query).len(), 30);
        assert!(recall.weights(query).iter().all(|&weight| weight > 0.0));
    }
}

/// Masks: the same for the same seed and pass, different between passes, and `floor(nu N)` slots each.
#[test]
fn forgetting_is_drawn_from_the_pass_number() {
    let config = UnitConfig { top_k: None, selection: Selection::Remove, ..UnitConfig::new(40, 1, 0.25) };
    let build = || MemoryUnit::<f32>::new(6, UnitConfig { forget_in_evaluation: true, ..config }, 3).unwrap();
    let (unit, x) = (build(), latents([1, 6]));
    let slots = |pass| {
        let mut slots = unit.recall(&x, Inference { pass }).unwrap().slots(0).to_vec();
        slots.sort_unstable();
        slots
    };
    assert_eq!(slots(0).len(), 30);
    assert_eq!(slots(5), slots(5));
    assert!((1..20).any(|pass| slots(pass) != slots(0)));

    let (mut first, mut second) = (build(), build());
    let outputs: Vec<Tensor> = (0..4).map(|_| train(&mut first, &x)).collect();
    assert!(outputs.windows(2).any(|pair| pair[0] != pair[1]));
    // A state taken between two passes goes on with the same masks.
    let _ = (train(&mut second, &x), train(&mut second, &x));
    let state = StateDict::of(&mut second, "");
    let mut resumed = build();
    state.apply(&mut resumed).unwrap();
    assert_eq!(state.counters["passes"], 2);
    assert_eq!([train(&mut resumed, &x), train(&mut resumed, &x)], [outputs[2].clone(), outputs[3].clone()]);
}

#[test]
fn the_two_memories_forget_independently() {
    let selection = Selection::Remove;
    let same = Some(UnitConfig { forget_in_evaluation: true, top_k: None, selection, ..UnitConfig::new(200, 1, 0.5) });
    let config = TwinConfig { hippocampus: same, cortex: same, ..TwinConfig::default() };
    let twin = TwinMemory::<f32>::new(6, config, 0).unwrap();
    let (h, c) = (twin.hippocampus().unwrap(), twin.cortex().unwrap());
    assert_ne!(h.slots(), c.slots());
    let survivors = |unit: &MemoryUnit| {
        let mut slots = unit.recall(&latents([1, 6]), Inference::default()).unwrap().slots(0).to_vec();
        slots.sort_unstable();
        slots
    };
    assert_ne!(survivors(h), survivors(c));
}

#[test]
fn evaluation_forgets_nothing_by_default_and_does_not_mix_samples() {
    let twin = TwinMemory::<f32>::new(6, TwinConfig::default(), 0).unwrap();
    let x = latents([9, 6]);
    let whole = twin.infer(x.clone(), Inference::default()).unwrap();
    assert_eq!(whole, twin.infer(x.clone(), Inference { pass: 7 }).unwrap());
    for row in 0..9 {
        let one = Tensor::from_slice(x.row(row), [1, 6]).unwrap();
        assert_eq!(twin.infer(one, Inference::default()).unwrap().data(), whole.row(row));
    }
}

#[test]
fn empty_reads_are_counted() {
    let config = UnitConfig { selection: Selection::Remove, ..UnitConfig::new(4, 2, 0.0) };
    let mut unit = MemoryUnit::<f32>::new(3, config, 1).unwrap();
    let mut state = StateDict::of(&mut unit, "");
    state.tensors.insert("slots".into(), Tensor::full([4, 3], 1.0));
    state.apply(&mut unit).unwrap();
    let x = Tensor::from_vec(vec![-1.0, -1.0, -1.0, 1.0, 1.0, 1.0], [2, 3]).unwrap();
    let y = train(&mut unit, &x);
    assert_eq!((y.row(0), y.row(1)), ([0.0; 3].as_slice(), [1.0; 3].as_slice()));
    assert_eq!(unit.empty_reads(), 1);
    unit.infer(x, Inference::default()).unwrap();
    assert_eq!(unit.empty_reads(), 2);
}

#[test]
fn a_batch_of_one_can_be_read_but_not_normalised() {
    let one = latents([1, 6]);
    let mut unit = MemoryUnit::<f32>::new(6, UnitConfig::hippocampus(), 1).unwrap();
    assert!(train(&mut unit, &one).is_finite());
    let mut twin = TwinMemory::<f32>::new(6, TwinConfig::default(), 0).unwrap();
    let error = twin.forward(&mut Tape::new(), Var::constant(one)).unwrap_err().to_string();
    assert!(error.contains("at least 2 values per channel"), "{error}");
}

#[test]
fn wrong_parameters_are_refused_by_name() {
    let refused = |change: fn(&mut TwinConfig)| {
        let mut config = TwinConfig::default();
        change(&mut config);
        TwinMemory::<f32>::new(8, config, 0).unwrap_err().to_string()
    };
    assert_eq!(refused(|c| c.negative_slope = f64::NAN), "twin.negative_slope: NaN is not a number from 0 on");
    assert!(refused(|c| c.negative_slope = f64::INFINITY).starts_with("twin.negative_slope: "));
    assert!(TwinMemory::<f32>::new(0, TwinConfig::default(), 0).is_err());
    // More numbers than can be counted.
    let huge = [
        TwinMemory::<f32>::new(usize::MAX, TwinConfig::default(), 0).err(),
        AttentionMemory::<f32>::new(usize::MAX, AttentionConfig::new(2), 0).err(),
        ItemMemory::<f32>::new(usize::MAX, ItemConfig::default(), 0).err(),
    ];
    for error in huge {
        let error = error.unwrap().to_string();
        assert!(error.contains(".width: ") && error.contains("more elements than memory has addresses"), "{error}");
    }
    // What `new` makes is valid, one slot too.
    for capacity in 1..4 {
        AttentionMemory::<f32>::new(8, AttentionConfig::new(capacity), 0).unwrap();
    }
    let too_many = refused(|c| c.cortex = Some(UnitConfig::new(10, 6, 0.5)));
    assert_eq!(
        too_many,
        "cortex.top_k: 6 exceeds the 5 slots that survive forgetting (capacity 10, forgetting_rate 0.5)"
    );
    assert!(refused(|c| c.hippocampus = Some(UnitConfig::new(0, 1, 0.0))).starts_with("hippocampus.capacity: "));
    let error = MemoryUnit::<f32>::new(0, UnitConfig::hippocampus(), 1).unwrap_err().to_string();
    assert_eq!(error, "memory.width: 0 elements; a latent has at least 1");
}

#[test]
fn configurations_are_plain_data() {
    let config = TwinConfig::default();
    let text = serde_json::to_string(&config).unwrap();
    assert!(text.contains("\"selection\":\"zero\""), "{text}");
    assert_eq!(serde_json::from_str::<TwinConfig>(&text).unwrap(), config);
    assert!(serde_json::from_str::<TwinConfig>(&text.replace("capacity", "capacty")).is_err());
}

/// The same change to both units.
fn each_unit(config: &mut TwinConfig, change: impl Fn(&mut UnitConfig)) {
    config.hippocampus.iter_mut().chain(&mut config.cortex).for_each(change);
}

/// The module is what the reference values check: unit, connector, unit, connector (Eq. 4 and 5).
#[test]
fn a_twin_memory_is_its_parts_in_order() {
    use rftm_autograd::ops as layers;
    use rftm_tensor::recall::Query;
    let mut config = TwinConfig::default();
    each_unit(&mut config, |unit| unit.forgetting_rate = 0.0);
    let mut twin = TwinMemory::<f32>::new(6, config, 0).unwrap();
    let (x, mut tape) = (latents([9, 6]), Tape::new());
    let (one, zero) = (Var::constant(Tensor::full([6], 1.0)), Var::constant(Tensor::zeros([6])));
    let mut h = Var::constant(x.clone());
    for (unit, top_k) in [(twin.hippocampus().unwrap(), 15), (twin.cortex().unwrap(), 5)] {
        let all: Vec<u32> = (0..unit.config().capacity as u32).collect();
        let query = Query { top_k: Some(top_k), selection: Selection::Zero, surviving: &all };
        let slots = Var::constant(unit.slots().clone());
        h = rftm_memory::ops::memory_read(&mut tape, &h, &slots, query).unwrap().0;
        let options = layers::BatchNorm { gamma: &one, beta: &zero, eps: 1e-5, slope: Some(0.01) };
        h = layers::batch_norm(&mut tape, &h, options).unwrap().0;
    }
    assert_eq!(&train(&mut twin, &x), h.value());
}

#[test]
fn the_last_recall_is_what_the_decoder_gets() {
    let check = |hippocampus: bool, cortex: bool| {
        let mut config = TwinConfig::default();
        config.hippocampus = config.hippocampus.filter(|_| hippocampus);
        config.cortex = config.cortex.filter(|_| cortex);
        let mut twin = TwinMemory::<f32>::new(24, config, 0).unwrap();
        // Running statistics other than those of the start.
        train(&mut twin, &latents([8, 24]));
        let x = latents([3, 2, 12]);
        let found = twin.last_recall(&x, Inference::default()).unwrap();
        let Some((recall, memory)) = found else {
            assert!(!hippocampus && !cortex);
            return;
        };
        let k = if cortex { config.cortex } else { config.hippocampus }.unwrap().top_k.unwrap();
        assert_eq!((recall.queries(), recall.slots(0).len()), (3, k));
        let reads = rftm_tensor::recall::read(&recall, memory.slots());
        let decoded = twin.after_last_read(reads, Inference::default()).unwrap();
        let expected = twin.infer(x, Inference::default()).unwrap();
        assert_eq!(decoded.data(), expected.data(), "hippocampus {hippocampus}, cortex {cortex}");
    };
    for (hippocampus, cortex) in [(true, true), (true, false), (false, true), (false, false)] {
        check(hippocampus, cortex);
    }
}

/// A checkpoint must not be taken up by a memory with other rules.
#[test]
fn memories_with_other_options_have_other_descriptions() {
    let mut seen = std::collections::BTreeSet::new();
    let mut differs = |module: &dyn Module| assert!(seen.insert(module.description()), "{}", module.description());
    let twin = TwinConfig::default();
    let unit = UnitConfig::cortex();
    for cortex in [
        Some(unit),
        None,
        Some(UnitConfig { top_k: Some(4), ..unit }),
        Some(UnitConfig { top_k: None, ..unit }),
        Some(UnitConfig { forgetting_rate: 0.2, ..unit }),
        Some(UnitConfig { selection: Selection::Remove, ..unit }),
        Some(UnitConfig { forget_in_evaluation: true, ..unit }),
    ] {
        differs(&TwinMemory::new(8, TwinConfig { cortex, ..twin }, 1).unwrap());
    }
    differs(&TwinMemory::new(8, TwinConfig { connector: false, ..twin }, 1).unwrap());
    differs(&TwinMemory::new(8, TwinConfig { negative_slope: 0.2, ..twin }, 1).unwrap());
    differs(&TwinMemory::new(8, twin, 2).unwrap());
    differs(&MemoryUnit::new(8, unit, 1).unwrap());
    let attention = AttentionConfig::new(9);
    differs(&AttentionMemory::new(8, attention, 1).unwrap());
    differs(&AttentionMemory::new(8, AttentionConfig { shrinkage: 0.2, ..attention }, 1).unwrap());
    differs(&AttentionMemory::new(8, AttentionConfig { entropy_weight: 0.0, ..attention }, 1).unwrap());
    differs(&ItemMemory::new(8, ItemConfig::default(), 1).unwrap());
    differs(&ItemMemory::new(8, ItemConfig { margin: 0.5, ..ItemConfig::default() }, 1).unwrap());
}
