//! What a seed draws before training.
#![allow(clippy::unwrap_used)]

use rftm_models::{Capacities, Convention, MemorySpec, Model, ModelKind, ModelSpec};

fn memory(kind: ModelKind) -> MemorySpec {
    MemorySpec::of(kind, Convention::Release, Capacities::default())
}

fn vectors(kind: ModelKind) -> ModelSpec {
    ModelSpec::mlp(&[20, 16, 8], memory(kind), Convention::Release)
}

fn images(kind: ModelKind) -> ModelSpec {
    ModelSpec::conv([8, 8], &[3, 4, 8], memory(kind), Convention::Release)
}

#[test]
fn a_seed_is_a_model() {
    for kind in ModelKind::ALL {
        let digest = |seed| Model::new(&vectors(kind), seed).unwrap().digest();
        assert_eq!(digest(1), digest(1));
        assert_ne!(digest(1), digest(2));
    }
}

/// A change here, be it in the order of layers or in how a library draws a number, changes every recorded result: it must be
/// deliberate, and `REVISION` of rftm-experiments says why.
#[test]
fn initial_weights_are_pinned() {
    let digest = |spec: &ModelSpec| Model::new(spec, 1997).unwrap().digest()[..16].to_owned();
    let digests = ModelKind::ALL.map(|kind| [digest(&vectors(kind)), digest(&images(kind))]);
    let expected = [
        ["efc8b0c64f9afbc3", "20baa68047dad6f3"],
        ["7741a6f2fe463b4e", "c40b3e1fada26ee5"],
        ["d8a81e702502a95d", "374ef802632b6a03"],
        ["5c26316f913f2edd", "9e9deed6a3e59203"],
    ];
    assert_eq!(digests, expected);
}
