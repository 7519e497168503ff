//! The models that are measured.

use std::fmt;
use std::str::FromStr;

use rftm_models::{Capacities, Convention, MemorySpec, ModelKind, ModelSpec};

/// Samples in a training step, and in a batch that is scored.
pub const BATCH: usize = 256;

/// One of the paper's autoencoders, with or without a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The padding of the convolutions; `None`: fully connected.
    padding: Option<usize>,
    kind: ModelKind,
}

impl Case {
    /// Those that are compared with other programs, in the order of the tables.
    pub const ALL: [Self; 6] = [
        Self { padding: None, kind: ModelKind::Ae },
        Self { padding: None, kind: ModelKind::Rftm },
        Self { padding: Some(1), kind: ModelKind::Ae },
        Self { padding: Some(0), kind: ModelKind::Ae },
        Self { padding: Some(1), kind: ModelKind::Rftm },
        Self { padding: Some(0), kind: ModelKind::Rftm },
    ];

    /// The models that the paper compares with: timed to know what their training costs, compared with nothing.
    pub const BASELINES: [Self; 2] =
        [Self { padding: None, kind: ModelKind::MemAe }, Self { padding: None, kind: ModelKind::Mnad }];

    /// The name on the command line and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.padding, self.kind) {
            (_, ModelKind::MemAe) => "fc_memae",
            (_, ModelKind::Mnad) => "fc_mnad",
            (None, ModelKind::Ae) => "fc_ae",
            (None, ModelKind::Rftm) => "fc_rftm",
            (Some(0), ModelKind::Ae) => "conv_ae_p0",
            (Some(_), ModelKind::Ae) => "conv_ae_p1",
            (Some(0), ModelKind::Rftm) => "conv_rftm_p0",
            (Some(_), ModelKind::Rftm) => "conv_rftm_p1",
        }
    }

    /// The model: MNIST's with the paper's memory, or CIFAR-10's with 3000 slots in each unit.
    #[must_use]
    pub fn spec(self) -> ModelSpec {
        let capacities = if self.is_conv() { Capacities::CIFAR10 } else { Capacities::default() };
        let memory = MemorySpec::of(self.kind, Convention::Release, capacities);
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
        Self { kind: ModelKind::Ae, ..self }
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
        let all = || Self::ALL.into_iter().chain(Self::BASELINES);
        all().find(|case| case.name() == text).ok_or_else(|| {
            let names = all().map(Self::name).collect::<Vec<_>>().join(", ");
            format!("unknown case {text:?}; the cases are {names}")
        })
    }
}
