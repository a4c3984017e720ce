//! The `sextant` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use sextant::verdict::Exit;

fn main() -> ExitCode {
    let exit = match cli::Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(usage) => cli::refuse(&usage),
    };
    exit.unwrap_or_else(|error| {
        cli::complain(&error);
        Exit::Harness
    })
    .into()
}
