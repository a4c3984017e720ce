//! Chromium without a screen, where there is one.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;

/// What it is called, from place to place.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// For one page: a million operations take two seconds on a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Browser {
    name: &'static str,
}

/// What a page saw of itself.
pub struct Seen {
    report: Json,
    pub title: String,
    /// What came on the console, which should be nothing.
    pub console: String,
}

impl Browser {
    /// Says so where there is none.
    pub fn find() -> Option<Self> {
        let name = NAMES.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        if name.is_none() {
            println!("skipped: no chromium");
        }
        name.map(|name| Self { name })
    }

    /// Opens `page` from a file, lets it use itself and search, and reads what it says of that.
    pub fn open(&self, page: &str, searches: &[(&str, &str)]) -> Seen {
        let searches: Vec<String> = searches.iter().map(|(field, text)| format!("{field}:{text}")).collect();
        let (dom, console) = self.dom(page, &format!("selftest={}", searches.join(",")));
        let report = between(&dom, "<pre id=\"selftest\">", "</pre>");
        let report = report.unwrap_or_else(|| panic!("the page wrote no report: {console}"));
        Seen {
            report: serde_json::from_str(&unescape(report)).unwrap(),
            title: unescape(between(&dom, "<title>", "</title>").unwrap()),
            console,
        }
    }

    /// What became of `page` after it was loaded with this hash, and what came on the console.
    pub fn dom(&self, page: &str, hash: &str) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.html");
        std::fs::write(&file, page).unwrap();
        let mut command = Command::new(self.name);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--window-size=1400,900", "--enable-logging=stderr", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("file://{}#{hash}", file.display()));
        let output = output_within(&mut command, PATIENCE);
        let log = String::from_utf8_lossy(&output.stderr);
        let console = log.lines().filter(|line| line.contains(":CONSOLE")).collect();
        (String::from_utf8_lossy(&output.stdout).into_owned(), console)
    }
}

impl Seen {
    /// By a path like `/whole/operations`.
    pub fn at(&self, path: &str) -> &Json {
        self.report.pointer(path).unwrap_or_else(|| panic!("no {path} in the report: {:?}", self.report["problems"]))
    }

    pub fn list(&self, field: &str) -> &Vec<Json> {
        self.at(&format!("/{field}")).as_array().unwrap()
    }

    pub fn number(&self, field: &str) -> usize {
        self.at(&format!("/{field}")).as_u64().unwrap() as usize
    }

    /// How many operations a search found.
    pub fn found(&self, field: &str, text: &str) -> usize {
        let searches = self.list("searches");
        let own = searches.iter().find(|search| search["field"] == field && search["text"] == text);
        own.unwrap()["count"].as_u64().unwrap() as usize
    }
}

/// A page that never ends would hold up all tests.
fn output_within(command: &mut Command, patience: Duration) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    };
    let errors = std::thread::spawn(move || read(&mut err));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(read(&mut out)));
    let stdout = receiver.recv_timeout(patience).unwrap_or_else(|_| {
        // The group: the browser's own children hold the pipes too.
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        panic!("the browser was not done within {patience:?}");
    });
    Output { status: child.wait().unwrap(), stdout, stderr: errors.join().unwrap() }
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let from = text.find(open)? + open.len();
    Some(&text[from..from + text[from..].find(close)?])
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", "\u{a0}");
    text.replace("&amp;", "&")
}
