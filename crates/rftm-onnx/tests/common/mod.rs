//! Models to export: small, and trained enough that running statistics and memories are no longer those of the start.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod expected;

use rftm_data::Rows;
use rftm_memory::{AttentionConfig, Similarity, UnitConfig};
use rftm_models::{
    Architecture, Capacities, Convention, MemorySpec, Model, ModelKind, ModelSpec, Silent, TrainConfig, train,
};
use rftm_nn::StateDict;
use rftm_onnx::Preprocessing;

pub(crate) const FEW: Capacities = Capacities { hippocampus: 20, cortex: 40, memae: 12, mnad: 5 };

/// A tensor's name, and its new elements by position.
pub(crate) type Set = (&'static str, fn(usize) -> f32);

/// A model to export.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) spec: ModelSpec,
    /// Tensors that are overwritten after training, for the edges that no training finds.
    pub(crate) set: Vec<Set>,
}

const TABLE: [usize; 3] = [7, 16, 6];

fn table(name: &str, memory: MemorySpec, convention: Convention) -> Case {
    Case { name: name.to_owned(), spec: ModelSpec::mlp(&TABLE, memory, convention), set: vec![] }
}

/// The twin memory, its units changed.
fn twin(convention: Convention, change: impl Fn(&mut UnitConfig)) -> MemorySpec {
    let mut memory = MemorySpec::of(ModelKind::Rftm, convention, FEW);
    if let MemorySpec::Twin { hippocampus: Some(hippocampus), cortex: Some(cortex), .. } = &mut memory {
        change(hippocampus);
        change(cortex);
    }
    memory
}

fn memae(similarity: Similarity, shrinkage: f64) -> MemorySpec {
    MemorySpec::MemAe(AttentionConfig { similarity, shrinkage, ..AttentionConfig::new(FEW.memae) })
}

/// All four models on a table and on images of odd size, and the readings that differ from the default.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (convention, kind) in Convention::ALL.into_iter().flat_map(|c| ModelKind::ALL.map(|kind| (c, kind))) {
        let memory = || MemorySpec::of(kind, convention, FEW);
        cases.push(table(&format!("{kind}-table-{convention}"), memory(), convention));
        let spec = ModelSpec::conv([11, 14], &[3, 8, 6], memory(), convention);
        cases.push(Case { name: format!("{kind}-images-{convention}"), spec, set: vec![] });
    }
    let (release, text) = (Convention::Release, Convention::Text);
    let architecture = Architecture::Conv { image: [13, 9], channels: vec![1, 4, 6], kernel: 3, stride: 2, padding: 0 };
    let unpadded = table("rftm-unpadded", twin(release, |_| ()), release);
    cases.push(Case { spec: ModelSpec { architecture, ..unpadded.spec }, ..unpadded });
    cases.push(table("rftm-dense", twin(text, |unit| unit.top_k = None), text));
    let cortex = Some(UnitConfig { capacity: 40, ..UnitConfig::cortex() });
    let alone = MemorySpec::Twin { hippocampus: None, cortex, connector: false };
    cases.push(table("rftm-cortex-alone", alone, release));
    cases.push(table("memae-inner", memae(Similarity::Inner, 0.0), release));
    cases.push(table("memae-all-pruned", memae(Similarity::Cosine, 0.9), release));
    cases.extend(edges());
    cases
}

/// Latents without direction, features that hardly vary, slots that are all removed, slots that are all alike.
fn edges() -> Vec<Case> {
    let mut cases = Vec::new();
    for (convention, kind) in Convention::ALL.into_iter().flat_map(|c| ModelKind::ALL.map(|kind| (c, kind))) {
        let case =
            table(&format!("{kind}-no-direction-{convention}"), MemorySpec::of(kind, convention, FEW), convention);
        cases.push(Case { set: vec![("encoder.3.weight", |_| 0.0), ("encoder.3.bias", |_| 0.0)], ..case });
    }
    // So small that the epsilon of the batch normalisation counts.
    let case = table("small-variance", MemorySpec::None, Convention::Release);
    cases.push(Case { set: vec![("encoder.1.running_var", |_| 2e-5)], ..case });
    for convention in Convention::ALL {
        // A latent of ones. Powers of two leave the directions of slots the same to the last bit.
        let ones: [Set; 2] = [("encoder.3.weight", |_| 0.0), ("encoder.3.bias", |_| 1.0)];
        let length = |element: usize| (1 << (element / TABLE[2] % 8)) as f32;
        let alike: Set = ("memory.hippocampus.slots", length);
        let opposite: Set = ("memory.hippocampus.slots", |element| -((1 << (element / TABLE[2] % 8)) as f32));
        for (name, slots) in [("ties", alike), ("opposite", opposite)] {
            let case = table(&format!("rftm-{name}-{convention}"), twin(convention, |_| ()), convention);
            cases.push(Case { set: ones.into_iter().chain([slots]).collect(), ..case });
        }
    }
    cases
}

/// Deterministic samples of a shape, in the model's units; neighbouring features go together.
pub(crate) fn samples(count: usize, shape: &[usize], from: usize) -> Rows {
    let features: usize = shape.iter().product();
    let value = |sample: usize, feature: usize| {
        let (a, b) = ((sample * 37 % 101) as f32 / 101.0, (sample * 53 % 89) as f32 / 89.0);
        ((feature as f32 * (0.2 + 0.3 * a)).sin() + b - 0.5) * 0.8
    };
    let values = (from..from + count).flat_map(|sample| (0..features).map(move |feature| value(sample, feature)));
    Rows::new(values.collect(), shape.to_vec()).unwrap()
}

/// A model after a few epochs.
pub(crate) fn trained(case: &Case) -> Model {
    let shape = case.spec.architecture.sample_shape();
    let mut model = Model::new(&case.spec, 2015).unwrap();
    let config = TrainConfig { batch_size: 32, max_epochs: 4, ..TrainConfig::default() };
    train(&mut model, &config, &samples(192, &shape, 0), &samples(32, &shape, 500), None, &mut Silent).unwrap();
    let mut state = StateDict::of(&mut model, "");
    for (name, value) in &case.set {
        let tensor = state.tensors.get_mut(*name).unwrap();
        tensor.data_mut().iter_mut().enumerate().for_each(|(element, x)| *x = value(element));
    }
    state.apply(&mut model).unwrap();
    model
}

/// A scaling with a centre far from 0, whose rounding to 32 bits would be seen, and another factor for each feature.
pub(crate) fn scaling(features: usize) -> Preprocessing {
    let center = (0..features).map(|feature| if feature == 1 { 1_000_000.3 } else { 0.1 * feature as f64 });
    Preprocessing::new(center.collect(), (0..features).map(|feature| 0.5 + 0.25 * (feature % 5) as f64).collect())
        .unwrap()
}
