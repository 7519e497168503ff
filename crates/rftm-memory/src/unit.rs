use std::sync::atomic::{AtomicU64, Ordering};

use rftm_autograd::{Param, Tape, Var, ops as layers};
use rftm_nn::{Freezer, Inference, Module, Visitor};
use rftm_tensor::recall::{self, PackedMemory, Query, Recall};
use rftm_tensor::{Element, Error, Result, Shape, Tensor};

use crate::config::draw_slots;
use crate::{ConfigError, UnitConfig, latent, ops};

/// The basic unit (section 3.2.1, Eq. 3): a trainable matrix of slots that answers a latent with a weighted mean of the
/// slots most similar to it.
///
/// For a latent h and slots m_1 .. m_N:
///
/// 1. `s_i = cos(h, m_i)`; 0 where either is shorter than 1e-12.
/// 2. Forgetting: `floor(nu N)` slots, drawn anew for every training pass and shared by its batch, are forgotten.
/// 3. Sparsification: of the k largest `s_i` those that are positive; equal ones in the order of the slots. What becomes of the
///    others, and of forgotten slots, is the [`Selection`](recall::Selection)'s to say.
/// 4. `h_out = sum_i w_i m_i`, `w` the softmax over the `s_i` that are left; the zero vector if none is.
///
/// Which slots those are is a jump: of two nearly equal similarities rounding decides. A frozen model rounds otherwise (batch
/// normalisation is folded into weights), so for a rare sample it reads another slot, and the score moves by more than
/// rounding, also by more than 1e-4 of its size.
///
/// # Shapes
/// Input and output (batch, ...) with L' elements a sample; `slots` (N, L').
#[derive(Debug)]
pub struct MemoryUnit<E: Element = f32> {
    config: UnitConfig,
    slots: Param<E>,
    seed: u64,
    /// Names the stream of masks, so that the two units of a twin memory forget independently.
    purpose: &'static str,
    /// Training passes so far; pass number t draws from stream t.
    passes: u64,
    empty_reads: AtomicU64,
    /// The slots that survive the current pass.
    surviving: Vec<u32>,
    all: Vec<u32>,
}

impl<E: Element> MemoryUnit<E> {
    /// A memory for latents of `width` elements, its slots drawn from `U(-1/sqrt(width), 1/sqrt(width))`.
    ///
    /// # Errors
    /// A parameter that is out of range.
    pub fn new(width: usize, config: UnitConfig, seed: u64) -> std::result::Result<Self, ConfigError> {
        Self::named(width, config, seed, "memory")
    }

    pub(crate) fn named(
        width: usize,
        config: UnitConfig,
        seed: u64,
        purpose: &'static str,
    ) -> std::result::Result<Self, ConfigError> {
        config.check(purpose)?;
        let bound = 1.0 / (width as f64).sqrt();
        let slots = draw_slots(purpose, [config.capacity, width], bound, (seed, u64::MAX))?;
        let all = (0..config.capacity as u32).collect();
        let surviving = Vec::with_capacity(config.capacity);
        Ok(Self { config, slots, seed, purpose, passes: 0, empty_reads: AtomicU64::new(0), surviving, all })
    }

    /// The parameters it was built with.
    #[must_use]
    pub fn config(&self) -> &UnitConfig {
        &self.config
    }

    /// The slots, (N, L').
    #[must_use]
    pub fn slots(&self) -> &Tensor<E> {
        &self.slots.value
    }

    /// How many latents, in training and evaluation, found no slot at all. A frozen model does not count.
    #[must_use]
    pub fn empty_reads(&self) -> u64 {
        self.empty_reads.load(Ordering::Relaxed)
    }

    /// Which slots each latent reads in evaluation, and with what weights: what a sample was compared with.
    ///
    /// # Errors
    /// If the latents do not have the memory's width.
    pub fn recall(&self, h: &Tensor<E>, inference: Inference) -> Result<Recall<E>> {
        let h = h.reshape(self.flat(h.shape())?)?;
        if self.config.forget_in_evaluation {
            let mut surviving = Vec::new();
            // Evaluation must not repeat the masks of training: its streams count down from the far end.
            self.draw((u64::MAX - 1).wrapping_sub(inference.pass), &mut surviving);
            recall::recall(&h, &self.slots.value, self.query(&surviving))
        } else {
            recall::recall(&h, &self.slots.value, self.query(&self.all))
        }
    }

    fn query<'a>(&self, surviving: &'a [u32]) -> Query<'a> {
        Query { top_k: self.config.top_k, selection: self.config.selection, surviving }
    }

    /// The slots that survive pass `pass`: all but `floor(nu N)` drawn without repetition.
    fn draw(&self, pass: u64, surviving: &mut Vec<u32>) {
        let (capacity, mut stream) = (self.config.capacity, rftm_rng::rng(self.seed, self.purpose, pass));
        rftm_rng::sample_sorted(capacity, capacity - self.config.forgotten(), &mut stream, surviving);
    }

    fn flat(&self, shape: &Shape) -> Result<Shape> {
        latent::rows(shape, self.slots.value.rows_cols().1)
    }
}

impl<E: Element> Module<E> for MemoryUnit<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let shape = *x.shape();
        let h = layers::reshape(tape, &x, self.flat(&shape)?)?;
        let mut surviving = std::mem::take(&mut self.surviving);
        self.draw(self.passes, &mut surviving);
        let slots = tape.param(&self.slots);
        let (y, empty) = ops::memory_read(tape, &h, &slots, self.query(&surviving))?;
        self.surviving = surviving;
        self.passes += 1;
        *self.empty_reads.get_mut() += empty as u64;
        layers::reshape(tape, &y, shape)
    }

    fn infer(&self, x: Tensor<E>, inference: Inference) -> Result<Tensor<E>> {
        let recall = self.recall(&x, inference)?;
        self.empty_reads.fetch_add(recall.empty() as u64, Ordering::Relaxed);
        recall::read(&recall, &self.slots.value).reshape(*x.shape())
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        if self.config.forget_in_evaluation && self.config.forgotten() > 0 {
            return Err(Error::invalid("freeze", "a memory that forgets in evaluation differs from pass to pass"));
        }
        let (_, width) = self.slots.value.rows_cols();
        let memory = PackedMemory::new(&self.slots.value, self.config.top_k, self.config.selection)?;
        freezer.flattened(width, |freezer| freezer.custom(Box::new(move |x| memory.read(&x))))
    }

    fn description(&self) -> String {
        format!("MemoryUnit {:?} {:?} seed {}", self.purpose, self.config, self.seed)
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        visitor.param("slots", &mut self.slots);
        visitor.counter("passes", &mut self.passes);
        visitor.counter("empty_reads", self.empty_reads.get_mut());
    }
}
