use rftm_autograd::{Tape, Var, ops as layers};
use rftm_nn::{BatchNorm, Freezer, Inference, Module, Segment, Visitor};
use rftm_tensor::recall::Recall;
use rftm_tensor::{Element, Result, Tensor};

use crate::config::{check_weight, check_width};
use crate::{ConfigError, MemoryUnit, TwinConfig, UnitConfig, latent};

/// Random Forgetting Twin Memory (section 3.2.2): hippocampus H, connector, cortex C, connector.
///
/// `h' = H(h)`, `h'' = P(h')` (Eq. 4), `h''' = C(h'')`, output `P(h''')` (Eq. 5). H and C are [`MemoryUnit`]s; P, with weights of its
/// own each time, is batch normalisation of each of the L' elements and LeakyReLU. In training P needs at least 2 samples, so a
/// batch of one is an error there; evaluation takes any.
///
/// Which slots are read is a jump: for a rare sample a frozen model reads others, and its score moves, see [`MemoryUnit`].
///
/// # Shapes
/// Input and output (batch, ...) with L' elements a sample.
#[derive(Debug)]
pub struct TwinMemory<E: Element = f32> {
    width: usize,
    hippocampus: Option<Stage<E>>,
    cortex: Option<Stage<E>>,
}

/// One memory and the connector P behind it, `P(H(h))` (Eq. 4) or `P(C(h))` (Eq. 5).
#[derive(Debug)]
pub struct Stage<E: Element = f32> {
    memory: MemoryUnit<E>,
    connector: Option<BatchNorm<E>>,
}

impl<E: Element> Stage<E> {
    /// The memory.
    #[must_use]
    pub fn memory(&self) -> &MemoryUnit<E> {
        &self.memory
    }

    /// What the connector makes of a read; the read itself where it is switched off.
    ///
    /// # Shapes
    /// Input and output (batch, L').
    ///
    /// # Errors
    /// If the read does not have the memory's width.
    pub fn connect(&self, read: Tensor<E>, inference: Inference) -> Result<Tensor<E>> {
        match &self.connector {
            Some(connector) => connector.infer(read, inference),
            None => Ok(read),
        }
    }
}

impl<E: Element> TwinMemory<E> {
    /// A twin memory for latents of `width` elements. `seed` is the root of the streams from which slots are initialised
    /// and forgotten: two memories of one seed start alike and forget alike.
    ///
    /// # Errors
    /// A parameter that is out of range, by name.
    pub fn new(width: usize, config: TwinConfig, seed: u64) -> std::result::Result<Self, ConfigError> {
        check_width("twin", width)?;
        check_weight("twin", "negative_slope", config.negative_slope)?;
        let stage = |unit: Option<UnitConfig>, name| {
            unit.map(|unit| {
                let memory = MemoryUnit::named(width, unit, seed, name)?;
                let connector = config.connector.then(|| BatchNorm::new(width).with_leaky_relu(config.negative_slope));
                Ok(Stage { memory, connector })
            })
            .transpose()
        };
        let (hippocampus, cortex) = (stage(config.hippocampus, "hippocampus")?, stage(config.cortex, "cortex")?);
        Ok(Self { width, hippocampus, cortex })
    }

    /// The first memory, unless it is switched off.
    #[must_use]
    pub fn hippocampus(&self) -> Option<&MemoryUnit<E>> {
        self.hippocampus.as_ref().map(|stage| &stage.memory)
    }

    /// The second memory, unless it is switched off.
    #[must_use]
    pub fn cortex(&self) -> Option<&MemoryUnit<E>> {
        self.cortex.as_ref().map(|stage| &stage.memory)
    }

    /// The stages that are switched on, in order.
    pub fn stages(&self) -> impl Iterator<Item = &Stage<E>> {
        self.hippocampus.iter().chain(&self.cortex)
    }

    /// What the last memory that is switched on compared each latent with in evaluation, and that memory: of all slots
    /// these are the ones whose mean the decoder gets. `None` if both memories are off.
    ///
    /// # Errors
    /// If the latents do not have the memory's width.
    pub fn last_recall(&self, h: &Tensor<E>, inference: Inference) -> Result<Option<(Recall<E>, &MemoryUnit<E>)>> {
        let mut h = h.reshape(latent::rows(h.shape(), self.width)?)?;
        let mut stages = self.stages().peekable();
        while let Some(stage) = stages.next() {
            if stages.peek().is_none() {
                return Ok(Some((stage.memory.recall(&h, inference)?, &stage.memory)));
            }
            h = stage.connect(stage.memory.infer(h, inference)?, inference)?;
        }
        Ok(None)
    }

    /// What the decoder gets when the last memory answers with `reads`, (batch, L').
    ///
    /// # Errors
    /// If the reads do not have the memory's width.
    pub fn after_last_read(&self, reads: Tensor<E>, inference: Inference) -> Result<Tensor<E>> {
        match self.stages().last() {
            Some(stage) => stage.connect(reads, inference),
            None => Ok(reads),
        }
    }

    /// Both stages that are switched on, in order, with their names.
    fn named_stages(&mut self) -> impl Iterator<Item = (&'static str, &mut Stage<E>)> {
        let hippocampus = self.hippocampus.as_mut().map(|stage| ("hippocampus", stage));
        hippocampus.into_iter().chain(self.cortex.as_mut().map(|stage| ("cortex", stage)))
    }
}

impl<E: Element> Module<E> for TwinMemory<E> {
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
        let shape = *x.shape();
        let mut h = layers::reshape(tape, &x, latent::rows(&shape, self.width)?)?;
        for (_, stage) in self.named_stages() {
            h = stage.memory.forward(tape, h)?;
            if let Some(connector) = &mut stage.connector {
                h = connector.forward(tape, h)?;
            }
        }
        layers::reshape(tape, &h, shape)
    }

    fn infer(&self, x: Tensor<E>, inference: Inference) -> Result<Tensor<E>> {
        let mut h = x.reshape(latent::rows(x.shape(), self.width)?)?;
        for stage in self.stages() {
            h = stage.connect(stage.memory.infer(h, inference)?, inference)?;
        }
        h.reshape(*x.shape())
    }

    fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
        freezer.flattened(self.width, |freezer| {
            for stage in self.stages() {
                stage.memory.freeze(freezer)?;
                if let Some(connector) = &stage.connector {
                    connector.freeze(freezer)?;
                }
            }
            Ok(())
        })
    }

    fn description(&self) -> String {
        let stage = |stage: &Stage<E>| {
            let connector = stage.connector.as_ref().map_or_else(String::new, Module::description);
            format!("{} {connector}", stage.memory.description())
        };
        format!("TwinMemory [{}]", self.stages().map(stage).collect::<Vec<_>>().join(", "))
    }

    fn visit(&mut self, visitor: &mut dyn Visitor<E>) {
        for (name, stage) in self.named_stages() {
            visitor.enter(Segment::Name(name));
            stage.memory.visit(visitor);
            if let Some(connector) = &mut stage.connector {
                visitor.enter(Segment::Name("connector"));
                connector.visit(visitor);
                visitor.leave();
            }
            visitor.leave();
        }
    }
}
