//! `sextant history`: judge recorded histories.

mod check;
mod convert;
mod generate;
mod input;
mod picture;
mod promise;
mod stats;

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
    /// Make a history whose verdict is known
    Generate(generate::Generate),
    /// What the histories consist of
    Stats(stats::Stats),
    /// Write a history in another format
    Convert(convert::Convert),
}

pub fn run(args: &Args) -> io::Result<Exit> {
    match &args.command {
        Command::Check(check) => check.run(),
        Command::Generate(generate) => generate.run(),
        Command::Stats(stats) => stats.run(),
        Command::Convert(convert) => convert.run(),
    }
}
