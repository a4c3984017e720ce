//! `sextant meta`: the metadata service.

use std::path::PathBuf;

use sextant::verdict::Exit;
use sextant_storage::meta::{self, Config};

use super::process::Common;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where its record is
    #[arg(long)]
    dir: PathBuf,
    /// Make a new volume; without it, a DIR that holds no record is refused
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: Args) -> Exit {
    let Args { dir, create, common } = args;
    let listen = common.listen;
    common.run(|rules| meta::run(Config { dir, create, listen, rules }))
}
