//! Where the evidence of runs lies: `store/<name>/<time>/`, and `store/latest` for the last one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::HarnessError;

/// Link to the folder of the last run.
pub(crate) const LATEST: &str = "latest";

/// The folder of one run.
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// A folder that was not there before, and the link to it.
    pub(crate) fn create(root: &Path, name: &str) -> Result<Self, HarnessError> {
        let path = create_unique(&root.join(name), &time_name(SystemTime::now()))?;
        let canonical = fs::canonicalize(&path).map_err(HarnessError::io(format!("open {}", path.display())))?;
        link(root, name, &path).map_err(HarnessError::io(format!("link {}", root.join(LATEST).display())))?;
        Ok(Self { path: canonical })
    }

    /// Absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// What the processes recorded of themselves: not on the disks that faults strike.
    pub(crate) fn flight(&self) -> PathBuf {
        self.path.join("flight")
    }

    /// The disks of the nodes.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), HarnessError> {
        let json = serde_json::to_string_pretty(value).map_err(io::Error::from);
        self.write(name, &json.map_err(HarnessError::io(format!("write {name}")))?)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), HarnessError> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(HarnessError::io(format!("write {}", path.display())))
    }

    /// Writes what `fill` puts out, without holding it in memory.
    pub(crate) fn write_with(
        &self,
        name: &str,
        fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), HarnessError> {
        let path = self.path.join(name);
        let written = File::create(&path).map(BufWriter::new).and_then(|mut out| {
            fill(&mut out)?;
            out.flush()
        });
        written.map_err(HarnessError::io(format!("write {}", path.display())))
    }

    /// The disks are many preallocated megabytes; they are kept only where they explain something.
    pub(crate) fn remove_data(&self) -> Result<(), HarnessError> {
        for folder in [self.data(), self.flight()] {
            if let Err(error) = fs::remove_dir_all(&folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(HarnessError::Io { what: format!("remove {}", folder.display()), error });
            }
        }
        Ok(())
    }
}

fn create_unique(folder: &Path, time: &str) -> Result<PathBuf, HarnessError> {
    let created = fs::create_dir_all(folder);
    created.map_err(HarnessError::io(format!("create {}", folder.display())))?;
    let mut attempt = 1;
    loop {
        let path = folder.join(if attempt == 1 { time.to_owned() } else { format!("{time}-{attempt}") });
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            result => {
                result.map_err(HarnessError::io(format!("create {}", path.display())))?;
                return Ok(path);
            }
        }
    }
}

/// Replaces the link in one step, and with a relative one: the store may be moved.
fn link(root: &Path, name: &str, path: &Path) -> io::Result<()> {
    let Some(time) = path.file_name() else { return Ok(()) };
    let temporary = root.join(format!(".{LATEST}-{}", std::process::id()));
    symlink(Path::new(name).join(time), &temporary)?;
    fs::rename(&temporary, root.join(LATEST)).inspect_err(|_| {
        // The error that counts is that of the rename.
        let _ = fs::remove_file(&temporary);
    })
}

/// `20261122T113352Z`: sorts by time, and is a file name everywhere.
pub(crate) fn time_name(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_names() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_347_232, "20261122T113352Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(time_name(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn two_runs_in_one_second_do_not_meet_and_latest_is_the_last() {
        let root = tempfile::tempdir().unwrap();
        let first = Store::create(root.path(), "run").unwrap();
        let second = Store::create(root.path(), "run").unwrap();
        assert_ne!(first.path(), second.path());
        assert_eq!(fs::canonicalize(root.path().join(LATEST)).unwrap(), second.path());
        assert!(fs::read_link(root.path().join(LATEST)).unwrap().is_relative());
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        let blocked = root.path().join("blocked");
        fs::write(&blocked, "").unwrap();
        let error = Store::create(&blocked, "run").err().unwrap().to_string();
        assert!(error.contains("blocked") && !error.contains('\n'), "{error}");
    }
}
