use rftm_autograd::Param;
use rftm_nn::init;
use rftm_tensor::recall::Selection;
use rftm_tensor::{Element, Shape};
use serde::{Deserialize, Serialize};

/// What a memory unit is to be; checked when the unit is built.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitConfig {
    /// Number of slots, N.
    pub capacity: usize,
    /// Number of slots a query reads, k; `None` switches sparsification off: no top-k and no threshold, the softmax
    /// runs over all similarities.
    pub top_k: Option<usize>,
    /// Share of the slots, nu, that is forgotten in each training pass: `floor(nu * N)` slots, drawn anew for every
    /// pass and shared by the batch. 0 switches forgetting off.
    pub forgetting_rate: f64,
    /// What becomes of forgotten slots and of similarities that are not positive.
    #[serde(with = "selection")]
    pub selection: Selection,
    /// Whether slots are forgotten in evaluation, too (`--forget-at-inference` of the experiments).
    pub forget_in_evaluation: bool,
}

impl UnitConfig {
    /// The paper's hippocampus: `{N, k, nu} = {50, 15, 0.1}`.
    #[must_use]
    pub fn hippocampus() -> Self {
        Self::new(50, 15, 0.1)
    }

    /// The paper's cortex: `{N, k, nu} = {1000, 5, 0.5}`.
    #[must_use]
    pub fn cortex() -> Self {
        Self::new(1000, 5, 0.5)
    }

    /// A unit with the default rules of selection.
    #[must_use]
    pub fn new(capacity: usize, top_k: usize, forgetting_rate: f64) -> Self {
        let selection = Selection::Zero;
        Self { capacity, top_k: Some(top_k), forgetting_rate, selection, forget_in_evaluation: false }
    }

    /// How many slots each training pass forgets.
    #[must_use]
    pub fn forgotten(&self) -> usize {
        // A product such as 0.3 * 10 may come out one ulp below the whole number it stands for.
        let forgotten = (self.forgetting_rate * self.capacity as f64 + 1e-9).floor() as usize;
        // And one below the capacity may come out as the capacity: a rate below 1 leaves a slot.
        forgotten.min(self.capacity.saturating_sub(1))
    }

    /// Checks the numbers; `part` is what errors call the unit.
    ///
    /// # Errors
    /// The first parameter that is out of range.
    pub fn check(&self, part: &'static str) -> Result<(), ConfigError> {
        let problem = |parameter, problem: String| Err(ConfigError { part, parameter, problem });
        check_capacity(part, self.capacity, "slots")?;
        if !(0.0..1.0).contains(&self.forgetting_rate) {
            return problem("forgetting_rate", format!("{} is not in [0, 1)", self.forgetting_rate));
        }
        let surviving = self.capacity - self.forgotten();
        match self.top_k {
            Some(0) => problem("top_k", "a query must read at least 1 slot (leave it out to read all)".into()),
            Some(k) if k > surviving => problem(
                "top_k",
                format!(
                    "{k} exceeds the {surviving} slots that survive forgetting (capacity {}, forgetting_rate {})",
                    self.capacity, self.forgetting_rate
                ),
            ),
            _ => Ok(()),
        }
    }
}

/// What a twin memory is to be; checked when it is built.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwinConfig {
    /// The first memory; `None` switches it off, its connector with it.
    pub hippocampus: Option<UnitConfig>,
    /// The second memory; `None` switches it off, its connector with it.
    pub cortex: Option<UnitConfig>,
    /// Whether batch normalisation and LeakyReLU follow each memory.
    pub connector: bool,
    /// Slope of the connectors' LeakyReLU for negative values.
    pub negative_slope: f64,
}

impl Default for TwinConfig {
    /// The paper's, with the rules of the authors' later release where the paper leaves a choice.
    fn default() -> Self {
        Self {
            hippocampus: Some(UnitConfig::hippocampus()),
            cortex: Some(UnitConfig::cortex()),
            connector: true,
            negative_slope: 0.01,
        }
    }
}

/// A parameter that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}.{parameter}: {problem}")]
pub struct ConfigError {
    /// Which memory.
    pub part: &'static str,
    /// Which of its parameters.
    pub parameter: &'static str,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(part: &'static str, parameter: &'static str, problem: impl Into<String>) -> Self {
        Self { part, parameter, problem: problem.into() }
    }
}

/// Slots are numbered by `u32`, and a memory has at least one.
pub(crate) fn check_capacity(part: &'static str, capacity: usize, what: &str) -> Result<(), ConfigError> {
    if capacity > 0 && u32::try_from(capacity).is_ok() {
        return Ok(());
    }
    let problem = format!("{capacity} {what}; at least 1 and fewer than 2^32 are needed");
    Err(ConfigError::new(part, "capacity", problem))
}

pub(crate) fn check_width(part: &'static str, width: usize) -> Result<(), ConfigError> {
    if width > 0 { Ok(()) } else { Err(ConfigError::new(part, "width", "0 elements; a latent has at least 1")) }
}

/// `capacity` slots for latents of `width` elements, drawn from `U(-bound, bound)` in this stream of the part.
pub(crate) fn draw_slots<E: Element>(
    part: &'static str,
    [capacity, width]: [usize; 2],
    bound: f64,
    (seed, stream): (u64, u64),
) -> Result<Param<E>, ConfigError> {
    check_width(part, width)?;
    Shape::new(&[capacity, width])
        .and_then(|shape| init::uniform(shape, bound, &mut rftm_rng::rng(seed, part, stream)))
        .map_err(|error| ConfigError::new(part, "width", error.to_string()))
}

/// The weight of a loss, a distance, a slope.
pub(crate) fn check_weight(part: &'static str, parameter: &'static str, value: f64) -> Result<(), ConfigError> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(part, parameter, format!("{value} is not a number from 0 on")))
}

/// `remove` and `zero` in files.
mod selection {
    use rftm_tensor::recall::Selection;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(serde::Serialize, Deserialize)]
    #[serde(rename_all = "lowercase", remote = "Selection")]
    enum Named {
        Remove,
        Zero,
    }

    pub(super) fn serialize<S: Serializer>(selection: &Selection, serializer: S) -> Result<S::Ok, S::Error> {
        Named::serialize(selection, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Selection, D::Error> {
        Named::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut UnitConfig), expected: &str) {
        let mut config = UnitConfig::hippocampus();
        change(&mut config);
        assert_eq!(config.check("hippocampus").unwrap_err().to_string(), expected);
    }

    #[test]
    fn errors_name_the_parameter() {
        UnitConfig::hippocampus().check("hippocampus").unwrap();
        UnitConfig::cortex().check("cortex").unwrap();
        check(|c| c.capacity = 0, "hippocampus.capacity: 0 slots; at least 1 and fewer than 2^32 are needed");
        check(|c| c.forgetting_rate = 1.0, "hippocampus.forgetting_rate: 1 is not in [0, 1)");
        check(|c| c.forgetting_rate = -0.1, "hippocampus.forgetting_rate: -0.1 is not in [0, 1)");
        check(|c| c.forgetting_rate = f64::NAN, "hippocampus.forgetting_rate: NaN is not in [0, 1)");
        check(|c| c.top_k = Some(0), "hippocampus.top_k: a query must read at least 1 slot (leave it out to read all)");
        check(
            |c| c.top_k = Some(46),
            "hippocampus.top_k: 46 exceeds the 45 slots that survive forgetting (capacity 50, forgetting_rate 0.1)",
        );
    }

    #[test]
    fn the_forgotten_share_is_rounded_down() {
        for (capacity, rate, forgotten) in [(50, 0.1, 5), (1000, 0.5, 500), (10, 0.3, 3), (9, 0.5, 4), (7, 0.0, 0)] {
            assert_eq!(UnitConfig::new(capacity, 1, rate).forgotten(), forgotten);
        }
        // However near to 1 the rate is.
        assert_eq!(UnitConfig::new(10, 1, 1.0 - 1e-11).forgotten(), 9);
    }
}
