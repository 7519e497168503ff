use rftm_autograd::{Gradients, Param};
use rftm_tensor::optim::{AdamStep, adam};
use rftm_tensor::{Element, Error, Result, Tensor};

use crate::{Module, Visitor};

/// The numbers of [`Adam`]; the defaults are PyTorch's and the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Step length.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

/// Adam (Kingma and Ba, 2015), as PyTorch computes it.
///
/// Moments belong to parameters by the order in which the module shows them, so an optimiser serves one module.
#[derive(Debug, Default)]
pub struct Adam<E: Element = f32> {
    config: AdamConfig,
    steps: u64,
    moments: Vec<Moments<E>>,
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
    #[must_use]
    pub fn new(config: AdamConfig) -> Self {
        Self { config, steps: 0, moments: Vec::new() }
    }

    /// How many steps were made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step on all parameters that have a gradient; the gradients are used up.
    ///
    /// # Errors
    /// If the module's parameters are not those of the earlier steps.
    pub fn step(&mut self, module: &mut dyn Module<E>, gradients: &mut Gradients<'_, E>) -> Result<()> {
        self.steps += 1;
        let (t, config) = (self.steps as f64, self.config);
        let step = AdamStep {
            rate: E::from_f64(config.learning_rate / (1.0 - config.beta1.powf(t))),
            beta1: E::from_f64(config.beta1),
            beta2: E::from_f64(config.beta2),
            correction: E::from_f64(1.0 / (1.0 - config.beta2.powf(t)).sqrt()),
            eps: E::from_f64(config.eps),
        };
        let mut update = Update { moments: &mut self.moments, gradients, step, next: 0, result: Ok(()) };
        module.visit(&mut update);
        let (seen, result) = (update.next, update.result);
        if result.is_ok() && seen != self.moments.len() {
            let what = format!("the module has {seen} parameters, moments are kept for {}", self.moments.len());
            return Err(Error::invalid("adam", what));
        }
        result
    }

    /// The state of an interrupted training: steps made, and the moments in the order of the parameters.
    #[must_use]
    pub fn state(&self) -> (u64, Vec<Moments<E>>) {
        (self.steps, self.moments.clone())
    }

    /// Takes up an interrupted training.
    pub fn restore(&mut self, steps: u64, moments: Vec<Moments<E>>) {
        (self.steps, self.moments) = (steps, moments);
    }
}

/// The walk of one step through the parameters.
struct Update<'a, 'g, 't, E: Element> {
    moments: &'a mut Vec<Moments<E>>,
    gradients: &'g mut Gradients<'t, E>,
    step: AdamStep<E>,
    next: usize,
    result: Result<()>,
}

impl<E: Element> Visitor<E> for Update<'_, '_, '_, E> {
    fn param(&mut self, name: &str, param: &mut Param<E>) {
        if self.next == self.moments.len() {
            let shape = *param.value.shape();
            self.moments.push(Moments { first: Tensor::zeros(shape), second: Tensor::zeros(shape) });
        }
        let moments = &mut self.moments[self.next];
        self.next += 1;
        if self.result.is_err() {
            return;
        }
        if moments.first.shape() != param.value.shape() {
            let found = param.value.shape();
            let what = format!("{name} has shape {found}, the moments kept for it {}", moments.first.shape());
            self.result = Err(Error::invalid("adam", what));
        } else if let Some(gradient) = self.gradients.take(param) {
            self.result = adam(&mut param.value, &gradient, (&mut moments.first, &mut moments.second), self.step);
        }
    }
}
