//! Checkpoints: a folder with every level in a file of its own and, written last, `checkpoint.json`.
//!
//! At the end of a level its file is synced, and the description is replaced by renaming. Whatever moment a process is
//! killed at, the folder describes the last complete level, and what was written behind it is written again. The visited
//! set is not in the folder: it is made anew of the levels.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Failure;

/// Where a search keeps its checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub folder: PathBuf,
    /// What is explored. A checkpoint of something else is not resumed.
    pub identity: String,
    pub begin: Begin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// From the first states, in a new or empty folder.
    Fresh,
    /// From the last complete level; from the first states if there is none yet.
    Resume,
}

/// What a checkpoint says of the search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub format: u32,
    pub identity: String,
    /// Bytes of a packed state.
    pub bytes: usize,
    /// Whether keys are those of exact storage.
    pub exact: bool,
    /// By level: states, and the sum of their keys.
    pub levels: Vec<(u64, u64)>,
    pub generated_states: u64,
    pub witnessed: u64,
    pub actions: Vec<u64>,
    /// Violations found so far by a search that goes on: rank, depth, state, message of a panic.
    pub found: Vec<(usize, usize, Vec<u8>, Option<String>)>,
}

pub const FORMAT: u32 = 1;

/// A description that a folder can hold.
pub trait Describes: Serialize + DeserializeOwned {
    const FORMAT: u32;

    fn format(&self) -> u32;

    /// What is explored.
    fn identity(&self) -> &str;
}

impl Describes for Description {
    const FORMAT: u32 = FORMAT;

    fn format(&self) -> u32 {
        self.format
    }

    fn identity(&self) -> &str {
        &self.identity
    }
}

pub const NAME: &str = "checkpoint.json";

/// Reads the folder's description; none if there is none. Makes the folder if it is missing.
///
/// # Errors
/// If the folder is not to be resumed and holds a checkpoint, or if it cannot be read or made.
pub fn open<D: Describes>(checkpoint: &Checkpoint) -> Result<Option<D>, Failure> {
    let folder = &checkpoint.folder;
    fs::create_dir_all(folder).map_err(|e| Failure::at("make the folder", folder, &e))?;
    let path = folder.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::at("read", &path, &error)),
    };
    if checkpoint.begin == Begin::Fresh {
        return Err(Failure(format!("{} holds a checkpoint: resume it, or name another folder", folder.display())));
    }
    let damaged = |reason: String| Failure(format!("{} is no checkpoint: {reason}", path.display()));
    let description: D = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    if description.format() != D::FORMAT {
        return Err(damaged(format!("its format is {}, not {}", description.format(), D::FORMAT)));
    }
    if description.identity() != checkpoint.identity {
        let (theirs, ours) = (description.identity(), &checkpoint.identity);
        return Err(damaged(format!("it is of \"{theirs}\", and this is \"{ours}\"")));
    }
    Ok(Some(description))
}

/// Refuses a folder whose sub-folders hold checkpoints, as those of a partitioned search do: to begin afresh there would be
/// to ignore what they say.
///
/// # Errors
/// If there is such a sub-folder; which one.
pub fn refuse_partitioned(folder: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    match entries.map(|entry| entry.path().join(NAME)).find(|path| path.exists()) {
        Some(path) => Err(Failure(format!("{} is a checkpoint of the cluster engine", path.display()))),
        None => Ok(()),
    }
}

/// Replaces the folder's description.
///
/// # Errors
/// If it cannot be written; the old one is there then.
pub fn write<D: Describes>(folder: &Path, description: &D) -> Result<(), Failure> {
    let (path, new) = (folder.join(NAME), folder.join("checkpoint.json.new"));
    let at = |e: std::io::Error| Failure::at("write", &new, &e);
    let text = serde_json::to_string(description).map_err(|e| at(e.into()))?;
    let mut file = File::create(&new).map_err(at)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
    fs::rename(&new, &path).map_err(|e| Failure::at("replace", &path, &e))?;
    let folder_file = File::open(folder).and_then(|f| f.sync_all());
    folder_file.map_err(|e| Failure::at("sync", folder, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_partitioned_search_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(refuse_partitioned(folder.path()), Ok(()));
        let worker = folder.path().join("worker-0001");
        fs::create_dir(&worker).unwrap();
        assert_eq!(refuse_partitioned(folder.path()), Ok(()));
        fs::write(worker.join(NAME), "{}").unwrap();
        let error = refuse_partitioned(folder.path()).unwrap_err().0;
        assert!(error.contains("worker-0001") && error.contains("cluster"), "{error}");
    }
}
