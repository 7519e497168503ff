//! Figure data as files: CSV under a header that says what it is and where it came from.
//!
//! ```text
//! # figure: fig3
//! # mnist class 2, ae, seed 1997: 6615b2d25ebd28a4
//! # rows: 120
//! model,low,high,normal,anomalous
//! ae,0,0.025,12,0
//! ```
//!
//! The number of rows stands in the header because a file that was cut at the end of a line looks whole.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, IoContext, Result};

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
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, self.text().as_bytes())
    }
}

/// Writes a file beside `path` and renames it: a reader sees the old content or the new. Creates the folder.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).at("create the folder", folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, content).at("write", &temporary)?;
    fs::rename(&temporary, path).at("write", path)
}

/// A sheet that was read, with the place of every row for messages.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    notes: Vec<(String, String)>,
    columns: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
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

    /// Reads `text` as if it came from `path`.
    ///
    /// # Errors
    /// [`Error::Sheet`] with the line.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let wrong = |line, message: String| Error::Sheet { path: path.to_owned(), line, message };
        let notes: Vec<(String, String)> = text
            .lines()
            .map_while(|line| line.strip_prefix("# ")?.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
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
        let source = Self { path: path.to_owned(), notes, columns, rows };
        let end = text.lines().count() as u64;
        let promised: usize = source.note(ROWS).and_then(|rows| rows.parse().ok()).ok_or_else(|| {
            wrong(1, format!("no figure data: the header does not say how many rows there are (`# {ROWS}: N`)"))
        })?;
        if promised != source.rows.len() {
            return Err(wrong(end, format!("{} rows, the header promises {promised}", source.rows.len())));
        }
        Ok(source)
    }

    /// The first note called `name`.
    #[must_use]
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All notes called `name`.
    pub fn notes(&self, name: &str) -> impl Iterator<Item = &str> {
        self.notes.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, fields)| Row { source: self, line: *line, fields })
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
    /// The field of a column.
    ///
    /// # Errors
    /// [`Error::Sheet`] if there is no such column.
    pub fn text(self, column: &str) -> Result<&'a str> {
        let place = self.source.columns.iter().position(|known| known == column);
        let field = place.and_then(|place| self.fields.get(place));
        field.map(String::as_str).ok_or_else(|| self.wrong(format!("there is no column {column}")))
    }

    /// The field of a column as something that can be parsed.
    ///
    /// # Errors
    /// [`Error::Sheet`] if there is no such column or the field does not parse.
    pub fn get<T: FromStr>(self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        text.parse().map_err(|_| self.wrong(format!("{column} is {text:?}, which cannot be")))
    }

    /// The field of a column as a finite number.
    ///
    /// # Errors
    /// As [`Row::get`], and for NaN and infinities.
    pub fn number(self, column: &str) -> Result<f64> {
        let value: f64 = self.get(column)?;
        if value.is_finite() { Ok(value) } else { Err(self.wrong(format!("{column} is {value}"))) }
    }

    /// The field of a column as pixels, two hex digits each.
    ///
    /// # Errors
    /// [`Error::Sheet`] unless there are `count` of them.
    pub fn pixels(self, column: &str, count: usize) -> Result<Vec<u8>> {
        let text = self.text(column)?;
        let pixel = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let pixels: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pixel).collect();
        match pixels {
            Some(pixels) if pixels.len() == count && text.len() == 2 * count => Ok(pixels),
            _ => Err(self.wrong(format!("{column} is not {count} pixels of two hex digits"))),
        }
    }

    /// An error about this row.
    #[must_use]
    pub fn wrong(self, message: String) -> Error {
        Error::Sheet { path: self.source.path.clone(), line: self.line, message }
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
        assert_eq!(source.notes("cell").collect::<Vec<_>>(), ["one: 0123", "two: 4567"]);
        let rows: Vec<_> = source.rows().collect();
        assert_eq!((rows[0].text("name").unwrap(), rows[0].number("value").unwrap()), ("a", 0.1));
        assert_eq!(rows[1].get::<u8>("value").unwrap(), 2);
        assert_eq!(rows[0].pixels("pixels", 2).unwrap(), [0, 255]);
    }

    #[test]
    fn damage_is_named_by_file_and_line() {
        let text = some().text();
        let message = |text: &str| match Source::parse(Path::new("x.csv"), text) {
            Ok(source) => {
                let row = source.rows().last().unwrap();
                let fields = [row.number("value").err(), row.pixels("pixels", 2).err(), row.text("other").err()];
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
        check(&text.replace("b,2", "b,NaN"), "x.csv, line 7: value is NaN");
        check(&text.replace("# rows: 2\n", ""), "how many rows");
        check("", "how many rows");
        check("a,b\n1\n", "x.csv, line 2: 1 fields where there are 2 columns");
    }
}
