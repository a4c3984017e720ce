//! Chromium without a screen, where there is one.

use std::process::Command;

use serde_json::Value as Json;

/// What it is called, from place to place.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

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
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.html");
        std::fs::write(&file, page).unwrap();
        let searches: Vec<String> = searches.iter().map(|(field, text)| format!("{field}:{text}")).collect();
        let output = Command::new(self.name)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--window-size=1400,900", "--enable-logging=stderr", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("file://{}#selftest={}", file.display(), searches.join(",")))
            .output()
            .unwrap();
        let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let report = between(&dom, "<pre id=\"selftest\">", "</pre>");
        let report = report.unwrap_or_else(|| panic!("the page wrote no report: {log}"));
        Seen {
            report: serde_json::from_str(&unescape(report)).unwrap(),
            title: unescape(between(&dom, "<title>", "</title>").unwrap()),
            console: log.lines().filter(|line| line.contains(":CONSOLE")).collect(),
        }
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

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let from = text.find(open)? + open.len();
    Some(&text[from..from + text[from..].find(close)?])
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", "\u{a0}");
    text.replace("&amp;", "&")
}
