//! The models that are measured.

use std::fmt;
use std::str::FromStr;

use rftm_memory::UnitConfig;
use rftm_models::{Convention, MemorySpec, ModelSpec};

/// Samples in a training step, and in a batch that is scored.
pub const BATCH: usize = 256;

/// One of the paper's autoencoders, with or without the twin memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The padding of the convolutions; `None`: fully connected.
    padding: Option<usize>,
    memory: bool,
}

impl Case {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 6] = [
        Self { padding: None, memory: false },
        Self { padding: None, memory: true },
        Self { padding: Some(1), memory: false },
        Self { padding: Some(0), memory: false },
        Self { padding: Some(1), memory: true },
        Self { padding: Some(0), memory: true },
    ];

    /// The name on the command line and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.padding, self.memory) {
            (None, false) => "fc_ae",
            (None, true) => "fc_rftm",
            (Some(0), false) => "conv_ae_p0",
            (Some(_), false) => "conv_ae_p1",
            (Some(0), true) => "conv_rftm_p0",
            (Some(_), true) => "conv_rftm_p1",
        }
    }

    /// The model: MNIST's with the paper's memory, or CIFAR-10's with 3000 slots in each unit.
    #[must_use]
    pub fn spec(self) -> ModelSpec {
        let memory = match (self.memory, self.padding) {
            (false, _) => MemorySpec::None,
            (true, None) => MemorySpec::twin(Convention::Release),
            (true, Some(_)) => MemorySpec::Twin {
                hippocampus: Some(UnitConfig::new(3000, 15, 0.1)),
                cortex: Some(UnitConfig::new(3000, 5, 0.5)),
                connector: true,
            },
        };
        match self.padding {
            None => ModelSpec::mlp(&[784, 512, 256, 128], memory, Convention::Release),
            Some(padding) => ModelSpec::cifar10(padding, memory, Convention::Release),
        }
    }

    /// Whether a step takes a fraction of a second rather than milliseconds.
    #[must_use]
    pub fn is_conv(self) -> bool {
        self.padding.is_some()
    }

    /// The same case without memory: the plain autoencoder.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { memory: false, ..self }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|case| case.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown case {text:?}; the cases are {names}")
        })
    }
}
