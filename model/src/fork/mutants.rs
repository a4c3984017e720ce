//! Explorations of clones and backtrack, and the known mistakes, one row each.

use super::Forks;
use super::bounds::Bounds;
use super::rules::{ForkRules, mistakes as m};
use crate::area::{self, Leg};

pub type Mutant = area::Mutant<Forks>;
pub type Profile = area::Profile<Forks>;

const fn mutant(
    id: &'static str,
    mistake: &'static str,
    rules: ForkRules,
    breaks: &'static [&'static str],
    bounds: Bounds,
    source: &'static str,
) -> Mutant {
    Mutant::new(id, mistake, rules, breaks, bounds, source)
}

const CLONE: Bounds = Bounds::writing(&[0, 1, 0]).with_clones(1).written();
const TWO_CLONES: Bounds = Bounds::writing(&[0, 0, 0]).with_clones(2);
const TORN: Bounds = Bounds::writing(&[0, 2, 1]).with_clones(1).backtracking(1, 0);
const BACK: Bounds = Bounds::writing(&[0, 0, 1]).backtracking(2, 1);
const BOTH: Bounds = Bounds::writing(&[0, 0, 1]).with_clones(1).backtracking(1, 1);

pub const PROFILES: &[Profile] = &[
    Profile {
        name: "clone",
        about: "clones that share pages by copy on write, collection that honours their forks, a parent that backtracks",
        quick: &[
            Leg::new("writes", CLONE, 5_700, 21),
            Leg::new("two", TWO_CLONES, 38_316, 25),
            Leg::new("both", BOTH, 75_449, 24),
            Leg::new("torn", TORN, 10_559, 23),
        ],
        deep: &[
            Leg::new("four", CLONE.of_four(), 11_550, 26),
            Leg::new("both", Bounds::writing(&[0, 0, 1]).with_clones(1).written().backtracking(2, 1), 625_625, 26),
            Leg::new("two", TWO_CLONES.backtracking(1, 0), 947_043, 29),
            Leg::new("torn", TORN, 10_559, 23),
        ],
        silent: &["F8"],
    },
    Profile {
        name: "backtrack",
        about: "a volume that is shown as it was, and forward again, by epochs; a window, a reversible range, an old writer",
        quick: &[
            Leg::new("again", BACK, 36_231, 22),
            Leg::new("torn", Bounds::writing(&[0, 2, 1, 0]).backtracking(2, 0), 74_644, 24),
        ],
        deep: &[
            Leg::new("thrice", Bounds::writing(&[0, 0, 1, 0]).backtracking(3, 1), 3_761_034, 28),
            Leg::new("four", BACK.of_four(), 81_236, 27),
            Leg::new("torn", Bounds::writing(&[0, 2, 1, 0]).backtracking(2, 0), 74_644, 24),
        ],
        silent: &["F1", "F2"],
    },
];

pub const MUTANTS: &[Mutant] = &[
    mutant("MF1", "collection ignores forks", m::IGNORE_FORKS, &["F1"], CLONE, "§6"),
    mutant("MF2", "collection honours the newest fork alone", m::NEWEST_FORK, &["F1"], TWO_CLONES, "§6"),
    mutant("MF3", "a fork is recorded after it is chosen", m::PIN_AFTERWARDS, &["F1"], CLONE, "derived, M38"),
    mutant("MF4", "annulled records are purged that a clone reads", m::PURGE_FORKED, &["F1"], BOTH, "§6"),
    mutant("MF5", "a clone reads the parent's newest page", m::CLONE_READS_NEWEST, &["F1"], CLONE, "§6"),
    mutant("MF6", "a clone copies the parent's newest page", m::COPY_NEWEST, &["F2"], CLONE, "§6"),
    mutant("MF7", "a clone writes to the page that it shares", m::WRITE_IN_PLACE, &["F3"], CLONE, "§6"),
    mutant("MF8", "a clone's page has no base", m::COPY_NOTHING, &["F2"], CLONE, "§6"),
    mutant("MF9", "a fork is honoured for ever", m::NEVER_RELEASE, &["LF1"], CLONE, "§7 L8, M66"),
    mutant("MF10", "a clone begins in a mini-transaction", m::FORK_AT_VCL, &["F7"], TORN, "C2, M20"),
    mutant("MF11", "a backtrack annuls", m::ANNUL_AT_ONCE, &["F8"], BACK, "§6"),
    mutant("MF12", "hidden records are purged", m::PURGE_HIDDEN, &["F4", "LF2"], BACK, "§6"),
    mutant("MF13", "annulled records are read and folded", m::IGNORE_RANGES, &["F3"], BACK, "C11, M10"),
    mutant("MF14", "forward again after a new write", m::ALWAYS_FORWARD, &["F8"], BACK, "§6"),
    mutant("MF15", "collection above the visible point", m::ABOVE_VISIBLE, &["F3"], BACK, "§6, M29"),
    mutant("MF16", "collection ignores the window", m::IGNORE_WINDOW, &["F5"], BACK, "§6"),
    mutant("MF17", "a backtrack below what is collected", m::BELOW_HORIZON, &["F3"], BACK, "§6, M28"),
    mutant("MF18", "a backtrack into a mini-transaction", m::TORN_TARGET, &["F7"], TORN, "C2, M20"),
    mutant("MF19", "a write of an older epoch is taken", m::STALE_WRITES, &["F6"], BACK, "S18 §2.4, M4"),
    mutant("MF20", "a replaced writer's low-water mark is taken", m::STALE_SENDER, &["F3"], BACK, "§8, M52"),
];
