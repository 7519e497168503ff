//! How the cost of a step and of a memory read grows with one parameter, all others as in the paper.

use anyhow::Result;
use rftm_memory::UnitConfig;
use rftm_models::{Architecture, MemorySpec, ModelSpec};
use serde::{Deserialize, Serialize};

use crate::case::{BATCH, Case};
use crate::clock::{WARM_UP, measure, median};
use crate::layers::Layer;
use crate::ops::Op;
use crate::work::{Scoring, Training};

/// The parameter that varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Samples in a batch.
    Batch,
    /// Slots of a memory, N.
    Capacity,
    /// Width of the latent, L'.
    Latent,
    /// Share of the slots that is forgotten, nu.
    Forgetting,
    /// Slots that a query reads, k.
    TopK,
}

impl Curve {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Batch, Self::Capacity, Self::Latent, Self::Forgetting, Self::TopK];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Capacity => "capacity",
            Self::Latent => "latent",
            Self::Forgetting => "forgetting",
            Self::TopK => "top_k",
        }
    }

    /// What tables call the parameter.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Batch => "batch size",
            Self::Capacity => "N",
            Self::Latent => "L'",
            Self::Forgetting => "nu",
            Self::TopK => "k",
        }
    }

    /// Where it is measured.
    #[must_use]
    pub fn points(self) -> &'static [f64] {
        match self {
            Self::Batch => &[1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024.],
            Self::Capacity => &[50., 100., 300., 1000., 3000., 10_000.],
            Self::Latent => &[64., 128., 256., 512., 1024., 2048., 4096.],
            Self::Forgetting => &[0., 0.1, 0.3, 0.5, 0.7, 0.9],
            Self::TopK => &[1., 2., 5., 10., 15., 25., 50., 100.],
        }
    }

    /// The memory at a point: the cortex of CIFAR-10's model (3000 slots, k 5, nu 0.5, L' 2048) with one change.
    #[must_use]
    pub fn unit(self, at: f64) -> (UnitConfig, usize) {
        let (unit, width) = (UnitConfig::new(3000, 5, 0.5), 2048);
        match self {
            Self::Batch => (unit, width),
            Self::Capacity => (UnitConfig { capacity: at as usize, ..unit }, width),
            Self::Latent => (unit, at as usize),
            Self::Forgetting => (UnitConfig { forgetting_rate: at, ..unit }, width),
            Self::TopK => (UnitConfig { top_k: Some(at as usize), ..unit }, width),
        }
    }

    /// MNIST's model at a point: the same change to its cortex (1000 slots, k 5, nu 0.5, L' 128).
    #[must_use]
    pub fn spec(self, at: f64) -> ModelSpec {
        let mut spec = fc_rftm();
        if let (Self::Latent, Architecture::Mlp { widths }) = (self, &mut spec.architecture) {
            widths.truncate(3);
            widths.push(at as usize);
        }
        if let MemorySpec::Twin { cortex: Some(unit), .. } = &mut spec.memory {
            match self {
                Self::Batch | Self::Latent => {}
                Self::Capacity => unit.capacity = at as usize,
                Self::Forgetting => unit.forgetting_rate = at,
                Self::TopK => unit.top_k = Some(at as usize),
            }
        }
        spec
    }
}

fn fc_rftm() -> ModelSpec {
    Case::ALL[1].spec()
}

/// One measured point of a curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Which curve.
    pub curve: Curve,
    /// What was timed: a column of the table.
    pub what: String,
    /// The parameter's value.
    pub at: f64,
    /// Threads.
    pub threads: usize,
    /// Median time in milliseconds.
    pub median_ms: f64,
}

/// Measures a curve; `each` gets its points one by one.
///
/// # Errors
/// If a point's model cannot be made, or `each` fails.
pub fn run(curve: Curve, rounds: usize, mut each: impl FnMut(&str, f64, f64) -> Result<()>) -> Result<()> {
    for &at in curve.points() {
        if curve == Curve::Batch {
            by_batch(at as usize, rounds, |what, time| each(what, at, time))?;
            continue;
        }
        let (unit, width) = curve.unit(at);
        let [forward, backward] = Op::new(Layer::Memory { unit, width }, BATCH, true)?.times(rounds)?;
        each("memory read forward", at, forward)?;
        each("memory read backward", at, backward)?;
        each("`fc_rftm` step", at, step_time(&curve.spec(at), BATCH, rounds)?)?;
    }
    Ok(())
}

fn by_batch(batch: usize, rounds: usize, mut each: impl FnMut(&str, f64) -> Result<()>) -> Result<()> {
    for case in Case::ALL.into_iter().filter(|case| !case.name().ends_with("p0")) {
        // Convolutions cost the more the larger the batch; a few rounds of a long step are enough.
        let rounds = if case.is_conv() { (rounds * 16 / batch.max(16)).clamp(2, rounds) } else { rounds };
        if batch > 1 {
            // Batch normalisation cannot train on one value a channel.
            each(&format!("`{case}` step"), step_time(&case.spec(), batch, rounds)?)?;
        }
        let scoring = Scoring::new(&case.spec(), batch)?;
        let times = measure(rounds, || scoring.scores().map(drop))?;
        each(&format!("`{case}` scoring"), times.median)?;
    }
    Ok(())
}

fn step_time(spec: &ModelSpec, batch: usize, rounds: usize) -> Result<f64> {
    let mut training = Training::new(spec, batch)?;
    let mut times = Vec::new();
    for round in 0..WARM_UP + rounds {
        let split = training.step()?;
        if round >= WARM_UP {
            times.push(split.total());
        }
    }
    Ok(median(&times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_a_valid_model() {
        for curve in Curve::ALL {
            for &at in curve.points() {
                curve.unit(at).0.check("unit").unwrap();
                rftm_models::Model::new(&curve.spec(at), 1).unwrap();
            }
            assert!(curve.points().is_sorted());
            assert_eq!(serde_json::to_string(&curve).unwrap(), format!("\"{}\"", curve.name()));
        }
        // The curves meet at the paper's values.
        assert_eq!(Curve::Capacity.unit(3000.0), Curve::TopK.unit(5.0));
        assert_eq!(Curve::Latent.spec(128.0), Curve::Forgetting.spec(0.5));
        assert_eq!(Curve::Capacity.spec(1000.0), fc_rftm());
    }
}
