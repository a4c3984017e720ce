//! Pages (S17 §4.2, S18 §3; protocol §2, §3): who answers a read, what the writer evicts, what a replica applies and keeps, what is
//! folded into pages, backed up and collected.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | read point: the VDL at which a page is wanted | [`world::Fetch::read_point`] |
//! | PGMRPL: the lowest point at which an instance may still read | [`world::World::lowest`] |
//! | gcp: up to where a segment has collected | [`world::Node::collected`] |
//! | coalescing, destructive: records folded into a page for good | [`world::Node::folded`] |

mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::records::Records;
use crate::refinement::{Record, StandsForVolume, Volume};
use crate::types::Lsn;
use rules::PageRules;
use world::{Action, Bounds, World};

/// The area of pages, replicas and collection.
#[derive(Clone, Copy, Debug)]
pub struct Pages;

impl Area for Pages {
    type Rules = PageRules;

    const NAME: &'static str = "pages";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Allocate: "allocate",
        Write: "write",
        Evict: "evict",
        Read: "read",
        Answer: "answer",
        Hedge: "hedge",
        Done: "done",
        Stream: "stream",
        Reconnect: "reconnect",
        Suspect: "suspect",
        Backup: "back up",
        Collect: "collect",
        CollectLate: "collect late",
        Failover: "failover",
    });
    of_its_world!(World, Bounds, Action);
}

/// The log is what pages are made of. The writer's cached pages are what it has of each block, durable or not; a replica stands
/// where it has applied the stream, its cached pages with it, and a traversal of it where it is anchored.
impl StandsForVolume for Pages {
    fn volume(c: Context<Self>, state: &World) -> Result<Volume, Violation> {
        let writer_of = |record: usize| usize::from(record >= usize::from(c.bounds.first));
        let record = |record: usize| (Lsn(record as u64 + 1), writer_of(record));
        let of_page = |page: Records| page.iter().map(record).collect::<Vec<Record>>();
        let picks = |block: usize| {
            let of_block = c.bounds.of_block(block);
            move |log: &[Record]| {
                log.iter().copied().filter(|(lsn, _)| of_block.contains(lsn.0 as usize - 1)).collect::<Vec<_>>()
            }
        };
        let live = state.live(c.bounds);
        let vdl = Lsn(state.vdl(c.bounds).into());
        let volume = Volume::new(usize::from(state.kept > 0), live.iter().map(record), vdl);
        let mut volume = volume.in_transactions(|lsn| c.bounds.ends(lsn.0 as usize - 1))?;
        let (end, applied) = (Lsn(live.last().into()), Lsn(state.applied.into()));
        volume = volume.read_by(0, "the replica", applied, &[], |_| Vec::new())?;
        for block in 0..world::BLOCKS {
            if let Some(page) = state.writer.cache[block] {
                volume = volume.shows("the writer", end, &of_page(page.records), picks(block))?;
            }
            if let Some(page) = state.replica.cache[block] {
                volume = volume.shows("the replica", applied, &of_page(page.records), picks(block))?;
            }
        }
        if let Some(view) = state.replica.view {
            for point in std::iter::once(view.read_point).chain(view.seen.points()) {
                volume = volume.read_by(1, "a traversal", Lsn(point.into()), &[], |_| Vec::new())?;
            }
        }
        Ok(volume)
    }
}

impl Catalogued for Pages {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
    /// A hedged request is the same request, and what a replaced writer says of read points is not taken.
    const OF_MISTAKES: &'static [&'static str] = &["hedge", "collect late"];
}
