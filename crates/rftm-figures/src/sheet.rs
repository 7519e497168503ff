//! Figure data as files: CSV under a header that says what it is and where it came from.
//!
//! ```text
//! # figure: fig3
//! # command: cargo xtask reproduce --only fig3
//! # cell: mnist class 2, ae, seed 1997: 6615b2d25ebd28a4
//! # rows: 120
//! model,low,high,normal,anomalous
//! ae,0,0.025,12,0
//! ```
//!
//! The number of rows stands in the header because a file that was cut at the end of a line looks whole.

use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rftm_experiments::write_atomic;

use crate::error::{Error, IoContext, Result};
use crate::figure::Figure;

// What numbers can be. A file may be damaged and still be made of finite numbers, and then a drawing would show an empty
// chart, or draw a dashed line for hours.
/// Shares, rates, and places between 0 and 1.
pub(crate) const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// Percentages.
pub(crate) const PERCENT: RangeInclusive<f64> = 0.0..=100.0;
/// Numbers of samples, of reads, of epochs.
pub(crate) const COUNT: RangeInclusive<f64> = 0.0..=1e9;
/// Scores and losses.
pub(crate) const SCORE: RangeInclusive<f64> = 0.0..=1e6;
/// Coordinates of an embedding.
pub(crate) const PLACE: RangeInclusive<f64> = -1e6..=1e6;

/// A table of figure data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// What the header says, as `name: value`.
    pub notes: Vec<(String, String)>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The fields.
    pub rows: Vec<Vec<String>>,
}

/// The note that counts the rows.
const ROWS: &str = "rows";

impl Sheet {
    /// An empty sheet.
    #[must_use]
    pub fn new(columns: &[&str]) -> Self {
        Self { notes: Vec::new(), columns: columns.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Adds a note to the header.
    pub fn note(&mut self, name: &str, value: impl Into<String>) {
        self.notes.push((name.to_owned(), value.into()));
    }

    /// Adds a row of as many fields as there are columns.
    pub fn push(&mut self, fields: Vec<String>) {
        debug_assert_eq!(fields.len(), self.columns.len());
        self.rows.push(fields);
    }

    /// The file's text. Fields are numbers, names and hex digits: nothing needs quotes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.notes {
            let _ = writeln!(text, "# {name}: {value}");
        }
        let _ = writeln!(text, "# {ROWS}: {}", self.rows.len());
        for line in std::iter::once(&self.columns).chain(&self.rows) {
            text.push_str(&line.join(","));
            text.push('\n');
        }
        text
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] of the folder, or [`Error::Experiment`] of the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, self.text().as_bytes())
    }
}

/// Writes a file whole or not at all ([`write_atomic`]). Creates the folder.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).at("create the folder", folder)?;
    }
    Ok(write_atomic(path, content)?)
}

/// A sheet that was read, with the place of everything for messages.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    notes: Vec<(u64, String, String)>,
    columns: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
    /// The last line.
    end: u64,
}

impl Source {
    /// Reads the file at `path`; none if there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Sheet`] with the line if it is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        match fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            text => Self::parse(path, &text.at("read", path)?).map(Some),
        }
    }

    /// Reads the data of a figure; none if there is no such file.
    ///
    /// # Errors
    /// As [`Source::read`], and for the data of another figure or none at all.
    pub(crate) fn of(figure: Figure, path: &Path) -> Result<Option<Self>> {
        Self::read(path)?.map(|source| source.expect(figure)).transpose()
    }

    /// This, if it is data of `figure`.
    pub(crate) fn expect(self, figure: Figure) -> Result<Self> {
        let name = self.only("figure")?;
        if name.text() != figure.id() {
            return Err(name.wrong(format!("data of {}, not of {figure}", name.text())));
        }
        if self.rows.is_empty() {
            return Err(self.lacks("row"));
        }
        Ok(self)
    }

    /// Reads `text` as if it came from `path`.
    ///
    /// # Errors
    /// [`Error::Sheet`] with the line.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let wrong = |line, message: String| Error::Sheet { path: path.to_owned(), line, message };
        let notes: Vec<(u64, String, String)> = (1..)
            .zip(text.lines())
            .map_while(|(line, text)| {
                let (name, value) = text.strip_prefix("# ")?.split_once(": ")?;
                Some((line, name.to_owned(), value.to_owned()))
            })
            .collect();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).quoting(false).from_reader(text.as_bytes());
        let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let at = |error: &csv::Error| error.position().map_or(1, csv::Position::line);
        let columns = fields(reader.headers().map_err(|error| wrong(at(&error), error.to_string()))?);
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(at(&error), shape(&error)))?;
            rows.push((record.position().map_or(0, csv::Position::line), fields(&record)));
        }
        let end = text.lines().count() as u64;
        let source = Self { path: path.to_owned(), notes, columns, rows, end };
        let promised: usize = source.note(ROWS).and_then(|rows| rows.parse().ok()).ok_or_else(|| {
            wrong(1, format!("no figure data: the header does not say how many rows there are (`# {ROWS}: N`)"))
        })?;
        if promised != source.rows.len() {
            return Err(wrong(end, format!("{} rows, the header promises {promised}", source.rows.len())));
        }
        Ok(source)
    }

    /// The text of the first note called `name`.
    #[must_use]
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes(name).next().map(Field::text)
    }

    /// All notes called `name`.
    pub fn notes(&self, name: &str) -> impl Iterator<Item = Field<'_>> {
        let all = self.notes.iter().map(|(line, name, text)| Field { source: self, line: *line, name, text });
        all.filter(move |note| note.name == name)
    }

    /// The note called `name`, which must be there once.
    ///
    /// # Errors
    /// [`Error::Sheet`] if it is not there or there twice.
    pub fn only(&self, name: &str) -> Result<Field<'_>> {
        let mut notes = self.notes(name);
        let first = notes.next().ok_or_else(|| self.wrong(1, format!("the header lacks {name}")))?;
        match notes.next() {
            Some(second) => Err(second.wrong(format!("the header says {name} twice"))),
            None => Ok(first),
        }
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, fields)| Row { source: self, line: *line, fields })
    }

    /// An error about something that should be in this file.
    pub(crate) fn lacks(&self, what: &str) -> Error {
        self.wrong(self.end, format!("there is no {what}"))
    }

    /// An error about a line.
    pub(crate) fn wrong(&self, line: u64, message: String) -> Error {
        Error::Sheet { path: self.path.clone(), line, message }
    }
}

/// csv's message names bytes and records; the line, which we say, is what people look for.
fn shape(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where there are {expected_len} columns")
        }
        _ => error.to_string(),
    }
}

/// A row of a [`Source`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    source: &'a Source,
    line: u64,
    fields: &'a [String],
}

impl<'a> Row<'a> {
    /// What stands in a column.
    ///
    /// # Errors
    /// [`Error::Sheet`] if there is no such column.
    pub fn field(self, column: &str) -> Result<Field<'a>> {
        let Self { source, line, fields } = self;
        let mut named = source.columns.iter().zip(fields);
        match named.find(|(known, _)| *known == column) {
            Some((name, text)) => Ok(Field { source, line, name, text }),
            None => Err(self.wrong(format!("there is no column {column}"))),
        }
    }

    /// The text of a column.
    ///
    /// # Errors
    /// As [`Row::field`].
    pub fn text(self, column: &str) -> Result<&'a str> {
        self.field(column).map(Field::text)
    }

    /// The value of a column: [`Field::get`].
    ///
    /// # Errors
    /// As [`Row::field`] and [`Field::get`].
    pub fn get<T: FromStr>(self, column: &str) -> Result<T> {
        self.field(column)?.get()
    }

    /// The number of a column: [`Field::number_in`].
    ///
    /// # Errors
    /// As [`Row::field`] and [`Field::number_in`].
    pub fn number_in(self, column: &str, range: RangeInclusive<f64>) -> Result<f64> {
        self.field(column)?.number_in(range)
    }

    /// The image of a column: [`Field::pixels`].
    ///
    /// # Errors
    /// As [`Row::field`] and [`Field::pixels`].
    pub fn pixels(self, column: &str, count: usize) -> Result<Vec<u8>> {
        self.field(column)?.pixels(count)
    }

    /// An error about this row.
    #[must_use]
    pub fn wrong(self, message: String) -> Error {
        self.source.wrong(self.line, message)
    }
}

/// What a [`Source`] says in one place, in a row or in a note.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    source: &'a Source,
    line: u64,
    name: &'a str,
    text: &'a str,
}

impl<'a> Field<'a> {
    /// As it stands there.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.text
    }

    /// Something that can be parsed.
    ///
    /// # Errors
    /// [`Error::Sheet`] if it does not parse.
    pub fn get<T: FromStr>(self) -> Result<T> {
        self.text.parse().map_err(|_| self.wrong(format!("{} is {:?}, which cannot be", self.name, self.text)))
    }

    /// A number in a range, and therefore neither NaN nor infinite.
    ///
    /// # Errors
    /// As [`Field::get`], and for a number outside.
    pub fn number_in(self, range: RangeInclusive<f64>) -> Result<f64> {
        let value: f64 = self.get()?;
        if range.contains(&value) {
            return Ok(value);
        }
        Err(self.wrong(format!("{} is {value}, not between {} and {}", self.name, range.start(), range.end())))
    }

    /// Pixels, two hex digits each.
    ///
    /// # Errors
    /// [`Error::Sheet`] unless there are `count` of them.
    pub fn pixels(self, count: usize) -> Result<Vec<u8>> {
        let pixel = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let pixels: Option<Vec<u8>> = self.text.as_bytes().chunks(2).map(pixel).collect();
        match pixels {
            Some(pixels) if pixels.len() == count && self.text.len() == 2 * count => Ok(pixels),
            _ => Err(self.wrong(format!("{} is not {count} pixels of two hex digits", self.name))),
        }
    }

    /// An error about this place.
    #[must_use]
    pub fn wrong(self, message: String) -> Error {
        self.source.wrong(self.line, message)
    }
}

/// Pixels as a field.
pub(crate) fn hex(pixels: &[u8]) -> String {
    pixels.iter().fold(String::with_capacity(2 * pixels.len()), |mut text, pixel| {
        let _ = write!(text, "{pixel:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Sheet {
        let mut sheet = Sheet::new(&["name", "value", "pixels"]);
        sheet.note("figure", "test");
        sheet.note("cell", "one: 0123");
        sheet.note("cell", "two: 4567");
        sheet.push(vec!["a".into(), "0.1".into(), hex(&[0, 255])]);
        sheet.push(vec!["b".into(), "2".into(), hex(&[16, 1])]);
        sheet
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/some.csv");
        assert!(Source::read(&path).unwrap().is_none());
        some().write(&path).unwrap();
        let source = Source::read(&path).unwrap().unwrap();
        assert_eq!(source.notes("cell").map(Field::text).collect::<Vec<_>>(), ["one: 0123", "two: 4567"]);
        let rows: Vec<_> = source.rows().collect();
        assert_eq!((rows[0].text("name").unwrap(), rows[0].number_in("value", SHARE).unwrap()), ("a", 0.1));
        assert_eq!(rows[1].get::<u8>("value").unwrap(), 2);
        assert_eq!(rows[0].pixels("pixels", 2).unwrap(), [0, 255]);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A folder that holds something cannot be replaced by a file.
        let path = folder.path().join("some.csv");
        fs::create_dir_all(path.join("taken")).unwrap();
        let message = some().write(&path).unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("some.csv"), "{message}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn damage_is_named_by_file_and_line() {
        let text = some().text();
        let message = |text: &str| match Source::parse(Path::new("x.csv"), text) {
            Ok(source) => {
                let row = source.rows().last().unwrap();
                let fields =
                    [row.number_in("value", 0.0..=5.0).err(), row.pixels("pixels", 2).err(), row.text("other").err()];
                fields.into_iter().flatten().map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        };
        let check = |text: &str, expected: &str| {
            let message = message(text);
            assert!(message.contains(expected), "{message}");
        };
        check(&text, "x.csv, line 7: there is no column other");
        check(&text[..text.rfind("b,").unwrap()], "x.csv, line 6: 1 rows, the header promises 2");
        check(&text[..text.len() - 6], "x.csv, line 7: 2 fields where there are 3 columns");
        check(&text[..text.len() - 2], "x.csv, line 7: pixels is not 2 pixels");
        check(&text.replace("1001", "10g1"), "x.csv, line 7: pixels is not 2 pixels");
        check(&text.replace("b,2", "b,two"), "x.csv, line 7: value is \"two\"");
        for outside in ["NaN", "-1e12", "5.1", "inf"] {
            let number: f64 = outside.parse().unwrap();
            let message = format!("x.csv, line 7: value is {number}, not between 0 and 5");
            check(&text.replace("b,2", &format!("b,{outside}")), &message);
        }
        check(&text.replace("# rows: 2\n", ""), "how many rows");
        check("", "how many rows");
        check("a,b\n1\n", "x.csv, line 2: 1 fields where there are 2 columns");
    }

    #[test]
    fn a_sheet_belongs_to_one_figure_and_says_things_once() {
        let read = |text: &str| Source::parse(Path::new("x.csv"), text).unwrap();
        let message = |text: &str| read(text).expect(Figure::Fig3).map(drop).unwrap_err().to_string();
        let check = |text: &str, expected: &str| assert!(message(text).contains(expected), "{}", message(text));
        read("# figure: fig3\n# rows: 1\na\n1\n").expect(Figure::Fig3).unwrap();
        check("# figure: fig4\n# rows: 1\na\n1\n", "x.csv, line 1: data of fig4, not of fig3");
        check("# figure: fig3\n# figure: fig3\n# rows: 1\na\n1\n", "x.csv, line 2: the header says figure twice");
        check("# rows: 1\na\n1\n", "x.csv, line 1: the header lacks figure");
        check("# figure: fig3\n# rows: 0\na\n", "x.csv, line 3: there is no row");
    }
}
