//! What the command ends with: 0 success, 1 failure, 2 a wrong command line, 130 interrupted, 141 the reader of the output
//! went away.

use std::io;
use std::process::ExitCode;

/// A command line that cannot be meant: exit code 2, as for what clap refuses.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Ends with a [`Usage`] error.
pub(crate) fn usage<T>(problem: impl Into<String>) -> anyhow::Result<T> {
    Err(Usage(problem.into()).into())
}

/// Ctrl-C came.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; nothing was written")
    }
}

impl std::error::Error for Interrupted {}

/// Says what was wrong, and gives the code.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        // What a shell reports of a program that SIGPIPE ended; `head` has what it wanted, so there is nothing to say.
        return ExitCode::from(141);
    }
    let mut text = error.to_string();
    // Reading says what was read, and files that are written are named: a bare error is of what is printed.
    if error.chain().next().is_some_and(|error| error.is::<io::Error>()) {
        text = format!("cannot write standard output: {text}");
    }
    // An error's own text may already end in that of its source.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    tell!("{text}");
    if error.is::<Interrupted>() || matches!(error.downcast_ref(), Some(rftm::Error::Interrupted { .. })) {
        ExitCode::from(130)
    } else if error.is::<Usage>() || error.downcast_ref().is_some_and(is_flag) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Whether an error is of a value that a flag gave, not of the data.
fn is_flag(error: &rftm::Error) -> bool {
    match error {
        // Default layers always fit the image, so these were given.
        rftm::Error::Setting { .. } | rftm::Error::Model(rftm_models::Error::ImageTooSmall { .. }) => true,
        rftm::Error::Model(rftm_models::Error::Config { parameter, .. }) => {
            matches!(*parameter, "batch_size" | "learning_rate" | "patience" | "widths" | "channels")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rftm::{Data, Detector, Rule};

    #[test]
    fn flags_are_told_from_data_and_files() {
        let check = |error: rftm::Error, expected: bool| assert_eq!(is_flag(&error), expected, "{error}");
        let table = |columns: &[&str], values| Data::table(columns.to_vec(), values);
        check(table(&[], vec![]).unwrap_err(), false);
        check(Data::images([5, 2, 2], vec![0.0; 20]).unwrap_err(), false);
        check(Data::series(["x"], 0, 1, vec![]).unwrap_err(), true);
        check(rftm::Error::Unsavable { problem: String::new() }, false);
        let rows = table(&["x"], (0..40).map(|x| x as f32).collect()).unwrap();
        let mut detector = Detector::builder().max_epochs(1).fit(&rows).unwrap();
        check(detector.set_threshold(Rule::Quantile(2.0)).unwrap_err(), true);
        check(Detector::builder().learning_rate(-1.0).fit(&rows).unwrap_err(), true);
        let images = Data::images([1, 4, 4], (0..40 * 16).map(|x| (x % 97) as f32).collect()).unwrap();
        check(Detector::builder().max_epochs(1).widths(&[4; 4]).fit(&images).unwrap_err(), true);
    }
}
