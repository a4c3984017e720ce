//! What the three processes of a volume have in common on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use sextant::verdict::Exit;
use sextant_model::mutants;
use sextant_model::rules::Rules;
use sextant_storage::process::{Cause, Failure, die_with_parent};

use super::output;

#[derive(Debug, clap::Args)]
pub struct Common {
    /// Where to listen; port 0 lets the system pick one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Makes one known mistake, for instance M56
    #[arg(long, value_name = "ID")]
    mutant: Option<String>,
    /// A whole rule book, as in the `rules` line of a case
    #[arg(long, value_name = "FILE", conflicts_with = "mutant")]
    rules: Option<PathBuf>,
    /// Be killed when the process that started this one ends
    #[arg(long)]
    die_with_parent: bool,
}

impl Common {
    /// Runs a process by the rule book that was asked for, until it fails, and reports why.
    pub fn run(&self, process: impl FnOnce(Rules) -> Result<(), Failure>) -> Exit {
        let ended = self.prepare().and_then(process);
        match ended {
            Ok(()) => Exit::Valid,
            Err(failure) => {
                output::error(&failure.message);
                match failure.cause {
                    Cause::Usage => Exit::Unreadable,
                    Cause::Machine => Exit::Harness,
                }
            }
        }
    }

    fn prepare(&self) -> Result<Rules, Failure> {
        if self.die_with_parent {
            die_with_parent()?;
        }
        if let Some(path) = &self.rules {
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
            let rules = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
            return rules.map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())));
        }
        match &self.mutant {
            None => Ok(Rules::adopted()),
            Some(id) => match mutants::by_id(id) {
                Some(mutant) => Ok(mutant.rules),
                None => Err(Failure::usage(format!("no mutant is called {id:?}"))),
            },
        }
    }
}
