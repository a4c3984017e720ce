//! `sextant history convert`: write a history in another format.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sextant::verdict::Exit;
use sextant_histories::formats::{self, Format, Loaded, Order};

use super::input::Input;
use crate::cli::output;

#[derive(Debug, clap::Args)]
#[command(after_help = formats::table())]
pub struct Convert {
    /// The history to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The format to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Target,
    /// Write to this file, which must not exist yet, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    input: Input,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Target {
    Native,
    Edn,
    Json,
}

impl Convert {
    pub fn run(&self) -> io::Result<Exit> {
        let Some(loaded) = self.input.load(&self.file) else {
            return Ok(Exit::Unreadable);
        };
        let to = match self.to {
            Target::Native => Format::Native,
            Target::Edn => Format::Edn,
            Target::Json => Format::Json,
        };
        self.warn(&loaded, to);
        match &self.out {
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                let written = formats::write(&loaded.history, &loaded.conventions.initial, to, &mut out);
                output::flushed(written.and_then(|()| out.flush()))?;
            }
            Some(file) => {
                if let Err(error) = save(&loaded, to, file) {
                    output::error(&format!("{}: {error}", file.display()));
                    return Ok(if error.kind() == io::ErrorKind::AlreadyExists {
                        Exit::Unreadable
                    } else {
                        Exit::Harness
                    });
                }
            }
        }
        Ok(Exit::Valid)
    }

    /// What gets lost on the way.
    fn warn(&self, loaded: &Loaded, to: Format) {
        let file = self.file.display();
        let initial = &loaded.conventions.initial;
        if to == Format::Native && *initial != to.conventions().initial {
            output::note(&format!(
                "warning: {file}: registers begin as {initial}, which the native format does not say: judge with --initial {initial}"
            ));
        }
        if loaded.conventions.order == Order::Sessions {
            output::note(&format!(
                "warning: {file}: has sessions and no times: the order of events that is written is made up"
            ));
        }
    }
}

/// A history is evidence: a file that exists is not written over.
fn save(loaded: &Loaded, to: Format, file: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(file)?);
    formats::write(&loaded.history, &loaded.conventions.initial, to, &mut out)?;
    out.flush()
}
