use std::sync::atomic::{AtomicU64, Ordering};

use rftm_autograd::{Param, Tape, Var, ops as layers};
use rftm_nn::{Freezer, Inference, Module, Visitor};
use rftm_tensor::{Element, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::config::{check_capacity, check_weight, draw_slots};
use crate::{ConfigError, latent, ops};

/// How an attention memory compares a latent with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Similarity {
    /// The cosine of the angle between them, as in MemAE's paper. A vector shorter than 1e-12 has cosine 0 with all.
    Cosine,
    /// Their inner product, as in MemAE's code.
    Inner,
}

/// What an [`AttentionMemory`] is to be; checked when it is built.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionConfig {
    /// Number of slots, N.
    pub capacity: usize,
    /// How a latent is compared with a slot.
    pub similarity: Similarity,
    /// Attention weights that do not exceed this, lambda, are pruned; 0 switches pruning off. The weights of a latent sum
    /// to 1 over the N slots, so the paper advises 1/N to 3/N.
    pub shrinkage: f64,
    /// Weight of the entropy of the pruned attention in the loss; 0 switches it off.
    pub entropy_weight: f64,
}

impl AttentionConfig {
    /// MemAE's memory of so many slots: cosine, lambda = 1/N, entropy weight 0.0002. One slot has all the weight, and 1/1
    /// would prune it: then lambda is 0.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let shrinkage = if capacity > 1 { 1.0 / capacity as f64 } else { 0.0 };
        Self { capacity, similarity: Similarity::Cosine, shrinkage, entropy_weight: 2e-4 }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// The first parameter that is out of range.
    pub fn check(&self) -> std::result::Result<(), ConfigError> {
        check_capacity(PART, self.capacity, "slots")?;
        if !(0.0..1.0).contains(&self.shrinkage) {
            return Err(ConfigError::new(PART, "shrinkage", format!("{} is not in [0, 1)", self.shrinkage)));
        }
        check_weight(PART, "entropy_weight", self.entropy_weight)
    }
}

/// What errors call it, and what its stream is named.
const PART: &str = "attention";

/// The memory of MemAE (Gong et al., 2019): a latent is replaced by a mean of all slots, weighted by a pruned softmax over
/// its similarities to them ([`ops::attend`]). In training it asks the tape for an entropy penalty, which wants
/// the weights sparse: add it to the loss with [`penalised`](rftm_autograd::ops::penalised).
///
/// Pruning is the same in training and evaluation. It is a jump: rounding can move a weight that is just lambda
/// across, so a frozen model may score a rare sample a little differently.
///
/// # Shapes
/// Input and output (batch, ...) with L' elements a sample; `slots` (N, L').
#[derive(Debug)]
pub struct AttentionMemory<E: Element = f32> {
    config: AttentionConfig,
    slots: Param<E>,
    empty_reads: AtomicU64,
}

impl<E: Element> AttentionMemory<E> {
    /// A memory for latents of `width` elements, its slots drawn from `U(-1/sqrt(width), 1/sqrt(width))`.
    ///
    /// # Errors
    /// A parameter that is out of range.
    pub fn new(width: usize, config: AttentionConfig, seed: u64) -> std::result::Result<Self, ConfigError> {
        config.check()?;
        let bound = 1.0 / (width as f64).sqrt();
        let slots = draw_slots(PART, [config.capacity, width], bound, (seed, 0))?;
        Ok(Self { config, slots, empty_reads: AtomicU64::new(0) })
    }

    /// The parameters it was built with.
    #[must_use]
    pub fn config(&self) -> &AttentionConfig {
        &self.config
    }

    /// The slots, (N, L').
    #[must_use]
    pub fn slots(&self) -> &Tensor<E> {
        &self.slots.value
    }

    /// How many latents, in training and evaluation, were left without any slot and read the zero vector.
    #[must_use]
    pub fn empty_reads(&self) -> u64 {
        self.empty_reads.load(Ordering::Relaxed)
    }

    /// With what weights each latent reads each slot, (batch, N): what a sample was compared with.
    ///
    /// # Errors
    /// If the latents do not have the memory's width.
    pub fn weights(&self, h: &Tensor<E>) -> Result<Tensor<E>> {
        Ok(attend(&self.config, &self.slots.value, h)?.0)
    }
}

/// The weights of a batch in evaluation, and how many rows of them are all 0.
fn attend<E: Element>(config: &AttentionConfig, slots: &Tensor<E>, h: &Tensor<E>) -> Result<(Tensor<E>, usize)> {
    let h = h.reshape(latent::rows(h.shape(), slots.rows_cols().1)?)?;
    // Operations on constants record nothing.
    let (h, slots) = (Var::constant(h), Var::constant(slots.clone()));
    let (weights, empty) = ops::attend(&mut Tape::new(), &h, &slots, config.similarity, config.shrinkage)?;
    Ok((weights.into_value(), empty))
}

impl<E: Element> Module<E> for AttentionMemory<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let (shape, (_, width)) = (*x.shape(), self.slots.value.rows_cols());
        let h = layers::reshape(tape, &x, latent::rows(&shape, width)?)?;
        let slots = tape.param(&self.slots);
        let (weights, empty) = ops::attend(tape, &h, &slots, self.config.similarity, self.config.shrinkage)?;
        *self.empty_reads.get_mut() += empty as u64;
        if self.config.entropy_weight > 0.0 {
            let entropy = ops::entropy(tape, &weights);
            tape.penalise(self.config.entropy_weight, entropy);
        }
        let y = layers::matmul(tape, &weights, &slots)?;
        layers::reshape(tape, &y, shape)
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        let (weights, empty) = attend(&self.config, &self.slots.value, &x)?;
        self.empty_reads.fetch_add(empty as u64, Ordering::Relaxed);
        layers::matmul_values(&weights, &self.slots.value)?.reshape(*x.shape())
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        let (config, slots) = (self.config, self.slots.value.clone());
        freezer.custom(Box::new(move |x| {
            let (weights, _) = attend(&config, &slots, &x)?;
            layers::matmul_values(&weights, &slots)?.reshape(*x.shape())
        }))
    }

    fn description(&self) -> String {
        format!("AttentionMemory {:?}", self.config)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("slots", &mut self.slots);
        visitor.counter("empty_reads", self.empty_reads.get_mut());
    }
}
