//! `sextant history verify`: does a certificate hold?

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use sextant::linearizability::certificate::Refusal;
use sextant::linearizability::{Certificate, Model, Report};
use sextant::verdict::Exit;
use sextant_histories::{History, Value};

use super::model::{ModelArgs, WithModel, value};
use crate::cli::output;

/// Holds a certificate that `history check --certificate` wrote against its history, without the search that made it.
///
/// Exit 0: it holds, be the verdict valid or invalid. 1: it does not. 2: its core is too large to try every order. 64: a
/// file cannot be read.
#[derive(Debug, clap::Args)]
pub struct Verify {
    history: PathBuf,
    certificate: PathBuf,
    /// What the keys hold at first, as JSON, where the certificate does not say it as JSON
    #[arg(long, value_name = "VALUE", value_parser = value)]
    initial: Option<Value>,
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
        let history = match History::read(&self.history) {
            Ok(history) => history,
            Err(error) => return unreadable(error.to_string()),
        };
        let model = ModelArgs::named(&certificate.model, &certificate.initial, self.initial.as_ref());
        let judge = Judge { certificate: &certificate, history: &history };
        let held = match model.and_then(|model| model.apply(judge)) {
            Ok(held) => held,
            Err(reason) => return unreadable(format!("{name}: {reason}")),
        };
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
