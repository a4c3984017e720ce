//! A history and what was found in it, as one page of HTML that needs nothing else: no network, no other file.
//!
//! [`Picture`] says what is to be seen, [`page`] writes it. The page has three parts. The evidence (reason, [`inset`] and
//! table of the failing core) is plain HTML and SVG, and readable without script. The data are two blocks that the
//! browser does not interpret: a dictionary in JSON, and all operations as a stream of bytes ([`encode`]). The script
//! (`web/*.js`) draws the operations on a canvas, one lane a process ([`lanes`]), with the linearization ([`points`]).
//!
//! Histories come from strangers, so nothing of one may become markup or script. HTML is written by `maud`, which
//! escapes; `<` does not occur in the data blocks; the script makes text nodes only; and the page carries a content
//! security policy that allows this one script and this one style, by their hashes, and nothing else ([`sha256`]).

mod encode;
mod html;
mod inset;
mod lanes;
mod points;
mod sha256;
mod text;

use std::io::{self, Write};

use sextant_histories::History;

use crate::linearizability::{Evidence, Finding, Prefix, Report};
use crate::verdict::Verdict;

/// What is to be seen. Operations are numbers in [`History::operations`].
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// What the history is called: its file.
    pub title: String,
    pub history: &'a History,
    /// By what it was judged.
    pub model: String,
    pub verdict: Verdict,
    /// Why it is not valid, in one sentence.
    pub reason: Option<String>,
    /// Linearizations, one a key, or one of what is linearizable of a key; any operation in at most one of them.
    pub orders: Vec<&'a [usize]>,
    /// The operations that explain the verdict, in the order in which they are to be told.
    pub core: Vec<Member>,
    /// From one member of the core to another, by what the one has to do with the other.
    pub arrows: Vec<Arrow>,
    /// How many events of the history, from its first, are already wrong.
    pub prefix: Option<Prefix>,
}

/// An operation of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub operation: usize,
    pub role: Role,
}

/// What a member of the core has to do with the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What cannot be.
    Impossible,
    /// Why it cannot be.
    Because,
    /// One of several that cannot be together: a transaction of a cycle.
    Member,
    /// Pending at the time, and of no help. Shown, but no part of the core.
    Concurrent,
}

/// An arrow of the inset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Operations of the core; an arrow from or to another one is not drawn.
    pub from: usize,
    pub to: usize,
    pub label: String,
}

impl Role {
    fn words(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Because => "because of",
            Self::Member => "in the core",
            Self::Concurrent => "concurrent",
        }
    }

    /// Its class in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Because => "because",
            Self::Member => "member",
            Self::Concurrent => "concurrent",
        }
    }
}

impl<'a> Picture<'a> {
    /// A picture of `history` without findings.
    pub fn new(title: impl Into<String>, model: impl Into<String>, history: &'a History, verdict: Verdict) -> Self {
        Self {
            title: title.into(),
            history,
            model: model.into(),
            verdict,
            reason: None,
            orders: Vec::new(),
            core: Vec::new(),
            arrows: Vec::new(),
            prefix: None,
        }
    }

    /// What [`check`](crate::linearizability::check) found.
    pub fn of_report(
        title: impl Into<String>,
        model: impl Into<String>,
        history: &'a History,
        report: &'a Report,
    ) -> Self {
        let mut picture = Self::new(title, model, history, report.verdict());
        picture.reason = report.reason();
        match &report.finding {
            Finding::Valid(linearizations) => {
                picture.orders = linearizations.iter().map(|linearization| &linearization.order[..]).collect();
            }
            Finding::Invalid(evidence) => {
                picture.orders = vec![&evidence.linearized];
                picture.core = members(evidence);
                picture.prefix = Some(evidence.prefix);
            }
            Finding::Unknown(_) => {}
        }
        picture
    }

    /// The core without the bystanders, ascending.
    fn failing(&self) -> Vec<usize> {
        let failing = self.core.iter().filter(|member| member.role != Role::Concurrent);
        let mut failing: Vec<usize> = failing.map(|member| member.operation).collect();
        failing.sort_unstable();
        failing.dedup();
        failing
    }
}

/// The core and nothing else: it contradicts itself, whatever was pending beside it.
fn members(evidence: &Evidence) -> Vec<Member> {
    let core = &evidence.core.operations;
    // Where the search gave up is not always in the core that was found from there.
    let role = match core.contains(&evidence.operation) {
        true => |operation, impossible| if operation == impossible { Role::Impossible } else { Role::Because },
        false => |_, _| Role::Member,
    };
    let member = |operation: &usize| Member { operation: *operation, role: role(*operation, evidence.operation) };
    core.iter().map(member).collect()
}

/// Writes the page. A million operations make some 20 MB. The same picture gives the same bytes.
///
/// The error is that of `out`.
///
/// # Panics
/// If an operation that `picture` names is not in its history.
pub fn page(picture: &Picture<'_>, out: &mut impl Write) -> io::Result<()> {
    let encoded = encode::encode(picture);
    html::write(picture, &encoded, out)
}

#[cfg(test)]
mod tests;
