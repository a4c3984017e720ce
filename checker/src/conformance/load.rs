//! The flight recorders of one run, read from their folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sextant_storage::flight::{Actor, EXTENSION, NodeEntry, WriterEntry, header, read};

use super::Size;

/// What all actors recorded.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// In the order of their segment numbers.
    pub(super) nodes: Vec<NodeRecord>,
    /// In the order in which they took the volume.
    pub(super) writers: Vec<WriterRecord>,
    torn: usize,
}

#[derive(Clone, Debug)]
pub(super) struct NodeRecord {
    pub name: String,
    /// One for each process, oldest first.
    pub lives: Vec<Vec<NodeEntry>>,
}

/// One incarnation.
#[derive(Clone, Debug)]
pub(super) struct WriterRecord {
    pub name: String,
    /// Which of its name.
    pub life: usize,
    pub entries: Vec<WriterEntry>,
}

impl Run {
    /// Reads every flight recorder's file in `dir`; what else lies there is no concern.
    ///
    /// # Errors
    /// A file that cannot be read or is none; with path and offset.
    pub fn load(dir: &Path) -> Result<Self, String> {
        let mut run = Run::default();
        let mut nodes: BTreeMap<String, Vec<Vec<NodeEntry>>> = BTreeMap::new();
        for path in files(dir)? {
            let Some(header) = header(&path)? else {
                run.torn += 1;
                continue;
            };
            match header.actor {
                Actor::Node => {
                    let flight = read(&path)?;
                    run.torn += usize::from(flight.torn > 0);
                    nodes.entry(header.name).or_default().push(flight.entries);
                }
                Actor::Writer => {
                    let flight = read(&path)?;
                    run.torn += usize::from(flight.torn > 0);
                    let life = 1 + run.writers.iter().filter(|writer| writer.name == header.name).count();
                    run.writers.push(WriterRecord { name: header.name, life, entries: flight.entries });
                }
            }
        }
        // One that ended before it could record what it was given did nothing.
        run.writers.retain(|writer| !writer.entries.is_empty());
        run.writers.sort_by_key(|writer| match writer.entries[0] {
            WriterEntry::Took { ve, .. } => ve,
            WriterEntry::Stepped { .. } => sextant_model::types::Epoch::default(),
        });
        run.nodes = nodes.into_iter().map(|(name, lives)| NodeRecord { name, lives }).collect();
        run.sort_nodes();
        Ok(run)
    }

    /// As the writers count them.
    fn sort_nodes(&mut self) {
        if let Some(WriterEntry::Took { members, .. }) = self.writers.first().and_then(|writer| writer.entries.first())
        {
            let place = |node: &NodeRecord| members.iter().position(|member| *member == node.name);
            self.nodes.sort_by_key(|node| place(node).unwrap_or(usize::MAX));
        }
    }

    /// How much was recorded.
    #[must_use]
    pub fn size(&self) -> Size {
        let entries = |node: &NodeRecord| node.lives.iter().map(Vec::len).sum::<usize>();
        let nodes: usize = self.nodes.iter().map(entries).sum();
        let writers: usize = self.writers.iter().map(|writer| writer.entries.len()).sum();
        Size {
            nodes: self.nodes.len(),
            lives: self.nodes.iter().map(|node| node.lives.len()).sum(),
            incarnations: self.writers.len(),
            opened: 0,
            events: (nodes + writers) as u64,
            torn: self.torn,
        }
    }

    /// Why there is nothing to judge.
    pub(super) fn is_empty(&self) -> Option<String> {
        if self.nodes.is_empty() {
            return Some("no storage node has recorded anything".to_owned());
        }
        self.writers.is_empty().then(|| "no writer has recorded anything".to_owned())
    }
}

/// Oldest life first.
fn files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
