//! Rows from files of every kind.

pub(crate) mod arrays;
mod columns;
pub(crate) mod csv;
mod doubts;
pub(crate) mod images;
mod jpeg;
mod labels;
mod levels;
#[cfg(feature = "parquet")]
mod parquet;
mod tap;
mod text;

use std::fmt::Display;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rftm::{Card, Column, Data, Layout, Origin, SourceTable};
use sha2::{Digest, Sha256};

use crate::args::{BadLines, FitArgs, Format, Header, ReadArgs};
use crate::exit::usage;
use crate::progress::Counter;

pub(crate) use labels::{Labels, Values};

/// Row after row.
pub(crate) trait Source {
    /// The next row; its numbers are appended to `out`. A row that is left out appends nothing.
    fn next(&mut self, out: &mut Vec<f32>) -> Result<Next>;

    /// Whether asking for another row might mean waiting for somebody to write it.
    fn waits(&self) -> bool {
        false
    }

    /// How many rows there are, where that is known.
    fn rows(&self) -> Option<u64> {
        None
    }
}

/// What came next.
pub(crate) enum Next {
    /// A row.
    Row(Id),
    /// A row that could not be read was left out, as the flag says; why was said.
    Skipped,
    /// Nothing.
    End,
}

/// What a row is called in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id {
    /// Its number, from 1; rows that were left out count.
    pub(crate) row: u64,
    /// Of an image, its file.
    pub(crate) name: Option<String>,
    /// Whether it is an anomaly, if the source was asked for labels.
    pub(crate) label: Option<bool>,
}

impl Id {
    pub(crate) fn row(row: u64) -> Self {
        Self { row, name: None, label: None }
    }
}

/// What messages call a file.
pub(crate) fn called(path: &Path) -> String {
    if is_dash(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The beginning of a text, for a message.
pub(crate) fn cut(text: &str) -> String {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// What is wrong with a value that is missing.
const MISSING_VALUE: &str = "the value is missing; fit with --missing mean or median to fill it in";

/// What can be done about a row that cannot be read, beside mending it; in a fit on windows nothing.
const LEAVE_OUT: &str = "--bad-lines skip leaves such lines out";
const ACROSS: &str = "no line can be left out, for a window may not reach across the gap: mend it, or fill missing \
                      values in with --missing mean or median";

/// Says that a row or an image was left out, or fails; `hint` is what can be done about it.
fn left_out(bad_lines: BadLines, problem: impl Display, hint: &str) -> Result<()> {
    match bad_lines {
        BadLines::Fail => bail!("{problem} ({hint})"),
        BadLines::Skip => {
            tell!("{problem}; left out");
            Ok(())
        }
    }
}

/// Whether a path stands for standard input, or, of an output, for standard output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The format of a file, by flag or by its name.
fn format(path: &Path, read: &ReadArgs) -> Result<Format> {
    if let Some(format) = read.format {
        return Ok(format);
    }
    if is_dash(path) {
        return Ok(Format::Csv);
    }
    if path.is_dir() {
        return Ok(Format::Images);
    }
    match by_ending(path) {
        Some(format) => Ok(format),
        #[cfg(not(feature = "parquet"))]
        None if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) => usage(format!(
            "{}: this binary reads no Parquet; build it with --features parquet, or convert the file to CSV or NPY",
            path.display()
        )),
        None => usage(format!("{}: the ending says no format; name it with --format", path.display())),
    }
}

/// The format that the ending of a name says.
fn by_ending(path: &Path) -> Option<Format> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let by_ending = [
        (Format::Csv, &[".csv", ".tsv", ".txt"][..]),
        #[cfg(feature = "parquet")]
        (Format::Parquet, &[".parquet"]),
        (Format::Npy, &[".npy"]),
        (Format::Npz, &[".npz"]),
        (Format::Idx, &["-ubyte", "-ubyte.gz", ".idx", ".idx.gz"]),
        (Format::Images, &[".png", ".jpg", ".jpeg"]),
    ];
    let found = by_ending.iter().find(|(_, endings)| endings.iter().any(|ending| name.ends_with(ending)));
    found.map(|(format, _)| *format)
}

/// Refuses flags that mean nothing for a format.
fn check_flags(path: &Path, format: Format, read: &ReadArgs, resize: bool) -> Result<()> {
    let flags = [
        ("resize", resize, Format::Images, "folders of images"),
        ("array", read.array.is_some(), Format::Npz, "NPZ files"),
        ("delimiter", read.delimiter.is_some(), Format::Csv, "CSV files"),
        ("header", read.header != Header::Auto, Format::Csv, "CSV files"),
    ];
    match flags.iter().find(|(_, given, meant, _)| *given && *meant != format) {
        Some((flag, .., what)) => usage(format!("--{flag} is for {what}, {} is none", called(path))),
        None => Ok(()),
    }
}

/// All rows of the training data.
pub(crate) fn load(args: &FitArgs) -> Result<(Data, Origin)> {
    let path = args.input.as_path();
    // The name alone: a model is handed on, and whose folder it was is nobody's business.
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let source = Some(if is_dash(path) { "standard input".to_owned() } else { name });
    let format = format(path, &args.read)?;
    let named = [
        ("columns", !args.columns.is_empty()),
        ("exclude", !args.exclude.is_empty()),
        ("label", args.label.is_some()),
        ("categorical", !args.categorical.is_empty()),
    ];
    let refuse = |flag: &str, why: &str| usage(format!("--{flag} names columns, {} {why}", path.display()));
    match (format, named.iter().find(|(_, given)| *given)) {
        (Format::Images, Some((flag, _))) => return refuse(flag, "has images"),
        (Format::Npy | Format::Npz | Format::Idx, _) if !args.categorical.is_empty() => {
            return refuse("categorical", "has numbers alone: make it a CSV");
        }
        _ => {}
    }
    check_flags(path, format, &args.read, args.resize.is_some())?;
    let (layout, values, hash, table) = match format {
        Format::Images => {
            let counter = Counter::new("images", args.read.quiet);
            let (layout, values, hash) = images::load(path, args.resize, args.read.bad_lines, &counter)?;
            (layout, values, hash, None)
        }
        Format::Npy | Format::Npz | Format::Idx => {
            let array = arrays::load(path, format, args.read.array.as_deref())?;
            let table = match &array.layout {
                Layout::Table { columns } => Some(SourceTable { columns: columns.len(), named: false }),
                _ => None,
            };
            let (layout, values, hash) = arrays::choose(array, args)?;
            (layout, values, hash, table)
        }
        text => {
            let (layout, values, hash, table) = csv::load(args, text)?;
            (layout, values, hash, Some(table))
        }
    };
    let layout = match (layout, args.window) {
        (layout, None) => layout,
        (Layout::Table { columns }, Some(window)) => {
            if let Some(column) = columns.iter().find(|column| column.levels.is_some()) {
                return usage(format!("--window takes no categories: leave {:?} out with --exclude", column.name));
            }
            let columns = columns.into_iter().map(|column| column.name).collect();
            Layout::Series { columns, window, stride: args.stride }
        }
        (_, Some(_)) => return usage("--window is for rows of numbers, not for images"),
    };
    let data = Data::new(layout, values).with_context(|| path.display().to_string())?;
    Ok((data, Origin { source, sha256: hex(hash), table }))
}

/// The rows of data like those of the fit, one by one.
pub(crate) fn open(path: &Path, read: &ReadArgs, resize: bool, card: &Card, labels: Labels) -> Result<Box<dyn Source>> {
    let (format, features) = (format(path, read)?, &card.features);
    check_flags(path, format, read, resize)?;
    let images = match features.layout {
        Layout::Images { channels, height, width } => Some([channels, height, width]),
        _ => None,
    };
    let source: Box<dyn Source> = match (format, images) {
        (table, None) if table.is_table() => Box::new(csv::open(path, table, read, card, labels)?),
        (Format::Images, Some(shape)) => Box::new(images::open(path, shape, resize, read, labels)?),
        (Format::Npy | Format::Npz | Format::Idx, _) => {
            let array = arrays::load(path, format, read.array.as_deref())?;
            if let Layout::Table { columns } = &features.layout
                && let Some(column) = columns.iter().find(|column| column.levels.is_some())
            {
                let (path, name) = (path.display(), &column.name);
                return Err(anyhow!("{path}: column {name:?} of the model is of categories, which arrays cannot name"));
            }
            let (layout, values) = arrays::fitting(&path.display().to_string(), array, card)?;
            let fits = match (&layout, images) {
                (Layout::Images { channels, height, width }, Some(shape)) => [*channels, *height, *width] == shape,
                (Layout::Table { columns }, None) => columns.len() == features.layout.row_width(),
                _ => false,
            };
            if !fits {
                let (path, expected) = (path.display(), &features.layout);
                return Err(anyhow!("{path}: the model was fitted on {expected}, this is {layout}"));
            }
            Box::new(arrays::Memory::new(path, values, features, read.bad_lines, labels)?)
        }
        (_, _) => {
            let found = if images.is_some() { "a table" } else { "images" };
            return Err(anyhow!("{}: the model was fitted on {}, this is {found}", path.display(), features.layout));
        }
    };
    Ok(source)
}

/// Whether a table without names has the columns of the one that a model was fitted on, which their numbers find; otherwise it has
/// just those that the model uses, in the model's order.
///
/// # Errors
/// If it has neither: a column more may shift all others. A label behind them shifts none.
fn has_all_columns(name: &str, found: usize, label: Option<usize>, fitted: usize, used: usize) -> Result<bool> {
    let fits = |expected| found == expected || label.is_some_and(|label| label >= expected) && found == expected + 1;
    if fits(fitted) {
        return Ok(true);
    }
    if fits(used) {
        return Ok(false);
    }
    bail!(
        "{name} has {found} columns without names, the model was fitted on a table of {fitted}, so which is which cannot be \
         told: cut off those that are new, or fit on a file with a header"
    )
}

/// Columns of numbers without names: numbered from 1.
pub(crate) fn numbered(columns: usize) -> Vec<Column> {
    (1..=columns).map(|number| Column::number(number.to_string())).collect()
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
