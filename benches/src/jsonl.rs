//! Records as lines of JSON.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

/// The records of some lines; empty lines do not count.
///
/// # Errors
/// A line that is no record, with its number.
pub fn parse_all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, number)| serde_json::from_str(line).with_context(|| format!("line {number}: {line}"))).collect()
}

/// The records of a file.
///
/// # Errors
/// If it cannot be read, or a line is no record.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse_all(&text).with_context(|| path.display().to_string())
}
