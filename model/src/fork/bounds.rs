//! How large the world of clones and backtrack is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::area::at_most;
use crate::bounds::Switch;
use crate::records::Records;

/// Of the volume.
pub const RECORDS: usize = 6;
pub const BLOCKS: usize = 2;
pub const COPIES: usize = 4;
pub const EPOCHS: usize = 4;
pub const CLONES: usize = 2;

/// The block that clones write to.
pub const WRITTEN: usize = 0;

/// One record that the volume's writer will write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// 0 or 1.
    pub block: u8,
    /// Whether it ends its mini-transaction.
    pub ends: Switch,
}

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Copies, at most four, and the size of the write quorum.
    pub copies: u8,
    pub write: u8,
    pub plan: [Option<Planned>; RECORDS],
    /// How often the volume goes back or forward.
    pub changes: u8,
    /// At most two.
    pub clones: u8,
    /// Whether clones write.
    pub writing: Switch,
    /// How far below the newest LSN a backtrack must be possible.
    pub window: u8,
    pub symmetry: Switch,
}

impl Bounds {
    /// Three copies, two to write; a record for each of these blocks, 2 and 3 being 0 and 1 in a mini-transaction that the next
    /// record ends.
    #[must_use]
    pub const fn writing(blocks: &[u8]) -> Bounds {
        let mut plan = [None; RECORDS];
        let mut at = 0;
        while at < blocks.len() {
            let ends = if blocks[at] < 2 { Switch::On } else { Switch::Off };
            plan[at] = Some(Planned { block: blocks[at] % 2, ends });
            at += 1;
        }
        Bounds {
            copies: 3,
            write: 2,
            plan,
            changes: 0,
            clones: 0,
            writing: Switch::Off,
            window: 0,
            symmetry: Switch::On,
        }
    }

    #[must_use]
    pub const fn with_clones(self, clones: u8) -> Bounds {
        Bounds { clones, ..self }
    }

    /// Clones write a record each.
    #[must_use]
    pub const fn written(self) -> Bounds {
        Bounds { writing: Switch::On, ..self }
    }

    #[must_use]
    pub const fn backtracking(self, changes: u8, window: u8) -> Bounds {
        Bounds { changes, window, ..self }
    }

    /// Four copies, three to write.
    #[must_use]
    pub const fn of_four(self) -> Bounds {
        Bounds { copies: 4, write: 3, ..self }
    }

    /// Copies that are interchangeable.
    #[must_use]
    pub fn classes(&self) -> Vec<Vec<usize>> {
        vec![(0..usize::from(self.copies)).collect()]
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much or too little.
    pub fn admissible(&self) -> Result<(), String> {
        at_most("copies", self.copies.into(), COPIES)?;
        // All copies but one are read when an epoch begins, and one of them must have what is durable.
        if self.write < 2 || self.write >= self.copies {
            return Err(format!("a write quorum of {} of {} copies", self.write, self.copies));
        }
        if self.plan.iter().skip(self.records()).any(Option::is_some) {
            return Err("the plan has a gap".into());
        }
        let blocks = self.plan.iter().flatten().map(|planned| usize::from(planned.block) + 1);
        at_most("blocks", blocks.max().unwrap_or(0), BLOCKS)?;
        at_most("changes of the epoch", self.changes.into(), EPOCHS - 1)?;
        at_most("clones", self.clones.into(), CLONES)?;
        at_most("LSNs of the window", self.window.into(), RECORDS)
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }

    /// How many records are planned.
    #[must_use]
    pub fn records(&self) -> usize {
        self.plan.iter().flatten().count()
    }

    /// Whether an LSN ends a mini-transaction; 0 does.
    #[must_use]
    pub fn ends(&self, lsn: u8) -> bool {
        lsn == 0 || self.plan[usize::from(lsn) - 1].is_some_and(|planned| planned.ends.is_on())
    }

    /// The records of a block, clones' own included.
    #[must_use]
    pub fn of_block(&self, block: usize) -> Records {
        let planned = |record: &usize| self.plan[*record].is_some_and(|planned| usize::from(planned.block) == block);
        let own = (0..CLONES).filter(|_| block == WRITTEN).map(own_record);
        (0..RECORDS).filter(planned).chain(own).collect()
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{},", self.copies, self.write)?;
        for planned in self.plan.iter().flatten() {
            write!(f, " b{}{}", planned.block, if planned.ends.is_on() { ";" } else { "," })?;
        }
        if self.changes > 0 {
            write!(f, " {} backtracks, window {},", self.changes, self.window)?;
        }
        if self.clones > 0 {
            write!(f, " {} clones{},", self.clones, if self.writing.is_on() { " that write" } else { "" })?;
        }
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(" unreduced") }
    }
}

/// The record that a clone writes.
#[must_use]
pub fn own_record(clone: usize) -> usize {
    RECORDS + clone
}
