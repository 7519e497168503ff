use crate::coder::{Coder, build, size};
use crate::identity::Hash;
use crate::spec::{Architecture, MemorySpec, ModelSpec};
use crate::{Error, SCORING_BATCH, Scorer, scores};
use rftm_autograd::{Param, Tape, Var};
use rftm_data::Samples;
use rftm_memory::{AttentionMemory, ItemMemory, TwinConfig, TwinMemory};
use rftm_nn::{Freezer, Inference, Module, Segment, Sequential, StateDict, Visitor, count_parameters};
use rftm_rng::rng;
use rftm_tensor::{Result, Tensor};

/// An autoencoder with something, or nothing, in its bottleneck.
#[derive(Debug)]
pub struct Model {
    spec: ModelSpec,
    encoder: Sequential,
    bottleneck: Bottleneck,
    decoder: Sequential,
}

/// What stands between encoder and decoder.
#[derive(Debug)]
pub enum Bottleneck {
    /// Nothing.
    Identity,
    /// The twin memory.
    Twin(Box<TwinMemory>),
    /// MemAE's.
    Attention(Box<AttentionMemory>),
    /// MNAD's.
    Items(Box<ItemMemory>),
}

impl Bottleneck {
    /// The memory, if there is one.
    fn module(&self) -> Option<&dyn Module> {
        match self {
            Self::Identity => None,
            Self::Twin(memory) => Some(&**memory),
            Self::Attention(memory) => Some(&**memory),
            Self::Items(memory) => Some(&**memory),
        }
    }

    fn module_mut(&mut self) -> Option<&mut dyn Module> {
        match self {
            Self::Identity => None,
            Self::Twin(memory) => Some(&mut **memory),
            Self::Attention(memory) => Some(&mut **memory),
            Self::Items(memory) => Some(&mut **memory),
        }
    }
}

impl Model {
    /// A model with weights drawn from `seed`.
    ///
    /// # Errors
    /// A hyper-parameter that is out of range, by name.
    pub fn new(spec: &ModelSpec, seed: u64) -> std::result::Result<Self, Error> {
        if !(spec.negative_slope.is_finite() && spec.negative_slope > 0.0) {
            let problem = format!("{} is not a positive number", spec.negative_slope);
            return Err(Error::Config { parameter: "negative_slope", problem });
        }
        let latent = size(spec)?.latent;
        let Coder { encoder, decoder } = build(spec, &mut rng(seed, "init", 0))?;
        let bottleneck = match spec.memory {
            MemorySpec::None => Bottleneck::Identity,
            MemorySpec::Twin { hippocampus, cortex, connector } => {
                let negative_slope = spec.negative_slope;
                let config = TwinConfig { hippocampus, cortex, connector, negative_slope };
                Bottleneck::Twin(Box::new(TwinMemory::new(latent, config, seed)?))
            }
            MemorySpec::MemAe(config) => Bottleneck::Attention(Box::new(AttentionMemory::new(latent, config, seed)?)),
            MemorySpec::Mnad(config) => Bottleneck::Items(Box::new(ItemMemory::new(latent, config, seed)?)),
        };
        Ok(Self { spec: spec.clone(), encoder, bottleneck, decoder })
    }

    /// What the model was built from.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// From samples to latents.
    #[must_use]
    pub fn encoder(&self) -> &Sequential {
        &self.encoder
    }

    /// From latents to samples.
    #[must_use]
    pub fn decoder(&self) -> &Sequential {
        &self.decoder
    }

    /// What stands between encoder and decoder.
    #[must_use]
    pub fn bottleneck(&self) -> &Bottleneck {
        &self.bottleneck
    }

    /// Takes these inputs out of an untrained model of fully connected layers: it does not see them and reconstructs 0.
    ///
    /// For inputs that are 0 in all training samples. No gradient would ever move the encoder's weights for them, so the first
    /// sample in which one is not 0 would be mapped anywhere, by weights that are still random. Here those weights are 0, and
    /// so are scale and shift of the last normalisation, and they stay 0, as their gradients do: such a sample is reconstructed
    /// as any other, and what it differs by is its residual. A convolution shares its weights among the pixels and is left as
    /// it is.
    ///
    /// # Panics
    /// If an input is not below the width of a sample.
    pub fn ignore(&mut self, inputs: &[usize]) {
        if matches!(self.spec.architecture, Architecture::Mlp { .. }) {
            self.encoder.visit(&mut Silence { inputs, layer: 0, rank: 2, here: false });
            let layer = self.decoder.len() - 1;
            self.decoder.visit(&mut Silence { inputs, layer, rank: 1, here: false });
        }
    }

    /// The anomaly score of every sample, Eq. 1: the Euclidean length of its residual. Higher = more anomalous.
    ///
    /// # Errors
    /// If the samples do not have the width of the model.
    pub fn scores(&self, samples: &dyn Samples) -> std::result::Result<Vec<f32>, Error> {
        scores(self, samples, SCORING_BATCH)
    }

    /// The model as a scorer: batch normalisation folded, weights packed, usable from several threads at once.
    ///
    /// # Errors
    /// If the model forgets in evaluation, which makes it another model in every pass.
    pub fn scorer(&self) -> std::result::Result<Scorer, Error> {
        Scorer::new(self)
    }

    /// How many trainable numbers.
    pub fn parameters(&mut self) -> usize {
        count_parameters(self)
    }

    /// SHA-256 over all tensors by name: equal digests are equal weights, running statistics included, to the bit. (Not
    /// equal models: k, slopes and counters are no tensors.)
    pub fn digest(&mut self) -> String {
        let mut hash = Hash::new();
        hash.tensors(&StateDict::of(self, ""));
        hash.finish()
    }
}

/// Sets what the parameters of one layer and rank hold for some inputs, or outputs, to 0.
struct Silence<'a> {
    inputs: &'a [usize],
    layer: usize,
    rank: usize,
    here: bool,
}

impl Visitor<f32> for Silence<'_> {
    fn enter(&mut self, segment: Segment<'_>) {
        self.here = matches!(segment, Segment::Index(layer) if layer == self.layer);
    }

    fn param(&mut self, _: &str, param: &mut Param) {
        let dims = param.value.dims();
        if let (true, true, Some(&width)) = (self.here, dims.len() == self.rank, dims.last()) {
            for row in param.value.data_mut().chunks_exact_mut(width) {
                self.inputs.iter().for_each(|&input| row[input] = 0.0);
            }
        }
    }
}

impl Module for Model {
    fn forward(&mut self, tape: &mut Tape, x: Var) -> Result<Var> {
        let mut h = self.encoder.forward(tape, x)?;
        if let Some(memory) = self.bottleneck.module_mut() {
            h = memory.forward(tape, h)?;
        }
        self.decoder.forward(tape, h)
    }

    fn infer(&self, x: Tensor, inference: Inference) -> Result<Tensor> {
        let mut h = self.encoder.infer(x, inference)?;
        if let Some(memory) = self.bottleneck.module() {
            h = memory.infer(h, inference)?;
        }
        self.decoder.infer(h, inference)
    }

    fn freeze(&self, freezer: &mut Freezer<f32>) -> Result<()> {
        self.encoder.freeze(freezer)?;
        if let Some(memory) = self.bottleneck.module() {
            memory.freeze(freezer)?;
        }
        self.decoder.freeze(freezer)
    }

    fn description(&self) -> String {
        format!("{:?}", self.spec)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<f32>) {
        let parts: [(&str, Option<&mut dyn Module>); 3] = [
            ("encoder", Some(&mut self.encoder)),
            ("memory", self.bottleneck.module_mut()),
            ("decoder", Some(&mut self.decoder)),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                visitor.enter(Segment::Name(name));
                part.visit(visitor);
                visitor.leave();
            }
        }
    }
}
