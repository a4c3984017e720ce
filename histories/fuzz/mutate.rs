//! A fuzzer that needs nothing: no nightly compiler, no instrumentation, and the same inputs from the same seed.
//!
//! Inputs that are refused for a reason not met before join the seeds, and some that are accepted. That takes the place of
//! coverage: reasons name the branches of a parser.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sextant_histories::generate::Rng;

/// Pieces that parsers stumble over.
const PIECES: [&[u8]; 36] = [
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"#{",
    b"#inst",
    b":",
    b",",
    b";",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"null",
    b"nil",
    b"true",
    b"-0",
    b"-",
    b"1e309",
    b"0.5",
    b"9223372036854775808",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"{\"about\":\"x\"}\n",
    b" ",
    b"\"time\":",
    b"\"value\":[",
];

pub struct Fuzzer {
    rng: Rng,
    pool: Vec<Vec<u8>>,
    reasons: BTreeSet<String>,
    pub cases: u64,
}

/// No input is longer, except by deep nesting on purpose.
const LONGEST: usize = 4096;
const POOL: usize = 4000;

impl Fuzzer {
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        Self { rng: Rng::new(seed), pool: seeds, reasons: BTreeSet::new(), cases: 0 }
    }

    /// Tries one input. The error is an input on which `check` panicked, with what it said. `reason` says why an input is
    /// refused, none if it is accepted.
    pub fn step(&mut self, check: fn(&[u8]), reason: fn(&[u8]) -> Option<String>) -> Result<(), (Vec<u8>, String)> {
        let input = self.input();
        self.cases += 1;
        let tried = catch_unwind(AssertUnwindSafe(|| {
            check(&input);
            reason(&input)
        }));
        let reason = tried.map_err(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            (input.clone(), said.unwrap_or_default())
        })?;
        let worth_it = match reason {
            Some(reason) => self.reasons.insert(in_general(&reason)),
            None => self.rng.below(50) == 0,
        };
        if worth_it && input.len() <= LONGEST && self.pool.len() < POOL {
            self.pool.push(input);
        }
        Ok(())
    }

    /// How many different reasons for a refusal were met.
    pub fn reasons(&self) -> usize {
        self.reasons.len()
    }

    fn input(&mut self) -> Vec<u8> {
        let mut bytes = self.any_of_the_pool();
        for _ in 0..1 + self.rng.below(4) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        if self.rng.below(400) == 0 {
            let piece: &[u8] = [&b"["[..], b"{\"a\":", b"(", b"#{", b"{:a "][self.rng.below(5)];
            let place = self.rng.below(bytes.len() + 1);
            let deep = piece.repeat(1 + self.rng.below(20_000));
            bytes.splice(place..place, deep);
        }
        bytes
    }

    fn any_of_the_pool(&mut self) -> Vec<u8> {
        let chosen = self.rng.below(self.pool.len());
        self.pool.get(chosen).cloned().unwrap_or_default()
    }

    /// Two places in order.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.rng.below(bytes.len() + 1);
        let length = if self.rng.percent(70) { self.rng.below(12) } else { self.rng.below(bytes.len() + 1) };
        start..(start + length).min(bytes.len())
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let range = self.range(bytes);
        match self.rng.below(9) {
            0 => drop(bytes.drain(range)),
            1 => bytes.truncate(range.start),
            2 => {
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, copy);
            }
            3 => {
                let copy = bytes[range].to_vec();
                let place = self.rng.below(bytes.len() + 1);
                bytes.splice(place..place, copy);
            }
            4 => {
                let other = self.any_of_the_pool();
                let part = self.range(&other);
                bytes.splice(range, other[part].iter().copied());
            }
            5 | 6 => {
                let piece = PIECES[self.rng.below(PIECES.len())];
                bytes.splice(range, piece.iter().copied());
            }
            7 if range.start < bytes.len() => bytes[range.start] ^= 1 << self.rng.below(8),
            _ => {
                let byte = self.rng.below(256) as u8;
                bytes.insert(range.start, byte);
            }
        }
    }
}

/// How a reason begins, before it quotes from the input.
fn in_general(reason: &str) -> String {
    let before = reason.split(['`', '"', '\'', '\\']).next().unwrap_or_default();
    before.chars().filter(char::is_ascii_alphabetic).take(30).collect()
}
