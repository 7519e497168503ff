use std::fmt;
use std::str::FromStr;

use rftm_data::Samples;
use serde::{Deserialize, Serialize};

use crate::{Affine, Column, Data, Error, Layout, Result, Scaling};

/// What becomes of a missing value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It is an error. The default: a value that was made up is not noticed in a score.
    #[default]
    Refuse,
    /// It is replaced by the column's mean in training.
    Mean,
    /// It is replaced by the column's median in training.
    Median,
}

impl Missing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Mean, Self::Median];

    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Missing {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let unknown = || format!("unknown rule {text:?}; there are refuse, mean and median");
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(unknown)
    }
}

/// A scaled number beyond this counts as this: a million deviations are as odd as can be, and a model's arithmetic
/// stays finite.
pub const SCALED_LIMIT: f32 = 1e6;

/// From the numbers of a sample to what a model sees, learned from training rows and saved with the model.
///
/// A numeric column becomes one number. A categorical column becomes one indicator for each category and one for
/// everything else; the last is always 0 in training, so a category that was not seen counts as odd by the rule for
/// constant columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// What the numbers mean.
    pub layout: Layout,
    /// What becomes of a missing value.
    pub missing: Missing,
    /// How `affine` was learned.
    pub scaling: Scaling,
    /// What a missing value is replaced by, per column; empty where none may be missing.
    fill: Vec<f32>,
    /// One for each number of an encoded row; of images only one, for all pixels.
    affine: Vec<Affine>,
}

impl Features {
    /// Learns from some rows of the data.
    ///
    /// # Errors
    /// A column without any value.
    pub(crate) fn learn(data: &Data, rows: &[u32], scaling: Scaling, missing: Missing) -> Result<Self> {
        let layout = data.layout().clone();
        let mut features = Self { layout, missing, scaling, fill: Vec::new(), affine: Vec::new() };
        let width = match &features.layout {
            Layout::Images { .. } => {
                features.affine.push(Affine::PIXELS);
                return Ok(features);
            }
            other => other.row_width(),
        };
        let mut values = Vec::with_capacity(rows.len());
        for index in 0..width {
            let column = rows.iter().map(|&row| data.row(row as usize)[index]);
            values.clear();
            values.extend(column.filter(|value| !value.is_nan()));
            if values.is_empty() {
                return Err(Error::EmptyColumn { column: features.layout.name(index) });
            }
            if let Some(levels) = levels(&features.layout, index) {
                let share = |level| values.iter().filter(|&&value| value == level as f32).count() as f64;
                let count = values.len() as f64;
                features.affine.extend((0..levels.len()).map(|level| Affine::indicator(share(level) / count)));
                features.affine.push(Affine::indicator(0.0));
                // A missing category is one that was not seen.
                features.fill.push(Column::UNSEEN);
                continue;
            }
            features.fill.push(match missing {
                Missing::Median => median(&mut values),
                _ => (values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64) as f32,
            });
            features.affine.push(Affine::learn(scaling, &mut values));
        }
        if missing == Missing::Refuse {
            features.fill.clear();
        }
        Ok(features)
    }

    /// Numbers in a sample as a model sees it.
    #[must_use]
    pub fn width(&self) -> usize {
        match &self.layout {
            Layout::Series { window, .. } => window * self.affine.len(),
            Layout::Table { .. } => self.affine.len(),
            Layout::Images { .. } => self.layout.row_width(),
        }
    }

    /// Shape of a sample as a model sees it: `[width]`, or (channels, height, width) of an image.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        match self.layout {
            Layout::Images { channels, height, width } => vec![channels, height, width],
            _ => vec![self.width()],
        }
    }

    /// The scaling of number `index` of a sample as a model sees it.
    #[must_use]
    pub fn affine(&self, index: usize) -> Affine {
        self.affine[index % self.affine.len()]
    }

    /// Name, scaling, and what fills a missing value, of every number of an encoded row; of images only one, for all.
    pub(crate) fn encoded(&self) -> Vec<(String, Affine, f32)> {
        let mut names = Vec::new();
        match &self.layout {
            Layout::Images { .. } => names.push(("pixel".to_owned(), 0.0)),
            layout => {
                for index in 0..layout.row_width() {
                    let name = layout.name(index);
                    match levels(layout, index) {
                        None => names.push((name, self.fill.get(index).copied().unwrap_or_default())),
                        Some(levels) => {
                            names.extend(levels.iter().map(|level| (format!("{name}={level}"), 0.0)));
                            names.push((format!("{name}=anything else"), 0.0));
                        }
                    }
                }
            }
        }
        names.into_iter().zip(&self.affine).map(|((name, fill), &affine)| (name, affine, fill)).collect()
    }

    /// Whether `data` can be scored; rows are numbered from `first` in messages.
    ///
    /// # Errors
    /// Data of another kind, or a missing value where none is allowed.
    pub(crate) fn check(&self, data: &Data, first: usize) -> Result<()> {
        let (ours, theirs) = (&self.layout, data.layout());
        let same = match (ours, theirs) {
            (Layout::Table { columns: a }, Layout::Table { columns: b }) => a.len() == b.len(),
            (Layout::Series { columns: a, window: v, .. }, Layout::Series { columns: b, window: w, .. }) => {
                a.len() == b.len() && v == w
            }
            (Layout::Images { .. }, Layout::Images { .. }) => ours == theirs,
            _ => false,
        };
        if !same {
            return Err(Error::OtherData { expected: ours.to_string(), found: theirs.to_string() });
        }
        let gap = || data.values().iter().position(|value| value.is_nan());
        match (self.missing, gap()) {
            (Missing::Refuse, Some(at)) => {
                let width = ours.row_width();
                Err(Error::MissingValue { row: first + at / width, column: ours.name(at % width) })
            }
            _ => Ok(()),
        }
    }

    /// One sample, as a model sees it.
    fn transform(&self, raw: &[f32], out: &mut [f32]) {
        let period = self.affine.len();
        let columns = match &self.layout {
            Layout::Images { .. } => {
                for (out, &x) in out.iter_mut().zip(raw) {
                    *out = self.affine[0].apply(x).clamp(-SCALED_LIMIT, SCALED_LIMIT);
                }
                return;
            }
            Layout::Table { columns } => columns.len(),
            Layout::Series { columns, .. } => columns.len(),
        };
        for (raw, out) in raw.chunks_exact(columns).zip(out.chunks_exact_mut(period)) {
            let mut out = out.iter_mut().zip(&self.affine);
            let mut put = |x: f32| {
                if let Some((out, affine)) = out.next() {
                    *out = affine.apply(x).clamp(-SCALED_LIMIT, SCALED_LIMIT);
                }
            };
            for (index, &value) in raw.iter().enumerate() {
                let value = if value.is_nan() { self.fill.get(index).copied().unwrap_or(value) } else { value };
                match levels(&self.layout, index) {
                    None => put(value),
                    Some(levels) => {
                        let seen = (0..levels.len()).any(|level| value == level as f32);
                        (0..levels.len()).for_each(|level| put(f32::from(u8::from(value == level as f32))));
                        put(f32::from(u8::from(!seen)));
                    }
                }
            }
        }
    }
}

/// The categories of a column, if it has any.
pub(crate) fn levels(layout: &Layout, index: usize) -> Option<&[String]> {
    match layout {
        Layout::Table { columns } => columns[index].levels.as_deref(),
        _ => None,
    }
}

fn median(values: &mut [f32]) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) { values[half - 1].midpoint(values[half]) } else { values[half] }
}

/// Some samples of the data, as a model sees them.
pub(crate) struct Prepared<'a> {
    data: &'a Data,
    features: &'a Features,
    samples: &'a [u32],
    shape: Vec<usize>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(data: &'a Data, features: &'a Features, samples: &'a [u32]) -> Self {
        Self { data, features, samples, shape: features.shape() }
    }
}

impl Samples for Prepared<'_> {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn fill(&self, rows: &[u32], out: &mut [f32]) {
        let width = self.features.width();
        assert_eq!(out.len(), rows.len() * width, "the buffer must hold {} samples of {width} numbers", rows.len());
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
            self.features.transform(self.data.sample(self.samples[row as usize] as usize), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transformed(features: &Features, data: &Data) -> Vec<f32> {
        let samples: Vec<u32> = (0..data.len() as u32).collect();
        let mut out = vec![0.0; features.width() * data.len()];
        Prepared::new(data, features, &samples).fill(&samples, &mut out);
        out
    }

    fn mixed(values: Vec<f32>) -> Data {
        let levels = vec!["red".to_owned(), "blue".to_owned()];
        let columns = vec![Column::number("x"), Column::category("colour", levels)];
        Data::new(Layout::Table { columns }, values).unwrap()
    }

    #[test]
    fn categories_become_indicators_and_an_unseen_one_is_odd() {
        let train = mixed(vec![1.0, 0.0, 3.0, 1.0, 1.0, 0.0, 3.0, 1.0]);
        let features = Features::learn(&train, &[0, 1, 2, 3], Scaling::Zscore, Missing::Refuse).unwrap();
        assert_eq!(features.width(), 4);
        assert_eq!(transformed(&features, &mixed(vec![3.0, 1.0])), [1.0, -1.0, 1.0, 0.0]);
        let unseen = transformed(&features, &mixed(vec![2.0, Column::UNSEEN]));
        assert_eq!(unseen[..3], [0.0, -1.0, -1.0]);
        assert!(unseen[3] > 9.0);
    }

    #[test]
    fn what_is_missing_is_refused_or_filled_with_what_training_had() {
        let table = |values| Data::table(["a", "b"], values).unwrap();
        let train = table(vec![1.0, 5.0, 2.0, f32::NAN, 6.0, 7.0, 100.0, 100.0]);
        let check = |missing, expected: [f32; 2]| {
            // The fourth row is not among those to learn from.
            let features = Features::learn(&train, &[0, 1, 2], Scaling::Minmax, missing).unwrap();
            assert_eq!(features.fill, expected);
            features.check(&train, 1).unwrap();
            let filled = transformed(&features, &table(vec![f32::NAN; 2]));
            assert_eq!(filled, [0, 1].map(|index| features.affine(index).apply(expected[index])));
        };
        check(Missing::Mean, [3.0, 6.0]);
        check(Missing::Median, [2.0, 6.0]);
        let refusing = Features::learn(&train, &[0, 2], Scaling::Zscore, Missing::Refuse).unwrap();
        let message = refusing.check(&train, 1).unwrap_err().to_string();
        assert!(message.starts_with("row 2, column \"b\": the value is missing"), "{message}");
        let empty = Features::learn(&train, &[1], Scaling::Zscore, Missing::Mean).unwrap_err();
        assert!(matches!(empty, Error::EmptyColumn { column } if column == "b"));
    }

    #[test]
    fn windows_share_the_scaling_of_their_columns() {
        let series = Data::series(["a", "b"], 2, 1, vec![1.0, 10.0, 3.0, 30.0]).unwrap();
        let features = Features::learn(&series, &[0, 1], Scaling::Zscore, Missing::Refuse).unwrap();
        assert_eq!((features.width(), features.affine.len()), (4, 2));
        assert_eq!(transformed(&features, &series), [-1.0, -1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_value_beyond_all_measure_stays_finite() {
        let train = Data::table(["a"], vec![1.0, 2.0]).unwrap();
        let features = Features::learn(&train, &[0, 1], Scaling::Zscore, Missing::Refuse).unwrap();
        let huge = Data::table(["a"], vec![f32::MAX, -f32::MAX]).unwrap();
        assert_eq!(transformed(&features, &huge), [SCALED_LIMIT, -SCALED_LIMIT]);
    }
}
