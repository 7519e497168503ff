//! Tables: CSV, and whatever else has named columns and gives one record after the other.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::path::Path;

use ::csv::ByteRecord;
use anyhow::{Context, Result, anyhow, bail};
use rftm::{Column, Features, Layout, Missing};
use sha2::Sha256;

use crate::args::{BadLines, FitArgs, Format, Header, ReadArgs};
use crate::exit::usage;
use crate::input::precision::Precision;
use crate::input::text::Text;
use crate::input::{Id, Labels, Next, Source, is_stdin};
use crate::progress::Counter;

/// What stands for a missing value, in lower case.
const MISSING: [&[u8]; 7] = [b"", b"na", b"n/a", b"nan", b"null", b"none", b"?"];

/// Labels that need no explanation, in lower case.
const ANOMALOUS: [&str; 6] = ["1", "true", "yes", "anomaly", "anomalous", "1.0"];
const NORMAL: [&str; 5] = ["0", "false", "no", "normal", "0.0"];

/// One record after the other, as text.
pub(crate) trait Lines {
    /// The next record; whether there is one.
    fn read(&mut self, record: &mut ByteRecord) -> Result<bool>;

    /// Where the last record stands: its line, or its row.
    fn place(&self) -> u64;

    /// Whether asking for another record might mean waiting for somebody to write it.
    fn is_drained(&self) -> bool {
        false
    }

    /// SHA-256 of the file; asked for when all of it was read.
    fn hash(&self) -> Result<Sha256>;
}

/// Records of a file whose columns have names.
struct Records {
    lines: Box<dyn Lines>,
    /// What messages call the file.
    label: String,
    names: Vec<String>,
    /// The first line, if it turned out to be no header.
    first: Option<ByteRecord>,
    record: ByteRecord,
}

impl Records {
    /// Reads the header, if there is one; a line with the names that a model knows is one.
    fn open(path: &Path, format: Format, read: &ReadArgs, known: &[&str]) -> Result<Self> {
        let label = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let lines: Box<dyn Lines> = match format {
            #[cfg(feature = "parquet")]
            Format::Parquet => Box::new(super::parquet::Rows::open(path)?),
            _ => Box::new(Text::open(path, read, &label)?),
        };
        let mut records = Self { lines, label, names: Vec::new(), first: None, record: ByteRecord::new() };
        if !records.advance()? {
            bail!("{} is empty", records.label);
        }
        if format == Format::Csv && read.delimiter.is_none() {
            records.check_delimiter()?;
        }
        // Names are part of a Parquet file; they come as its first record.
        records.read_header(if format.has_names() { Header::Yes } else { read.header }, known)?;
        Ok(records)
    }

    fn check_delimiter(&self) -> Result<()> {
        let only = if self.record.len() == 1 { &self.record[0] } else { &[] };
        match [(b';', ";"), (b'\t', "\\t"), (b'|', "|")].iter().find(|(other, _)| only.contains(other)) {
            Some((_, other)) => bail!(
                "{}: one column only, {:?}; if its cells are separated by something else, say --delimiter '{other}'",
                self.place(),
                cut(only)
            ),
            None => Ok(()),
        }
    }

    fn read_header(&mut self, header: Header, known: &[&str]) -> Result<()> {
        let is_header = match header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => {
                !self.record.iter().any(|cell| number(cell).is_some_and(f32::is_finite)) || self.holds(known)
            }
        };
        if !is_header {
            self.names = (1..=self.record.len()).map(|number| number.to_string()).collect();
            self.first = Some(self.record.clone());
            return Ok(());
        }
        self.names = self.record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        let mut seen = BTreeSet::new();
        match self.names.iter().find(|name| !seen.insert(name.as_str())) {
            Some(twice) => bail!(
                "{}: two columns are called {:?}; rename one, or say --header no and number the columns",
                self.label,
                cut(twice.as_bytes())
            ),
            None => Ok(()),
        }
    }

    /// Whether the record holds all names that a model knows. Names that only number columns may as well be values.
    fn holds(&self, known: &[&str]) -> bool {
        let numbers = |name: &&str| name.parse().is_ok_and(|number| (1..=self.record.len()).contains(&number));
        let found = |name: &&str| self.record.iter().any(|cell| cell == name.as_bytes());
        !known.iter().all(numbers) && known.iter().all(found)
    }

    /// Before a fit on a file without a header: a header whose names are numbers would be trained on.
    fn check_headerless(&self, first: &ByteRecord) -> Result<()> {
        let is_text = |cell: &[u8]| number(cell).is_none() && !is_missing(cell);
        if let Some(text) = first.iter().find(|&cell| is_text(cell)) {
            let (place, text) = (self.place(), cut(text));
            bail!("{place}: {text:?} is no number, other cells are: say whether this is a header, --header yes or no");
        }
        // Standard error may be closed; the fit goes on all the same.
        let (label, names) = (&self.label, list(&self.names));
        let _ = writeln!(
            io::stderr(),
            "rftm: {label}: no header: columns are named {names}; --header yes if the first line is one"
        );
        Ok(())
    }

    /// Goes to the next record; says whether there is one.
    fn advance(&mut self) -> Result<bool> {
        if let Some(first) = self.first.take() {
            self.record = first;
            return Ok(true);
        }
        let more = self.lines.read(&mut self.record);
        more.with_context(|| format!("cannot read {}", self.place()))
    }

    /// Where the record stands.
    fn place(&self) -> String {
        format!("{}:{}", self.label, self.lines.place())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|candidate| candidate == name)
    }

    /// The position of a column that a flag names.
    fn named(&self, flag: &str, name: &str) -> Result<usize> {
        match self.find(name) {
            Some(index) => Ok(index),
            None => usage(format!("--{flag}: {} has no column {name:?}; it has {}", self.label, list(&self.names))),
        }
    }

    fn is_drained(&self) -> bool {
        self.first.is_none() && self.lines.is_drained()
    }
}

/// How a cell becomes a number.
struct Cell {
    /// Its place in a record.
    at: usize,
    name: String,
    levels: Option<Levels>,
}

#[derive(Default)]
struct Levels {
    names: Vec<String>,
    numbers: HashMap<Vec<u8>, f32>,
    /// Whether a new category is added to them.
    grow: bool,
}

impl Levels {
    fn fixed(names: &[String]) -> Self {
        let numbers =
            names.iter().zip(0_u32..).map(|(name, level)| (name.clone().into_bytes(), level as f32)).collect();
        Self { names: names.to_vec(), numbers, grow: false }
    }

    fn number(&mut self, cell: &[u8]) -> f32 {
        match self.numbers.get(cell) {
            Some(&number) => number,
            None if self.grow => {
                let number = self.names.len() as f32;
                self.names.push(String::from_utf8_lossy(cell).into_owned());
                self.numbers.insert(cell.to_vec(), number);
                number
            }
            None => Column::UNSEEN,
        }
    }
}

/// More categories than this are no categories, but names.
const MOST_LEVELS: usize = 1000;

fn number(cell: &[u8]) -> Option<f32> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

fn is_missing(cell: &[u8]) -> bool {
    cell.len() <= 4 && MISSING.iter().any(|token| cell.eq_ignore_ascii_case(token))
}

/// Appends the numbers of a record; on an error appends nothing, and says what is wrong with it.
fn parse(
    record: &ByteRecord,
    columns: usize,
    cells: &mut [Cell],
    missing: Missing,
    out: &mut Vec<f32>,
) -> std::result::Result<(), String> {
    if record.len() != columns {
        return Err(format!("{} cells, but the first line has {columns}{}", record.len(), broken(record.iter())));
    }
    let start = out.len();
    for column in cells {
        let cell = &record[column.at];
        let value = if is_missing(cell) {
            if missing == Missing::Refuse {
                out.truncate(start);
                let name = &column.name;
                return Err(format!(
                    "column {name:?}: the value is missing; fit with --missing mean or median to fill it in"
                ));
            }
            f32::NAN
        } else if let Some(levels) = &mut column.levels {
            levels.number(cell)
        } else {
            match number(cell) {
                Some(value) if value.is_finite() => value,
                other => {
                    out.truncate(start);
                    let (name, text) = (&column.name, cut(cell));
                    let problem = if other.is_some() { "is not a finite number" } else { "is not a number" };
                    return Err(format!("column {name:?}: {text:?} {problem}{}", broken([cell])));
                }
            }
        };
        out.push(value);
    }
    Ok(())
}

/// What to say of cells with several lines, after what is wrong with them.
fn broken<'a>(cells: impl IntoIterator<Item = &'a [u8]>) -> &'static str {
    let mut lines = cells.into_iter().flatten().filter(|&&byte| byte == b'\n');
    if lines.next().is_some() { "; it has several lines: a quote that is never closed?" } else { "" }
}

/// The beginning of a text, for a message.
fn cut(text: &[u8]) -> String {
    const MOST: usize = 40;
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into_owned(),
    }
}

/// What can be done about a line that cannot be read, beside mending it.
const FIT_HINT: &str = "use --categorical or --exclude for a column of text, --bad-lines skip to leave such lines out";
const SERIES_HINT: &str = "use --exclude for a column of text; no line can be left out, for a window may not reach \
                           across the gap: mend it, or fill missing values in with --missing mean or median";
const SCORE_HINT: &str = "--bad-lines skip leaves such lines out";

/// Says that a line was left out, or fails.
fn bad_line(bad_lines: BadLines, place: &str, problem: &str, hint: &str) -> Result<()> {
    match bad_lines {
        BadLines::Fail => bail!("{place}: {problem} ({hint})"),
        BadLines::Skip => {
            // Standard error may be closed; the line is left out all the same.
            let _ = writeln!(io::stderr(), "rftm: {place}: {problem}; left out");
            Ok(())
        }
    }
}

/// All rows, for a fit.
pub(crate) fn load(args: &FitArgs, format: Format) -> Result<(Layout, Vec<f32>, Sha256)> {
    let mut records = Records::open(&args.input, format, &args.read, &[])?;
    if let (Header::Auto, Some(first)) = (args.read.header, &records.first) {
        records.check_headerless(first)?;
    }
    let (bad_lines, hint) = match args.window {
        None => (args.read.bad_lines, FIT_HINT),
        Some(_) => (BadLines::Fail, SERIES_HINT),
    };
    let mut cells = choose(&records, args)?;
    let columns = records.names.len();
    let mut values = Vec::new();
    let mut precision = vec![Precision::default(); cells.len()];
    let counter = Counter::new("rows", &args.read);
    while records.advance()? {
        match parse(&records.record, columns, &mut cells, args.missing, &mut values) {
            Err(problem) => bad_line(bad_lines, &records.place(), &problem, hint)?,
            Ok(()) => {
                cells.iter().zip(&mut precision).for_each(|(cell, one)| one.note(&records.record[cell.at]));
            }
        }
        if let Some(column) =
            cells.iter().find(|cell| cell.levels.as_ref().is_some_and(|one| one.names.len() > MOST_LEVELS))
        {
            bail!("{}: column {:?} has more than {MOST_LEVELS} categories; leave it out", records.label, column.name);
        }
        counter.add(1);
    }
    drop(counter);
    for (cell, precision) in cells.iter().zip(&precision).filter(|(cell, _)| cell.levels.is_none()) {
        precision.warn(&cell.name);
    }
    let column = |cell: Cell| match cell.levels {
        None => Column::number(cell.name),
        Some(levels) => Column::category(cell.name, levels.names),
    };
    let columns = cells.into_iter().map(column).collect();
    let hash = records.lines.hash()?;
    Ok((Layout::Table { columns }, values, hash))
}

/// The columns that the flags leave.
fn choose(records: &Records, args: &FitArgs) -> Result<Vec<Cell>> {
    let all =
        |flag: &str, names: &[String]| names.iter().map(|name| records.named(flag, name)).collect::<Result<Vec<_>>>();
    let mut chosen = all("columns", &args.columns)?;
    if chosen.is_empty() {
        chosen = (0..records.names.len()).collect();
    }
    let mut left_out = all("exclude", &args.exclude)?;
    if let Some(label) = &args.label {
        left_out.push(records.named("label", label)?);
    }
    let categorical = all("categorical", &args.categorical)?;
    chosen.retain(|index| !left_out.contains(index));
    if chosen.is_empty() {
        return usage(format!("no column of {} is left", records.label));
    }
    let cell = |at: usize| Cell {
        at,
        name: records.names[at].clone(),
        levels: categorical.contains(&at).then(|| Levels { grow: true, ..Levels::default() }),
    };
    Ok(chosen.into_iter().map(cell).collect())
}

/// Rows like those of a fit, one by one.
pub(crate) struct Table {
    records: Records,
    cells: Vec<Cell>,
    missing: Missing,
    bad_lines: BadLines,
    label: Option<(usize, Option<String>)>,
    row: u64,
}

pub(crate) fn open(path: &Path, format: Format, read: &ReadArgs, features: &Features, labels: Labels) -> Result<Table> {
    let columns: Vec<Column> = match &features.layout {
        Layout::Table { columns } => columns.clone(),
        Layout::Series { columns, .. } => columns.iter().map(Column::number).collect(),
        Layout::Images { .. } => bail!("the model was fitted on {}", features.layout),
    };
    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let records = Records::open(path, format, read, &known)?;
    let cells = match_columns(&records, &columns)?;
    let label = match labels {
        Labels::Column(name, anomaly) => Some((records.named("label", &name)?, anomaly)),
        Labels::None => None,
        Labels::Folder(_) | Labels::List(_) => return usage("name the column of labels with --label"),
    };
    Ok(Table { records, cells, missing: features.missing, bad_lines: read.bad_lines, label, row: 0 })
}

/// Finds the columns of a model: by name, or, in a file without a header that has exactly as many, by place.
fn match_columns(records: &Records, columns: &[Column]) -> Result<Vec<Cell>> {
    let absent: Vec<&str> =
        columns.iter().map(|column| column.name.as_str()).filter(|name| records.find(name).is_none()).collect();
    let by_place = !absent.is_empty();
    if by_place && (records.first.is_none() || records.names.len() != columns.len()) {
        let (label, found, needed) = (&records.label, records.names.len(), columns.len());
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        if records.first.is_some() {
            bail!("{label} has {found} columns and no header, the model needs {needed}: {}", list(&names));
        }
        let absent: Vec<String> = absent.iter().map(|&name| name.to_owned()).collect();
        bail!("{label} lacks columns of the model: {}; it has {}", list(&absent), list(&records.names));
    }
    let cell = |(place, column): (usize, &Column)| Cell {
        at: if by_place { place } else { records.find(&column.name).unwrap_or(place) },
        name: column.name.clone(),
        levels: column.levels.as_deref().map(Levels::fixed),
    };
    Ok(columns.iter().enumerate().map(cell).collect())
}

impl Source for Table {
    fn next(&mut self, out: &mut Vec<f32>) -> Result<Next> {
        if !self.records.advance()? {
            return Ok(Next::End);
        }
        self.row += 1;
        let columns = self.records.names.len();
        if let Err(problem) = parse(&self.records.record, columns, &mut self.cells, self.missing, out) {
            bad_line(self.bad_lines, &self.records.place(), &problem, SCORE_HINT)?;
            return Ok(Next::Skipped);
        }
        let label = match &self.label {
            None => None,
            Some((at, anomaly)) => {
                let cell = String::from_utf8_lossy(&self.records.record[*at]);
                Some(is_anomaly(&cell, anomaly.as_deref()).with_context(|| self.records.place())?)
            }
        };
        Ok(Next::Row(Id { label, ..Id::row(self.row) }))
    }

    fn waits(&self) -> bool {
        self.records.is_drained()
    }
}

fn is_anomaly(cell: &str, anomaly: Option<&str>) -> Result<bool> {
    let lower = cell.to_lowercase();
    match anomaly {
        Some(value) => Ok(cell == value),
        None if ANOMALOUS.contains(&lower.as_str()) => Ok(true),
        None if NORMAL.contains(&lower.as_str()) => Ok(false),
        None => Err(anyhow!(
            "label {:?}: neither 0 nor 1; say which label is that of anomalies with --anomaly",
            cut(cell.as_bytes())
        )),
    }
}

/// Names for a message, not more than fit.
fn list(names: &[String]) -> String {
    const MOST: usize = 12;
    let more = if names.len() > MOST { format!(", ... ({} in all)", names.len()) } else { String::new() };
    format!("{}{more}", names.iter().take(MOST).map(|name| cut(name.as_bytes())).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_numbers_or_say_why_not() {
        let mut cells = vec![
            Cell { at: 0, name: "x".into(), levels: None },
            Cell { at: 2, name: "c".into(), levels: Some(Levels::fixed(&["red".into(), "blue".into()])) },
        ];
        let mut check = |record: &[&str], missing, expected: std::result::Result<[f32; 2], &str>| {
            let mut out = vec![7.0];
            let result = parse(&ByteRecord::from(record.to_vec()), 3, &mut cells, missing, &mut out);
            match expected {
                Ok(values) => {
                    let same = |(a, b): (&f32, &f32)| a == b || (a.is_nan() && b.is_nan());
                    assert!(result.is_ok() && out[1..].iter().zip(&values).all(same), "{record:?}: {out:?}");
                }
                Err(part) => {
                    let problem = result.unwrap_err();
                    assert!(problem.contains(part) && out == [7.0], "{record:?}: {problem}, {out:?}");
                }
            }
        };
        check(&["1.5", "text", "blue"], Missing::Refuse, Ok([1.5, 1.0]));
        check(&["-2e3", "", "green"], Missing::Refuse, Ok([-2000.0, Column::UNSEEN]));
        check(&["NA", "", "red"], Missing::Mean, Ok([f32::NAN, 0.0]));
        check(&["1", "", "?"], Missing::Mean, Ok([1.0, f32::NAN]));
        check(&["NaN", "", "red"], Missing::Refuse, Err("column \"x\": the value is missing"));
        check(&["one", "", "red"], Missing::Mean, Err("column \"x\": \"one\" is not a number"));
        check(&["1e99", "", "red"], Missing::Mean, Err("\"1e99\" is not a finite number"));
        check(&["1", "2"], Missing::Mean, Err("2 cells, but the first line has 3"));
    }

    #[test]
    fn labels_are_read_as_people_write_them() {
        for (cell, anomaly, expected) in [
            ("1", None, Some(true)),
            ("0.0", None, Some(false)),
            ("TRUE", None, Some(true)),
            ("Normal", None, Some(false)),
            ("attack", Some("attack"), Some(true)),
            ("1", Some("attack"), Some(false)),
            ("2", None, None),
        ] {
            assert_eq!(is_anomaly(cell, anomaly).ok(), expected, "{cell}");
        }
    }
}
