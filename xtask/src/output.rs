//! Standard output, whose reader may go away before everything is said.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Prints a text. Where `head` or a pager has closed the pipe it has what it wanted: that is no error, and what the
/// command does besides goes on.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write standard output"),
    }
}
