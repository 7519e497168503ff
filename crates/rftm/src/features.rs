use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use rftm_data::Samples;
use serde::{Deserialize, Serialize};

use crate::defaults::FEWEST_OF_CATEGORY;
use crate::scaling::quantile;
use crate::{Affine, Column, Data, Error, Layout, Result, Scaling};

/// What becomes of a missing value. (A missing category is never made up: it counts as "anything else".)
///
/// ```
/// use rftm::{Column, Data, Detector, Layout, Missing};
///
/// let columns = vec![Column::number("length"), Column::category("colour", vec!["red".into(), "blue".into()])];
/// let layout = Layout::Table { columns };
/// // Red ones are short, blue ones are long; of every tenth the length is missing.
/// let length = |i: usize| if i % 10 == 9 { f32::NAN } else { (i % 7) as f32 + 50.0 * (i % 2) as f32 };
/// let train = Data::new(layout.clone(), (0..200).flat_map(|i| [length(i), (i % 2) as f32]).collect())?;
/// let detector = Detector::builder().missing(Missing::Median).max_epochs(40).fit(&train)?;
///
/// // A red one as long as blue ones are; data to score number categories as they like.
/// let columns = vec![Column::number("length"), Column::category("colour", vec!["blue".into(), "red".into()])];
/// let new = Data::new(Layout::Table { columns }, vec![3.0, 1.0, 53.0, 1.0])?;
/// let scores = detector.score(&new)?;
/// assert!(scores[1] > scores[0]);
/// # Ok::<(), rftm::Error>(())
/// ```
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

/// Beyond so many deviations a scaled number counts as this in the rows that stop the training in time, and in those that
/// train if outliers do not widen their scale. Ten deviations are as wrong as a model can be about a normal row; one value
/// that training rows do not have, scored in full, would outweigh all others in the choice of the epoch.
pub(crate) const FIT_LIMIT: f32 = 10.0;

/// From the numbers of a sample to what a model sees, learned from training rows and saved with the model.
///
/// A numeric column becomes one number; one that never changed in training lies within ten deviations, in every row.
/// A categorical column becomes one indicator for each category that at least
/// [`FEWEST_OF_CATEGORY`](crate::defaults::FEWEST_OF_CATEGORY) training rows have, and one for anything else: a rarer
/// category, one that was not seen, a missing one. Where no training row had anything else, it counts ten deviations; the
/// others together weigh as much as one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// What the numbers mean; of categories only those that have an indicator.
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
    /// A column without any value, or images that are black or of pixels in [0, 1].
    pub(crate) fn learn(data: &Data, rows: &[u32], scaling: Scaling, missing: Missing) -> Result<Self> {
        let layout = data.layout().clone();
        let mut features = Self { layout, missing, scaling, fill: Vec::new(), affine: Vec::new() };
        let width = match &features.layout {
            Layout::Images { .. } => {
                if rows.iter().flat_map(|&row| data.row(row as usize)).all(|&pixel| pixel <= 1.0) {
                    return Err(Error::UnitPixels);
                }
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
            if let Some(levels) = data.layout().levels(index) {
                let mut counts = vec![0; levels.len()];
                for level in values.iter().filter_map(|&value| code(value)) {
                    if let Some(count) = counts.get_mut(level) {
                        *count += 1;
                    }
                }
                let common = || counts.iter().zip(levels).filter(|(count, _)| **count >= FEWEST_OF_CATEGORY);
                features.keep(index, common().map(|(_, level)| level.clone()).collect());
                let shares: Vec<f64> = common().map(|(&count, _)| count as f64 / rows.len() as f64).collect();
                features.affine.extend(Affine::indicators(&shares));
                let others = rows.len() - common().map(|(count, _)| count).sum::<usize>();
                features.affine.push(Affine::anything_else(others as f64 / rows.len() as f64));
                features.fill.push(Column::UNSEEN);
                continue;
            }
            features.fill.push(match missing {
                Missing::Median => quantile(&values, 0.5)? as f32,
                _ => (values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64) as f32,
            });
            features.affine.push(Affine::learn(scaling, &values)?);
        }
        if missing == Missing::Refuse {
            features.fill.clear();
        }
        Ok(features)
    }

    /// Sets the categories of a column.
    fn keep(&mut self, index: usize, kept: Vec<String>) {
        if let Layout::Table { columns } = &mut self.layout {
            columns[index].levels = Some(kept);
        }
    }

    /// Whether its parts fit each other, and if not, why: in a file there may stand anything.
    pub(crate) fn verify(&self) -> std::result::Result<(), String> {
        self.layout.check().map_err(|error| error.to_string())?;
        let (numbers, columns) = match &self.layout {
            Layout::Images { .. } => (1, 0),
            layout => ((0..layout.row_width()).map(|index| self.span(index)).sum(), layout.row_width()),
        };
        let fills = if self.missing == Missing::Refuse { 0 } else { columns };
        if (self.affine.len(), self.fill.len()) != (numbers, fills) {
            return Err("its scaling does not fit its columns".to_owned());
        }
        let usable = |affine: &Affine| {
            affine.shift.is_finite()
                && affine.scale.is_finite()
                && affine.scale > 0.0
                && affine.limit.is_finite()
                && affine.limit > 0.0
        };
        if !self.affine.iter().all(usable) || !self.fill.iter().all(|value| value.is_finite()) {
            return Err("its scaling is of no use".to_owned());
        }
        Ok(())
    }

    /// How many numbers a model sees for a column.
    pub(crate) fn span(&self, column: usize) -> usize {
        self.layout.levels(column).map_or(1, |levels| levels.len() + 1)
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

    /// The numbers of a sample that are 0 in all training samples because their columns never changed in training rows, or
    /// because all rows had their category, or none.
    pub(crate) fn silent(&self) -> Vec<usize> {
        let columns = match &self.layout {
            Layout::Images { .. } => return Vec::new(),
            layout => 0..layout.row_width(),
        };
        let indicator = columns.flat_map(|column| vec![self.layout.levels(column).is_some(); self.span(column)]);
        let row: Vec<bool> = indicator.zip(&self.affine).map(|(is_one, affine)| affine.is_silent(is_one)).collect();
        (0..self.width()).filter(|index| row[index % row.len()]).collect()
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
                    match layout.levels(index) {
                        None => names.push((name, self.fill.get(index).copied().unwrap_or_default())),
                        Some(levels) => {
                            names.extend(levels.iter().map(|level| (format!("{name}={level}"), 0.0)));
                            names.push((format!("{name}=anything else"), 1.0));
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
    /// Data of another kind, pixels in [0, 1], or a missing value where none is allowed.
    pub(crate) fn check(&self, data: &Data, first: usize) -> Result<()> {
        let ours = &self.layout;
        if let Some([expected, found]) = ours.difference(data.layout()) {
            return Err(Error::OtherData { expected, found });
        }
        // Pixels in [0, 1] would all be all but black. A black image, however, is one.
        if matches!(ours, Layout::Images { .. })
            && data.values().iter().all(|&pixel| pixel <= 1.0)
            && data.values().iter().any(|pixel| pixel.fract() > 0.0)
        {
            return Err(Error::UnitPixels);
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

    /// For each column the indicator of each of the data's categories; nothing for a column of numbers.
    pub(crate) fn indicators(&self, data: &Layout) -> Vec<Vec<usize>> {
        let Layout::Table { columns } = data else { return Vec::new() };
        let one = |(index, column): (usize, &Column)| {
            let (Some(ours), Some(theirs)) = (self.layout.levels(index), &column.levels) else { return Vec::new() };
            if ours == theirs {
                return (0..ours.len()).collect();
            }
            let places: HashMap<&String, usize> = ours.iter().zip(0..).collect();
            theirs.iter().map(|level| places.get(level).copied().unwrap_or(ours.len())).collect()
        };
        columns.iter().enumerate().map(one).collect()
    }

    /// One sample, as a model sees it, no number beyond the limit.
    fn transform(&self, raw: &[f32], indicators: &[Vec<usize>], limit: f32, out: &mut [f32]) {
        let period = self.affine.len();
        let columns = match &self.layout {
            Layout::Images { .. } => {
                for (out, &x) in out.iter_mut().zip(raw) {
                    *out = self.affine[0].apply(x).clamp(-limit, limit);
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
                    *out = affine.apply(x).clamp(-limit, limit);
                }
            };
            for (index, &value) in raw.iter().enumerate() {
                match self.layout.levels(index) {
                    None if value.is_nan() => put(self.fill.get(index).copied().unwrap_or(value)),
                    None => put(value),
                    Some(levels) => {
                        let own = indicator(value, &indicators[index], levels.len());
                        (0..=levels.len()).for_each(|place| put(f32::from(u8::from(place == own))));
                    }
                }
            }
        }
    }
}

/// The position in a list of categories that a value stands for.
fn code(value: f32) -> Option<usize> {
    (value >= 0.0 && value.fract() == 0.0).then_some(value as usize)
}

/// Which indicator a value of a categorical column sets: `others`, the last, unless it is that of a known category.
pub(crate) fn indicator(value: f32, indicators: &[usize], others: usize) -> usize {
    code(value).and_then(|code| indicators.get(code)).copied().unwrap_or(others)
}

/// Some samples of the data, as a model sees them.
pub(crate) struct Prepared<'a> {
    data: &'a Data,
    features: &'a Features,
    samples: &'a [u32],
    shape: Vec<usize>,
    indicators: Vec<Vec<usize>>,
    limit: f32,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(data: &'a Data, features: &'a Features, samples: &'a [u32]) -> Self {
        let (shape, indicators) = (features.shape(), features.indicators(data.layout()));
        Self { data, features, samples, shape, indicators, limit: f32::INFINITY }
    }

    /// No number beyond this, even where its scaling would allow it.
    pub(crate) fn limited(self, limit: f32) -> Self {
        Self { limit, ..self }
    }

    /// Mean over the numbers of a sample of their variance over the samples: the score that the mean sample would have. And
    /// what the silent ones, which are left out of it, add to the score of any model: the mean of their squares.
    pub(crate) fn variance(&self) -> [f64; 2] {
        let width = self.features.width();
        let (mut row, mut sums) = (vec![0.0; width], vec![[0.0_f64; 2]; width]);
        for index in (0..).take(self.samples.len()) {
            self.fill(&[index], &mut row);
            for (sum, x) in sums.iter_mut().zip(row.iter().map(|&x| f64::from(x))) {
                *sum = [sum[0] + x, sum[1] + x * x];
            }
        }
        let count = self.samples.len() as f64;
        let mut silent = 0.0;
        for index in self.features.silent() {
            silent += std::mem::take(&mut sums[index])[1] / count;
        }
        let variance = |[sum, squares]: [f64; 2]| (squares / count - (sum / count).powi(2)).max(0.0);
        [sums.into_iter().map(variance).sum::<f64>() / width as f64, silent / width as f64]
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
            let raw = self.data.sample(self.samples[row as usize] as usize);
            self.features.transform(raw, &self.indicators, self.limit, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::SCALED_LIMIT;

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
        let train = mixed([1.0, 0.0, 3.0, 1.0].repeat(5));
        let rows: Vec<u32> = (0..10).collect();
        let features = Features::learn(&train, &rows, Scaling::Zscore, Missing::Refuse).unwrap();
        assert_eq!(features.width(), 4);
        // Half a step, of two indicators whose variances add up to a half.
        let half = 0.5_f32.sqrt();
        assert_eq!(transformed(&features, &mixed(vec![3.0, 1.0])), [1.0, -half, half, 0.0]);
        let unseen = transformed(&features, &mixed(vec![2.0, Column::UNSEEN]));
        assert_eq!(unseen[..3], [0.0, -half, -half]);
        assert!(unseen[3] > 9.0);
    }

    #[test]
    fn what_training_rows_never_have_is_silent() {
        // A number, one that is always 7, a category of which there are two, one of which there is one.
        let number = |name: &str| Column::number(name);
        let category = |name: &str, levels: &[&str]| {
            Column::category(name, levels.iter().map(|&level| level.to_owned()).collect())
        };
        let columns = vec![number("x"), number("seven"), category("c", &["a", "b"]), category("d", &["a", "b"])];
        let values = [[-0.1, 7.0, 0.0, 0.0], [0.1, 7.0, 1.0, 0.0]].concat().repeat(5);
        let train = Data::new(Layout::Table { columns }, values).unwrap();
        let rows: Vec<u32> = (0..10).collect();
        for scaling in Scaling::ALL {
            let features = Features::learn(&train, &rows, scaling, Missing::Refuse).unwrap();
            // x; seven; c = a, c = b, c = anything else; d = a, d = anything else.
            assert_eq!(features.silent(), [1, 4, 5, 6]);
            let silent = features.silent();
            let seen = transformed(&features, &train);
            assert!(seen.chunks(features.width()).all(|row| silent.iter().all(|&index| row[index] == 0.0)));
        }

        let series = Data::series(["x", "zero"], 3, 1, [1.0, 0.0, 2.0, 0.0].repeat(10)).unwrap();
        let rows: Vec<u32> = (0..20).collect();
        let features = Features::learn(&series, &rows, Scaling::Zscore, Missing::Refuse).unwrap();
        assert_eq!(features.silent(), [1, 3, 5]);
    }

    fn categories(levels: &[&str], values: Vec<f32>) -> Data {
        let columns = vec![Column::category("c", levels.iter().map(|&level| level.to_owned()).collect())];
        Data::new(Layout::Table { columns }, values).unwrap()
    }

    #[test]
    fn categories_are_learned_from_training_rows_that_have_them_often() {
        // Ten rows of a, five of b, four of c, one missing; all of d are held out.
        let values = [vec![0.0; 10], vec![1.0; 5], vec![2.0; 4], vec![f32::NAN], vec![3.0; 20]].concat();
        let train = categories(&["a", "b", "c", "d"], values);
        let rows: Vec<u32> = (0..20).collect();
        let features = Features::learn(&train, &rows, Scaling::Zscore, Missing::Mean).unwrap();
        assert_eq!(features.layout.levels(0), Some(&["a".to_owned(), "b".to_owned()][..]));
        let shares = features.affine.iter().map(|affine| affine.shift);
        assert_eq!(shares.collect::<Vec<_>>(), [0.5, 0.25, 0.25], "a, b, anything else");
        // By name, in any order: the data may have other categories than the model.
        let new = categories(&["d", "b", "new", "a"], vec![0.0, 1.0, 2.0, 3.0, f32::NAN, 0.5]);
        let set = |row: &[f32]| row.iter().position(|&x| x > 0.0);
        let seen: Vec<_> = transformed(&features, &new).chunks(3).map(set).collect();
        assert_eq!(seen, [Some(2), Some(1), Some(2), Some(0), Some(2), Some(2)]);
        let names: Vec<_> = features.encoded().into_iter().map(|(name, _, fill)| (name, fill)).collect();
        let expected = [("c=a", 0.0), ("c=b", 0.0), ("c=anything else", 1.0)];
        assert_eq!(names, expected.map(|(name, fill)| (name.to_owned(), fill)));
        // A column of rare categories only has one indicator, which is no number.
        let rare = Features::learn(&train, &[0, 10, 15], Scaling::Zscore, Missing::Mean).unwrap();
        assert_eq!((rare.width(), rare.decode(&[0.0])), (1, vec![Column::UNSEEN]));
        // What a model makes of a, b and anything else, as shares: the largest is what it expects.
        let decoded = |shares: [f32; 3]| {
            let scaled: Vec<f32> = shares.iter().zip(&features.affine).map(|(&x, affine)| affine.apply(x)).collect();
            features.decode(&scaled)
        };
        assert_eq!(decoded([0.6, 0.3, 0.1]), [0.0]);
        assert_eq!(decoded([0.1, 0.6, 0.3]), [1.0]);
        assert_eq!(decoded([0.3, 0.1, 0.6]), [Column::UNSEEN]);
    }

    #[test]
    fn parts_that_do_not_fit_each_other_are_seen() {
        let train = mixed([1.0, 0.0, 3.0, 1.0].repeat(5));
        let rows: Vec<u32> = (0..10).collect();
        let check = |change: fn(&mut Features), expected: &str| {
            let mut features = Features::learn(&train, &rows, Scaling::Zscore, Missing::Mean).unwrap();
            features.verify().unwrap();
            change(&mut features);
            assert_eq!(features.verify().unwrap_err(), expected);
        };
        let (columns, scaling) = ("its scaling does not fit its columns", "its scaling is of no use");
        check(|it| it.layout = Layout::Table { columns: vec![] }, "columns: there is no column to learn from");
        check(|it| it.layout = Layout::Table { columns: vec![Column::number("x"), Column::number("y")] }, columns);
        check(|it| it.keep(0, vec!["a".to_owned()]), columns);
        check(|it| it.missing = Missing::Refuse, columns);
        check(|it| it.fill.truncate(1), columns);
        check(|it| it.affine.truncate(3), columns);
        check(|it| it.affine[1].scale = 0.0, scaling);
        check(|it| it.affine[1].scale = f32::INFINITY, scaling);
        check(|it| it.affine[0].shift = f32::NAN, scaling);
        check(|it| it.affine[0].limit = 0.0, scaling);
        check(|it| it.affine[0].limit = f32::NAN, scaling);
        check(|it| it.fill[0] = f32::NAN, scaling);
    }

    #[test]
    fn pixels_of_another_unit_are_refused() {
        let images = |pixels: [f32; 4]| Data::images([1, 2, 2], pixels.to_vec()).unwrap();
        let learn = |data: &Data| Features::learn(data, &[0], Scaling::Zscore, Missing::Refuse);
        let features = learn(&images([0.0, 1.0, 2.0, 255.0])).unwrap();
        for (pixels, fits) in
            [([0.0, 0.5, 1.0, 0.2], false), ([0.0, 1.0, 0.0, 1.0], true), ([0.5, 2.0, 0.0, 0.0], true)]
        {
            assert_eq!(features.check(&images(pixels), 1).is_ok(), fits, "{pixels:?} to score");
        }
        for pixels in [[0.0, 0.5, 1.0, 0.2], [0.0, 1.0, 0.0, 1.0]] {
            assert!(matches!(learn(&images(pixels)).unwrap_err(), Error::UnitPixels), "{pixels:?} to fit on");
        }
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
        let mut out = [0.0; 2];
        Prepared::new(&huge, &features, &[0, 1]).limited(FIT_LIMIT).fill(&[0, 1], &mut out);
        assert_eq!(out, [FIT_LIMIT, -FIT_LIMIT]);
    }
}
