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
use crate::input::is_stdin;
use crate::input::tap::{Passed, Tap};

pub(crate) struct Text {
    reader: Reader<Tap<Box<dyn Read>>>,
    passed: Rc<RefCell<Passed>>,
    /// Whether somebody may still be writing it. Of a file all is there.
    live: bool,
    /// The first line of the last record.
    line: u64,
}

impl Text {
    pub(crate) fn open(path: &Path, read: &ReadArgs, label: &str) -> Result<Self> {
        let (inner, live): (Box<dyn Read>, bool) = if is_stdin(path) {
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
        Ok(Self { reader: builder.from_reader(tap), passed, live, line: 1 })
    }
}

impl Lines for Text {
    fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        let more = self.reader.read_byte_record(record);
        let mut passed = self.passed.borrow_mut();
        self.line = match more {
            Ok(_) => passed.given(self.reader.position().byte()),
            Err(_) => passed.first_line(),
        };
        Ok(more?)
    }

    fn place(&self) -> u64 {
        self.line
    }

    fn is_drained(&self) -> bool {
        self.live && self.passed.borrow().is_drained()
    }

    fn hash(&self) -> Result<Sha256> {
        Ok(self.passed.borrow().hash.clone())
    }
}
