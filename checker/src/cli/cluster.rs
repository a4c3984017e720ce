//! `sextant cluster`: a cluster to play with.

use std::io;
use std::path::PathBuf;

use sextant::harness::{Notice, Place, serve};
use sextant::verdict::Exit;

use super::{interrupt, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep the data here, and go on with what an earlier cluster left here; without it the data are thrown away
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> io::Result<Exit> {
    let interrupt = interrupt::flag_on_signal()?;
    let place = args.dir.clone().map_or(Place::Temporary, Place::Kept);
    match serve(place, None, interrupt, &mut tell) {
        Ok(()) => Ok(Exit::Valid),
        Err(error) => {
            output::error(&error.to_string());
            Ok(super::run::exit(&error))
        }
    }
}

fn tell(notice: Notice) {
    let text = match notice {
        Notice::Process { name, pid, address } => format!("{name:<4} pid {pid:<7} {address}"),
        Notice::Writer { name, pid, address, line } => {
            format!("{name:<4} pid {pid:<7} {line}\nredis-cli -p {}", address.port())
        }
        Notice::Deposed { name, line } => format!("{name:<4} {line}"),
        Notice::Ended { name, how } => format!("{name:<4} ended: {how}"),
    };
    // The cluster serves its clients also when nobody reads this any more.
    let _ = output::line(&text);
}
