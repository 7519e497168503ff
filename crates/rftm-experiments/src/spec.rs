//! From the protocol's hyper-parameters to a model, and back to the choices behind it.

use rftm_data::DatasetId;
use rftm_memory::UnitConfig;
use rftm_models::{Architecture, Capacities, MemorySpec, ModelKind, ModelSpec};

use crate::cell::Cell;
use crate::definition::Variant;
use crate::error::Result;
use crate::protocol::{DatasetProtocol, Unit};

/// The model `kind` for `dataset` under `variant`.
pub(crate) fn build(dataset: &DatasetProtocol, kind: ModelKind, variant: Variant) -> Result<ModelSpec> {
    let memory = match kind {
        ModelKind::Ae => MemorySpec::None,
        ModelKind::Rftm => MemorySpec::Twin {
            hippocampus: Some(unit(&dataset.hippocampus, variant)),
            cortex: Some(unit(&dataset.cortex, variant)),
            connector: true,
        },
        ModelKind::MemAe | ModelKind::Mnad => MemorySpec::of(kind, variant.convention, capacities(dataset.id)),
    };
    let architecture = dataset.architecture.clone();
    Ok(ModelSpec { architecture, ..ModelSpec::mlp(&[], memory, variant.convention) })
}

/// The paper gives none for MemAE and MNAD; these are from their own papers.
fn capacities(dataset: DatasetId) -> Capacities {
    if dataset == DatasetId::Cifar10 { Capacities::CIFAR10 } else { Capacities::default() }
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

/// Whether this version can build the model and read the data set. `rftm-data` has no reader for CIFAR-10 yet.
pub(crate) fn is_built(dataset: &DatasetProtocol, kind: ModelKind) -> bool {
    ModelKind::available().contains(&kind) && dataset.id != DatasetId::Cifar10
}

/// Whether the model takes samples as rows, not as images.
pub(crate) fn is_flat(model: &ModelSpec) -> bool {
    match model.architecture {
        Architecture::Mlp { .. } => true,
        Architecture::Conv { .. } => false,
    }
}

/// The choices behind a cell. A model without a memory is the same whether or not memories forget at inference.
pub(crate) fn variant_of(cell: &Cell) -> Variant {
    let forget_at_inference = match &cell.model.memory {
        MemorySpec::None | MemorySpec::MemAe(_) | MemorySpec::Mnad(_) => false,
        MemorySpec::Twin { hippocampus, cortex, .. } => {
            hippocampus.iter().chain(cortex).any(|unit| unit.forget_in_evaluation)
        }
    };
    Variant { convention: cell.convention, forget_at_inference, max_epochs: cell.train.max_epochs }
}
