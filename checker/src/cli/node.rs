//! `sextant node`: one storage node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sextant::verdict::Exit;
use sextant_storage::control::{self, Home};
use sextant_storage::log;
use sextant_storage::node::{self, Config};

use super::process::Common;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where its log is, in `DIR/log`
    #[arg(long)]
    dir: PathBuf,
    /// Which copy it is: a1, a2, b1, b2, c1 or c2
    #[arg(long)]
    name: String,
    #[arg(long)]
    zone: String,
    /// The metadata service
    #[arg(long, value_name = "ADDR", required_unless_present = "control")]
    meta: Option<SocketAddr>,
    /// Lockstep: no sockets and no clocks; take commands from standard input and answer on standard output, as
    /// `sextant replay --on real` does
    #[arg(long)]
    control: bool,
    /// Format DIR; without it, a DIR that holds no log is refused
    #[arg(long)]
    create: bool,
    /// Milliseconds between two questions to peers; 0: never ask
    #[arg(long, default_value_t = 100, value_name = "MS")]
    gossip_ms: u64,
    /// Record every step in this folder, for `sextant conform`
    #[arg(long, value_name = "DIR")]
    flight: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: Args) -> Exit {
    let gossip = (args.gossip_ms > 0).then(|| Duration::from_millis(args.gossip_ms));
    let Args { dir, name, zone, meta, create, flight, common, .. } = args;
    let Some(meta) = meta.filter(|_| !args.control) else {
        let home = Home { name, dir, options: log::Options::default(), flight };
        return common.run(|rules| control::serve_node(rules, &home, create));
    };
    let listen = common.listen;
    common.run(|rules| node::run(Config { dir, name, zone, meta, create, listen, gossip, flight, rules }))
}
