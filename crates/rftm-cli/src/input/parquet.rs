//! Parquet files, row by row, as records of text: what a cell means is decided where it is for CSV.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ::csv::ByteRecord;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use ::parquet::record::reader::RowIter;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::exit::usage;
use crate::input::csv::Lines;
use crate::input::is_dash;

/// The names of the columns, then the rows.
pub(crate) struct Rows {
    path: PathBuf,
    names: Option<Vec<String>>,
    rows: RowIter<'static>,
    row: u64,
}

impl Rows {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if is_dash(path) {
            return usage("only CSV can be read from standard input");
        }
        let name = path.display();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        let reader = SerializedFileReader::new(file).with_context(|| format!("{name}: no whole Parquet file"))?;
        let schema = reader.metadata().file_metadata().schema();
        let names = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
        Ok(Self { path: path.to_owned(), names: Some(names), rows: reader.into_iter(), row: 0 })
    }
}

impl Lines for Rows {
    fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        record.clear();
        if let Some(names) = self.names.take() {
            names.iter().for_each(|name| record.push_field(name.as_bytes()));
            return Ok(true);
        }
        let Some(row) = self.rows.next() else { return Ok(false) };
        for (_, field) in row?.get_column_iter() {
            match field {
                Field::Null => record.push_field(b""),
                Field::Bool(value) => record.push_field(if *value { b"1" } else { b"0" }),
                Field::Str(text) => record.push_field(text.as_bytes()),
                // Text of a number is the shortest that gives the same number again.
                Field::Float(value) => record.push_field(value.to_string().as_bytes()),
                Field::Double(value) => record.push_field(value.to_string().as_bytes()),
                other => record.push_field(other.to_string().as_bytes()),
            }
        }
        self.row += 1;
        Ok(true)
    }

    fn place(&self) -> u64 {
        self.row
    }

    fn hash(&self) -> Result<Sha256> {
        // Pages are read in any order, so the bytes are read once more, in theirs.
        let name = || format!("cannot read {}", self.path.display());
        let mut file = File::open(&self.path).with_context(name)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer).with_context(name)? {
                0 => return Ok(hash),
                count => hash.update(&buffer[..count]),
            }
        }
    }
}
