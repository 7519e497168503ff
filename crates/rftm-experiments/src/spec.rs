//! From the protocol's hyper-parameters to a model, and back to the choices behind it.

use rftm_memory::UnitConfig;
use rftm_models::{Architecture, MemorySpec, ModelKind, ModelSpec};

use crate::arm::Arm;
use crate::cell::Cell;
use crate::definition::Variant;
use crate::protocol::{DatasetProtocol, Unit};

/// The model `kind` for `dataset` under `variant`.
pub(crate) fn build(dataset: &DatasetProtocol, kind: ModelKind, variant: Variant) -> ModelSpec {
    let memory = memory(dataset, kind, variant);
    let mut architecture = dataset.architecture.clone();
    if let (Architecture::Conv { padding, .. }, Some(chosen)) = (&mut architecture, variant.padding) {
        *padding = chosen;
    }
    ModelSpec { architecture, ..ModelSpec::mlp(&[], variant.arm.apply(memory), variant.convention) }
}

/// What stands between encoder and decoder of `kind`, with the protocol's numbers.
fn memory(dataset: &DatasetProtocol, kind: ModelKind, variant: Variant) -> MemorySpec {
    match kind {
        ModelKind::Ae => MemorySpec::None,
        ModelKind::Rftm => MemorySpec::Twin {
            hippocampus: Some(unit(&dataset.hippocampus, variant)),
            cortex: Some(unit(&dataset.cortex, variant)),
            connector: true,
        },
        ModelKind::MemAe => MemorySpec::memae(dataset.memae_capacity),
        ModelKind::Mnad => MemorySpec::mnad(),
    }
}

fn unit(unit: &Unit, variant: Variant) -> UnitConfig {
    UnitConfig {
        capacity: unit.capacity,
        top_k: Some(unit.top_k),
        forgetting_rate: unit.forgetting_rate,
        selection: variant.convention.selection(),
        forget_in_evaluation: variant.forget_at_inference,
    }
}

/// Whether the model takes samples as rows, not as images.
pub(crate) fn is_flat(model: &ModelSpec) -> bool {
    match model.architecture {
        Architecture::Mlp { .. } => true,
        Architecture::Conv { .. } => false,
    }
}

/// The padding of a convolutional model.
pub(crate) fn padding(architecture: &Architecture) -> Option<usize> {
    match architecture {
        Architecture::Mlp { .. } => None,
        Architecture::Conv { padding, .. } => Some(*padding),
    }
}

/// The choices behind a cell. A model without a memory is the same whether or not memories forget at inference.
pub(crate) fn variant_of(cell: &Cell) -> Variant {
    let memory = &cell.model.memory;
    let forget_at_inference = match memory {
        MemorySpec::Twin { hippocampus, cortex, .. } => {
            hippocampus.iter().chain(cortex).any(|unit| unit.forget_in_evaluation)
        }
        _ => false,
    };
    Variant {
        convention: cell.convention,
        forget_at_inference,
        max_epochs: cell.train.max_epochs,
        padding: padding(&cell.model.architecture),
        arm: Arm::of(memory),
    }
}
