use rftm_autograd::{Param, Tape, Var};
use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Freezer, Sequential};

/// A layer, or anything made of layers: from tensor to tensor, with parameters.
///
/// [`then`](Self::then) puts modules in a row and is all that most models need. A type of one's own keeps its parts
/// within reach and may connect them otherwise, here around two layers:
///
/// ```
/// use rftm_autograd::{Tape, Var, ops};
/// use rftm_nn::{BatchNorm, Frozen, Inference, Linear, Module, Result, Segment, Sequential, StateDict, Visitor};
/// use rftm_tensor::{Tensor, elementwise};
///
/// /// `y = x + inner(x)`
/// struct Residual {
///     inner: Sequential,
/// }
///
/// impl Module for Residual {
///     fn forward(&mut self, tape: &mut Tape, x: Var) -> Result<Var> {
///         let y = self.inner.forward(tape, x.clone())?;
///         ops::add(tape, &x, &y)
///     }
///
///     fn infer(&self, x: Tensor, inference: Inference) -> Result<Tensor> {
///         let mut y = self.inner.infer(x.clone(), inference)?;
///         elementwise::add_assign(&mut y, &x)?;
///         Ok(y)
///     }
///
///     fn visit(&mut self, visitor: &mut dyn Visitor<f32>) {
///         visitor.enter(Segment::Name("inner"));
///         self.inner.visit(visitor);
///         visitor.leave();
///     }
///
///     fn description(&self) -> String {
///         format!("Residual {}", self.inner.description())
///     }
/// }
///
/// let inner = Linear::new(4, 4, &mut rftm_rng::rng(1997, "init", 0)).then(BatchNorm::new(4).with_leaky_relu(0.01));
/// let mut model = Residual { inner };
/// let x = Tensor::full([2, 4], 0.5);
/// assert_eq!(model.forward(&mut Tape::new(), Var::constant(x))?.shape().dims(), [2, 4]);
/// // Parameters and buffers by their names on the way to them; a part of a sequence has its number.
/// assert_eq!(StateDict::of(&mut model, "").tensors["inner.0.weight"].dims(), [4, 4]);
/// // `freeze` is left out above, so there is no frozen form, and that is an error.
/// assert!(Frozen::new(&model).is_err());
/// # Ok::<(), rftm_tensor::Error>(())
/// ```
pub trait Module<E: Element = f32>: Send + Sync {
    /// A training pass: batch statistics, random forgetting, recorded on the tape.
    ///
    /// # Errors
    /// If the input does not fit the module.
    fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>>;

    /// An evaluation pass: running statistics, nothing recorded, and nothing changed that an output depends on (a memory
    /// counts its empty reads).
    ///
    /// # Errors
    /// If the input does not fit the module.
    fn infer(&self, x: Tensor<E>, inference: Inference) -> Result<Tensor<E>>;

    /// Shows every parameter and buffer to a visitor, always in the same order.
    fn visit(&mut self, visitor: &mut dyn Visitor<E>);

    /// What the module is besides its parameters and buffers, in words that differ where it differs: its specification. A
    /// checkpoint keeps it, so that a training is not taken up with another model. One with options should name them; without
    /// a word of its own it is its type's name.
    fn description(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }

    /// Adds what the module does in evaluation to a [`Frozen`](crate::Frozen) model.
    ///
    /// # Errors
    /// If it has no frozen form; a module that does not say otherwise has none.
    fn freeze(&self, _freezer: &mut Freezer<E>) -> Result<()> {
        Err(Error::invalid("freeze", "this module has no frozen form; evaluate it with `infer`"))
    }

    /// This module, then `next`.
    fn then(self, next: impl Module<E> + 'static) -> Sequential<E>
    where
        Self: Sized + 'static,
    {
        Sequential::new().with(self).with(next)
    }
}

/// What distinguishes one evaluation pass from another.
///
/// Only modules that stay random in evaluation look at it: they draw from stream number `pass`, so that a score can be
/// computed again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inference {
    /// Number of the pass.
    pub pass: u64,
}

/// One step on the way to a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Segment<'a> {
    /// A named part.
    Name(&'a str),
    /// A position in a sequence.
    Index(usize),
}

impl std::fmt::Display for Segment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

/// Something that looks at, or changes, all parameters and buffers of a module: an optimiser, a state dict.
pub trait Visitor<E: Element> {
    /// A part begins; names are relative to it until [`leave`](Self::leave).
    fn enter(&mut self, _segment: Segment<'_>) {}
    /// The part ends.
    fn leave(&mut self) {}
    /// A trainable tensor.
    fn param(&mut self, name: &str, param: &mut Param<E>);
    /// A tensor that is state but not trained: a running statistic.
    fn buffer(&mut self, _name: &str, _buffer: &mut Tensor<E>) {}
    /// A number that is state: how often a module drew from its stream, or what it counted.
    fn counter(&mut self, _name: &str, _counter: &mut u64) {}
}

/// How many trainable numbers a module has.
pub fn count_parameters<E: Element>(module: &mut dyn Module<E>) -> usize {
    struct Count(usize);
    impl<E: Element> Visitor<E> for Count {
        fn param(&mut self, _: &str, param: &mut Param<E>) {
            self.0 += param.value.len();
        }
    }
    let mut count = Count(0);
    module.visit(&mut count);
    count.0
}
