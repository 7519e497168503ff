use rftm_autograd::{Tape, Var, ops as layers};
use rftm_nn::{Freezer, Inference, Module, Visitor};
use rftm_tensor::{Element, Indices, Result, Tensor, attention, direction, items};
use serde::{Deserialize, Serialize};

use crate::config::{check_capacity, check_weight, draw_slots};
use crate::{ConfigError, latent, ops};

/// What an [`ItemMemory`] is to be; checked when it is built.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemConfig {
    /// Number of items, N.
    pub capacity: usize,
    /// Weight in the loss of the distance between a query and its nearest item; 0 switches it off.
    pub compactness_weight: f64,
    /// Weight in the loss of the distance to the second nearest item falling short of the margin; 0 switches it off.
    pub separateness_weight: f64,
    /// By how much the second nearest item should be further away than the nearest.
    pub margin: f64,
}

impl Default for ItemConfig {
    /// MNAD's: 10 items, both weights 0.1, margin 1.
    fn default() -> Self {
        Self { capacity: 10, compactness_weight: 0.1, separateness_weight: 0.1, margin: 1.0 }
    }
}

impl ItemConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first parameter that is out of range.
    pub fn check(&self) -> std::result::Result<(), ConfigError> {
        check_capacity(PART, self.capacity, "items")?;
        check_weight(PART, "compactness_weight", self.compactness_weight)?;
        check_weight(PART, "separateness_weight", self.separateness_weight)?;
        check_weight(PART, "margin", self.margin)?;
        if self.capacity == 1 && self.separateness_weight > 0.0 {
            let problem = "1 item has no second nearest; use 2 items, or separateness_weight 0";
            return Err(ConfigError::new(PART, "capacity", problem));
        }
        Ok(())
    }
}

/// What errors call it, and what its stream is named.
const PART: &str = "items";

/// The memory of MNAD (Park et al., 2020): the latent, scaled to length 1, and beside it the mean of a few items,
/// weighted by a softmax over their cosines with it. The output is twice as wide as the input.
///
/// The items are not trained. In training each moves toward the queries whose nearest item it is
/// ([`rftm_tensor::items::update`]); no gradient passes the read. Two penalties act on the encoder (add them to the loss
/// with [`penalised`](rftm_autograd::ops::penalised)): compactness pulls a query to its nearest item, [separateness
/// ](ops::separateness) away from the second nearest. In evaluation nothing moves, so scores do not depend on the order of
/// the samples.
///
/// # Shapes
/// Input (batch, ..., C) with L' elements a sample, output (batch, ..., 2 C): the query's channels, then the
/// read's; `items` (N, L').
#[derive(Debug)]
pub struct ItemMemory<E: Element = f32> {
    config: ItemConfig,
    items: Tensor<E>,
}

impl<E: Element> ItemMemory<E> {
    /// A memory for latents of `width` elements, its items unit vectors along draws from `U(0, 1)`.
    ///
    /// # Errors
    /// A parameter that is out of range.
    pub fn new(width: usize, config: ItemConfig, seed: u64) -> std::result::Result<Self, ConfigError> {
        config.check()?;
        let mut drawn = draw_slots(PART, [config.capacity, width], 1.0, (seed, 0))?.value;
        drawn.data_mut().iter_mut().for_each(|value: &mut E| *value = value.abs());
        Ok(Self { config, items: direction::unit_rows(&drawn).0 })
    }

    /// The parameters it was built with.
    #[must_use]
    pub fn config(&self) -> &ItemConfig {
        &self.config
    }

    /// The items, (N, L'), each of length 1.
    #[must_use]
    pub fn items(&self) -> &Tensor<E> {
        &self.items
    }

    /// With what weights each latent reads each item, (batch, N): what a sample was compared with.
    ///
    /// # Errors
    /// If the latents do not have the memory's width.
    pub fn weights(&self, h: &Tensor<E>) -> Result<Tensor<E>> {
        Ok(weigh(&self.items, h)?.1)
    }

    /// Asks for the penalties of queries with these nearest items.
    fn penalise(&self, tape: &mut Tape<E>, q: &Var<E>, found: &Indices, ranks: usize) -> Result<()> {
        let ItemConfig { compactness_weight, separateness_weight, margin, .. } = self.config;
        let nearest = items::gather(&self.items, found, ranks, 0)?;
        if compactness_weight > 0.0 {
            let compactness = layers::mse(tape, q, &nearest)?;
            tape.penalise(compactness_weight, compactness);
        }
        if separateness_weight > 0.0 {
            let second = items::gather(&self.items, found, ranks, 1)?;
            let separateness = ops::separateness(tape, q, &nearest, &second, margin)?;
            tape.penalise(separateness_weight, separateness);
        }
        Ok(())
    }
}

/// The latents of a batch as queries of length 1, and the weights with which they read `items`; evaluation.
fn weigh<E: Element>(items: &Tensor<E>, x: &Tensor<E>) -> Result<(Tensor<E>, Tensor<E>)> {
    let (q, _) = direction::unit_rows(&x.reshape(latent::rows(x.shape(), items.rows_cols().1)?)?);
    let weights = attention::softmax(layers::linear_values(&q, items, None)?);
    Ok((q, weights))
}

/// Queries and what they read from `items`, side by side along the last axis; evaluation.
fn read<E: Element>(items: &Tensor<E>, x: &Tensor<E>) -> Result<Tensor<E>> {
    let (shape, (q, weights)) = (*x.shape(), weigh(items, x)?);
    let read = layers::matmul_values(&weights, items)?;
    layers::concat_values(&q.reshape(shape)?, &read.reshape(shape)?)
}

impl<E: Element> Module<E> for ItemMemory<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let (shape, (capacity, width)) = (*x.shape(), self.items.rows_cols());
        let h = layers::reshape(tape, &x, latent::rows(&shape, width)?)?;
        let q = layers::unit_rows(tape, &h);
        let similarities = layers::linear_values(q.value(), &self.items, None)?;
        let ranks = capacity.min(2);
        let found = items::nearest(&similarities, ranks)?;
        self.penalise(tape, &q, &found, ranks)?;
        // All of this pass, reading and losses, is with the items as they were before it.
        let moved = items::update(&self.items, q.value(), &similarities, &found)?;
        let read = layers::matmul_values(&attention::softmax(similarities), &self.items)?;
        self.items = moved;
        let q = layers::reshape(tape, &q, shape)?;
        layers::concat(tape, &q, &Var::constant(read.reshape(shape)?))
    }

    fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
        read(&self.items, &x)
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        let items = self.items.clone();
        freezer.custom(Box::new(move |x| read(&items, &x)))
    }

    fn description(&self) -> String {
        format!("ItemMemory {:?}", self.config)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.buffer("items", &mut self.items);
    }
}
