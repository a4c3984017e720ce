//! `sextant history`: judge recorded histories.

mod check;
mod convert;
mod generate;
mod input;
mod model;
mod picture;
mod promise;
mod stats;
mod timeline;
mod verify;
mod watch;

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
    /// Does a certificate that `check` wrote hold?
    Verify(verify::Verify),
    /// Judge a history while it is recorded, up to its first violation
    Watch(watch::Watch),
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
        Command::Verify(verify) => verify.run(),
        Command::Watch(watch) => watch.run(),
        Command::Generate(generate) => generate.run(),
        Command::Stats(stats) => stats.run(),
        Command::Convert(convert) => convert.run(),
    }
}
