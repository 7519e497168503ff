//! Tables: CSV, and whatever else has named columns and gives one record after the other.

use std::path::Path;

use ::csv::ByteRecord;
use anyhow::{Context, Result, anyhow, bail};
use rftm::{Card, Column, Layout, Missing, SourceTable};
use sha2::Sha256;

use crate::args::{BadLines, FitArgs, Format, Header, ReadArgs};
use crate::exit::usage;
use crate::input::columns::{Chosen, choose, find, list, unknown};
use crate::input::doubts::Doubts;
use crate::input::levels::Levels;
use crate::input::text::Text;
use crate::input::{
    ACROSS, Id, LEAVE_OUT, Labels, MISSING_VALUE, Next, Source, Values, called, cut, has_all_columns, left_out,
};
use crate::progress::Counter;

/// What stands for a missing number, in lower case.
const MISSING: [&[u8]; 7] = [b"", b"nan", b"na", b"n/a", b"null", b"none", b"?"];

/// The same for a category, which may well be called "none".
const MISSING_CATEGORY: [&[u8]; 2] = [b"", b"nan"];

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
    /// Reads the header, if there is one; a line with the names that a model knows is one. `named`: whether the model has
    /// them from a header.
    fn open(path: &Path, format: Format, read: &ReadArgs, known: &[&str], named: Option<bool>) -> Result<Self> {
        let label = called(path);
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
        records.read_header(if format.has_names() { Header::Yes } else { read.header }, known, named);
        Ok(records)
    }

    fn check_delimiter(&self) -> Result<()> {
        let only = if self.record.len() == 1 { &self.record[0] } else { &[] };
        match [(b';', ";"), (b'\t', "\\t"), (b'|', "|")].iter().find(|(other, _)| only.contains(other)) {
            Some((_, other)) => bail!(
                "{}: one column only, {:?}; if its cells are separated by something else, say --delimiter '{other}'",
                self.place(),
                shown(only)
            ),
            None => Ok(()),
        }
    }

    fn read_header(&mut self, header: Header, known: &[&str], named: Option<bool>) {
        let is_header = match header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => {
                !self.record.iter().any(|cell| number(cell).is_some_and(f32::is_finite)) || self.holds(known, named)
            }
        };
        if !is_header {
            self.names = (1..=self.record.len()).map(|number| number.to_string()).collect();
            self.first = Some(self.record.clone());
            return;
        }
        self.names = self.record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
    }

    /// Whether the record holds all names that a model knows. Names that only number columns may as well be values, unless
    /// the model has them from a header.
    fn holds(&self, known: &[&str], named: Option<bool>) -> bool {
        let numbers = |name: &&str| name.parse().is_ok_and(|number| (1..=self.record.len()).contains(&number));
        let found = |name: &&str| self.record.iter().any(|cell| cell == name.as_bytes());
        (named == Some(true) || !known.iter().all(numbers)) && known.iter().all(found)
    }

    /// Before a fit on a file without a header: a header whose names are numbers would be trained on.
    fn check_headerless(&self, first: &ByteRecord) -> Result<()> {
        let is_text = |cell: &[u8]| number(cell).is_none() && !is_one_of(&MISSING, cell);
        if let Some(text) = first.iter().find(|&cell| is_text(cell)) {
            let (place, text) = (self.place(), shown(text));
            bail!("{place}: {text:?} is no number, other cells are: say whether this is a header, --header yes or no");
        }
        let (label, names) = (&self.label, list(&self.names));
        tell!("{label}: no header: columns are named {names}; --header yes if the first line is one");
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

    fn find(&self, name: &str) -> Result<Option<usize>> {
        find(&self.label, &self.names, name)
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

/// More categories than this are no categories, but names.
const MOST_LEVELS: usize = 1000;

fn number(cell: &[u8]) -> Option<f32> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

fn is_one_of(tokens: &[&[u8]], cell: &[u8]) -> bool {
    cell.len() <= 4 && tokens.iter().any(|token| cell.eq_ignore_ascii_case(token))
}

/// The text of a cell.
fn text(cell: &[u8]) -> std::result::Result<&str, String> {
    std::str::from_utf8(cell).map_err(|_| format!("{:?} is not UTF-8: convert the file to UTF-8", shown(cell)))
}

/// The beginning of a cell, for a message.
fn shown(cell: &[u8]) -> String {
    cut(&String::from_utf8_lossy(cell))
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
        match value(&record[column.at], &mut column.levels, missing) {
            Ok(value) => out.push(value),
            Err(problem) => {
                out.truncate(start);
                return Err(format!("column {:?}: {problem}", column.name));
            }
        }
    }
    Ok(())
}

/// The number of a cell, or what is wrong with it.
fn value(cell: &[u8], levels: &mut Option<Levels>, missing: Missing) -> std::result::Result<f32, String> {
    let tokens = if levels.is_some() { &MISSING_CATEGORY[..] } else { &MISSING };
    match (is_one_of(tokens, cell), levels) {
        (true, _) if missing == Missing::Refuse => Err(MISSING_VALUE.to_owned()),
        (true, _) => Ok(f32::NAN),
        (false, Some(levels)) => Ok(levels.number(text(cell)?)),
        (false, None) => match number(cell) {
            Some(value) if value.is_finite() => Ok(value),
            // As some programs write it, with a sign.
            Some(value) if value.is_nan() && missing == Missing::Refuse => Err(MISSING_VALUE.to_owned()),
            Some(value) if value.is_nan() => Ok(value),
            Some(_) => Err(format!("{:?} is not a finite number", shown(cell))),
            None => Err(format!("{:?} is not a number{}", shown(cell), broken([cell]))),
        },
    }
}

/// What to say of cells with several lines, after what is wrong with them.
fn broken<'a>(cells: impl IntoIterator<Item = &'a [u8]>) -> &'static str {
    let mut lines = cells.into_iter().flatten().filter(|&&byte| byte == b'\n');
    if lines.next().is_some() { "; it has several lines: a quote that is never closed?" } else { "" }
}

/// What can be done about a line that cannot be read, beside mending it.
const FIT_HINT: &str = "use --categorical or --exclude for a column of text, --bad-lines skip to leave such lines out";

/// All rows, for a fit.
pub(crate) fn load(args: &FitArgs, format: Format) -> Result<(Layout, Vec<f32>, Sha256, SourceTable)> {
    let mut records = Records::open(&args.input, format, &args.read, &[], None)?;
    let table = SourceTable { columns: records.names.len(), named: records.first.is_none() };
    if let (Header::Auto, Some(first)) = (args.read.header, &records.first) {
        records.check_headerless(first)?;
    }
    let (bad_lines, hint) = match args.window {
        None => (args.read.bad_lines, FIT_HINT.to_owned()),
        Some(_) => (BadLines::Fail, format!("use --exclude for a column of text; {ACROSS}")),
    };
    let cell = |Chosen { at, is_categorical }| Cell {
        at,
        name: records.names[at].clone(),
        levels: is_categorical.then(Levels::growing),
    };
    let mut cells: Vec<Cell> = choose(&records.label, &records.names, args)?.into_iter().map(cell).collect();
    let columns = records.names.len();
    let mut values = Vec::new();
    let mut doubts = vec![Doubts::default(); cells.len()];
    let counter = Counter::new("rows", args.read.quiet);
    while records.advance()? {
        match parse(&records.record, columns, &mut cells, args.missing, &mut values) {
            Err(problem) => left_out(bad_lines, format_args!("{}: {problem}", records.place()), &hint)?,
            Ok(()) => {
                let numbers = cells.iter().zip(&mut doubts).filter(|(cell, _)| cell.levels.is_none());
                numbers.for_each(|(cell, doubts)| doubts.note(&records.record[cell.at]));
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
    cells.iter().zip(&doubts).for_each(|(cell, doubts)| doubts.warn(&cell.name));
    let column = |cell: Cell| match cell.levels {
        None => Column::number(cell.name),
        Some(levels) => Column::category(cell.name, levels.names),
    };
    let columns = cells.into_iter().map(column).collect();
    let hash = records.lines.hash()?;
    Ok((Layout::Table { columns }, values, hash, table))
}

/// Rows like those of a fit, one by one.
pub(crate) struct Table {
    records: Records,
    cells: Vec<Cell>,
    missing: Missing,
    bad_lines: BadLines,
    label: Option<(usize, Values)>,
    row: u64,
}

pub(crate) fn open(path: &Path, format: Format, read: &ReadArgs, card: &Card, labels: Labels) -> Result<Table> {
    let (features, table) = (&card.features, card.origin.table);
    let columns: Vec<Column> = match &features.layout {
        Layout::Table { columns } => columns.clone(),
        Layout::Series { columns, .. } => columns.iter().map(Column::number).collect(),
        Layout::Images { .. } => bail!("the model was fitted on {}", features.layout),
    };
    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let records = Records::open(path, format, read, &known, table.map(|table| table.named))?;
    let knows = |name: &str| {
        usage(format!(
            "--label: the model was fitted on the column {name:?} and knows the answer; fit again with --label {name}"
        ))
    };
    let label = match labels {
        Labels::Column(name, values) => match records.find(&name)? {
            // Of just the columns that the model uses the numbers are others than those of the fit.
            Some(at) if known.contains(&&*name) && !(records.first.is_some() && at >= known.len()) => {
                return knows(&name);
            }
            Some(at) => Some((at, values)),
            None if known.contains(&&*name) => return knows(&name),
            None => return unknown(&records.label, &records.names, "label", &name),
        },
        Labels::None => None,
        Labels::Folder(_) | Labels::List(_) => return usage("name the column of labels with --label"),
    };
    let label_at = label.as_ref().map(|(at, _)| *at);
    let cells = match_columns(&records, &columns, table, label_at)?;
    if let Some(cell) = cells.iter().find(|cell| Some(cell.at) == label_at) {
        return knows(&cell.name);
    }
    Ok(Table { records, cells, missing: features.missing, bad_lines: read.bad_lines, label, row: 0 })
}

/// Finds the columns of a model: by name, or, in a file without a header that has just those, by place. If they never had
/// names, their numbers find them in a file of as many columns as that of the fit, and labels may stand behind either.
fn match_columns(
    records: &Records,
    columns: &[Column],
    table: Option<SourceTable>,
    label: Option<usize>,
) -> Result<Vec<Cell>> {
    let (count, headerless) = (records.names.len(), records.first.is_some());
    let (by_name, is_counted) = match table {
        Some(SourceTable { columns: fitted, named: false }) if headerless => {
            (has_all_columns(&records.label, count, label, fitted, columns.len())?, true)
        }
        // Numbers that were names say nothing of places.
        Some(SourceTable { named: true, .. }) if headerless => (false, false),
        _ => (true, false),
    };
    let find = |column: &Column| if by_name { records.find(&column.name) } else { Ok(None) };
    let places = columns.iter().map(find).collect::<Result<Vec<_>>>()?;
    let by_place = places.contains(&None);
    if by_place && !is_counted && !(headerless && count == columns.len()) {
        let (label, found, needed) = (&records.label, count, columns.len());
        if headerless {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            bail!("{label} has {found} columns and no header, the model needs {needed}: {}", list(&names));
        }
        let absent = columns.iter().zip(&places).filter(|(_, place)| place.is_none());
        let absent: Vec<&str> = absent.map(|(column, _)| column.name.as_str()).collect();
        bail!("{label} lacks columns of the model: {}; it has {}", list(&absent), list(&records.names));
    }
    let cell = |(at, (column, place)): (usize, (&Column, &Option<usize>))| Cell {
        at: place.filter(|_| !by_place).unwrap_or(at),
        name: column.name.clone(),
        levels: column.levels.as_deref().map(Levels::fixed),
    };
    Ok(columns.iter().zip(&places).enumerate().map(cell).collect())
}

impl Source for Table {
    fn next(&mut self, out: &mut Vec<f32>) -> Result<Next> {
        if !self.records.advance()? {
            return Ok(Next::End);
        }
        self.row += 1;
        let columns = self.records.names.len();
        if let Err(problem) = parse(&self.records.record, columns, &mut self.cells, self.missing, out) {
            left_out(self.bad_lines, format_args!("{}: {problem}", self.records.place()), LEAVE_OUT)?;
            return Ok(Next::Skipped);
        }
        let label = match &self.label {
            None => None,
            Some((at, values)) => {
                let cell = text(&self.records.record[*at]).map_err(|problem| anyhow!("label {problem}"));
                Some(cell.and_then(|cell| values.is_anomaly(cell)).with_context(|| self.records.place())?)
            }
        };
        Ok(Next::Row(Id { label, ..Id::row(self.row) }))
    }

    fn waits(&self) -> bool {
        self.records.is_drained()
    }
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
        check(&["1", "", "?"], Missing::Mean, Ok([1.0, Column::UNSEEN]));
        check(&["None", "", "NaN"], Missing::Mean, Ok([f32::NAN, f32::NAN]));
        check(&["1", "", ""], Missing::Refuse, Err("column \"c\": the value is missing"));
        check(&["NaN", "", "red"], Missing::Refuse, Err("column \"x\": the value is missing"));
        check(&["one", "", "red"], Missing::Mean, Err("column \"x\": \"one\" is not a number"));
        check(&["1e99", "", "red"], Missing::Mean, Err("\"1e99\" is not a finite number"));
        check(&["1", "2"], Missing::Mean, Err("2 cells, but the first line has 3"));
    }
}
