//! What is changed in a model: the arms of the ablation, Table 2 of the paper, and ours of MemAE and MNAD.

use std::fmt;

use rftm_memory::{AttentionConfig, ItemConfig, Similarity, UnitConfig};
use rftm_models::MemorySpec;
use serde::Deserialize;

/// Which parts of a model are switched off or set otherwise. In the order of the paper's rows, but for the whole model,
/// which comes last there, and the arms of MemAE and MNAD, which it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Nothing: the model of Table 1.
    #[default]
    Full,
    /// No slot is forgotten.
    NoForgetting,
    /// No slot is forgotten, and a softmax runs over all similarities: no top-k and no threshold.
    NoSparsification,
    /// No batch normalisation and LeakyReLU after the memories.
    NoConnector,
    /// The first memory is off, its connector with it.
    NoHippocampus,
    /// The second memory is off, its connector with it.
    NoCortex,
    /// MNAD's own loss terms weigh 0.01 each, a tenth of the usual.
    WeakPenalties,
    /// MemAE and MNAD are trained by the reconstruction alone, as RFTM is.
    NoPenalties,
    /// MemAE prunes no attention weight.
    NoPruning,
    /// MemAE has 1000 slots, as many as RFTM's larger memory, and lambda is 1/1000.
    Slots1000,
    /// MemAE compares by the inner product and has the lambda of its authors' code, 0.0025.
    Inner,
    /// The same with 500 slots, which MemAE's paper gives CIFAR-10.
    Inner500,
    /// The same with the 2000 slots of the code.
    Inner2000,
}

impl Arm {
    /// The arms of the paper.
    pub const PAPER: [Self; 6] = [
        Self::Full,
        Self::NoForgetting,
        Self::NoSparsification,
        Self::NoConnector,
        Self::NoHippocampus,
        Self::NoCortex,
    ];

    /// Those of MemAE. Where two give the same memory, as two do with CIFAR-10's 500 slots, it is said to be of the first.
    const MEMAE: [Self; 6] =
        [Self::Inner2000, Self::Inner500, Self::Inner, Self::Slots1000, Self::NoPruning, Self::NoPenalties];

    /// Those of MNAD.
    const MNAD: [Self; 2] = [Self::WeakPenalties, Self::NoPenalties];

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoForgetting => "no-forgetting",
            Self::NoSparsification => "no-sparsification",
            Self::NoConnector => "no-connector",
            Self::NoHippocampus => "no-hippocampus",
            Self::NoCortex => "no-cortex",
            Self::NoPenalties => "no-penalties",
            Self::WeakPenalties => "weak-penalties",
            Self::NoPruning => "no-pruning",
            Self::Slots1000 => "slots1000",
            Self::Inner => "inner",
            Self::Inner500 => "inner500",
            Self::Inner2000 => "inner2000",
        }
    }

    /// Which parts of RFTM are on, in the order of the paper's columns: forgetting, sparsification, connector, hippocampus,
    /// cortex.
    #[must_use]
    pub fn parts(self) -> [bool; 5] {
        match self {
            Self::NoForgetting => [false, true, true, true, true],
            Self::NoSparsification => [false, false, true, true, true],
            Self::NoConnector => [true, true, false, true, true],
            Self::NoHippocampus => [true, true, true, false, true],
            Self::NoCortex => [true, true, true, true, false],
            _ => [true; 5],
        }
    }

    /// A memory changed so; one that has no such part stays as it is.
    pub(crate) fn apply(self, memory: MemorySpec) -> MemorySpec {
        let (hippocampus, cortex, connector) = match memory {
            MemorySpec::Twin { hippocampus, cortex, connector } => (hippocampus, cortex, connector),
            MemorySpec::MemAe(config) => return MemorySpec::MemAe(self.set_memae(config)),
            MemorySpec::Mnad(config) => return MemorySpec::Mnad(self.set_mnad(config)),
            MemorySpec::None => return memory,
        };
        let [forgetting, sparsification, joined, first, second] = self.parts();
        let unit = |unit: UnitConfig| UnitConfig {
            forgetting_rate: if forgetting { unit.forgetting_rate } else { 0.0 },
            top_k: if sparsification { unit.top_k } else { None },
            ..unit
        };
        MemorySpec::Twin {
            hippocampus: hippocampus.filter(|_| first).map(unit),
            cortex: cortex.filter(|_| second).map(unit),
            connector: connector && joined,
        }
    }

    fn set_memae(self, config: AttentionConfig) -> AttentionConfig {
        let as_in_code = AttentionConfig { similarity: Similarity::Inner, shrinkage: 0.0025, ..config };
        match self {
            Self::NoPenalties => AttentionConfig { entropy_weight: 0.0, ..config },
            Self::NoPruning => AttentionConfig { shrinkage: 0.0, ..config },
            Self::Slots1000 => AttentionConfig { capacity: 1000, shrinkage: 1e-3, ..config },
            Self::Inner => as_in_code,
            Self::Inner500 => AttentionConfig { capacity: 500, ..as_in_code },
            Self::Inner2000 => AttentionConfig { capacity: 2000, ..as_in_code },
            _ => config,
        }
    }

    fn set_mnad(self, config: ItemConfig) -> ItemConfig {
        let weighed = |weight| ItemConfig { compactness_weight: weight, separateness_weight: weight, ..config };
        match self {
            Self::NoPenalties => weighed(0.0),
            Self::WeakPenalties => weighed(0.01),
            _ => config,
        }
    }

    /// The arm that a memory is of; the key tells whether it is exactly that.
    pub(crate) fn of(memory: &MemorySpec) -> Self {
        let (hippocampus, cortex, connector) = match memory {
            MemorySpec::Twin { hippocampus, cortex, connector } => (hippocampus, cortex, connector),
            // A memory is of an arm that would change nothing in it.
            MemorySpec::MemAe(config) => {
                let arm = Self::MEMAE.into_iter().find(|arm| arm.set_memae(*config) == *config);
                return arm.unwrap_or_default();
            }
            MemorySpec::Mnad(config) => {
                let arm = Self::MNAD.into_iter().find(|arm| arm.set_mnad(*config) == *config);
                return arm.unwrap_or_default();
            }
            MemorySpec::None => return Self::Full,
        };
        let units = || hippocampus.iter().chain(cortex);
        match () {
            () if hippocampus.is_none() => Self::NoHippocampus,
            () if cortex.is_none() => Self::NoCortex,
            () if !connector => Self::NoConnector,
            () if units().any(|unit| unit.top_k.is_none()) => Self::NoSparsification,
            () if units().any(|unit| unit.forgetting_rate == 0.0) => Self::NoForgetting,
            () => Self::Full,
        }
    }
}

/// Reads "without the cortex", for people.
impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "all parts",
            Self::NoForgetting => "without forgetting",
            Self::NoSparsification => "without forgetting and sparsification",
            Self::NoConnector => "without connector",
            Self::NoHippocampus => "without hippocampus",
            Self::NoCortex => "without cortex",
            Self::NoPenalties => "without loss terms of its own",
            Self::WeakPenalties => "with a tenth of the weight on its own loss terms",
            Self::NoPruning => "without pruning",
            Self::Slots1000 => "with 1000 slots",
            Self::Inner => "with the inner product, lambda 0.0025",
            Self::Inner500 => "with the inner product, lambda 0.0025 and 500 slots",
            Self::Inner2000 => "with the inner product, lambda 0.0025 and 2000 slots",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rftm_models::Convention;

    #[test]
    fn an_arm_is_recognised_by_its_memory() {
        for convention in Convention::ALL {
            let check = |whole: MemorySpec, has: &dyn Fn(Arm) -> bool| {
                for arm in Arm::PAPER.into_iter().chain(Arm::MEMAE).chain(Arm::MNAD) {
                    let memory = arm.apply(whole.clone());
                    assert_eq!(Arm::of(&memory), if has(arm) { arm } else { Arm::Full }, "{whole:?}");
                    assert_eq!(memory == whole, arm == Arm::Full || !has(arm), "{arm} of {whole:?}");
                }
            };
            check(MemorySpec::twin(convention), &|arm| Arm::PAPER.contains(&arm));
            check(MemorySpec::memae(100), &|arm| Arm::MEMAE.contains(&arm));
            check(MemorySpec::mnad(), &|arm| Arm::MNAD.contains(&arm));
            assert_eq!(Arm::of(&Arm::Inner.apply(MemorySpec::memae(500))), Arm::Inner500, "the same memory");
            check(MemorySpec::None, &|_| false);
        }
    }

    #[test]
    fn the_parts_are_the_ones_that_are_off() {
        let MemorySpec::Twin { hippocampus, cortex, connector } =
            Arm::NoSparsification.apply(MemorySpec::twin(Convention::Release))
        else {
            panic!("a twin memory stays one");
        };
        assert!(connector);
        for unit in [hippocampus.unwrap(), cortex.unwrap()] {
            assert_eq!((unit.top_k, unit.forgotten()), (None, 0), "softmax over all N, row 2 of the paper's Table 2");
        }
    }
}
