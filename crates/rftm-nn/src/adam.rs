use rftm_autograd::{Gradients, Param, ParamId};
use rftm_tensor::optim::{AdamStep, MIN_EPS, adam};
use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Module, Visitor};

/// The numbers of [`Adam`], checked when it is built; the defaults are PyTorch's and the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Step length.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment; at least 1e-12.
    pub eps: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

impl AdamConfig {
    /// As the optimiser computes, in `E`: a decay so close to 1 that it is rounded to 1 would divide by 0, and so would no `eps`
    /// where a gradient is 0 (a slot that nobody read has one).
    fn check<E: Element>(&self) -> Result<()> {
        let Self { learning_rate, beta1, beta2, eps } = *self;
        if !(learning_rate >= 0.0 && learning_rate.is_finite()) {
            return Err(Error::invalid("adam", format!("learning_rate {learning_rate} is not a number from 0 on")));
        }
        if !(eps >= MIN_EPS && E::from_f64(eps).is_finite()) {
            return Err(Error::invalid("adam", format!("eps {eps:e} is not a number from {MIN_EPS:e} on")));
        }
        let step = E::from_f64(learning_rate / (1.0 - beta1));
        for (name, value) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&E::from_f64(value).to_f64()) {
                return Err(Error::invalid("adam", format!("{name} {value} is not in [0, 1)")));
            }
        }
        // The first step is the longest.
        if !step.is_finite() {
            return Err(Error::invalid("adam", format!("learning_rate {learning_rate:e} is too large to step by")));
        }
        Ok(())
    }
}

/// Adam (Kingma and Ba, 2015), by PyTorch's formula (where `eps` is added, how the bias is corrected). In `f32` all numbers are
/// rounded to `f32` before the step, 1 - beta2 = 1 - 0.999 too: it is 1.3e-5 of its size smaller than PyTorch's, which subtracts
/// in `f64`.
///
/// An optimiser serves one module: its moments belong to the parameters that it met in its first step.
#[derive(Debug, Default)]
pub struct Adam<E: Element = f32> {
    config: AdamConfig,
    steps: u64,
    kept: Vec<Kept<E>>,
}

/// Moments and their parameter, which is not known between taking up a training and its next step.
#[derive(Debug)]
struct Kept<E: Element> {
    param: Option<ParamId>,
    moments: Moments<E>,
}

/// The running moments of one parameter's gradient.
#[derive(Debug, Clone)]
pub struct Moments<E: Element> {
    /// Mean.
    pub first: Tensor<E>,
    /// Mean of the square.
    pub second: Tensor<E>,
}

impl<E: Element> Adam<E> {
    /// An optimiser with these numbers.
    ///
    /// # Errors
    /// A rate that is not a number from 0 on, an `eps` below 1e-12, a decay that is not in [0, 1), or is 1 when rounded to `E`.
    pub fn new(config: AdamConfig) -> Result<Self> {
        config.check::<E>()?;
        Ok(Self { config, steps: 0, kept: Vec::new() })
    }

    /// How many steps were made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step on all parameters that have a gradient; the gradients are used up.
    ///
    /// # Errors
    /// If the module's parameters are not those of the earlier steps, or a gradient does not have the shape of its parameter;
    /// then nothing has changed.
    pub fn step(&mut self, module: &mut dyn Module<E>, gradients: &mut Gradients<'_, E>) -> Result<()> {
        self.check(module, gradients)?;
        self.steps += 1;
        let (t, config) = (self.steps as f64, self.config);
        let step = AdamStep {
            rate: E::from_f64(config.learning_rate / (1.0 - config.beta1.powf(t))),
            beta1: E::from_f64(config.beta1),
            beta2: E::from_f64(config.beta2),
            correction: E::from_f64(1.0 / (1.0 - config.beta2.powf(t)).sqrt()),
            eps: E::from_f64(config.eps),
        };
        let mut update = Update { kept: self.kept.iter_mut(), gradients, step, result: Ok(()) };
        module.visit(&mut update);
        update.result
    }

    /// Whether a step is possible; makes the moments before the first one.
    fn check(&mut self, module: &mut dyn Module<E>, gradients: &Gradients<'_, E>) -> Result<()> {
        let mut check = Check { fresh: self.kept.is_empty(), kept: &mut self.kept, gradients, seen: 0, result: Ok(()) };
        module.visit(&mut check);
        let Check { fresh, seen, mut result, .. } = check;
        if result.is_ok() && seen != self.kept.len() {
            let what = format!("the module has {seen} parameters, moments are kept for {}", self.kept.len());
            result = Err(Error::invalid("adam", what));
        }
        if result.is_err() && fresh {
            self.kept.clear();
        }
        result
    }

    /// The state of an interrupted training: steps made, and the moments in the order of the parameters.
    #[must_use]
    pub fn state(&self) -> (u64, Vec<Moments<E>>) {
        (self.steps, self.kept.iter().map(|kept| kept.moments.clone()).collect())
    }

    /// Takes up an interrupted training; the module of the next step is the one it serves.
    pub fn restore(&mut self, steps: u64, moments: Vec<Moments<E>>) {
        let kept = moments.into_iter().map(|moments| Kept { param: None, moments });
        (self.steps, self.kept) = (steps, kept.collect());
    }
}

/// The walk that compares the parameters with those that moments are kept for.
struct Check<'a, 't, E: Element> {
    /// Whether there are no moments yet.
    fresh: bool,
    kept: &'a mut Vec<Kept<E>>,
    gradients: &'a Gradients<'t, E>,
    seen: usize,
    result: Result<()>,
}

impl<E: Element> Check<'_, '_, E> {
    fn compare(&mut self, name: &str, param: &Param<E>) -> Result<()> {
        let shape = *param.value.shape();
        if let Some(gradient) = self.gradients.of_param(param) {
            gradient.expect_shape("adam", "the gradient", shape)?;
        }
        if self.fresh {
            let moments = Moments { first: Tensor::zeros(shape), second: Tensor::zeros(shape) };
            self.kept.push(Kept { param: Some(param.id()), moments });
            return Ok(());
        }
        // Too many are noticed by their number.
        let Some(Kept { param: id, moments }) = self.kept.get_mut(self.seen) else { return Ok(()) };
        if [&moments.first, &moments.second].iter().any(|moment| *moment.shape() != shape) {
            let what = format!("{name} has shape {shape}, the moments kept for it {}", moments.first.shape());
            return Err(Error::invalid("adam", what));
        }
        if id.is_some_and(|id| id != param.id()) {
            return Err(Error::invalid("adam", format!("{name} is not the parameter of the earlier steps")));
        }
        Ok(())
    }
}

impl<E: Element> Visitor<E> for Check<'_, '_, E> {
    fn param(&mut self, name: &str, param: &mut Param<E>) {
        if self.result.is_ok() {
            self.result = self.compare(name, param);
        }
        self.seen += 1;
    }
}

/// The walk of one step through the parameters, which have been checked.
struct Update<'a, 'g, 't, E: Element> {
    kept: std::slice::IterMut<'a, Kept<E>>,
    gradients: &'g mut Gradients<'t, E>,
    step: AdamStep<E>,
    result: Result<()>,
}

impl<E: Element> Visitor<E> for Update<'_, '_, '_, E> {
    fn param(&mut self, _: &str, param: &mut Param<E>) {
        let Some(Kept { param: id, moments }) = self.kept.next() else { return };
        *id = Some(param.id());
        if let (Ok(()), Some(gradient)) = (&self.result, self.gradients.take(param)) {
            self.result = adam(&mut param.value, &gradient, (&mut moments.first, &mut moments.second), self.step);
        }
    }
}
