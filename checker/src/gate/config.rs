//! What the gate is asked to do: `sextant.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sextant_model::area::Size;

use crate::explore::catalogue::{self, Mutant, Profile};
use crate::harness::Nemesis;
use crate::verdict::Verdict;

/// The configuration as it is meant: every name in it exists.
#[derive(Debug)]
pub struct Config {
    pub profiles: Vec<Profiled>,
    pub mutants: Vec<&'static Mutant>,
    /// Mutants that `--quick` leaves out, because they take long.
    pub slow_mutants: Vec<&'static Mutant>,
    pub histories: Vec<Histories>,
    pub simulation: Option<Simulation>,
    pub run: Option<Run>,
}

/// Simulated worlds, a seed each.
#[derive(Debug)]
pub struct Simulation {
    pub seeds: u64,
    /// With `--quick`.
    pub quick_seeds: u64,
}

/// A profile to explore, with the count of each of its legs.
#[derive(Debug)]
pub struct Profiled {
    pub profile: &'static Profile,
    pub size: Size,
    pub states: BTreeMap<String, usize>,
    /// Legs that `--quick` leaves out, because they take long.
    pub slow: Vec<String>,
}

/// Histories that must get one verdict; the paths in the file are relative to it.
#[derive(Debug)]
pub struct Histories {
    pub path: PathBuf,
    pub expect: Verdict,
}

/// A real run.
#[derive(Debug)]
pub struct Run {
    pub seconds: u32,
    /// With `--quick`.
    pub quick_seconds: u32,
    pub nemesis: Nemesis,
    /// By default a new one for each run.
    pub seed: Option<u64>,
}

/// Why a configuration is not usable, in one line with its file.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

// As it is written.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    profile: Vec<ProfileEntry>,
    mutants: Option<MutantsEntry>,
    #[serde(default)]
    history: Vec<HistoryEntry>,
    simulation: Option<SimulationEntry>,
    run: Option<RunEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SimulationEntry {
    seeds: u64,
    quick_seeds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileEntry {
    name: String,
    size: String,
    states: BTreeMap<String, usize>,
    #[serde(default)]
    slow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MutantsEntry {
    /// All of them if absent.
    ids: Option<Vec<String>>,
    #[serde(default)]
    slow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryEntry {
    path: PathBuf,
    expect: Verdict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunEntry {
    seconds: u32,
    quick_seconds: u32,
    nemesis: String,
    seed: Option<u64>,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// One line with the file, and the place where it is known.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError(format!("{}: {e}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, folder).map_err(|reason| ConfigError(format!("{}: {reason}", path.display())))
    }

    fn parse(text: &str, folder: &Path) -> Result<Config, String> {
        let file: File = toml::from_str(text).map_err(|e| first_line(&e, text))?;
        let config = Config {
            profiles: file.profile.into_iter().map(profiled).collect::<Result<_, _>>()?,
            slow_mutants: match &file.mutants {
                Some(entry) => entry.slow.iter().map(|id| catalogue::mutant(id)).collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
            mutants: match file.mutants {
                Some(MutantsEntry { ids: Some(ids), .. }) => {
                    ids.iter().map(|id| catalogue::mutant(id)).collect::<Result<_, _>>()?
                }
                Some(MutantsEntry { ids: None, .. }) => catalogue::mutants().iter().collect(),
                None => Vec::new(),
            },
            histories: file
                .history
                .into_iter()
                .map(|entry| Histories { path: folder.join(entry.path), expect: entry.expect })
                .collect(),
            simulation: file.simulation.map(simulation).transpose()?,
            run: file.run.map(run).transpose()?,
        };
        let lists_nothing = config.profiles.is_empty() && config.mutants.is_empty() && config.histories.is_empty();
        if lists_nothing && config.run.is_none() && config.simulation.is_none() {
            Err("lists nothing to check".into())
        } else {
            Ok(config)
        }
    }
}

fn simulation(SimulationEntry { seeds, quick_seeds }: SimulationEntry) -> Result<Simulation, String> {
    match seeds.min(quick_seeds) {
        0 => Err("simulation: no seed shows nothing".to_owned()),
        _ => Ok(Simulation { seeds, quick_seeds }),
    }
}

fn profiled(entry: ProfileEntry) -> Result<Profiled, String> {
    let profile = catalogue::profile(&entry.name)?;
    let size = match entry.size.as_str() {
        "quick" => Size::Quick,
        "deep" => Size::Deep,
        other => return Err(format!("size of profile {} is {other}, must be quick or deep", entry.name)),
    };
    let legs = profile.legs(size);
    if let Some(missing) = legs.iter().find(|leg| !entry.states.contains_key(leg.name)) {
        return Err(format!("profile {} pins no count for its leg {}", entry.name, missing.name));
    }
    let named = entry.states.keys().chain(&entry.slow);
    if let Some(strange) = named.into_iter().find(|name| legs.iter().all(|leg| leg.name != name.as_str())) {
        return Err(format!("profile {} has no leg {strange}", entry.name));
    }
    Ok(Profiled { profile, size, states: entry.states, slow: entry.slow })
}

fn run(entry: RunEntry) -> Result<Run, String> {
    let nemesis: Nemesis = entry.nemesis.parse()?;
    if entry.seconds == 0 || entry.quick_seconds == 0 {
        return Err("a run of 0 seconds shows nothing".into());
    }
    Ok(Run { seconds: entry.seconds, quick_seconds: entry.quick_seconds, nemesis, seed: entry.seed })
}

/// The message of the parser on one line, with its place.
fn first_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            format!("line {line}, column {column}: {message}")
        }
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Config::parse(text, Path::new("")).expect_err("it must be refused")
    }

    #[test]
    fn the_gate_of_this_repository_is_readable_and_pins_what_the_profiles_pin() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sextant.toml");
        let config = Config::read(&path).unwrap();
        assert_eq!(config.mutants.len(), catalogue::mutants().len());
        for profiled in &config.profiles {
            for leg in profiled.profile.legs(profiled.size) {
                assert_eq!(profiled.states[leg.name], leg.states, "{}", leg.name);
            }
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused_with_its_place() {
        let states = "states = { gossip = 1, recoveries = 1, reads = 1, faults = 1, losses = 1, limit = 1 }";
        for (text, reason) in [
            ("", "lists nothing to check"),
            ("[run]\nsecond = 3\n", "line 2, column 1: unknown field `second`"),
            ("[[profile]]\nname = \"cor\"\nsize = \"quick\"\nstates = {}\n", "there is no profile cor"),
            ("[[profile]]\nname = \"core\"\nsize = \"huge\"\nstates = {}\n", "must be quick or deep"),
            ("[[profile]]\nname = \"core\"\nsize = \"quick\"\nstates = {}\n", "pins no count for its leg"),
            (&format!("[[profile]]\nname = \"core\"\nsize = \"quick\"\n{states}\nslow = [\"x\"]\n"), "has no leg x"),
            ("[mutants]\nids = [\"M99\"]\n", "there is no mutant M99"),
            ("[run]\nseconds = 0\nquick_seconds = 1\nnemesis = \"none\"\n", "shows nothing"),
            ("[run]\nseconds = 1\nquick_seconds = 1\nnemesis = \"flood\"\n", "unknown nemesis"),
            ("[simulation]\nseeds = 0\nquick_seeds = 1\n", "shows nothing"),
        ] {
            let found = refusal(text);
            assert!(found.contains(reason), "{text:?}: {found}");
            assert!(!found.contains('\n'), "{found:?}");
        }
    }
}
