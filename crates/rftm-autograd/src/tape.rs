use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};

use rftm_tensor::{Element, Error, Result, Shape, Tensor, elementwise};

use crate::{Param, ParamId};

/// A position on the tape. Positions grow as operations are recorded, so their order is a topological order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId {
    place: u32,
    /// Which use of which tape: a variable of an earlier step must not be taken for one of this step.
    generation: u64,
}

/// A value, and where on the tape it came from, if its gradient is wanted.
#[derive(Debug, Clone)]
pub struct Var<E: Element = f32> {
    value: Tensor<E>,
    node: Option<NodeId>,
}

impl<E: Element> Var<E> {
    /// A value without a gradient: data, or a target.
    #[must_use]
    pub fn constant(value: Tensor<E>) -> Self {
        Self { value, node: None }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Tensor<E> {
        &self.value
    }

    /// The value, given up by the variable.
    #[must_use]
    pub fn into_value(self) -> Tensor<E> {
        self.value
    }

    /// The shape of the value.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// Its place on the tape; `None` for a constant.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        self.node
    }
}

/// The way back through one operation. The value holds what the gradient needs, and is consumed by it.
pub trait Backward<E: Element>: Send + 'static {
    /// Given the gradient of the operation's output, adds the gradients of its inputs to the sink.
    ///
    /// # Errors
    /// If the gradient does not fit; an operation that recorded itself properly never fails.
    fn backward(self, gradient: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()>;
}

/// Where an operation leaves the gradients of its inputs.
#[derive(Debug)]
pub struct Sink<'t, E: Element> {
    /// Of the nodes before the operation.
    gradients: &'t mut [Option<Tensor<E>>],
    generation: u64,
}

impl<E: Element> Sink<'_, E> {
    /// Adds `gradient()` to input `node`; a constant (`None`) wants none, and the closure is not called.
    /// The first gradient is moved in, later ones are added in place.
    ///
    /// # Errors
    /// Those of the closure, if two gradients of one value differ in shape, and if the input is a variable of an earlier
    /// step or of another tape.
    pub fn add(&mut self, node: Option<NodeId>, gradient: impl FnOnce() -> Result<Tensor<E>>) -> Result<()> {
        let Some(node) = node else { return Ok(()) };
        match self.gradients.get_mut(node.place as usize).filter(|_| node.generation == self.generation) {
            Some(Some(sum)) => elementwise::add_assign(sum, &gradient()?),
            Some(empty) => {
                *empty = Some(gradient()?);
                Ok(())
            }
            None => Err(Error::invalid(
                "backward",
                "an input of an operation is a variable of an earlier step or of another tape; make it anew in every step",
            )),
        }
    }
}

/// The record of a computation, to be walked backward.
///
/// `Tape` is used again step after step: [`backward`](Self::backward) empties it, on an error too;
/// [`clear`](Self::clear) empties it after a computation that was given up. Variables made before belong to no step after.
pub struct Tape<E: Element = f32> {
    /// One place per node. The box of a place stays when its record is consumed: the next step records the same
    /// operation there and needs no new box.
    records: Vec<Box<dyn Record<E>>>,
    len: usize,
    gradients: Vec<Option<Tensor<E>>>,
    params: Vec<(ParamId, NodeId)>,
    /// Terms that modules want added to the loss, with their weights.
    pub(crate) penalties: Vec<(f64, Var<E>)>,
    generation: u64,
}

impl<E: Element> Tape<E> {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        let (records, gradients, params, penalties) = Default::default();
        Self { records, len: 0, gradients, params, penalties, generation: next_generation() }
    }

    /// How many nodes are recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets everything recorded, and all gradients.
    pub fn clear(&mut self) {
        self.records[..self.len].iter_mut().for_each(|record| record.discard());
        self.gradients.clear();
        self.params.clear();
        self.penalties.clear();
        self.len = 0;
        self.generation = next_generation();
    }

    /// A value whose gradient is wanted.
    pub fn leaf(&mut self, value: Tensor<E>) -> Var<E> {
        let node = Some(self.push(Leaf));
        Var { value, node }
    }

    /// A parameter as a variable. Used twice in one computation it is one leaf, and its gradients add up.
    pub fn param(&mut self, param: &Param<E>) -> Var<E> {
        let value = param.value.clone();
        if let Some(&(_, node)) = self.params.iter().find(|(id, _)| *id == param.id()) {
            return Var { value, node: Some(node) };
        }
        let leaf = self.leaf(value);
        self.params.extend(leaf.node.map(|node| (param.id(), node)));
        leaf
    }

    fn place(&self, param: &Param<E>) -> Option<usize> {
        self.params.iter().find(|(id, _)| *id == param.id()).map(|(_, node)| node.place as usize)
    }

    /// Asks for `weight * term` to be added to the loss: how a module that is trained by more than the reconstruction
    /// says so, wherever in a model it stands. Whoever trains adds the terms with [`penalised`](crate::ops::penalised);
    /// without it there is no way back.
    pub fn penalise(&mut self, weight: f64, term: Var<E>) {
        self.penalties.push((weight, term));
    }

    /// Records an operation with this output; if none of the `inputs` wants a gradient, the output is a constant and
    /// `record` is not called.
    pub fn record<B: Backward<E>>(
        &mut self,
        value: Tensor<E>,
        inputs: &[Option<NodeId>],
        record: impl FnOnce() -> B,
    ) -> Var<E> {
        let wanted = inputs.iter().any(Option::is_some);
        let node = wanted.then(|| self.push(record()));
        Var { value, node }
    }

    fn push<B: Backward<E>>(&mut self, record: B) -> NodeId {
        let place = self.len;
        self.len += 1;
        match self.records.get_mut(place) {
            None => self.records.push(Box::new(Some(record))),
            Some(slot) => match slot.as_any().downcast_mut::<Option<B>>() {
                Some(empty) => *empty = Some(record),
                None => *slot = Box::new(Some(record)),
            },
        }
        NodeId { place: u32::try_from(place).expect("fewer than 2^32 operations"), generation: self.generation }
    }

    /// The gradients of a scalar by every leaf it depends on. Empties the tape.
    ///
    /// # Errors
    /// If `output` is not a single number, or for the reasons of [`backward_from`](Self::backward_from).
    pub fn backward(&mut self, output: &Var<E>) -> Result<Gradients<'_, E>> {
        let one = match output.value.len() {
            1 => Ok(Tensor::full(*output.shape(), E::ONE)),
            _ => Err(Error::shape("backward", "the output", "one element", output.shape())),
        };
        self.walk_or_clear(output, one)
    }

    /// The gradients of `sum(output * gradient)` by every leaf. Empties the tape.
    ///
    /// # Errors
    /// If `gradient` does not have the output's shape, the output or an input of an operation does not belong to this step
    /// of this tape, or penalties were asked for and not added ([`penalise`](Self::penalise)).
    pub fn backward_from(&mut self, output: &Var<E>, gradient: Tensor<E>) -> Result<Gradients<'_, E>> {
        let fits = gradient.expect_shape("backward", "the gradient", *output.shape());
        self.walk_or_clear(output, fits.map(|()| gradient))
    }

    fn walk_or_clear(&mut self, output: &Var<E>, gradient: Result<Tensor<E>>) -> Result<Gradients<'_, E>> {
        match gradient.and_then(|gradient| self.walk(output, gradient)) {
            Ok(()) => Ok(Gradients { tape: self }),
            Err(error) => {
                // Half of the records are used up, and their places must not pass for those of the next step.
                self.clear();
                Err(error)
            }
        }
    }

    fn walk(&mut self, output: &Var<E>, gradient: Tensor<E>) -> Result<()> {
        let Some(last) = output.node.filter(|node| node.generation == self.generation && self.len > 0) else {
            return Err(Error::invalid("backward", "the output does not depend on any parameter or leaf of this tape"));
        };
        if !self.penalties.is_empty() {
            let what = "the penalties that modules asked for are not in the loss; add them with ops::penalised";
            return Err(Error::invalid("backward", what));
        }
        self.gradients.clear();
        self.gradients.resize(self.len, None);
        self.gradients[last.place as usize] = Some(gradient);
        for node in (0..self.len).rev() {
            let (before, from) = self.gradients.split_at_mut(node);
            let record = &mut self.records[node];
            if record.is_leaf() || from[0].is_none() {
                record.discard();
            } else if let Some(gradient) = from[0].take() {
                record.consume(gradient, &mut Sink { gradients: before, generation: self.generation })?;
            }
        }
        self.len = 0;
        Ok(())
    }
}

impl<E: Element> Default for Tape<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Element> std::fmt::Debug for Tape<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape of {} operations", self.len)
    }
}

/// What a backward pass found: the gradients of the leaves.
#[derive(Debug)]
pub struct Gradients<'t, E: Element> {
    tape: &'t mut Tape<E>,
}

impl<E: Element> Gradients<'_, E> {
    /// The gradient by a leaf; `None` if the output does not depend on it.
    #[must_use]
    pub fn of(&self, leaf: &Var<E>) -> Option<&Tensor<E>> {
        let node = leaf.node.filter(|node| node.generation == self.tape.generation)?;
        self.tape.gradients[node.place as usize].as_ref()
    }

    /// The gradient by a parameter; `None` if the output does not depend on it, or it was taken.
    #[must_use]
    pub fn of_param(&self, param: &Param<E>) -> Option<&Tensor<E>> {
        self.tape.gradients[self.tape.place(param)?].as_ref()
    }

    /// Takes out the gradient by a parameter; `None` if the output does not depend on it, or it was taken.
    pub fn take(&mut self, param: &Param<E>) -> Option<Tensor<E>> {
        let place = self.tape.place(param)?;
        self.tape.gradients[place].take()
    }
}

impl<E: Element> Drop for Gradients<'_, E> {
    fn drop(&mut self) {
        self.tape.clear();
    }
}

/// A number that no tape has had before.
fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The end of the way back.
struct Leaf;

impl<E: Element> Backward<E> for Leaf {
    fn backward(self, _: Tensor<E>, _: &mut Sink<'_, E>) -> Result<()> {
        Ok(())
    }
}

/// A place on the tape with its type forgotten; the value inside comes and goes.
trait Record<E: Element>: Send {
    fn consume(&mut self, gradient: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()>;
    fn discard(&mut self);
    fn is_leaf(&self) -> bool;
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<E: Element, B: Backward<E>> Record<E> for Option<B> {
    fn consume(&mut self, gradient: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        self.take().map_or(Ok(()), |record| record.backward(gradient, sink))
    }

    fn discard(&mut self) {
        *self = None;
    }

    fn is_leaf(&self) -> bool {
        std::any::TypeId::of::<B>() == std::any::TypeId::of::<Leaf>()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops;

    fn row(values: &[f64]) -> Tensor<f64> {
        Tensor::from_slice(values, [1, values.len()]).unwrap()
    }

    #[test]
    fn a_shared_value_adds_its_gradients() {
        let mut tape = Tape::new();
        let x = tape.leaf(row(&[2.0, 3.0]));
        let y = ops::linear(&mut tape, &x, &x, None).unwrap();
        assert_eq!(tape.backward(&y).unwrap().of(&x).unwrap().data(), [4.0, 6.0]);
    }

    #[test]
    fn a_parameter_used_twice_is_one_leaf() {
        let (mut tape, weight) = (Tape::new(), Param::new(row(&[5.0])));
        let x = Var::constant(row(&[3.0]));
        let first = tape.param(&weight);
        let hidden = ops::linear(&mut tape, &x, &first, None).unwrap();
        let second = tape.param(&weight);
        let y = ops::linear(&mut tape, &hidden, &second, None).unwrap();
        // y = 3 w^2
        let mut gradients = tape.backward(&y).unwrap();
        assert_eq!(gradients.take(&weight).unwrap().data(), [30.0]);
        assert!(gradients.take(&weight).is_none());
    }

    #[test]
    fn constants_record_nothing() {
        let mut tape = Tape::new();
        let x = Var::constant(row(&[2.0]));
        let y = ops::linear(&mut tape, &x, &x, None).unwrap();
        assert!(tape.is_empty() && y.node().is_none());
        assert!(tape.backward(&y).unwrap_err().to_string().contains("does not depend on any parameter"));
    }

    #[test]
    fn what_the_output_does_not_reach_has_no_gradient() {
        let mut tape = Tape::new();
        let (x, unused) = (tape.leaf(row(&[2.0])), tape.leaf(row(&[1.0])));
        let y = ops::linear(&mut tape, &x, &x, None).unwrap();
        ops::linear(&mut tape, &unused, &unused, None).unwrap();
        let gradients = tape.backward(&y).unwrap();
        assert!(gradients.of(&unused).is_none() && gradients.of(&x).is_some());
    }

    #[test]
    fn only_scalars_go_backward_by_themselves() {
        let mut tape = Tape::new();
        let x = tape.leaf(row(&[2.0, 1.0]));
        assert!(tape.backward(&x).is_err());
        assert!(tape.backward_from(&x, row(&[1.0])).is_err());
        tape.clear();
        assert!(tape.is_empty());
    }

    #[test]
    fn variables_of_another_step_or_tape_are_not_mistaken_for_ones_of_this() {
        let (mut tape, mut other) = (Tape::new(), Tape::new());
        let old = tape.leaf(row(&[2.0]));
        let foreign = other.leaf(row(&[2.0]));
        tape.clear();
        assert!(tape.backward(&old).is_err() && tape.backward(&foreign).is_err());
        let new = tape.leaf(row(&[3.0]));
        let gradients = tape.backward(&new).unwrap();
        assert!(gradients.of(&old).is_none() && gradients.of(&foreign).is_none() && gradients.of(&new).is_some());
        drop(gradients);
        // As an input: of a place that this step has, too, and of one that it does not have.
        for inputs in 0..2 {
            let new = tape.leaf(row(&[3.0]));
            let far = (0..=inputs * 5).map(|_| other.leaf(row(&[2.0]))).last().unwrap();
            let y = ops::linear(&mut tape, &new, if inputs == 0 { &old } else { &far }, None).unwrap();
            let error = tape.backward(&y).unwrap_err();
            assert!(matches!(&error, Error::Invalid { op: "backward", .. }), "{error}");
            assert!(error.to_string().contains("of an earlier step or of another tape"), "{error}");
        }
    }

    /// An operation whose way back fails.
    struct Failing(Option<NodeId>);

    impl Backward<f64> for Failing {
        fn backward(self, _: Tensor<f64>, sink: &mut Sink<'_, f64>) -> Result<()> {
            sink.add(self.0, || Err(Error::invalid("failing", "always")))
        }
    }

    #[test]
    fn a_failed_way_back_leaves_an_empty_tape() {
        let mut tape = Tape::new();
        let x = tape.leaf(row(&[2.0]));
        let y = tape.record(row(&[1.0]), &[x.node()], || Failing(x.node()));
        assert_eq!(tape.backward(&y).unwrap_err().to_string(), "failing: always");
        assert!(tape.is_empty());
        let new = tape.leaf(row(&[3.0]));
        let y = ops::linear(&mut tape, &new, &new, None).unwrap();
        let gradients = tape.backward(&y).unwrap();
        assert!(gradients.of(&x).is_none(), "of the step that failed");
        assert_eq!(gradients.of(&new).unwrap().data(), [6.0]);
    }
}
