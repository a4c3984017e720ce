//! The fuzzer without instrumentation, for a moment: see `examples/fuzz.rs` for longer.

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "../fuzz/mutate.rs"]
mod mutate;
#[path = "../fuzz/targets.rs"]
mod targets;

use mutate::Fuzzer;

#[test]
fn no_input_makes_a_reader_panic() {
    for target in targets::TARGETS {
        for seed in (target.seeds)() {
            let text = String::from_utf8_lossy(&seed);
            assert_eq!((target.reason)(&seed), None, "{}: a seed is refused: {text}", target.name);
        }
        let mut fuzzer = Fuzzer::new(7, (target.seeds)());
        for _ in 0..5_000 {
            if let Err((input, said)) = fuzzer.step(target.check, target.reason) {
                panic!("{}: {said}: {:?}", target.name, String::from_utf8_lossy(&input));
            }
        }
        assert!(fuzzer.reasons() > 2, "{}: the inputs do not get far", target.name);
    }
}

/// The fuzzer finds what it is there to find, and hands out the input.
#[test]
fn a_reader_that_panics_is_found() {
    fn fragile(bytes: &[u8]) {
        assert!(!String::from_utf8_lossy(bytes).contains("-9223372036854775809"), "no room");
    }
    let mut fuzzer = Fuzzer::new(1, (targets::TARGETS[0].seeds)());
    let (input, said) = (0..5_000).find_map(|_| fuzzer.step(fragile, targets::TARGETS[0].reason).err()).unwrap();
    assert_eq!(said, "no room");
    assert!(String::from_utf8_lossy(&input).contains("-9223372036854775809"));
}
