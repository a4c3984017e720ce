//! What was typed, and who runs it.

mod cluster;
mod conform;
mod coverage;
mod gate;
mod history;
mod interrupt;
mod lockstep;
mod meta;
mod model;
mod mutants;
mod node;
mod output;
mod process;
mod quorum;
mod replay;
mod run;
mod simulate;
mod writer;

use std::io;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use sextant::verdict::Exit;

/// Checks what a distributed system did against what it may do.
///
/// Without a subcommand it does the main job: explores the core of the protocol exhaustively, runs a real cluster of six
/// nodes under faults for 20 seconds, judges the history that its clients recorded, and prints one table of verdicts.
#[derive(Debug, Parser)]
#[command(
    name = "sextant",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "exit: 0 valid, 1 invalid, 2 unknown, 3 the harness failed, 64 bad usage or unreadable input"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// The main job in its short form: the smallest exploration and a run of 8 seconds
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge recorded histories
    History(history::Args),
    /// Explore the protocol exhaustively
    Model(model::Args),
    /// Walk a counterexample or scenario again, from its case file
    Replay(replay::Args),
    /// What a scheme of copies, zones and quorums survives
    Quorum(quorum::Args),
    /// Run a cluster of six storage nodes, a writer and a standby until Ctrl-C
    Cluster(cluster::Args),
    /// Run a cluster under faults and judge what its clients saw
    Run(run::Args),
    /// Simulate the cluster: real node, writer and clients on virtual time, a world a seed
    Simulate(simulate::Args),
    /// Hold what the processes of a run recorded against the protocol
    Conform(conform::Args),
    /// Check what sextant.toml lists: profiles with their counts, mutants, histories, a real run
    Gate(gate::Args),
    /// Run the metadata service of a volume
    Meta(meta::Args),
    /// Run one storage node of a volume
    Node(node::Args),
    /// Run the database instance of a volume
    Writer(writer::Args),
}

impl Cli {
    /// Runs what was asked for. The error is a failure of the harness, to be printed once.
    pub fn run(self) -> io::Result<Exit> {
        match self.command {
            Some(Command::History(args)) => history::run(&args),
            Some(Command::Model(args)) => model::run(&args),
            Some(Command::Replay(args)) => replay::run(&args),
            Some(Command::Quorum(args)) => args.run(),
            Some(Command::Cluster(args)) => cluster::run(&args),
            Some(Command::Run(args)) => run::run(&args),
            Some(Command::Simulate(args)) => simulate::run(&args),
            Some(Command::Conform(args)) => conform::run(&args),
            Some(Command::Gate(args)) => gate::run(&args),
            Some(Command::Meta(args)) => Ok(meta::run(args)),
            Some(Command::Node(args)) => Ok(node::run(args)),
            Some(Command::Writer(args)) => Ok(writer::run(args)),
            None => gate::everything(self.quick),
        }
    }
}

/// Prints a failure of the harness.
pub fn complain(error: &io::Error) {
    output::error(&error.to_string());
}

/// Help and version were asked for and go well; everything else is bad usage, for which clap's own exit would be 2, which
/// is `unknown` here. That the message cannot be printed changes neither.
pub fn refuse(usage: &clap::Error) -> io::Result<Exit> {
    match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::flushed(usage.print())?;
            Ok(Exit::Valid)
        }
        _ => {
            output::error(&one_line(usage));
            Ok(Exit::Unreadable)
        }
    }
}

/// What is wrong, without clap's `error:`, and where to find what is right.
fn one_line(usage: &clap::Error) -> String {
    let text = usage.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error:");
    let words: Vec<&str> = first.split_whitespace().collect();
    format!("{} (see --help)", words.join(" "))
}
