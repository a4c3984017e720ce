//! The arrows between the crates: `model` and `histories` know nobody, `storage` knows those two, the judge histories, the
//! explorer the model and the storage's random numbers, `sextant` all; and the pure protocol depends on nothing but serde and itertools.

use std::collections::BTreeSet;
use std::process::Command;

/// The packages at `depth` below `package` that a build of it links, by name, without itself.
fn dependencies(package: &str, depth: &str, features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", package, "--depth", depth])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("package names are UTF-8");
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    text.lines().filter_map(name).filter(|name| name != package).collect()
}

fn ours(package: &str) -> Vec<String> {
    dependencies(package, "1", &[]).into_iter().filter(|name| name.starts_with("sextant")).collect()
}

#[test]
fn the_arrows_point_one_way() {
    assert_eq!(ours("sextant-model"), [""; 0]);
    assert_eq!(ours("sextant-histories"), [""; 0]);
    assert_eq!(ours("sextant-storage"), ["sextant-histories", "sextant-model"]);
    assert_eq!(ours("sextant-judge"), ["sextant-histories"]);
    assert_eq!(ours("sextant-explorer"), ["sextant-model", "sextant-storage"]);
    assert_eq!(ours("sextant-catalogue"), ["sextant-explorer", "sextant-model"]);
    let parts = ["catalogue", "explorer", "histories", "judge", "model", "storage"];
    assert_eq!(ours("sextant"), parts.map(|part| format!("sextant-{part}")));
}

#[test]
fn the_pure_protocol_depends_on_serde_and_itertools_alone() {
    let direct = dependencies("sextant-model", "1", &["--no-default-features"]);
    assert_eq!(direct.into_iter().collect::<Vec<_>>(), ["itertools", "serde"]);
    let all = dependencies("sextant-model", "9", &["--no-default-features"]);
    let expected =
        ["either", "itertools", "proc-macro2", "quote", "serde", "serde_core", "serde_derive", "syn", "unicode-ident"];
    assert_eq!(all.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn what_runs_does_not_link_the_explorer() {
    let linked = dependencies("sextant-storage", "9", &[]);
    assert!(!linked.contains("stateright"), "a storage node must not need a model checker");
}

#[test]
fn the_judge_of_histories_links_nothing_of_the_protocol() {
    let linked = dependencies("sextant-judge", "9", &[]);
    assert!(linked.contains("sextant-histories"));
    for other in ["sextant-model", "sextant-storage", "sextant-explorer", "stateright"] {
        assert!(!linked.contains(other), "the judge links {other}: it is an independent oracle");
    }
}
