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
    /// other number is a category that was not seen.
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

    /// What a category that training did not see is stored as.
    pub const UNSEEN: f32 = -1.0;
}

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

    fn check(&self) -> Result<()> {
        match self {
            Self::Series { window: 0, .. } | Self::Series { stride: 0, .. } => {
                Err(Error::setting("window", "a window and its stride have at least 1 row"))
            }
            Self::Images { channels, .. } if !(1..=4).contains(channels) => {
                Err(Error::setting("images", format!("{channels} channels; 1 to 4 are supported")))
            }
            _ if self.row_width() == 0 => Err(Error::setting("columns", "there is no column to learn from")),
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
    /// A layout without columns, values that do not make whole rows, or an infinity (for images also a NaN).
    pub fn new(layout: Layout, values: Vec<f32>) -> Result<Self> {
        layout.check()?;
        let width = layout.row_width();
        if !values.len().is_multiple_of(width) {
            return Err(Error::Ragged { values: values.len(), width });
        }
        let images = matches!(layout, Layout::Images { .. });
        if let Some(at) = values.iter().position(|value| value.is_infinite() || (images && value.is_nan())) {
            let (row, column) = (at / width + 1, layout.name(at % width));
            return Err(Error::NonFinite { row, column, value: values[at] });
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
    /// If `index` is not below [`len`](Samples::len).
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
}

impl Samples for Data {
    fn len(&self) -> usize {
        let rows = self.values.len() / self.layout.row_width();
        match self.layout {
            Layout::Series { window, stride, .. } if rows >= window => (rows - window) / stride + 1,
            Layout::Series { .. } => 0,
            Layout::Table { .. } | Layout::Images { .. } => rows,
        }
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
        check(Data::images([5, 1, 1], vec![0.0; 5]), "images: 5 channels; 1 to 4 are supported");
        check(
            Data::images([2, 1, 2], vec![0.0, 0.0, 0.0, f32::NAN]),
            "row 1, column \"channel 1, y 0, x 1\": NaN is not a finite number",
        );
        assert!(Data::table(["a"], vec![f32::NAN]).is_ok(), "a missing value is no error yet");
    }
}
