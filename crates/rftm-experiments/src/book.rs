//! The ledger, read through today's definitions.

use rftm_models::ModelKind;

use crate::cell::{Cell, Key};
use crate::definition::{Catalogue, Variant};
use crate::ledger::Ledger;
use crate::paper::MeanStd;
use crate::protocol::DatasetProtocol;
use crate::record::{Finished, Metric, Outcome, Record};

/// Degrees of freedom taken away in our standard deviations over seeds: the sample estimate. The paper does not say.
pub(crate) const DDOF: usize = 1;

/// Finds records by what they are about. A record is found only if its key is the one that the definitions give that cell
/// today, so results of older code or of other hyper-parameters never mix in.
#[derive(Clone, Copy)]
pub(crate) struct Book<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) ledger: &'a Ledger,
}

/// What the ledger has of the cells that differ in the seed only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample<'a> {
    /// Finished, by seed.
    pub(crate) done: Vec<(u64, &'a Record, &'a Finished)>,
    /// Failed, with the reason.
    pub(crate) failures: Vec<(Cell, String)>,
    /// Finished, with what is to be known about the result.
    pub(crate) warnings: Vec<(Cell, String)>,
}

impl<'a> Book<'a> {
    pub(crate) fn sample(
        self,
        dataset: &DatasetProtocol,
        class: u8,
        kind: ModelKind,
        variant: Variant,
        seeds: &[u64],
    ) -> Sample<'a> {
        let mut sample = Sample::default();
        for &seed in seeds {
            let key = self.catalogue.cell(dataset, class, kind, seed, variant).key();
            let Some(record) = self.ledger.get(&key) else { continue };
            match &record.outcome {
                Outcome::Finished(finished) => {
                    sample.done.push((seed, record, finished));
                    let of_cell = |warning: &String| (record.cell.clone(), warning.clone());
                    sample.warnings.extend(finished.warnings.iter().map(of_cell));
                }
                Outcome::Failed { error } => sample.failures.push((record.cell.clone(), error.clone())),
            }
        }
        sample
    }
}

impl Sample<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.done.is_empty() && self.failures.is_empty()
    }

    /// In percent, by seed.
    pub(crate) fn percent(&self, metric: Metric) -> Vec<f64> {
        self.done.iter().map(|(_, _, finished)| finished.metrics.percent(metric)).collect()
    }

    /// The seeds that finished.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        self.done.iter().map(|(seed, ..)| *seed).collect()
    }

    /// In percent, of one seed.
    pub(crate) fn of(&self, seed: u64, metric: Metric) -> Option<f64> {
        let (_, _, finished) = self.done.iter().find(|(one, ..)| *one == seed)?;
        Some(finished.metrics.percent(metric))
    }

    /// This minus `other`, in points, over the seeds that both have.
    pub(crate) fn minus(&self, other: &Sample<'_>, metric: Metric) -> Vec<f64> {
        let pair = |seed| Some(self.of(seed, metric)? - other.of(seed, metric)?);
        self.seeds().into_iter().filter_map(pair).collect()
    }

    pub(crate) fn spread(&self, metric: Metric) -> Option<MeanStd> {
        spread(&self.percent(metric))
    }

    pub(crate) fn key(&self, seed: u64) -> Option<Key> {
        self.done.iter().find(|(one, ..)| *one == seed).map(|(_, record, _)| record.key.clone())
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.done.iter().map(|(_, record, _)| record.key.clone()).collect()
    }
}

/// Mean and standard deviation over seeds; none for no value, no deviation for one.
pub(crate) fn spread(values: &[f64]) -> Option<MeanStd> {
    let mean = rftm_metrics::mean_std(values, 0).ok()?.mean;
    let std = rftm_metrics::mean_std(values, DDOF).ok().map(|sample| sample.std);
    Some(MeanStd { mean, std })
}

/// The median of some numbers: what one slow cell does not change.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(low.midpoint(*high))
}

/// The mean of some numbers.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    spread(values).map(|spread| spread.mean)
}
