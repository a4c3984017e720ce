//! How to read a history: the options that all subcommands share.

use std::path::Path;

use sextant_histories::Value;
use sextant_histories::formats::{self, Format, Independent, Loaded, ReadOptions};

use crate::cli::output;

#[derive(Debug, clap::Args)]
pub struct Input {
    #[command(flatten)]
    reading: Reading,
    /// Of a file that stops in the middle, take what stands before
    #[arg(long, help_heading = "Reading")]
    salvage: bool,
}

/// What is read event by event, and what is read as a whole, have these in common.
#[derive(Debug, clap::Args)]
pub struct Reading {
    /// How the history is written down; auto finds out from the content
    #[arg(long, default_value = "auto", value_parser = format, value_name = "FORMAT", help_heading = "Reading")]
    format: Asked,
    /// What registers hold before the first write, as JSON: null, 0, "x"
    #[arg(long, value_parser = value, allow_hyphen_values = true, value_name = "VALUE", help_heading = "Reading")]
    initial: Option<Value>,
    /// Whether values are pairs [key value], as in Jepsen's tests of independent keys
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN", help_heading = "Reading")]
    independent: When,
    /// Refuse a file whose times go backwards, instead of a warning
    #[arg(long, help_heading = "Reading")]
    strict_time: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Auto,
    Format(Format),
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum When {
    /// Where nothing else is possible
    Auto,
    Yes,
    No,
}

impl Input {
    /// Reads the history at `path` and prints what is odd about it. None, and the error is printed, if it cannot be read.
    pub fn load(&self, path: &Path) -> Option<Loaded> {
        match formats::read(path, &self.options()) {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    output::note(&format!("warning: {}: {warning}", path.display()));
                }
                Some(loaded)
            }
            Err(error) => {
                output::error(&error.to_string());
                None
            }
        }
    }

    pub fn options(&self) -> ReadOptions {
        ReadOptions { salvage: self.salvage, ..self.reading.options() }
    }
}

impl Reading {
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            format: match self.format {
                Asked::Auto => None,
                Asked::Format(format) => Some(format),
            },
            initial: self.initial.clone(),
            strict_time: self.strict_time,
            independent: match self.independent {
                When::Auto => Independent::Auto,
                When::Yes => Independent::Yes,
                When::No => Independent::No,
            },
            ..ReadOptions::default()
        }
    }
}

fn format(text: &str) -> Result<Asked, String> {
    if text == "auto" {
        return Ok(Asked::Auto);
    }
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    Format::by_name(text).map(Asked::Format).ok_or_else(|| format!("use auto or one of {}", names.join(", ")))
}

/// What is no JSON is a string, so that quotes need no quotes.
pub fn value(text: &str) -> Result<Value, String> {
    let looks_like_json = text.starts_with(['"', '[', '{']) || text.parse::<f64>().is_ok();
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(error) if looks_like_json => Err(error.to_string()),
        Err(_) => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_plain_words() {
        assert_eq!(value("null"), Ok(Value::Null));
        assert_eq!(value("-3"), Ok(Value::Int(-3)));
        assert_eq!(value("\"3\""), Ok("3".into()));
        assert_eq!(value("abc"), Ok("abc".into()));
        assert_eq!(value(""), Ok("".into()));
        assert_eq!(value("[1, null]"), Ok([Value::Int(1), Value::Null].into_iter().collect()));
        for wrong in ["1.5", "[1", "{\"a\":1}", "\"a", "99999999999999999999"] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_format_can_be_named() {
        assert_eq!(format("auto"), Ok(Asked::Auto));
        for known in Format::ALL {
            assert_eq!(format(known.name()), Ok(Asked::Format(known)));
        }
        assert!(format("xml").is_err());
    }
}
