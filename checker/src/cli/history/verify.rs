//! `sextant history verify`: does a certificate hold?

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use sextant::linearizability::certificate::Refusal;
use sextant::linearizability::{Certificate, Model, Report};
use sextant::verdict::Exit;
use sextant_histories::History;
use sextant_histories::formats::Loaded;

use super::input::Input;
use super::model::{ModelName, WithModel};
use crate::cli::output;

/// Holds a certificate that `history check --certificate` wrote against its history, without the search that made it.
///
/// Exit 0: it holds, be the verdict valid or invalid. 1: it does not. 2: its core is too large to try every order. 64: a
/// file cannot be read.
#[derive(Debug, clap::Args)]
pub struct Verify {
    history: PathBuf,
    certificate: PathBuf,
    #[command(flatten)]
    input: Input,
}

struct Judge<'a> {
    certificate: &'a Certificate,
    history: &'a History,
}

impl WithModel for Judge<'_> {
    type Output = Result<(), Refusal>;

    fn with<M: Model>(self, model: &M) -> Self::Output {
        self.certificate.verify(self.history, model)
    }
}

impl Verify {
    pub fn run(&self) -> io::Result<Exit> {
        let unreadable = |reason: String| {
            output::error(&reason);
            Ok(Exit::Unreadable)
        };
        let name = self.certificate.display();
        let certificate = match File::open(&self.certificate) {
            Ok(file) => Certificate::read(BufReader::new(file)),
            Err(error) => return unreadable(format!("{name}: {error}")),
        };
        let certificate = match certificate {
            Ok(certificate) => certificate,
            Err(error) => return unreadable(format!("{name}:{error}")),
        };
        let Some(Loaded { history, conventions, .. }) = self.input.load(&self.history) else {
            return Ok(Exit::Unreadable);
        };
        let Ok(model) = ModelName::from_str(&certificate.model, false) else {
            return unreadable(format!("{name}: no model is called {}", certificate.model));
        };
        // What the certificate says of the first state is held against the model in any case.
        let initial = serde_json::from_str(&certificate.initial).unwrap_or(conventions.initial);
        let initial = match model.initial(initial, self.input.options().initial) {
            Ok(initial) => initial,
            Err(reason) => return unreadable(reason),
        };
        let held = model.apply(&history, initial, Judge { certificate: &certificate, history: &history });
        let Certificate { model, operations, .. } = &certificate;
        let verdict = certificate.verdict();
        let (text, exit) = match held {
            Ok(()) => (format!("certified {verdict} ({model}, {operations} operations)"), Exit::Valid),
            Err(Refusal::Wrong(reason)) => (format!("the certificate does not hold: {reason}"), Exit::Invalid),
            Err(Refusal::Unknown(reason)) => (format!("not known to be {verdict}: {reason}"), Exit::Unknown),
        };
        output::line(&format!("{}: {text}", self.history.display()))?;
        Ok(exit)
    }
}

/// Writes the certificate of a report; of an unknown there is none, which is said.
pub fn write<M: Model>(to: &Path, history: &History, model: &M, report: &Report) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", to.display()));
    match Certificate::of(history, model, report) {
        Some(certificate) => {
            let file = File::create(to).map_err(named)?;
            certificate.write(BufWriter::new(file)).map_err(named)
        }
        None => {
            output::note(&format!("{}: not written, for nothing certifies an unknown", to.display()));
            Ok(())
        }
    }
}
