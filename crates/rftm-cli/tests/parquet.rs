//! Parquet from the shell, in a binary that was built with it.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "parquet")]

mod common;

use std::fs::File;
use std::sync::Arc;

use common::Folder;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const ROWS: usize = 40;

fn x(row: usize) -> f64 {
    (row * 7 % 11) as f64 / 4.0
}

/// Columns x, n (of which row 3 is missing) and colour.
fn write(folder: &Folder, name: &str) {
    let schema = "message rows { required double x; optional int64 n; required binary colour (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(folder.path(name)).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&(0..ROWS).map(x).collect::<Vec<_>>(), None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let there: Vec<i16> = (0..ROWS).map(|row| i16::from(row != 2)).collect();
    let values: Vec<i64> = (0..ROWS as i64).filter(|&row| row != 2).collect();
    column.typed::<Int64Type>().write_batch(&values, Some(&there), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let colours: Vec<ByteArray> = (0..ROWS).map(|row| ByteArray::from(["red", "blue"][row % 2])).collect();
    column.typed::<ByteArrayType>().write_batch(&colours, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn a_table_with_names_categories_and_gaps() {
    let folder = Folder::new();
    write(&folder, "t.parquet");
    let n = |row: usize| if row == 2 { String::new() } else { row.to_string() };
    let rows = (0..ROWS).map(|row| format!("{},{},{}\n", x(row), n(row), ["red", "blue"][row % 2]));
    folder.write("t.csv", std::iter::once("x,n,colour\n".to_owned()).chain(rows).collect::<String>());
    let message = folder.fails("fit t.parquet -o m.rftm --categorical colour", 1);
    assert!(message.contains("t.parquet:3: column \"n\": the value is missing"), "{message}");
    for name in ["t.parquet", "t.csv"] {
        folder.ok(&format!("fit {name} -o {name}.rftm --categorical colour --missing mean --epochs 2"));
    }
    let scores = folder.ok("score t.parquet.rftm t.parquet");
    assert_eq!(scores.lines().count(), 1 + ROWS);
    assert_eq!(folder.ok("score t.csv.rftm t.csv"), scores);
    assert_eq!(folder.ok("score t.csv.rftm t.parquet"), scores);
    folder.write("cut.parquet", &std::fs::read(folder.path("t.parquet")).unwrap()[..300]);
    assert!(folder.fails("score t.csv.rftm cut.parquet", 1).contains("no whole Parquet file"));
}
