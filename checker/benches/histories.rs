//! How long it takes to judge registers, over a grid of generated histories:
//!
//! ```text
//! cargo bench -p sextant --bench histories               the grid
//! cargo bench -p sextant --bench histories -- --quick    a part of it, in about a minute
//! cargo bench -p sextant --bench histories -- unique 20 1e6    cells whose line has all these words
//! ```
//!
//! Every cell is written to a file once, then read and judged by a process of its own on one thread, so that the peak of its memory is
//! that of the cell. `read`, `check` and `cpu` are seconds: to read the file, to judge it including the linearization, and what
//! the latter took of a processor, which is less where others use the machine. `after` and `peak` are megabytes resident,
//! after reading and at most. A cell that does not end within its limit of 60 s says `unknown` and how far it came, and the
//! command then fails.

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use sextant::linearizability::{CasRegister, Finding, Limits, check, verify};
use sextant_histories::History;
use sextant_histories::generate::{Config, Values, Violation, generate};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// Half writes, each value once.
    Unique,
    /// Half writes, five values.
    Reused,
    /// A quarter cas, a quarter writes, each value once.
    UniqueCas,
    /// A quarter cas, a quarter writes, five values.
    ReusedCas,
}

const MIXES: [Mix; 4] = [Mix::Unique, Mix::UniqueCas, Mix::Reused, Mix::ReusedCas];

#[derive(Clone, Copy)]
struct Cell {
    mix: Mix,
    clients: usize,
    operations: usize,
    indeterminate: usize,
    keys: usize,
    violated: bool,
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unique => "unique",
            Self::Reused => "reused",
            Self::UniqueCas => "unique-cas",
            Self::ReusedCas => "reused-cas",
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mix, clients, operations, indeterminate, keys, violated } = self;
        let kind = if *violated { "violated" } else { "valid" };
        let operations = format!("1e{}", operations.ilog10());
        write!(f, "{mix:<10} {clients:>7} {operations:>10} {indeterminate:>4} {keys:>5} {kind:<8}")
    }
}

impl Cell {
    fn config(&self) -> Config {
        let cas = matches!(self.mix, Mix::UniqueCas | Mix::ReusedCas);
        let few = matches!(self.mix, Mix::Reused | Mix::ReusedCas);
        Config {
            seed: 1,
            operations: self.operations,
            clients: self.clients,
            keys: self.keys,
            values: if few { Values::Few(5) } else { Values::Unique },
            cas_percent: if cas { 25 } else { 0 },
            write_percent: if cas { 25 } else { 50 },
            indeterminate: self.indeterminate,
            violation: self.violated.then_some(Violation::StaleRead),
            ..Config::default()
        }
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(fs::File::create(file)?);
        for event in generate(&self.config()) {
            let line = event.to_line().ok_or_else(|| io::Error::other("the generator answers what was not asked"))?;
            writeln!(out, "{line}")?;
        }
        out.flush()
    }
}

fn grid() -> Vec<Cell> {
    let mut cells = Vec::new();
    for mix in MIXES {
        for operations in [1_000, 10_000, 100_000, 1_000_000] {
            for clients in [2, 5, 10, 20, 50] {
                for indeterminate in [0, 10, 30] {
                    for keys in [1, 10, 1000] {
                        for violated in [false, true] {
                            cells.push(Cell { mix, clients, operations, indeterminate, keys, violated });
                        }
                    }
                }
            }
        }
    }
    cells
}

fn is_quick(cell: &Cell) -> bool {
    let small = cell.operations <= 10_000 && cell.keys != 10 && cell.indeterminate != 10 && cell.clients != 2;
    let target = cell.operations == 1_000_000 && cell.clients == 20 && cell.indeterminate == 0 && cell.keys == 1;
    small && cell.operations == 10_000 || target && matches!(cell.mix, Mix::Unique | Mix::Reused)
}

/// One line of a file in `/proc`, in megabytes.
fn resident(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Seconds that this thread has had a processor.
fn on_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// In the process of a cell: reads, judges, and prints the rest of its line.
fn judge(file: &Path) -> Result<(), String> {
    let start = Instant::now();
    let history = History::read(file).map_err(|error| error.to_string())?;
    let (read, after_reading) = (start.elapsed(), resident("VmRSS"));
    let limits = Limits { timeout: TIMEOUT, threads: NonZero::<usize>::MIN, ..Limits::default() };
    let before = on_cpu();
    let report = check(&history, &CasRegister::default(), &limits);
    let cpu = on_cpu() - before;
    let (peak, verdict) = (resident("VmHWM"), report.verdict());
    let mut note = String::new();
    match &report.finding {
        Finding::Valid(linearizations) => verify(&history, &CasRegister::default(), linearizations)?,
        Finding::Invalid(_) => {}
        Finding::Unknown(unknown) => note = format!(" {unknown}"),
    }
    let (read, check) = (read.as_secs_f64(), report.elapsed.as_secs_f64());
    println!("{read:>7.3} {check:>8.4} {cpu:>8.4} {after_reading:>6} {peak:>6} {verdict:?}{note}");
    Ok(())
}

fn run(cell: &Cell, folder: &Path) -> io::Result<bool> {
    let file = folder.join("history.jsonl");
    cell.write(&file)?;
    let own = std::env::current_exe()?;
    let output = Command::new(own).arg("--judge").arg(&file).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = if cell.violated { "Invalid" } else { "Valid" };
    let decided = output.status.success() && text.contains(expected);
    let verdict = if decided { String::new() } else { format!(" ({expected} was expected)") };
    println!("{cell} {}{verdict}", text.trim_end());
    Ok(decided)
}

fn first_line(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores, {}", model.trim_start_matches([' ', '\t', ':']), std::env::consts::OS)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, file] = &arguments[..]
        && flag == "--judge"
    {
        return match judge(Path::new(file)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                println!("{reason}");
                ExitCode::FAILURE
            }
        };
    }
    match table(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every cell was decided as expected.
fn table(arguments: &[String]) -> io::Result<bool> {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let chosen = |cell: &Cell| {
        let line = cell.to_string();
        let has = |word: &&String| line.split_whitespace().any(|part| part == word.as_str());
        (!quick || is_quick(cell)) && words.iter().all(has)
    };
    println!("commit {}, {}", first_line("git", &["describe", "--always", "--dirty"]), machine());
    println!("values     clients operations info  keys kind        read    check      cpu  after   peak verdict");
    let folder = tempfile::tempdir()?;
    let mut all = true;
    for cell in grid().into_iter().filter(chosen) {
        all &= run(&cell, folder.path())?;
    }
    Ok(all)
}
