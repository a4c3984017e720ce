//! The volume's one record on disk.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};
use sextant_model::metadata::Metadata;

use crate::process::Failure;
use crate::wire::messages::Member;

const NAME: &str = "meta.redb";
const TABLE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("volume");
const KEY: &str = "record";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    pub metadata: Metadata,
    pub members: Vec<Member>,
}

pub(super) struct Store {
    path: PathBuf,
    database: Database,
    /// As on the disk.
    volume: Volume,
}

impl Store {
    pub fn create(dir: &Path, volume: Volume) -> Result<Self, Failure> {
        let path = dir.join(NAME);
        if path.exists() {
            return Err(Failure::usage(format!("create metadata: {} exists", path.display())));
        }
        std::fs::create_dir_all(dir).map_err(|error| machine("create", dir, &error))?;
        let database = Database::create(&path).map_err(|error| machine("create", &path, &error))?;
        let mut store = Store { path, database, volume: volume.clone() };
        store.save(volume)?;
        Ok(store)
    }

    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(NAME);
        if !path.exists() {
            return Err(Failure::usage(format!("open metadata: no record in {}", dir.display())));
        }
        let database = Database::open(&path).map_err(|error| unreadable(&path, &error))?;
        let volume = load(&path, &database)?;
        Ok(Store { path, database, volume })
    }

    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Durable when this returns; on an error the record is the old one for everybody who asks.
    pub fn save(&mut self, volume: Volume) -> Result<(), Failure> {
        let bytes = postcard::to_stdvec(&volume).map_err(|error| machine("encode", &self.path, &error))?;
        self.commit(&bytes).map_err(|error| machine("write", &self.path, &error))?;
        self.volume = volume;
        Ok(())
    }

    fn commit(&self, bytes: &[u8]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(TABLE)?.insert(KEY, bytes)?;
        // The default durability: the commit returns when the file is synced.
        transaction.commit()?;
        Ok(())
    }
}

fn load(path: &Path, database: &Database) -> Result<Volume, Failure> {
    let read = || -> Result<Option<Vec<u8>>, redb::Error> {
        let table = database.begin_read()?.open_table(TABLE)?;
        Ok(table.get(KEY)?.map(|bytes| bytes.value().to_vec()))
    };
    let bytes = read().map_err(|error| unreadable(path, &error))?;
    let bytes = bytes.ok_or_else(|| unreadable(path, &"the volume's record is missing"))?;
    postcard::from_bytes(&bytes).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("read {}: {error}", path.display()))
}

fn machine(operation: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::machine(format!("{operation} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_model::types::Epoch;

    fn volume(ve: u32) -> Volume {
        let metadata = Metadata { volume_epoch: Epoch(ve), ..Metadata::of_a_new_volume() };
        Volume { metadata, members: vec![Member { name: "a1".into(), zone: "a".into() }] }
    }

    #[test]
    fn the_record_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::create(dir.path(), volume(1)).unwrap();
        store.save(volume(2)).unwrap();
        drop(store);
        assert_eq!(*Store::open(dir.path()).unwrap().volume(), volume(2));
        assert!(Store::create(dir.path(), volume(1)).is_err(), "what exists is not made anew");
    }

    #[test]
    fn an_empty_directory_is_no_new_volume() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Store::open(dir.path()).is_err());
    }
}
