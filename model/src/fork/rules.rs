//! The decisions about clones and backtrack: what may be collected and purged, where a clone begins and what it reads and writes, what
//! a backtrack hides and what brings it back.

use crate::decisions::rule_book;
use crate::records::Records;

rule_book! {
    /// The decisions of one design; [`ForkRules::adopted`] is the protocol.
    pub struct ForkRules {}
    /// Which forks hold the low-water mark down: those of all clones that share pages; that of the newest clone (MF2); none (MF1).
    forks: Forks { OfAllClones, OfTheNewest, Ignored }
    /// When a clone's fork begins to hold it down: before its LSN is chosen; afterwards (MF3).
    pin: Pin { BeforeTheChoice, AfterTheChoice }
    /// Until when: until the clone is deleted or has a copy of every page; for ever (MF9).
    release: Release { WhenNothingIsShared, Never }
    /// Where a clone begins: at the VDL; where a write quorum is complete, in a mini-transaction or not (MF10).
    fork_at: ForkAt { Vdl, Vcl }
    /// What a clone reads of a page that it has not copied: the page at its fork; the parent's newest (MF5).
    clone_reads: CloneReads { AtFork, Newest }
    /// What a clone's first write to a page changes: its own copy of the page at its fork; a copy of the parent's newest (MF6); the page
    /// that it shares (MF7); a page of its own without a base (MF8).
    copy_on_write: CopyOnWrite { AtFork, Newest, InPlace, WithoutBase }
    /// What a backtrack does to what lies above its target: hides it, reversibly; annuls it (MF11).
    above_target: AboveTarget { Hidden, Annulled }
    /// Hidden records that a copy purges: none while they are reversible; all (MF12).
    hidden: Hidden { Kept, Purged }
    /// Annulled records that a copy purges: those that no clone's image holds; all (MF4).
    annulled: Annulled { UnlessForked, All }
    /// Annulled records that are not purged yet, where a page is read or folded: left out; included (MF13, C11).
    ranges: Ranges { Consulted, Ignored }
    /// Until when what is hidden can be shown again: until the first new write; for ever (MF14).
    forward: Forward { UntilFirstWrite, Always }
    /// A low-water mark above the visible point, while the volume is backtracked: it is cut there; it is not (MF15).
    visible: Visible { Limits, Ignored }
    /// The backtrack window: holds the low-water mark down; does not (MF16).
    window: Window { Honoured, Ignored }
    /// A target below the low-water mark: refused; taken (MF17).
    horizon: Horizon { Refused, Taken }
    /// A target within a mini-transaction: refused; taken (MF18).
    target: Target { WholeMiniTransaction, AnyRecord }
    /// A write of an older epoch: refused; taken (MF19, M4).
    stale: Stale { Refused, Taken }
    /// A low-water mark of a writer that was replaced: refused, by a compare-and-set that names the epoch; taken (MF20, M52).
    sender: Sender { NewestEpoch, Anybody }
}

impl ForkRules {
    /// The lowest of the forks that hold the low-water mark down: of clones in the order of their creation, those that count.
    pub(super) fn lowest_fork(&self, forks: impl Iterator<Item = u8>) -> u8 {
        match self.forks {
            Forks::OfAllClones => forks.min(),
            Forks::OfTheNewest => forks.last(),
            Forks::Ignored => None,
        }
        .unwrap_or(u8::MAX)
    }

    pub(super) fn pins_first(&self) -> bool {
        self.pin == Pin::BeforeTheChoice
    }

    pub(super) fn releases(&self) -> bool {
        self.release == Release::WhenNothingIsShared
    }

    pub(super) fn forks_at(&self, vdl: u8, vcl: u8) -> u8 {
        match self.fork_at {
            ForkAt::Vdl => vdl,
            ForkAt::Vcl => vcl,
        }
    }

    pub(super) fn clone_reads_newest(&self) -> bool {
        self.clone_reads == CloneReads::Newest
    }

    /// What a clone's first write to a page is applied to, of the page at its fork and the parent's newest; none: the shared page.
    pub(super) fn base(&self, at_fork: Option<Records>, newest: Option<Records>) -> Option<Option<Records>> {
        match self.copy_on_write {
            CopyOnWrite::AtFork => Some(at_fork),
            CopyOnWrite::Newest => Some(newest),
            CopyOnWrite::WithoutBase => Some(Some(Records::default())),
            CopyOnWrite::InPlace => None,
        }
    }

    pub(super) fn hides(&self) -> bool {
        self.above_target == AboveTarget::Hidden
    }

    /// What a copy keeps, whatever else it holds.
    pub(super) fn keeps(&self, live: Records, reversible: Records, images: Records) -> Records {
        let hidden = if self.hidden == Hidden::Kept { reversible } else { Records::default() };
        let forked = if self.annulled == Annulled::UnlessForked { images } else { Records::default() };
        live.or(hidden).or(forked)
    }

    /// Of what a copy holds, what it takes for the volume's.
    pub(super) fn consulted(&self, held: Records, live: Records) -> Records {
        match self.ranges {
            Ranges::Consulted => held.and(live),
            Ranges::Ignored => held,
        }
    }

    pub(super) fn may_go_forward(&self, written: bool) -> bool {
        !written || self.forward == Forward::Always
    }

    /// The low-water mark. `head`: the newest durable LSN, hidden or not.
    pub(super) fn low_water(&self, vdl: u8, head: u8, window: u8, fork: u8) -> u8 {
        let visible = if self.visible == Visible::Limits { vdl } else { head };
        let window = if self.window == Window::Honoured { head.saturating_sub(window) } else { head };
        visible.min(window).min(fork)
    }

    /// Whether a backtrack may go to a target; `whole`: it ends a mini-transaction.
    pub(super) fn may_show(&self, target: u8, low_water: u8, whole: bool) -> bool {
        (target >= low_water || self.horizon == Horizon::Taken) && (whole || self.target == Target::AnyRecord)
    }

    pub(super) fn takes_writes_of(&self, writer: u8, copy: u8) -> bool {
        writer == copy || (writer < copy && self.stale == Stale::Taken)
    }

    pub(super) fn takes_word_of(&self, writer: u8, newest: u8) -> bool {
        writer == newest || self.sender == Sender::Anybody
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(super) mod mistakes {
    use super::{
        AboveTarget, Annulled, CloneReads, CopyOnWrite, ForkAt, ForkRules, Forks, Forward, Hidden, Horizon, Pin,
        Ranges, Release, Sender, Stale, Target, Visible, Window,
    };

    macro_rules! mistakes {
        ($($name:ident: $field:ident = $value:expr;)*) => {
            $(pub const $name: ForkRules = ForkRules { $field: $value, ..ForkRules::adopted() };)*
        };
    }

    mistakes! {
        IGNORE_FORKS: forks = Forks::Ignored;
        NEWEST_FORK: forks = Forks::OfTheNewest;
        PIN_AFTERWARDS: pin = Pin::AfterTheChoice;
        NEVER_RELEASE: release = Release::Never;
        FORK_AT_VCL: fork_at = ForkAt::Vcl;
        CLONE_READS_NEWEST: clone_reads = CloneReads::Newest;
        COPY_NEWEST: copy_on_write = CopyOnWrite::Newest;
        WRITE_IN_PLACE: copy_on_write = CopyOnWrite::InPlace;
        COPY_NOTHING: copy_on_write = CopyOnWrite::WithoutBase;
        ANNUL_AT_ONCE: above_target = AboveTarget::Annulled;
        PURGE_HIDDEN: hidden = Hidden::Purged;
        PURGE_FORKED: annulled = Annulled::All;
        IGNORE_RANGES: ranges = Ranges::Ignored;
        ALWAYS_FORWARD: forward = Forward::Always;
        ABOVE_VISIBLE: visible = Visible::Ignored;
        IGNORE_WINDOW: window = Window::Ignored;
        BELOW_HORIZON: horizon = Horizon::Taken;
        TORN_TARGET: target = Target::AnyRecord;
        STALE_WRITES: stale = Stale::Taken;
        STALE_SENDER: sender = Sender::Anybody;
    }
}
