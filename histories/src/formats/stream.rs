//! Events become a history as they are read, so that none of them is kept.
//!
//! That works while nothing has to be known of the events that follow: each says whose it is, indices rise, values are pairs
//! `[key value]` from the first event on or never. Where it turns out otherwise, or anything is wrong, the stream gives up, and the
//! file is read once more with all its events in memory (`assemble.rs`), which also words the error.

use super::Independent;
use super::assemble::{ALL_TUPLES, Joiner, Notes, Rules, Tuple, as_tuple, is_about_accounts, split_tuple};
use super::jepsen::Header;
use super::said::{Event, F};
use crate::history::History;

pub(super) struct Stream {
    rules: Rules,
    joiner: Joiner,
    /// What the header said when the first event came.
    independent: Option<bool>,
    first: Option<First>,
    /// That of the event before.
    index: Option<u64>,
    /// Whether values that were taken for pairs must be pairs.
    certain: bool,
    gave_up: bool,
}

/// What the first event decides for all.
#[derive(Clone, Copy)]
struct First {
    has_index: bool,
    tuples: bool,
}

impl Stream {
    pub(super) fn new(rules: Rules) -> Self {
        let joiner = Joiner::new(rules, 0);
        Self { rules, joiner, independent: None, first: None, index: None, certain: false, gave_up: false }
    }

    pub(super) fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// `independent` is what the header says.
    pub(super) fn push(&mut self, event: Event, independent: Option<bool>) {
        if !self.gave_up && self.take(event, independent).is_none() {
            self.gave_up = true;
        }
    }

    /// None to give up.
    fn take(&mut self, mut event: Event, independent: Option<bool>) -> Option<()> {
        if self.first.is_none() {
            self.independent = independent;
            self.rules = self.rules.with_header(independent);
        }
        let has_index = event.index.is_some();
        let First { has_index: indexed, tuples } = *self.first.get_or_insert_with(|| First {
            has_index,
            tuples: match self.rules.independent {
                Independent::Yes => true,
                Independent::No => false,
                Independent::Auto => as_tuple(&event) != Tuple::No,
            },
        });
        let unusual = event.process.is_none() || event.f == F::Drain || is_about_accounts(&event);
        let in_order = indexed == has_index && (self.index.is_none() || self.index < event.index);
        if unusual || !in_order {
            return None;
        }
        self.index = event.index;
        if tuples {
            match as_tuple(&event) {
                _ if self.rules.independent == Independent::Yes => {}
                Tuple::No => return None,
                Tuple::Possible => {}
                Tuple::Certain => self.certain = true,
            }
            split_tuple(&mut event).ok()?;
        }
        self.joiner.join(event).ok()
    }

    /// None if it gave up, or if the header says something else by now.
    pub(super) fn finish(self, header: Header, notes: &mut Notes) -> Option<History> {
        let guessed = self.rules.independent == Independent::Auto && self.first.is_some_and(|first| first.tuples);
        let misled = self.first.is_some() && self.independent != header.independent;
        if self.gave_up || misled || guessed && !self.certain {
            return None;
        }
        if guessed {
            notes.more.push(ALL_TUPLES.into());
        }
        Some(self.joiner.finish(header.about))
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::{Format, ReadOptions, read_from, stream};

    /// A line an event: process, type, and the rest of the fields.
    fn edn(events: &[(u32, &str, &str)]) -> String {
        let line =
            |(process, kind, rest): &(u32, &str, &str)| format!("{{:process {process}, :type :{kind}, {rest}}}\n");
        events.iter().map(line).collect()
    }

    fn is_streamed(text: &str) -> bool {
        let options = ReadOptions::default();
        let streamed = stream(text.as_bytes(), Format::Edn, &options);
        if let Some(streamed) = &streamed {
            let kept = read_from(text.as_bytes(), Format::Edn, &options).unwrap();
            assert_eq!(format!("{streamed:?}"), format!("{kept:?}"));
        }
        streamed.is_some()
    }

    #[test]
    fn what_is_usual_is_streamed() {
        let plain = edn(&[(0, "invoke", ":f :read, :value nil"), (0, "ok", ":f :read, :value 3")]);
        assert!(is_streamed(&plain));
        assert!(is_streamed(&format!("[{plain}]")));
        assert!(is_streamed(""));
        assert!(is_streamed(&edn(&[(0, "invoke", ":f :write, :value 1, :index 4"), (0, "ok", ":f :write, :index 9")])));
        assert!(is_streamed(&edn(&[(0, "invoke", ":f :read, :value [1 nil]"), (0, "ok", ":f :read, :value [1 2]")])));
        let of_one_key = edn(&[(0, "invoke", ":f :write, :value [1 2]"), (0, "ok", ":f :write, :value [1 2]")]);
        assert!(is_streamed(&format!("#_{{:independent true}} {of_one_key}")));
        assert!(is_streamed(&format!("#_{{:independent false}} {of_one_key}")));
    }

    #[test]
    fn what_depends_on_the_rest_is_not() {
        let pair = [(0, "invoke", ":f :write, :value [1 2]"), (0, "ok", ":f :write, :value [1 2]")];
        assert!(!is_streamed(&edn(&pair)), "pairs, or not?");
        let then_plain = [&pair[..], &[(0, "invoke", ":f :read, :value nil")]].concat();
        assert!(!is_streamed(&edn(&then_plain)));
        assert!(!is_streamed(&edn(&[
            (0, "invoke", ":f :write, :value 1, :index 4"),
            (0, "ok", ":f :write, :index 3")
        ])));
        assert!(!is_streamed(&edn(&[(0, "invoke", ":f :write, :value 1, :index 4"), (0, "ok", ":f :write")])));
        assert!(!is_streamed(&edn(&[(0, "invoke", ":f :drain"), (0, "ok", ":f :drain, :value [1]")])));
        assert!(!is_streamed(&edn(&[(0, "invoke", ":f :read"), (0, "ok", ":f :read, :value {0 10}")])));
        assert!(!is_streamed("{:type :invoke, :f :read} {:type :ok, :f :read, :value 1}"));
        assert!(!is_streamed(&edn(&[(0, "ok", ":f :read")])), "an error is worded elsewhere");
        assert!(!is_streamed("{:process 0"));
        assert!(!is_streamed(&format!("#x #_{{:independent true}} {}", edn(&pair))), "a header that is found late");
    }
}
