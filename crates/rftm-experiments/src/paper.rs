//! The paper's printed numbers, in percent.

use std::collections::BTreeMap;

use rftm_data::DatasetId;
use rftm_models::ModelKind;

use crate::error::{Error, Result};
use crate::record::Metric;

const TABLE1: &str = include_str!("../definitions/table1.csv");

/// A mean and a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanStd {
    /// The mean.
    pub mean: f64,
    /// The standard deviation; none for a single value.
    pub std: Option<f64>,
}

/// Table 1 of the paper. Its AVG rows are left out: some do not follow from the rows above them.
#[derive(Clone, Debug)]
pub struct Paper {
    cells: BTreeMap<(DatasetId, u8, ModelKind, Metric), MeanStd>,
}

impl Paper {
    /// Parses the built-in table.
    ///
    /// # Errors
    /// [`Error::Definition`] naming the line that does not parse.
    pub fn builtin() -> Result<Self> {
        let mut cells = BTreeMap::new();
        for (index, line) in TABLE1.lines().enumerate().skip(1) {
            let wrong =
                || Error::Definition { name: format!("table1.csv, line {}", index + 1), message: line.to_owned() };
            let [dataset, class, _name, model, metric, mean, std] = line.split(',').collect::<Vec<_>>()[..] else {
                return Err(wrong());
            };
            if class == "AVG" {
                continue;
            }
            let metric = Metric::ALL.into_iter().find(|known| known.id() == metric).ok_or_else(wrong)?;
            let key = (
                dataset.parse().map_err(|_| wrong())?,
                class.parse().map_err(|_| wrong())?,
                model.parse().map_err(|_| wrong())?,
                metric,
            );
            let number = |text: &str| text.parse().map_err(|_| wrong());
            cells.insert(key, MeanStd { mean: number(mean)?, std: Some(number(std)?) });
        }
        Ok(Self { cells })
    }

    /// The printed number of one table cell.
    #[must_use]
    pub fn get(&self, dataset: DatasetId, class: u8, kind: ModelKind, metric: Metric) -> Option<MeanStd> {
        self.cells.get(&(dataset, class, kind, metric)).copied()
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
}
