//! The `sextant` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use sextant::verdict::Exit;

/// States are made on one search thread and freed on another, where the system's allocator waits on its locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
