//! The arms of the ablation, Table 2 of the paper.

use std::fmt;

use rftm_memory::UnitConfig;
use rftm_models::MemorySpec;
use serde::Deserialize;

/// Which parts of RFTM are switched off. In the order of the paper's rows, but for the whole model, which comes last
/// there.
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
}

impl Arm {
    /// All arms.
    pub const ALL: [Self; 6] = [
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
        }
    }

    /// Which parts are on, in the order of the paper's columns: forgetting, sparsification, connector, hippocampus,
    /// cortex.
    #[must_use]
    pub fn parts(self) -> [bool; 5] {
        match self {
            Self::Full => [true; 5],
            Self::NoForgetting => [false, true, true, true, true],
            Self::NoSparsification => [false, false, true, true, true],
            Self::NoConnector => [true, true, false, true, true],
            Self::NoHippocampus => [true, true, true, false, true],
            Self::NoCortex => [true, true, true, true, false],
        }
    }

    /// A memory with this arm's parts switched off; what is no twin memory stays as it is.
    pub(crate) fn apply(self, memory: MemorySpec) -> MemorySpec {
        let MemorySpec::Twin { hippocampus, cortex, connector } = memory else { return memory };
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
        let MemorySpec::Twin { hippocampus, cortex, connector } = memory else { return Self::Full };
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
            let whole = MemorySpec::twin(convention);
            for arm in Arm::ALL {
                let memory = arm.apply(whole.clone());
                assert_eq!(Arm::of(&memory), arm);
                assert_eq!(memory == whole, arm == Arm::Full, "{arm}");
                assert_eq!(arm.apply(MemorySpec::None), MemorySpec::None);
            }
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
