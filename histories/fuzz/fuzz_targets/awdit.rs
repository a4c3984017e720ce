//! `cargo +nightly fuzz run awdit`, in `histories/`.

#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code)] // Each target has its own check.
mod checks;

use sextant_histories::formats::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::format(Some(Format::Awdit), bytes));
