//! `sextant writer`: the database instance.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sextant::verdict::Exit;
use sextant_storage::control;
use sextant_storage::writer::{self, Config, Standby};

use super::process::Common;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The metadata service
    #[arg(long, value_name = "ADDR", required_unless_present = "control")]
    meta: Option<SocketAddr>,
    /// Lockstep: no sockets and no clocks; take commands from standard input and answer on standard output, as
    /// `sextant replay --on real` does
    #[arg(long)]
    control: bool,
    /// Take the volume only when the writer at this address no longer answers
    #[arg(long, value_name = "ADDR")]
    standby_of: Option<SocketAddr>,
    /// For how long it must not have answered
    #[arg(long, default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    failover_ms: u64,
    #[arg(long, default_value = "w1")]
    name: String,
    /// Record every step in this folder, for `sextant conform`
    #[arg(long, value_name = "DIR")]
    flight: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: Args) -> Exit {
    let failover = Duration::from_millis(args.failover_ms);
    let standby = args.standby_of.map(|of| Standby { of, failover });
    let Args { meta, name, flight, common, .. } = args;
    let Some(meta) = meta.filter(|_| !args.control) else {
        return common.run(|rules| control::serve_writer(rules, &name, flight.as_deref()));
    };
    let listen = common.listen;
    common.run(|rules| writer::run(Config { meta, listen, name, standby, flight, rules }))
}
