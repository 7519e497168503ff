//! Where results may be written, looked at before they are computed; and notes on standard error.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;

use crate::exit::usage;
use crate::input::is_dash;

/// Writes a note to standard error. Its reader may have gone away; nothing fails for want of somebody to tell.
macro_rules! tell {
    ($($note:tt)*) => {
        $crate::output::tell(&format!($($note)*))
    };
}

/// What [`tell!`] does.
pub(crate) fn tell(note: &str) {
    let _ = writeln!(io::stderr(), "rftm: {note}");
}

/// Refuses standard output for what makes no sense there.
pub(crate) fn is_file(output: &Path, what: &str) -> Result<()> {
    if is_dash(output) {
        return usage(format!("--output: {what} is written to a file, not to standard output"));
    }
    Ok(())
}

/// Refuses an output that is a file that is read. (What is no regular file, such as a terminal, may be both.)
pub(crate) fn is_none_of(output: &Path, inputs: &[&Path]) -> Result<()> {
    let Some(target) = fs::canonicalize(output).ok().filter(|target| target.is_file()) else { return Ok(()) };
    match inputs.iter().find(|input| fs::canonicalize(input).is_ok_and(|input| input == target)) {
        Some(input) => {
            usage(format!("--output: {} would be overwritten, and it is read; name another", input.display()))
        }
        None => Ok(()),
    }
}
