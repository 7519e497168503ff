use rftm_data::Samples;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What the numbers of a sample mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Layout {
    /// A row is a sample; each column is a feature.
    Table {
        /// The columns, in order.
        columns: Vec<Column>,
    },
    /// A row is a point in time; a sample is a window of consecutive rows.
    Series {
        /// Names of the columns, in order.
        columns: Vec<String>,
        /// Rows in a window.
        window: usize,
        /// Rows from the start of one window to the start of the next.
        stride: usize,
    },
    /// A sample is an image: channel after channel, row by row, pixels in 0..=255.
    Images {
        /// Channels, 1 to 4.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// For a categorical column its categories; a value is then the position of its category in this list, and any
    /// other number is a category that is not in it. Data to fit on list all that occur, and the model keeps those that
    /// training rows have often enough; data to score may list others, in any order: categories are matched by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<String>>,
}

impl Column {
    /// A numeric column.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self { name: name.into(), levels: None }
    }

    /// A categorical column.
    #[must_use]
    pub fn category(name: impl Into<String>, levels: Vec<String>) -> Self {
        Self { name: name.into(), levels: Some(levels) }
    }

    /// What a category that is not in the list is stored as.
    pub const UNSEEN: f32 = -1.0;
}

/// The most numbers of a sample: beyond it counting bytes would overflow.
const MOST_NUMBERS: usize = isize::MAX as usize / size_of::<f32>();

impl Layout {
    /// Numbers in one row of the data: columns, or pixels of an image.
    #[must_use]
    pub fn row_width(&self) -> usize {
        match self {
            Self::Table { columns } => columns.len(),
            Self::Series { columns, .. } => columns.len(),
            Self::Images { channels, height, width } => channels * height * width,
        }
    }

    /// Numbers in one sample: of a series a window of rows, else one row.
    #[must_use]
    pub fn sample_width(&self) -> usize {
        match self {
            Self::Series { window, .. } => window * self.row_width(),
            Self::Table { .. } | Self::Images { .. } => self.row_width(),
        }
    }

    /// What a number of a row is called in messages.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        match self {
            Self::Table { columns } => columns[index].name.clone(),
            Self::Series { columns, .. } => columns[index].clone(),
            Self::Images { height, width, .. } => {
                let (channel, pixel) = (index / (height * width), index % (height * width));
                format!("channel {channel}, y {}, x {}", pixel / width, pixel % width)
            }
        }
    }

    /// What each of two layouts is, if data of one cannot be taken for data of the other: the first thing that differs.
    /// Which categories a column has is no difference, they are matched by name.
    pub(crate) fn difference(&self, other: &Self) -> Option<[String; 2]> {
        let (kind, alike) = match (self, other) {
            (Self::Table { .. }, Self::Table { .. }) => ("table", true),
            (Self::Series { window, .. }, Self::Series { window: other, .. }) => ("series", window == other),
            _ => ("images", self == other),
        };
        if !alike || self.row_width() != other.row_width() {
            return Some([self.to_string(), other.to_string()]);
        }
        let index = (0..self.row_width()).find(|&index| self.column(index) != other.column(index))?;
        let described = |layout: &Self| {
            let of = if layout.levels(index).is_some() { ", of categories" } else { "" };
            format!("a {kind} whose column {} is {:?}{of}", index + 1, layout.name(index))
        };
        Some([self, other].map(described))
    }

    /// Name of a column and whether it is categorical; pixels have none.
    fn column(&self, index: usize) -> Option<(&str, bool)> {
        match self {
            Self::Table { columns } => Some((&columns[index].name, columns[index].levels.is_some())),
            Self::Series { columns, .. } => Some((&columns[index], false)),
            Self::Images { .. } => None,
        }
    }

    /// The categories of a column, if it has any.
    pub(crate) fn levels(&self, index: usize) -> Option<&[String]> {
        match self {
            Self::Table { columns } => columns[index].levels.as_deref(),
            Self::Series { .. } | Self::Images { .. } => None,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Series { window: 0, .. } | Self::Series { stride: 0, .. } => {
                Err(Error::setting("window", "a window and its stride have at least 1 row"))
            }
            Self::Series { columns, window, stride }
                if window.max(stride).checked_mul(columns.len()).is_none_or(|numbers| numbers > MOST_NUMBERS) =>
            {
                Err(Error::setting("window", format!("{window} rows, or {stride} from one to the next, are too many")))
            }
            Self::Images { channels, .. } if !(1..=4).contains(channels) => Err(Error::unsuitable(
                "images",
                format!("{channels} channels; 1 to 4 are supported, and the axes are channels, height, width"),
            )),
            Self::Images { channels, height, width }
                if height
                    .checked_mul(*width)
                    .and_then(|pixels| pixels.checked_mul(*channels))
                    .is_none_or(|numbers| numbers > MOST_NUMBERS) =>
            {
                Err(Error::unsuitable("images", format!("{width}x{height} pixels are too many")))
            }
            _ if self.row_width() == 0 => Err(Error::unsuitable("columns", "there is no column to learn from")),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table { columns } => write!(f, "a table of {} columns", columns.len()),
            Self::Series { columns, window, .. } => {
                write!(f, "windows of {window} rows over a series of {} columns", columns.len())
            }
            Self::Images { channels, height, width } => {
                write!(f, "images of {width}x{height} pixels and {channels} channels")
            }
        }
    }
}

/// Samples in memory, as they were measured: not scaled, missing values as NaN.
///
/// ```
/// use rftm::{Column, Data, Layout};
///
/// // A column of numbers, one value missing, and a column of categories: 0 is red, 1 is blue.
/// let colours = vec!["red".to_owned(), "blue".to_owned()];
/// let columns = vec![Column::number("length"), Column::category("colour", colours)];
/// let table = Data::new(Layout::Table { columns }, vec![1.5, 0.0, f32::NAN, 1.0])?;
/// assert_eq!((table.len(), table.sample(0)), (2, &[1.5, 0.0][..]));
///
/// // Windows of three rows over a series of two columns, one starting with every row.
/// let series = Data::series(["pressure", "flow"], 3, 1, (0..10).map(|x| x as f32).collect())?;
/// assert_eq!(series.len(), 3);
///
/// // Two grey images of 2x3 pixels.
/// let images = Data::images([1, 2, 3], vec![0.0, 51.0, 102.0, 153.0, 204.0, 255.0].repeat(2))?;
/// assert_eq!(images.len(), 2);
/// # Ok::<(), rftm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    layout: Layout,
    values: Vec<f32>,
    shape: Vec<usize>,
}

impl Data {
    /// Rows of any layout, one after the other.
    ///
    /// # Errors
    /// A layout without columns or with a sample larger than any memory, values that do not make whole rows, or an infinity
    /// (for images whatever is not in 0..=255).
    pub fn new(layout: Layout, values: Vec<f32>) -> Result<Self> {
        layout.check()?;
        let width = layout.row_width();
        if !values.len().is_multiple_of(width) {
            return Err(Error::Ragged { values: values.len(), width });
        }
        let images = matches!(layout, Layout::Images { .. });
        let wrong = |value: &f32| if images { !(0.0..=255.0).contains(value) } else { value.is_infinite() };
        if let Some(at) = values.iter().position(wrong) {
            let (row, column, value) = (at / width + 1, layout.name(at % width), values[at]);
            return Err(if images {
                Error::Pixel { image: row, place: column, value }
            } else {
                Error::NonFinite { row, column, value }
            });
        }
        let shape = match layout {
            Layout::Images { channels, height, width } => vec![channels, height, width],
            _ => vec![layout.sample_width()],
        };
        Ok(Self { layout, values, shape })
    }

    /// A table of numbers, row after row.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn table<S: Into<String>>(names: impl IntoIterator<Item = S>, values: Vec<f32>) -> Result<Self> {
        Self::new(Layout::Table { columns: names.into_iter().map(Column::number).collect() }, values)
    }

    /// Windows of `window` rows over a series, one starting every `stride` rows.
    ///
    /// # Errors
    /// As [`new`](Self::new), or a window or stride of 0.
    pub fn series<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        window: usize,
        stride: usize,
        values: Vec<f32>,
    ) -> Result<Self> {
        Self::new(Layout::Series { columns: names.into_iter().map(Into::into).collect(), window, stride }, values)
    }

    /// Images of (channels, height, width), pixels in 0..=255.
    ///
    /// # Errors
    /// As [`new`](Self::new), or more than 4 channels.
    pub fn images([channels, height, width]: [usize; 3], values: Vec<f32>) -> Result<Self> {
        Self::new(Layout::Images { channels, height, width }, values)
    }

    /// How many samples: rows, windows or images.
    #[must_use]
    pub fn len(&self) -> usize {
        let rows = self.values.len() / self.layout.row_width();
        match self.layout {
            Layout::Series { window, stride, .. } if rows >= window => (rows - window) / stride + 1,
            Layout::Series { .. } => 0,
            Layout::Table { .. } | Layout::Images { .. } => rows,
        }
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the numbers mean.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All numbers, row after row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The numbers of a sample. (Windows overlap, but each lies in one piece.)
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn sample(&self, index: usize) -> &[f32] {
        let step = match &self.layout {
            Layout::Series { stride, .. } => stride * self.layout.row_width(),
            _ => self.layout.row_width(),
        };
        &self.values[index * step..][..self.layout.sample_width()]
    }

    pub(crate) fn row(&self, index: usize) -> &[f32] {
        let width = self.layout.row_width();
        &self.values[index * width..][..width]
    }

    /// A number of every row.
    pub(crate) fn column(&self, index: usize) -> impl Iterator<Item = f32> {
        self.values.chunks_exact(self.layout.row_width()).map(move |row| row[index])
    }
}

impl Samples for Data {
    fn len(&self) -> usize {
        self.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn fill(&self, rows: &[u32], out: &mut [f32]) {
        let width = self.layout.sample_width();
        assert_eq!(out.len(), rows.len() * width, "the buffer must hold {} samples of {width} numbers", rows.len());
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
            out.copy_from_slice(self.sample(row as usize));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_and_a_short_series_has_none() {
        let series = |rows: usize| Data::series(["a", "b"], 3, 2, (0..2 * rows).map(|i| i as f32).collect()).unwrap();
        for (rows, windows) in [(0, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)] {
            assert_eq!(series(rows).len(), windows, "{rows} rows");
        }
        assert_eq!(series(5).sample(1), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let mut out = [0.0; 6];
        series(5).fill(&[1], &mut out);
        assert_eq!(out, [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    }

    #[test]
    fn data_that_cannot_be_are_refused() {
        let check = |data: Result<Data>, expected: &str| assert_eq!(data.unwrap_err().to_string(), expected);
        check(Data::table(["a", "b"], vec![1.0; 3]), "3 values do not make whole rows of 2 columns");
        check(Data::table([""; 0], vec![]), "columns: there is no column to learn from");
        check(Data::table(["a"], vec![0.0, f32::INFINITY]), "row 2, column \"a\": inf is not a finite number");
        check(Data::series(["a"], 0, 1, vec![1.0]), "window: a window and its stride have at least 1 row");
        for (window, stride) in [(usize::MAX, 1), (1, usize::MAX), (usize::MAX / 2, usize::MAX / 2)] {
            let expected = format!("window: {window} rows, or {stride} from one to the next, are too many");
            check(Data::series(["a", "b", "c"], window, stride, vec![1.0; 9]), &expected);
        }
        for [height, width] in [[usize::MAX, 2], [usize::MAX / 2, 1], [usize::MAX, usize::MAX]] {
            let expected = format!("images: {width}x{height} pixels are too many");
            check(Data::images([3, height, width], vec![0.0; 6]), &expected);
        }
        check(
            Data::images([5, 1, 1], vec![0.0; 5]),
            "images: 5 channels; 1 to 4 are supported, and the axes are channels, height, width",
        );
        for (value, shown) in [(f32::NAN, "NaN"), (-1.0, "-1"), (255.5, "255.5"), (f32::INFINITY, "inf")] {
            check(
                Data::images([2, 1, 2], vec![0.0, 255.0, 0.0, value]),
                &format!("image 1, channel 1, y 0, x 1: {shown} is no pixel; pixels are from 0 to 255"),
            );
        }
        assert!(Data::table(["a"], vec![f32::NAN]).is_ok(), "a missing value is no error yet");
    }
}
