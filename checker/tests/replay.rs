//! Counterexamples as files: saved, drawn, walked again by the command.

use std::path::Path;
use std::process::{Command, Output};

fn sextant(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).args(args).current_dir(folder).output().expect("the command runs")
}

#[test]
fn a_counterexample_is_saved_drawn_and_walked_again() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["model", "check", "groups", "--mutant", "M22", "--save", "x.case", "--svg", "x.svg", "--html", "x.html"];
    let found = sextant(&args, folder.path());
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stderr));
    let svg = std::fs::read_to_string(folder.path().join("x.svg")).unwrap();
    let page = std::fs::read_to_string(folder.path().join("x.html")).unwrap();
    assert!(svg.starts_with("<svg") && page.contains(&svg[..200]));

    let again = sextant(&["replay", "x.case"], folder.path());
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(again.status.code(), Some(0), "{told}");
    assert!(told.contains("violated: S8 PrefixComplete") && told.contains("after 11 actions"), "{told}");

    // A case that says something else, one that stops too early, one with an action that is not possible.
    let case = std::fs::read_to_string(folder.path().join("x.case")).unwrap();
    let lines: Vec<&str> = case.lines().collect();
    let action = lines.iter().position(|line| line.starts_with('{')).unwrap();
    let without = |place: usize| {
        let left = lines.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, line)| *line);
        left.collect::<Vec<_>>().join("\n")
    };
    for (name, text, code) in [
        ("other", case.replace("violates S8", "violates S6"), 1),
        ("early", without(lines.len() - 1), 1),
        ("impossible", without(action), 1),
        ("strange", case.replace("area volume", "area moon"), 64),
        ("rules", case.replace("\"cut\"", "\"cat\""), 64),
        ("empty", String::new(), 64),
        ("huge", case.replace("\"copies\":6", "\"copies\":200"), 64),
        ("many", case.replace("\"recoveries\":1", "\"recoveries\":9"), 64),
        ("nobody", case.replacen("\"copy\":0", "\"copy\":99", 1), 1),
        ("no epoch", case.replacen("\"epoch\":2", "\"epoch\":0", 1), 1),
    ] {
        assert_ne!(text, case, "{name} changes nothing");
        std::fs::write(folder.path().join("y.case"), text).unwrap();
        let found = sextant(&["replay", "y.case"], folder.path());
        let told = format!("{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
        assert_eq!(found.status.code(), Some(code), "{name}: {told}");
        assert!(!told.contains("panicked"), "{name}: {told}");
    }
    assert_eq!(sextant(&["replay", "nowhere.case"], folder.path()).status.code(), Some(64));
}

#[test]
fn another_design_is_explored_by_name_and_strange_names_are_refused() {
    let here = Path::new(".");
    let torn = sextant(&["model", "check", "mtr", "--rule", "cut=at-vcl"], here);
    let told = String::from_utf8_lossy(&torn.stdout).into_owned();
    assert!(
        torn.status.code() == Some(1) && told.contains("S6 MTRAtomic") && told.contains("--rule cut=at-vcl"),
        "{told}"
    );
    for args in [
        ["model", "check", "mtr", "--rule", "cut"],
        ["model", "check", "mtr", "--rule", "cut=perhaps"],
        ["model", "check", "mtr", "--rule", "fence=in-memory"],
        ["model", "check", "mtr", "--mutant", "M3"],
        ["model", "check", "mtr", "--property", "S99"],
    ] {
        let refused = sextant(&args, here);
        assert_eq!(refused.status.code(), Some(64), "{args:?}: {}", String::from_utf8_lossy(&refused.stderr));
    }
    // A property of which this profile can say nothing is not valid here.
    for (property, code) in [("S31", 2), ("s6", 0)] {
        let asked = sextant(&["model", "check", "mtr", "--property", property], here);
        assert_eq!(asked.status.code(), Some(code), "{property}: {}", String::from_utf8_lossy(&asked.stdout));
    }
    let listed = sextant(&["model", "decisions"], here);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("at-vdl | at-vcl"));
}

#[test]
fn a_small_state_graph_is_drawn_and_a_large_one_refused() {
    let here = Path::new(".");
    let graph = sextant(&["model", "graph", "membership", "--leg", "full-tail"], here);
    let text = String::from_utf8_lossy(&graph.stdout).into_owned();
    let states =
        text.lines().filter(|line| line.ends_with(';') && !line.contains("->") && !line.contains("node")).count();
    assert_eq!(states, 88, "{text}");
    assert_eq!(sextant(&["model", "graph", "core"], here).status.code(), Some(2));
    assert_eq!(sextant(&["model", "graph", "core", "--leg", "none"], here).status.code(), Some(64));
}
