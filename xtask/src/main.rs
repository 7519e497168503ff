//! The driver: parses the command line and calls one function for each command. All numerics live in the libraries.

#[macro_use]
mod output;

mod bench;
mod check;
mod cli;
mod data;
mod figures;
mod ledger;
mod paths;
mod progress;
mod report;
mod reproduce;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Reproduce(arguments) => reproduce::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Data { command } => data::run(&command),
        Command::Ledger { command } => ledger::run(&command),
        Command::Check => check::run(),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        tell!("error: {}", chain(&error));
        match error.downcast_ref() {
            // A wrong value, found after clap had parsed it: the same code as clap's.
            Some(rftm_experiments::Error::Selection { .. }) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    })
}

/// The error and its causes; most of our messages end with their cause already.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text {
        _ if text.is_empty() => cause,
        _ if text.ends_with(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}
