//! How fast, and in how much memory, histories are read: `cargo bench -p sextant-histories --bench reading [-- OPERATIONS]`.
//!
//! Each row is a process of its own, so that its peak memory is its own; the first one made is read twice, and the second
//! time counts, so that the file is in the page cache for every row.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use sextant_histories::formats::{Format, ReadOptions, read as read_format, write as write_format};
use sextant_histories::generate::{Config, Values, generate};
use sextant_histories::{History, Reader, Value};

/// What to read, by name.
const FILES: [(&str, Values, u32, usize); 3] = [
    ("register, distinct values, 1 key", Values::Unique, 0, 1),
    ("register, 100 values, 1000 keys", Values::Few(100), 0, 1000),
    ("cas-register, 5 values, 1 key", Values::Few(5), 30, 1),
];

/// How to read it in the native format, by name.
const WAYS: [&str; 4] = ["stream, long way", "stream", "history, long way", "history"];

/// How to read it in another format. There is a history only once all events are there.
const OTHER_WAYS: [&str; 2] = ["history, long way", "history"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [way, path] = &arguments[..] {
        return read(way, Path::new(path));
    }
    let operations = arguments.first().map_or(1_000_000, |count| count.parse().expect("a number of operations"));
    let directory = tempfile::tempdir().expect("a directory for the files");
    println!("{operations} operations, 20 clients\n");
    println!(
        "{:<34} {:<7} {:<18} {:>8} {:>9} {:>10} {:>8}",
        "file", "format", "way", "bytes", "seconds", "lines/s", "peak MB"
    );
    for (name, values, cas_percent, keys) in FILES {
        let native = directory.path().join("h.native");
        write(&native, &Config { operations, clients: 20, keys, values, cas_percent, ..Config::default() });
        for format in Format::WRITTEN {
            let path = directory.path().join("h").with_extension(format.name());
            if format != Format::Native {
                let history = History::read(&native).expect("the file that was written");
                let mut file = BufWriter::new(File::create(&path).expect("a file"));
                write_format(&history, &Value::Null, format, &mut file).expect("room for the file");
                file.flush().expect("room for the file");
            }
            let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            let ways = if format == Format::Native { &WAYS[..] } else { &OTHER_WAYS };
            for way in ways {
                let run = |_| {
                    let itself = std::env::current_exe().expect("the path of this program");
                    let output = Command::new(itself).arg(way).arg(&path).output().expect("a second process");
                    String::from_utf8_lossy(&output.stdout).trim().to_owned()
                };
                let shown = [(); 2].map(run)[1].clone();
                println!("{name:<34} {:<7} {way:<18} {:>7}M {shown}", format.name(), bytes / 1_000_000);
            }
        }
    }
}

fn write(path: &Path, config: &Config) {
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    for event in generate(config) {
        let line = event.to_line().expect("the generator answers its own calls");
        writeln!(file, "{line}").expect("room for the file");
    }
    file.flush().expect("room for the file");
}

fn read(way: &str, path: &Path) {
    let start = Instant::now();
    if path.extension().is_none_or(|extension| extension != "native") {
        let without_short_cut = way.ends_with("long way");
        let loaded = read_format(path, &ReadOptions { without_short_cut, ..ReadOptions::default() });
        let history = loaded.expect("a right file").history;
        let (lines, seconds) = (history.len(), start.elapsed().as_secs_f64());
        std::mem::forget(history);
        return println!("{seconds:>9.3} {:>10.0} {:>8}", lines as f64 / seconds, peak());
    }
    let reader = Reader::open(path).expect("the file that was written");
    let mut reader = if way.ends_with("long way") { reader.without_short_cut() } else { reader };
    let lines = if way.starts_with("stream") {
        reader.by_ref().filter(|event| event.as_ref().expect("a right line").0 < usize::MAX).count()
    } else {
        let (history, torn) = History::collect(&mut reader).expect("a right file");
        assert!(torn.is_none());
        let lines = history.len();
        // Not part of the reading: a command that ends does not take its history apart.
        std::mem::forget(history);
        lines
    };
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:>9.3} {:>10.0} {:>8}", lines as f64 / seconds, peak());
}

/// Megabytes that this process has held at most, where the system says so.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or("-".into(), |kilobytes| (kilobytes / 1024).to_string())
}
