//! A way through a model as text, to be kept and walked again.
//!
//! ```text
//! # commit @1 of e1 acknowledged, absent from e2's volume
//! area core
//! violates S1
//! rules {"scheme":{…},…}
//! bounds {"records":1,…}
//! "Recover"
//! {"FenceRead":{"instance":1,"segment":0}}
//! ```
//!
//! Lines that begin with `#`, and empty ones, say nothing. Every line behind `bounds` is one action, as JSON, in the names of
//! the first state.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sextant_model::area::Area;
use sextant_model::closed::Closed;

/// Rules, bounds and actions.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it shows, for a person.
    pub about: Vec<String>,
    pub area: String,
    /// The property that the last state violates, by id; none if it violates nothing.
    pub violates: Option<String>,
    pub rules: Value,
    pub bounds: Value,
    pub actions: Vec<Value>,
}

/// Why a text is no case: the line, from 1, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for Malformed {}

/// Plain data, which JSON can say.
#[must_use]
pub fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| panic!("rules, bounds and actions are plain data: {error}"))
}

impl Case {
    /// A way through `model` in the names of its first state, to a violation of the property, if it is one.
    #[must_use]
    pub fn of<A: Area>(model: &Closed<A>, violates: Option<&str>, trace: &[A::Action]) -> Case {
        Case {
            about: Vec::new(),
            area: A::NAME.to_owned(),
            violates: violates.map(str::to_owned),
            rules: plain(model.rules()),
            bounds: plain(model.bounds()),
            actions: trace.iter().map(plain).collect(),
        }
    }

    /// Reads a case file.
    ///
    /// # Errors
    /// One line with the file, the line in it and the reason.
    pub fn read(path: &Path) -> Result<Case, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = String::from_utf8(bytes).map_err(|error| format!("{}: no UTF-8 text: {error}", path.display()))?;
        Case::parse(&text).map_err(|malformed| format!("{}: {malformed}", path.display()))
    }

    /// Reads the text of a case.
    ///
    /// # Errors
    /// If a line is missing, comes twice, or says nothing known.
    pub fn parse(text: &str) -> Result<Case, Malformed> {
        let mut about = Vec::new();
        let (mut area, mut violates, mut rules, mut bounds) = (None, None, None, None);
        let mut actions = Vec::new();
        let mut last = 0;
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
            last = number;
            let malformed = |reason: String| Malformed { line: number, reason };
            let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| malformed(format!("no JSON: {e}")));
            if let Some(comment) = line.strip_prefix('#') {
                about.push(comment.trim().to_owned());
            } else if line.starts_with(['"', '{']) {
                if bounds.is_none() {
                    return Err(malformed("an action before the bounds".into()));
                }
                actions.push(json(line)?);
            } else if !line.is_empty() {
                let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
                let rest = rest.trim();
                let twice = match key {
                    "area" => area.replace(rest.to_owned()).is_some(),
                    "violates" => violates.replace(rest.to_owned()).is_some(),
                    "rules" => rules.replace(json(rest)?).is_some(),
                    "bounds" => bounds.replace(json(rest)?).is_some(),
                    _ => {
                        let known = "area, violates, rules, bounds, or an action as JSON";
                        return Err(malformed(format!("{key:?} is not known here: {known}")));
                    }
                };
                if twice {
                    return Err(malformed(format!("a second line {key}")));
                }
                if rest.is_empty() {
                    return Err(malformed(format!("{key} says nothing")));
                }
            }
        }
        let missing = |key: &str| Malformed { line: last, reason: format!("ends without a line {key}") };
        Ok(Case {
            about,
            area: area.ok_or_else(|| missing("area"))?,
            violates,
            rules: rules.ok_or_else(|| missing("rules"))?,
            bounds: bounds.ok_or_else(|| missing("bounds"))?,
            actions,
        })
    }
}

/// The text that [`Case::parse`] reads.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.about {
            writeln!(f, "# {line}")?;
        }
        writeln!(f, "area {}", self.area)?;
        if let Some(property) = &self.violates {
            writeln!(f, "violates {property}")?;
        }
        writeln!(f, "rules {}", self.rules)?;
        writeln!(f, "bounds {}", self.bounds)?;
        self.actions.iter().try_for_each(|action| writeln!(f, "{action}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "# why\narea core\nviolates S1\nrules {}\nbounds {\"a\":1}\n\n\"Recover\"\n{\"Sync\":{\"segment\":0}}\n";

    #[test]
    fn what_is_written_is_read_again() {
        let case = Case::parse(GOOD).unwrap();
        assert_eq!((case.actions.len(), case.violates.as_deref()), (2, Some("S1")));
        assert_eq!(Case::parse(&case.to_string()).unwrap(), case);
    }

    #[test]
    fn what_is_malformed_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("", 0, "ends without a line area"),
            ("area core\nrules {}\n", 2, "ends without a line bounds"),
            ("area core\narea core\n", 2, "a second line area"),
            ("area core\nrules {\n", 2, "no JSON"),
            ("\"Recover\"\n", 1, "an action before the bounds"),
            ("area core\nrules {}\nbounds {}\nRecover\n", 4, "not known here"),
            ("area\n", 1, "says nothing"),
        ] {
            let malformed = Case::parse(text).unwrap_err();
            assert_eq!(malformed.line, line, "{text:?}");
            assert!(malformed.reason.contains(reason), "{text:?}: {}", malformed.reason);
        }
    }
}
