//! The area that the core explores: one protection group of `N` copies, its writers, their recoveries, gossip.

use crate::action::Action;
use crate::area::{
    Area, Catalogued, Context, Lane, Mark, Mutant, Profile, Property, Status, admissible_quorums, at_most, kinds,
};
use crate::bounds::Bounds;
use crate::instance::Phase;
use crate::logset::Bits;
use crate::pack::{self, Get, Layout, Put};
use crate::partial_order::Footprint;
use crate::rules::{Rules, Scheme};
use crate::types::SegmentId;
use crate::world::{EPOCHS_MAX, World};
use crate::{diff, goals, mutants, profiles, properties};

/// One protection group of `N` copies.
#[derive(Clone, Copy, Debug)]
pub struct Group<const N: usize>;

impl<const N: usize> Area for Group<N> {
    type Rules = Rules;
    type Bounds = Bounds;
    type State = World<N>;
    type Action = Action;
    type Layout = Layout;

    const NAME: &'static str = "core";
    const PROPERTIES: &'static [Property<Self>] = &properties::all::<N>();

    kinds!(Action {
        Recover: "recover",
        FenceRead: "fence",
        Decide: "decide",
        Truncate: "truncate",
        Allocate: "allocate",
        Write: "write",
        Gossip: "gossip",
        Sync: "sync",
        Crash: "crash",
        Wipe: "wipe",
        Read: "read",
        BeginRound: "begin round",
        Confirm: "confirm",
    });

    /// The allocation limit is that of the bounds.
    fn settled(rules: Rules, bounds: &Bounds) -> Rules {
        let copies = N as u8;
        assert!(rules.scheme.copies == copies, "the scheme has {} copies, the world {copies}", rules.scheme.copies);
        rules.with_lal(bounds.lal)
    }

    fn admits(rules: &Rules, bounds: &Bounds) -> Result<(), String> {
        let Scheme { copies, zones, write, read } = rules.scheme;
        if usize::from(copies) != N {
            return Err(format!("a scheme of {copies} copies: the world has {N}"));
        }
        admissible_quorums(copies, write, read, N)?;
        if zones == 0 || copies % zones != 0 {
            return Err(format!("{copies} copies cannot be spread evenly over {zones} zones"));
        }
        at_most("recoveries", bounds.recoveries.into(), EPOCHS_MAX - 2)?;
        let lsns = u64::from(bounds.recoveries)
            .saturating_add(1)
            .saturating_mul(bounds.lal.saturating_add(bounds.records.into()));
        let capacity = Bits::CAPACITY;
        if lsns > capacity { Err(format!("up to {lsns} LSNs: a state holds {capacity}")) } else { Ok(()) }
    }

    fn initial(c: Context<Self>) -> World<N> {
        World::created(c.rules, c.bounds)
    }

    #[inline]
    fn candidates(c: Context<Self>, state: &World<N>, take: impl FnMut(Action)) {
        state.candidates(c.bounds, take);
    }

    #[inline]
    fn after(c: Context<Self>, state: &World<N>, action: Action) -> Option<World<N>> {
        state.after(c.rules, c.bounds, action)
    }

    fn may_end(c: Context<Self>, state: &World<N>) -> bool {
        goals::may_end(c, state)
    }

    #[inline]
    fn is_reduced(bounds: &Bounds) -> bool {
        bounds.symmetry.is_on()
    }

    fn unreduced(bounds: Bounds) -> Bounds {
        bounds.unreduced()
    }

    fn classes(_: Context<Self>) -> Vec<Vec<usize>> {
        vec![(0..N).collect()]
    }

    fn permuted(_: Context<Self>, state: &World<N>, sources: &[usize]) -> World<N> {
        state.permuted(&std::array::from_fn(|to| sources[to]))
    }

    #[inline]
    fn canonical(_: Context<Self>, state: World<N>) -> World<N> {
        state.canonical().0
    }

    fn sources(_: Context<Self>, state: &World<N>) -> Vec<usize> {
        state.clone().canonical().1.to_vec()
    }

    fn renamed(action: Action, names: &[usize]) -> Action {
        action.renamed(names)
    }

    /// What was acknowledged, opened, allocated or done at a segment stays so. S9 asks for an order that S1 covers
    /// (`footprints.rs`), S13 and S15 speak of a segment that a truncation may mend, S33 of reads, and the L properties of states
    /// in which an old writer or another recovery may still act.
    const STABLE: &'static [&'static str] = &["S1", "S3", "S4", "S5", "S5b", "S7", "S10", "S11", "S12", "S14", "S16"];

    fn footprints(c: Context<Self>, state: &World<N>, enabled: &[Action]) -> Option<Vec<Footprint>> {
        state.footprints(c.rules, c.bounds, enabled)
    }

    fn layout(c: Context<Self>) -> Layout {
        Layout::of::<N>(c.rules, c.bounds)
    }

    #[inline]
    fn pack(_: Context<Self>, layout: &Layout, state: &World<N>, out: &mut impl Put) {
        pack::pack(*layout, state, out);
    }

    #[inline]
    fn unpack(_: Context<Self>, layout: &Layout, from: &mut impl Get) -> World<N> {
        pack::unpack(*layout, from)
    }

    fn describe(c: Context<Self>, action: Action) -> String {
        action.describe(c.rules.scheme)
    }

    fn changes(c: Context<Self>, before: &World<N>, after: &World<N>) -> Vec<String> {
        diff::changes(c.rules.scheme, before, after)
    }

    fn lanes(c: Context<Self>) -> Vec<Lane> {
        let writers =
            (0..=c.bounds.recoveries).map(|i| Lane { name: format!("w{}", i + 1), group: "database instances".into() });
        writers.chain(SegmentId::all(N).map(|segment| segment_lane(c.rules.scheme, segment))).collect()
    }

    fn mark(c: Context<Self>, action: Action, before: &World<N>, _: &World<N>) -> Mark {
        let writers = usize::from(c.bounds.recoveries) + 1;
        let lane = |segment: SegmentId| writers + segment.index();
        match action {
            Action::Recover => Mark::Local { at: before.instances.len() },
            Action::FenceRead { instance, segment }
            | Action::Truncate { instance, segment }
            | Action::Write { instance, segment, .. }
            | Action::Confirm { instance, segment } => Mark::Message { from: Some(instance.into()), to: lane(segment) },
            Action::Gossip { segment, .. } => Mark::Message { from: None, to: lane(segment) },
            Action::Decide { instance }
            | Action::Allocate { instance }
            | Action::Read { instance }
            | Action::BeginRound { instance } => Mark::Local { at: instance.into() },
            Action::Sync { segment } => Mark::Local { at: lane(segment) },
            Action::Crash { segment, .. } | Action::Wipe { segment } => Mark::Fault { at: lane(segment) },
        }
    }

    fn status(c: Context<Self>, state: &World<N>, lane: usize) -> Option<Status> {
        let writers = usize::from(c.bounds.recoveries) + 1;
        if lane < writers {
            let instance = state.instances.get(lane)?;
            let text = match instance.phase() {
                Phase::Reading(reading) => format!("{} answers", reading.heard()),
                Phase::Installing { decision, .. } => format!("keeps up to {}", decision.vdl),
                Phase::Open(writer) => format!("VDL {}", writer.vdl),
                Phase::Deposed => "deposed".into(),
            };
            return Some(Status { epoch: instance.ve().0, text });
        }
        let segment = &state.segments[lane - writers];
        let image = segment.image();
        let text = if segment.is_member() { format!("SCL {}", image.scl(c.rules)) } else { "wiped".into() };
        Some(Status { epoch: image.trunc_ve.0, text })
    }
}

fn segment_lane(scheme: Scheme, segment: SegmentId) -> Lane {
    let name = segment.name(scheme.copies.into(), scheme.zones.into());
    let group = format!("zone {}", name.trim_end_matches(|c: char| c.is_ascii_digit()));
    Lane { name, group }
}

impl Catalogued for Group<6> {
    const PROFILES: &'static [Profile<Self>] = profiles::PROFILES;
    const MUTANTS: &'static [Mutant<Self>] = mutants::MUTANTS;
    /// While everything acknowledged is synced, nothing waits for its sync and a crash loses nothing.
    const OF_MISTAKES: &'static [&'static str] = &["sync", "crash"];
}
