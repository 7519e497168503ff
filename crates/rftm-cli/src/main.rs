//! The command `rftm`: fit on normal samples, score new ones, explain, from the shell.

#[macro_use]
mod output;

mod args;
mod commands;
mod exit;
mod input;
mod partial;
mod progress;
mod stream;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Fit(args) => commands::fit::run(args),
        Command::Score(args) => commands::score::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Threshold(args) => commands::threshold::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Example(args) => commands::example::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::code(&error),
    }
}
