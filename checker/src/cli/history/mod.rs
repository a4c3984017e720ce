//! `sextant history`: judge recorded histories.

mod check;
mod promise;

use std::io;

use clap::Subcommand;
use sextant::verdict::Exit;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Are the histories linearizable?
    Check(check::Check),
}

pub fn run(args: &Args) -> io::Result<Exit> {
    match &args.command {
        Command::Check(check) => check.run(),
    }
}
