//! `cargo +nightly fuzz run formats`, in `histories/`. The first byte says which format.

#![no_main]

#[path = "../checks.rs"]
mod checks;

use sextant_histories::formats::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some((first, rest)) = bytes.split_first() {
        checks::format(Format::ALL.get(usize::from(*first)).copied(), rest);
    }
});
