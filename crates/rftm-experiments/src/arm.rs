//! What is switched off in a model: the arms of the ablation, Table 2 of the paper, and one of our own.

use std::fmt;

use rftm_memory::{AttentionConfig, ItemConfig, UnitConfig};
use rftm_models::MemorySpec;
use serde::Deserialize;

/// Which parts of a model are switched off. In the order of the paper's rows, but for the whole model, which comes last
/// there, and the arm of MemAE and MNAD, which it does not have.
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
    /// MemAE and MNAD are trained by the reconstruction alone, as RFTM is.
    NoPenalties,
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
        }
    }

    /// Which parts of RFTM are on, in the order of the paper's columns: forgetting, sparsification, connector, hippocampus,
    /// cortex.
    #[must_use]
    pub fn parts(self) -> [bool; 5] {
        match self {
            Self::Full | Self::NoPenalties => [true; 5],
            Self::NoForgetting => [false, true, true, true, true],
            Self::NoSparsification => [false, false, true, true, true],
            Self::NoConnector => [true, true, false, true, true],
            Self::NoHippocampus => [true, true, true, false, true],
            Self::NoCortex => [true, true, true, true, false],
        }
    }

    /// A memory with this arm's parts switched off; one that has no such part stays as it is.
    pub(crate) fn apply(self, memory: MemorySpec) -> MemorySpec {
        let (hippocampus, cortex, connector) = match memory {
            MemorySpec::Twin { hippocampus, cortex, connector } => (hippocampus, cortex, connector),
            MemorySpec::MemAe(config) if self == Self::NoPenalties => {
                return MemorySpec::MemAe(AttentionConfig { entropy_weight: 0.0, ..config });
            }
            MemorySpec::Mnad(config) if self == Self::NoPenalties => {
                return MemorySpec::Mnad(ItemConfig { compactness_weight: 0.0, separateness_weight: 0.0, ..config });
            }
            MemorySpec::None | MemorySpec::MemAe(_) | MemorySpec::Mnad(_) => return memory,
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

    /// The arm that a memory is of; the key tells whether it is exactly that.
    pub(crate) fn of(memory: &MemorySpec) -> Self {
        let (hippocampus, cortex, connector) = match memory {
            MemorySpec::Twin { hippocampus, cortex, connector } => (hippocampus, cortex, connector),
            MemorySpec::MemAe(AttentionConfig { entropy_weight: 0.0, .. }) => return Self::NoPenalties,
            MemorySpec::Mnad(ItemConfig { compactness_weight: 0.0, separateness_weight: 0.0, .. }) => {
                return Self::NoPenalties;
            }
            MemorySpec::None | MemorySpec::MemAe(_) | MemorySpec::Mnad(_) => return Self::Full,
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
                for arm in Arm::PAPER.into_iter().chain([Arm::NoPenalties]) {
                    let memory = arm.apply(whole.clone());
                    assert_eq!(Arm::of(&memory), if has(arm) { arm } else { Arm::Full }, "{whole:?}");
                    assert_eq!(memory == whole, arm == Arm::Full || !has(arm), "{arm} of {whole:?}");
                }
            };
            check(MemorySpec::twin(convention), &|arm| arm != Arm::NoPenalties);
            check(MemorySpec::memae(100), &|arm| arm == Arm::NoPenalties);
            check(MemorySpec::mnad(), &|arm| arm == Arm::NoPenalties);
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
