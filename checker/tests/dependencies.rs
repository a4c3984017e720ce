//! The arrows between the crates: `model` and `histories` know nobody, `storage` knows those two, `sextant` knows all; and
//! the pure protocol depends on nothing but serde and itertools.

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
    assert_eq!(ours("sextant"), ["sextant-histories", "sextant-model", "sextant-storage"]);
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
fn the_history_checker_imports_nothing_of_the_protocol() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![sources.join("linearizability"), sources.join("consistency")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("it can be read");
            assert!(
                !text.contains("sextant_model"),
                "{} imports the model: it is an independent oracle",
                path.display()
            );
            files += 1;
        }
    }
    assert!(files > 20, "the checkers have moved");
}
