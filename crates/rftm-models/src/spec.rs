use std::fmt;
use std::str::FromStr;

use rftm_data::Scaling;
use rftm_memory::{AttentionConfig, ItemConfig, Selection, UnitConfig};
use rftm_tensor::conv::Geometry;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::coder::{Size, size};

/// The models of the paper's comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Plain autoencoder.
    Ae,
    /// Memory-augmented autoencoder (Gong et al., 2019).
    MemAe,
    /// Memory-guided normality (Park et al., 2020).
    Mnad,
    /// Random forgetting twin memory.
    Rftm,
}

impl ModelKind {
    /// All models of the comparison, in the paper's order.
    pub const ALL: [Self; 4] = [Self::Ae, Self::MemAe, Self::Mnad, Self::Rftm];

    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ae => "ae",
            Self::MemAe => "memae",
            Self::Mnad => "mnad",
            Self::Rftm => "rftm",
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ModelKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown model {text:?}; the models are {names}")
        })
    }
}

/// A reading of the places where the paper leaves a choice (`docs/method.md`, choices 3, 4, 9 and 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Convention {
    /// The authors' later release: forgotten and negative similarities become 0, the last block has no activation,
    /// pixels are scaled to [-1, 1].
    Release,
    /// The paper's text: forgotten slots and non-positive similarities are removed, the last block is like the others,
    /// pixels are scaled to [0, 1].
    Text,
}

impl Convention {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Release, Self::Text];

    /// How pixels are scaled.
    #[must_use]
    pub fn scaling(self) -> Scaling {
        match self {
            Self::Release => Scaling::Symmetric,
            Self::Text => Scaling::Unit,
        }
    }

    /// What becomes of forgotten slots and non-positive similarities.
    #[must_use]
    pub fn selection(self) -> Selection {
        match self {
            Self::Release => Selection::Zero,
            Self::Text => Selection::Remove,
        }
    }

    /// Whether the last decoder block ends in LeakyReLU.
    #[must_use]
    pub fn last_activation(self) -> bool {
        self == Self::Text
    }

    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Convention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("unknown convention {text:?}; they are release and text");
        Self::ALL.into_iter().find(|convention| convention.name() == text).ok_or_else(unknown)
    }
}

/// Everything that shapes a model. Plain data: written into ledgers and model files, compared, hashed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Encoder and decoder.
    pub architecture: Architecture,
    /// What stands between them.
    pub memory: MemorySpec,
    /// Whether the last decoder block ends in LeakyReLU, as all others do.
    pub last_activation: bool,
    /// Slope of every LeakyReLU for negative values.
    pub negative_slope: f64,
}

/// The encoder; the decoder mirrors it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Architecture {
    /// Blocks of Linear, BatchNorm, LeakyReLU. For vectors, and for windows of a series, flattened.
    Mlp {
        /// Width of the input, of each layer, and of the latent: `[784, 512, 256, 128]` in the paper.
        widths: Vec<usize>,
    },
    /// Blocks of Conv2d, BatchNorm, LeakyReLU; the decoder has ConvTranspose2d, with the output padding of each layer and
    /// axis that restores the sizes of the encoder. For images of any height and width from
    /// [`Architecture::smallest_image`] on.
    Conv {
        /// Height and width of the input.
        image: [usize; 2],
        /// Channels of the input and of each layer: `[3, 64, 128, 256, 512]` in the paper.
        channels: Vec<usize>,
        /// Side of every kernel; 3 in the paper.
        kernel: usize,
        /// Stride of every layer; 2 in the paper.
        stride: usize,
        /// Zeros around the larger image of every layer; the paper does not say.
        padding: usize,
    },
}

impl Architecture {
    /// A convolutional autoencoder for images of any size: kernel 3, stride 2, padding 1, so each layer halves height and
    /// width, rounded up. `channels` from the image's to the latent's.
    #[must_use]
    pub fn conv(image: [usize; 2], channels: &[usize]) -> Self {
        Self::Conv { image, channels: channels.to_vec(), kernel: 3, stride: 2, padding: 1 }
    }

    /// The least height and width of an image: at every layer the kernel fits the padded image, and no image is smaller
    /// than the stride (such a layer would look at padding, and shrink nothing). For n layers of [`Self::conv`] that is
    /// `2^(n-1) + 1`. 1 for models without convolutions.
    #[must_use]
    pub fn smallest_image(&self) -> usize {
        let Self::Conv { channels, kernel, stride, padding, .. } = self else { return 1 };
        let layer = |small: usize| {
            let reach = small.saturating_sub(1).saturating_mul(*stride).saturating_add(*kernel);
            reach.saturating_sub(padding.saturating_mul(2)).max(*stride).max(1)
        };
        (1..channels.len()).fold(1, |small, _| layer(small))
    }

    /// The sizes of each convolution, from the image to the latent; the decoder goes back through the same. None for models
    /// without convolutions.
    ///
    /// # Errors
    /// If a kernel does not fit what the layers before it leave of the image.
    pub fn geometries(&self) -> rftm_tensor::Result<Vec<Geometry>> {
        let Self::Conv { image, channels, kernel, stride, padding } = self else { return Ok(vec![]) };
        let mut large = *image;
        let layer = |_| {
            let geometry = Geometry::convolution(large, [*kernel; 2], *stride, *padding)?;
            large = geometry.small();
            Ok(geometry)
        };
        (1..channels.len()).map(layer).collect()
    }

    /// The shape of one sample.
    #[must_use]
    pub fn sample_shape(&self) -> Vec<usize> {
        match self {
            Self::Mlp { widths } => widths.first().copied().into_iter().collect(),
            Self::Conv { image: [height, width], channels, .. } => {
                channels.first().copied().into_iter().chain([*height, *width]).collect()
            }
        }
    }
}

/// What stands between encoder and decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum MemorySpec {
    /// Nothing: a plain autoencoder.
    None,
    /// The twin memory.
    Twin {
        /// First memory; `None` switches it off.
        hippocampus: Option<UnitConfig>,
        /// Second memory; `None` switches it off.
        cortex: Option<UnitConfig>,
        /// Whether batch normalisation and LeakyReLU follow each.
        connector: bool,
    },
    /// The memory of MemAE.
    MemAe(AttentionConfig),
    /// The memory of MNAD, which doubles the width of what the decoder gets.
    Mnad(ItemConfig),
}

/// How many slots each memory has; the paper chooses that by data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacities {
    /// Of the twin memory's first.
    pub hippocampus: usize,
    /// Of its second.
    pub cortex: usize,
    /// Of MemAE's, as in its own paper.
    pub memae: usize,
    /// Of MNAD's, as in its own paper.
    pub mnad: usize,
}

impl Default for Capacities {
    /// Those for MNIST and Fashion-MNIST.
    fn default() -> Self {
        Self { hippocampus: 50, cortex: 1000, memae: 100, mnad: 10 }
    }
}

impl Capacities {
    /// Those for CIFAR-10.
    pub const CIFAR10: Self = Self { hippocampus: 3000, cortex: 3000, memae: 500, mnad: 10 };
}

impl MemorySpec {
    /// What makes the model `kind` of the comparison, with memories of these capacities and all else as in the paper.
    #[must_use]
    pub fn of(kind: ModelKind, convention: Convention, capacities: Capacities) -> Self {
        let unit =
            |unit: UnitConfig, capacity| Some(UnitConfig { capacity, selection: convention.selection(), ..unit });
        match kind {
            ModelKind::Ae => Self::None,
            ModelKind::MemAe => Self::memae(capacities.memae),
            ModelKind::Mnad => Self::Mnad(ItemConfig { capacity: capacities.mnad, ..ItemConfig::default() }),
            ModelKind::Rftm => Self::Twin {
                hippocampus: unit(UnitConfig::hippocampus(), capacities.hippocampus),
                cortex: unit(UnitConfig::cortex(), capacities.cortex),
                connector: true,
            },
        }
    }

    /// The paper's twin memory under a convention.
    #[must_use]
    pub fn twin(convention: Convention) -> Self {
        Self::of(ModelKind::Rftm, convention, Capacities::default())
    }

    /// MemAE's memory of so many slots: cosine, lambda 1/N, entropy weight 0.0002.
    #[must_use]
    pub fn memae(capacity: usize) -> Self {
        Self::MemAe(AttentionConfig::new(capacity))
    }

    /// MNAD's memory: 10 items, compactness and separateness weighing 0.1, margin 1.
    #[must_use]
    pub fn mnad() -> Self {
        Self::Mnad(ItemConfig::default())
    }

    /// How many slots there are in all.
    pub(crate) fn slots(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Twin { hippocampus, cortex, .. } => {
                [hippocampus, cortex].into_iter().flatten().fold(0, |sum, unit| sum.saturating_add(unit.capacity))
            }
            Self::MemAe(config) => config.capacity,
            Self::Mnad(config) => config.capacity,
        }
    }

    /// How many channels the decoder gets for each channel of the encoder.
    pub(crate) fn widening(&self) -> usize {
        match self {
            Self::Mnad(_) => 2,
            Self::None | Self::Twin { .. } | Self::MemAe(_) => 1,
        }
    }

    /// The model of the comparison that this memory makes.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::None => ModelKind::Ae,
            Self::Twin { .. } => ModelKind::Rftm,
            Self::MemAe(_) => ModelKind::MemAe,
            Self::Mnad(_) => ModelKind::Mnad,
        }
    }
}

impl ModelSpec {
    /// A fully connected autoencoder; `widths` from the input to the latent.
    #[must_use]
    pub fn mlp(widths: &[usize], memory: MemorySpec, convention: Convention) -> Self {
        Self {
            architecture: Architecture::Mlp { widths: widths.to_vec() },
            memory,
            last_activation: convention.last_activation(),
            negative_slope: 0.01,
        }
    }

    /// A bound from below on how many numbers such a model has, found without making one: the weights of its encoder and what
    /// is in the slots of its memory.
    ///
    /// # Errors
    /// Sizes that [`Model::new`](crate::Model::new) refuses.
    pub fn least_numbers(&self) -> Result<usize, Error> {
        let Size { encoder, memory, .. } = size(self)?;
        Ok(encoder.saturating_add(memory))
    }

    /// A convolutional autoencoder for images of any size, see [`Architecture::conv`].
    #[must_use]
    pub fn conv(image: [usize; 2], channels: &[usize], memory: MemorySpec, convention: Convention) -> Self {
        Self { architecture: Architecture::conv(image, channels), ..Self::mlp(&[], memory, convention) }
    }

    /// The paper's convolutional autoencoder for CIFAR-10.
    #[must_use]
    pub fn cifar10(padding: usize, memory: MemorySpec, convention: Convention) -> Self {
        let channels = vec![3, 64, 128, 256, 512];
        let architecture = Architecture::Conv { image: [32, 32], channels, kernel: 3, stride: 2, padding };
        Self { architecture, ..Self::mlp(&[], memory, convention) }
    }

    /// The model of the comparison that this is.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        self.memory.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for kind in ModelKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        for convention in Convention::ALL {
            assert_eq!(convention.name().parse(), Ok(convention));
        }
        assert_eq!(
            "vae".parse::<ModelKind>().unwrap_err(),
            "unknown model \"vae\"; the models are ae, memae, mnad, rftm"
        );
        assert!("paper".parse::<Convention>().is_err());
    }

    #[test]
    fn a_spec_survives_json() {
        for kind in ModelKind::ALL {
            let memory = MemorySpec::of(kind, Convention::Text, Capacities::CIFAR10);
            let spec = ModelSpec::mlp(&[784, 512, 256, 128], memory, Convention::Text);
            assert_eq!(spec.kind(), kind);
            let text = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<ModelSpec>(&text).unwrap(), spec);
            assert!(serde_json::from_str::<ModelSpec>(&text.replace("last_activation", "lastactivation")).is_err());
        }
    }

    /// What stands in ledgers and makes the keys of cells.
    #[test]
    fn memories_are_written_by_the_name_of_their_model() {
        let check = |memory: &MemorySpec, expected: &str| assert_eq!(serde_json::to_string(memory).unwrap(), expected);
        check(&MemorySpec::None, r#""none""#);
        check(
            &MemorySpec::memae(500),
            r#"{"memae":{"capacity":500,"similarity":"cosine","shrinkage":0.002,"entropy_weight":0.0002}}"#,
        );
        check(
            &MemorySpec::mnad(),
            r#"{"mnad":{"capacity":10,"compactness_weight":0.1,"separateness_weight":0.1,"margin":1.0}}"#,
        );
        let same = |kind, memory| assert_eq!(MemorySpec::of(kind, Convention::Text, Capacities::default()), memory);
        same(ModelKind::MemAe, MemorySpec::memae(100));
        same(ModelKind::Mnad, MemorySpec::mnad());
        let (hippocampus, cortex) = (Some(UnitConfig::hippocampus()), Some(UnitConfig::cortex()));
        let twin = MemorySpec::Twin { hippocampus, cortex, connector: true };
        assert_eq!(MemorySpec::twin(Convention::Release), twin);
    }
}
