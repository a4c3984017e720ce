//! Clones and backtrack, beyond the papers: copy on write from a fork LSN that collection honours, and a volume that is shown as it
//! was, and forward again, by epochs.
//!
//! Nobody has published how Aurora does this. What is public (AWS documentation: a clone shares pages until either side writes; a
//! backtrack takes the whole volume back within a window, and forward again) is here what must hold (protocol §6); the rules are those
//! of the core carried over: epochs, ranges, low-water marks.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | fork LSN | the VDL of the parent at which a clone begins; its image is what was visible up to there |
//! | backtrack | a new epoch that shows the volume up to a target; what lies above is hidden |
//! | reversible range | what is hidden and can be shown again, by another epoch, until the first new write annuls it |
//! | low-water mark | up to where copies may fold records into pages for good: the PGMRPL, below forks and window |
//! | window | how far below the newest LSN a backtrack must be possible |

pub mod bounds;
mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, kinds, of_its_world};
use bounds::Bounds;
use rules::ForkRules;
use world::{Action, World};

/// The area of clones and backtrack.
#[derive(Clone, Copy, Debug)]
pub struct Forks;

impl Area for Forks {
    type Rules = ForkRules;

    const NAME: &'static str = "fork";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Allocate: "allocate",
        Write: "write",
        Learn: "learn",
        Backtrack: "backtrack",
        Forward: "forward",
        Announce: "announce",
        Collect: "collect",
        Purge: "purge",
        Pin: "pin",
        Fork: "fork",
        CopyPage: "copy page",
        CloneWrite: "clone write",
        Delete: "delete",
    });
    of_its_world!(World, Bounds, Action);
}

impl Catalogued for Forks {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
