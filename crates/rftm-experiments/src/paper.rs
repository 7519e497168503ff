//! The paper's printed numbers, in percent.

use std::collections::BTreeMap;

use rftm_data::DatasetId;
use rftm_models::ModelKind;

use crate::arm::Arm;
use crate::error::{Error, Result};
use crate::record::Metric;

const TABLE1: &str = include_str!("../definitions/table1.csv");
const TABLE2: &str = include_str!("../definitions/table2.csv");

/// Data set, class and seed of the paper's Table 2: Coat.
const ABLATION: (DatasetId, u8, u64) = (DatasetId::FashionMnist, 4, 1997);

/// A mean and a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanStd {
    /// The mean.
    pub mean: f64,
    /// The standard deviation; none for a single value.
    pub std: Option<f64>,
}

/// Whether a `difference` to a number of the paper is within 2 of its standard deviations plus 1 point.
pub(crate) fn agrees(difference: f64, std: f64) -> bool {
    difference.abs() <= 2.0 * std + 1.0
}

/// Tables 1 and 2 of the paper. The AVG rows are left out: some do not follow from the rows above them.
#[derive(Clone, Debug)]
pub struct Paper {
    cells: BTreeMap<(DatasetId, u8, ModelKind, Metric), MeanStd>,
    arms: BTreeMap<(Arm, Metric), f64>,
}

impl Paper {
    /// Parses the built-in tables.
    ///
    /// # Errors
    /// [`Error::Definition`] naming the line that does not parse.
    pub fn builtin() -> Result<Self> {
        let mut paper = Self { cells: BTreeMap::new(), arms: BTreeMap::new() };
        for (name, table, read) in [
            ("table1.csv", TABLE1, Self::read_cell as fn(&mut Self, &str) -> Option<()>),
            ("table2.csv", TABLE2, Self::read_arm),
        ] {
            for (index, line) in table.lines().enumerate().skip(1) {
                let wrong =
                    || Error::Definition { name: format!("{name}, line {}", index + 1), message: line.to_owned() };
                read(&mut paper, line).ok_or_else(wrong)?;
            }
        }
        Ok(paper)
    }

    fn read_cell(&mut self, line: &str) -> Option<()> {
        let [dataset, class, _name, model, metric, mean, std] = line.split(',').collect::<Vec<_>>()[..] else {
            return None;
        };
        if class == "AVG" {
            return Some(());
        }
        let metric = Metric::ALL.into_iter().find(|known| known.id() == metric)?;
        let key = (dataset.parse().ok()?, class.parse().ok()?, model.parse().ok()?, metric);
        self.cells.insert(key, MeanStd { mean: mean.parse().ok()?, std: Some(std.parse().ok()?) });
        Some(())
    }

    fn read_arm(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split(',').collect();
        let (parts, numbers) = fields.split_at_checked(5)?;
        let parts: Vec<bool> = parts.iter().map(|&part| part == "1").collect();
        let arm = Arm::PAPER.into_iter().find(|arm| arm.parts()[..] == parts[..])?;
        let [auroc, auprc, f1] = numbers[..] else { return None };
        for (metric, number) in Metric::ALL.into_iter().zip([auroc, auprc, f1]) {
            self.arms.insert((arm, metric), number.parse().ok()?);
        }
        Some(())
    }

    /// The printed number of one table cell.
    #[must_use]
    pub fn get(&self, dataset: DatasetId, class: u8, kind: ModelKind, metric: Metric) -> Option<MeanStd> {
        self.cells.get(&(dataset, class, kind, metric)).copied()
    }

    /// The printed number of Table 2, which has one class and one seed.
    #[must_use]
    pub fn ablation(&self, dataset: DatasetId, class: u8, seed: u64, arm: Arm, metric: Metric) -> Option<f64> {
        self.arms.get(&(arm, metric)).copied().filter(|_| (dataset, class, seed) == ABLATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_table_1_is_there() {
        let paper = Paper::builtin().unwrap();
        assert_eq!(paper.cells.len(), 3 * 10 * 4 * 3);
        let get = |dataset, class, kind, metric| paper.get(dataset, class, kind, metric).map(|v| (v.mean, v.std));
        assert_eq!(get(DatasetId::Mnist, 0, ModelKind::Rftm, Metric::Auroc), Some((96.98, Some(0.08))));
        assert_eq!(get(DatasetId::FashionMnist, 4, ModelKind::Ae, Metric::F1), Some((20.33, Some(0.01))));
        assert_eq!(get(DatasetId::Cifar10, 9, ModelKind::Mnad, Metric::Auprc), Some((17.97, Some(0.33))));
        assert_eq!(get(DatasetId::Glyphs, 0, ModelKind::Ae, Metric::Auroc), None);
    }

    #[test]
    fn every_number_of_table_2_is_there() {
        let paper = Paper::builtin().unwrap();
        assert_eq!(paper.arms.len(), 6 * 3);
        let get = |class, seed, arm, metric| paper.ablation(DatasetId::FashionMnist, class, seed, arm, metric);
        assert_eq!(get(4, 1997, Arm::NoCortex, Metric::Auroc), Some(55.09));
        assert_eq!(get(4, 1997, Arm::NoSparsification, Metric::Auprc), Some(12.83));
        assert_eq!(get(4, 1997, Arm::Full, Metric::F1), Some(22.96));
        assert_eq!((get(4, 2015, Arm::Full, Metric::F1), get(1, 1997, Arm::Full, Metric::F1)), (None, None));
    }
}
