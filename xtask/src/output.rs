//! Standard output and standard error, whose readers may go away before everything is said.

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

/// Writes a line to standard error. Unlike `eprintln!` it does not panic where nobody can read it (a closed pipe, a full
/// disk): hours of training must not end for want of a place to say how they go.
macro_rules! tell {
    ($($message:tt)*) => {
        $crate::output::tell(&format!($($message)*))
    };
}

/// What [`tell!`] does.
pub(crate) fn tell(line: &str) {
    // There is nowhere left to say that it failed.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
