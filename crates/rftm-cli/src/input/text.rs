//! CSV as text, cell by cell.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use ::csv::{ByteRecord, Reader, ReaderBuilder, Trim};
use anyhow::{Context, Result};
use sha2::Sha256;

use crate::args::ReadArgs;
use crate::input::csv::Lines;
use crate::input::is_dash;
use crate::input::tap::{Passed, Place, Tap};

pub(crate) struct Text {
    reader: Reader<Tap<Box<dyn Read>>>,
    passed: Rc<RefCell<Passed>>,
    /// Whether somebody may still be writing it. Of a file all is there.
    live: bool,
    /// The first line of the last record.
    line: u64,
    /// Cells of the first record.
    width: Option<usize>,
    /// Of a file with one column, the record behind blank lines, and how many of them are still to be given.
    behind: Option<(ByteRecord, Place)>,
}

impl Text {
    pub(crate) fn open(path: &Path, read: &ReadArgs, label: &str) -> Result<Self> {
        let (inner, live): (Box<dyn Read>, bool) = if is_dash(path) {
            (Box::new(io::stdin().lock()), true)
        } else {
            let name = || format!("cannot read {label}");
            let file = File::open(path).with_context(name)?;
            let live = !file.metadata().with_context(name)?.is_file();
            (Box::new(file), live)
        };
        let usual = if label.to_lowercase().ends_with(".tsv") { b'\t' } else { b',' };
        let delimiter = read.delimiter.unwrap_or(usual);
        let (tap, passed) = Tap::new(inner, delimiter);
        let mut builder = ReaderBuilder::new();
        // Records of another length are reported with their line by us.
        builder.delimiter(delimiter).has_headers(false).flexible(true).trim(Trim::All).buffer_capacity(1 << 16);
        Ok(Self { reader: builder.from_reader(tap), passed, live, line: 1, width: None, behind: None })
    }
}

impl Text {
    /// Gives an empty cell for the next blank line, or the record behind them; says whether there was anything.
    fn give(&mut self, record: &mut ByteRecord) -> bool {
        match &mut self.behind {
            Some((_, Place { line, blank })) if *blank > 0 => {
                self.line = *line - *blank;
                *blank -= 1;
                *record = ByteRecord::from(vec![""]);
                true
            }
            behind => behind.take().is_some_and(|(held, Place { line, .. })| {
                self.line = line;
                *record = held;
                true
            }),
        }
    }
}

impl Lines for Text {
    fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        if self.behind.is_some() {
            return Ok(self.give(record));
        }
        let more = self.reader.read_byte_record(record);
        let place = match &more {
            Ok(_) => self.passed.borrow_mut().given(self.reader.position().byte()),
            Err(_) => self.passed.borrow().place(),
        };
        self.line = place.line;
        let more = more?;
        // In a file with one column a blank line is a cell without a value, unless it is one of the last.
        let width = *self.width.get_or_insert(record.len());
        if more && (width, record.len()) == (1, 1) && place.blank > 0 {
            self.behind = Some((std::mem::take(record), place));
            return Ok(self.give(record));
        }
        Ok(more)
    }

    fn place(&self) -> u64 {
        self.line
    }

    fn is_drained(&self) -> bool {
        self.live && self.behind.is_none() && self.passed.borrow().is_drained()
    }

    fn hash(&self) -> Result<Sha256> {
        Ok(self.passed.borrow().hash.clone())
    }
}
