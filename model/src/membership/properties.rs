//! What must hold of membership (protocol §5, §7), each as a named function that returns the violating fact.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | S1 AckDurable | every acknowledged commit is kept by the recovery that opens | M36'' |
//! | S2 QuorumDurable | a committed record is on a write quorum of the members that count | M40, M55 |
//! | S9 SingleWriter | no record that an open epoch does not keep becomes quorate for an older writer | M41 |
//! | S19 DropAfterFull | a tail drops a record only when every full segment has it | M46 |
//! | S27 QuorumIntersect | every admissible read quorum contains a holder of every committed record | M36, M36', M39, M41, M42, M42', M45, M47, M55, M18', M40' |
//! | S28 ConfigUnique | one number, one configuration | M43 |
//! | S29 JoinHydrated | who counts has every record that was quorate when it joined | M36–M38 and their variants |
//! | S30 NoEarlyDiscard | a member that may be gone back to keeps its records | M64 |
//! | S32 FullBaseline | every admissible read quorum has a full segment | M44 |
//! | L5 ChangeSettles | the fault-free suffix ends with one set of members, all of whom know it, and the record committed | M68, M69 |
//! | L7 Repairable | while a read quorum is left it ends with a write quorum of members that take part | M68' |
//! | L10 ProposersDecide | it ends with a configuration of the greatest number installed, however many were proposed | M43' |
//!
//! The last column names only what the table of mutants runs against the property.

use crate::area::{self, Violation};
use crate::quorum::letters;
use crate::types::{Epoch, SegmentSet};

use super::Membership;
use super::configuration::{Configuration, SEGMENTS};
use super::world::{Action, Answered, Commit, FIRST, Kept, Recovery, SECOND, Standing, World};

pub type Property = area::Property<Membership>;

type Group<'a> = area::Context<'a, Membership>;

/// Every property, in the order of the protocol.
pub const ALL: [Property; 12] = [
    Property {
        id: "S1",
        name: "AckDurable",
        formula: "c∈acked ∧ opened ⇒ c∈kept",
        section: "§7, S17 §4.3",
        check: ack_durable,
        sometimes: |_, world| committed(world, FIRST) && world.recovery == Recovery::Open(Kept::Yes),
    },
    Property {
        id: "S2",
        name: "QuorumDurable",
        formula: "c∈acked ⇒ {n: c∈n} ∈ WQ of the readable sets of the newest installed configuration",
        section: "§7, §5",
        check: quorum_durable,
        sometimes: |_, world| committed(world, FIRST) && world.history.len() > 2,
    },
    Property {
        id: "S9",
        name: "SingleWriter",
        formula: "opened[2] ∧ r1∉kept[2] ⇒ r1 does not become quorate afterwards",
        section: "§7, S18 §2.4",
        check: single_writer,
        sometimes: an_old_writer_goes_on,
    },
    Property {
        id: "S19",
        name: "DropAfterFull",
        formula: "r dropped by a tail ⇒ r∈n for every full n",
        section: "§5, PAT 10,803,012",
        check: drop_after_full,
        sometimes: |_, world| world.nodes.iter().any(|node| node.took.0 & !node.holds.0 != 0),
    },
    Property {
        id: "S27",
        name: "QuorumIntersect",
        formula: "c∈acked, R∈RQ of an installed configuration, all of R serve it ⇒ ∃n∈R: c∈n",
        section: "§5, §7",
        check: quorum_intersect,
        sometimes: |_, world| committed(world, FIRST) && world.history.len() > 1,
    },
    Property {
        id: "S28",
        name: "ConfigUnique",
        formula: "same number ⇒ same sets",
        section: "§7, C17",
        check: config_unique,
        sometimes: |_, world| world.history.len() > 1,
    },
    Property {
        id: "S29",
        name: "JoinHydrated",
        formula: "joiner n in a readable set of the newest installed configuration ⇒ n has what was quorate when its configuration was installed",
        section: "§5, §7",
        check: join_hydrated,
        sometimes: |_, world| world.watermark.contains(FIRST) && world.hydrated().anybody().len() > 6,
    },
    Property {
        id: "S30",
        name: "NoEarlyDiscard",
        formula: "n in a set of the newest installed configuration ⇒ n keeps what it took",
        section: "§5, §7",
        check: no_early_discard,
        sometimes: |_, world| world.history.len() > 1 && committed(world, FIRST),
    },
    Property {
        id: "S32",
        name: "FullBaseline",
        formula: "c∈acked, R∈RQ ⇒ R has a full segment",
        section: "§5, S18 §4.2",
        check: full_baseline,
        sometimes: |_, world| committed(world, FIRST) && !world.newest().sets[0].full.is_empty(),
    },
    Property {
        id: "L5",
        name: "ChangeSettles",
        formula: "every maximal fault-free path ends with one installed set of members and the current record committed",
        section: "§7 L1, L2, L5, L6, L10",
        check: change_settles,
        sometimes: |group, world| world.history.len() > 2 && is_terminal(group, world),
    },
    Property {
        id: "L7",
        name: "Repairable",
        formula: "every maximal fault-free path, a read quorum up, ends with a write quorum of the newest installed configuration up",
        section: "§7, C12",
        check: repairable,
        // More than a zone was lost, and everybody is there again.
        sometimes: |_, world| {
            let up = world.which(|node| node.standing == Standing::Up);
            world.lost > 2 && up.len() >= 6 && committed(world, current_writer(world))
        },
    },
    Property {
        id: "L10",
        name: "ProposersDecide",
        formula: "every maximal fault-free path ends with an installed configuration of the greatest number proposed",
        section: "§7, §5",
        check: proposers_decide,
        sometimes: |group, world| world.begun.count_ones() == 2 && is_terminal(group, world),
    },
];

pub(super) fn committed(world: &World, epoch: Epoch) -> bool {
    world.commits[epoch.0 as usize - 1] != Commit::None
}

fn records(world: &World) -> impl Iterator<Item = Epoch> {
    [FIRST, SECOND].into_iter().filter(|epoch| committed(world, *epoch))
}

/// The newest configuration that is installed: of the one before no quorum is left.
fn current(world: &World) -> Option<&Configuration> {
    world.history.iter().rev().find(|configuration| configuration.installed)
}

fn holding(world: &World, epoch: Epoch) -> SegmentSet {
    world.which(|node| node.standing != Standing::Lost && node.holds.contains(epoch))
}

fn annulled(world: &World, epoch: Epoch) -> bool {
    epoch == FIRST && world.recovery.kept() == Some(Kept::No)
}

fn ack_durable(_: Group, world: &World) -> Result<(), Violation> {
    match world.recovery {
        Recovery::Open(Kept::No) if committed(world, FIRST) => {
            Err("the commit of e1 was acknowledged, and e2 opened without it".into())
        }
        _ => Ok(()),
    }
}

fn single_writer(_: Group, world: &World) -> Result<(), Violation> {
    match world.recovery {
        Recovery::Open(Kept::No) if world.commits[0] == Commit::AfterReplacement => {
            Err("the record of e1 became quorate after e2 had opened without it".into())
        }
        _ => Ok(()),
    }
}

fn an_old_writer_goes_on(_: Group, world: &World) -> bool {
    let took = world.which(|node| node.took.contains(FIRST));
    matches!(world.recovery, Recovery::Open(_)) && world.commits[0] == Commit::None && took.len() == 3
}

/// Lost segments are not counted among the holders: what they held is gone.
fn quorum_durable(group: Group, world: &World) -> Result<(), Violation> {
    let Some(current) = current(world) else {
        return Ok(());
    };
    let lost = world.which(|node| matches!(node.standing, Standing::Lost | Standing::Fresh));
    for epoch in records(world).filter(|epoch| !annulled(world, *epoch)) {
        let holding = holding(world, epoch);
        for members in group.rules.readable(current, &world.hydrated()).filter(|members| members.full.is_empty()) {
            let had = SegmentSet(holding.0 | lost.0);
            if !members.enough_to_write(had) {
                return Err(format!(
                    "the record of {epoch} was acknowledged, and of {current} only {} have it",
                    letters(SegmentSet(holding.0 & members.all.0))
                ));
            }
        }
    }
    Ok(())
}

fn drop_after_full(_: Group, world: &World) -> Result<(), Violation> {
    let full = world.newest().sets[0].full;
    for epoch in [FIRST, SECOND] {
        let dropped = world.which(|node| node.took.contains(epoch) && !node.holds.contains(epoch));
        let dropped = SegmentSet(dropped.0 & !full.0);
        let lost = world.which(|node| node.standing == Standing::Lost);
        let lacking = SegmentSet(full.0 & !lost.0 & !holding(world, epoch).0);
        if !full.is_empty() && !dropped.is_empty() && !lacking.is_empty() && !annulled(world, epoch) {
            return Err(format!("{} dropped the record of {epoch}, which {} lack", letters(dropped), letters(lacking)));
        }
    }
    Ok(())
}

/// Members that serve a configuration and lack a record, for every configuration that somebody may go by.
fn quorum_intersect(group: Group, world: &World) -> Result<(), Violation> {
    for epoch in records(world).filter(|epoch| !annulled(world, *epoch)) {
        for configuration in world.history.iter().filter(|configuration| configuration.installed) {
            let lacking = world.which(|node| {
                let number = world.history[usize::from(node.configuration)].number;
                node.standing == Standing::Up && number == configuration.number && !node.holds.contains(epoch)
            });
            if group.rules.is_read_quorum(configuration, lacking, &world.hydrated()) {
                return Err(format!(
                    "the record of {epoch} was acknowledged, and {} suffice to read {configuration} without it",
                    letters(SegmentSet(lacking.0 & configuration.everybody().0))
                ));
            }
        }
    }
    Ok(())
}

fn config_unique(_: Group, world: &World) -> Result<(), Violation> {
    for (place, one) in world.history.iter().enumerate() {
        let twin = world.history[..place].iter().find(|other| other.number == one.number && other.sets != one.sets);
        if let Some(other) = twin {
            return Err(format!("{other} and {one} have one number"));
        }
    }
    Ok(())
}

fn join_hydrated(group: Group, world: &World) -> Result<(), Violation> {
    let original = world.history[0].everybody();
    if let Some(configuration) = current(world) {
        for members in group.rules.readable(configuration, &world.hydrated()) {
            for joiner in members.all.iter(SEGMENTS).filter(|segment| !original.contains(*segment)) {
                let held = world.nodes[joiner.index()].holds;
                let lacks = |epoch: &Epoch| {
                    world.watermark.contains(*epoch) && !held.contains(*epoch) && !annulled(world, *epoch)
                };
                if let Some(epoch) = [FIRST, SECOND].into_iter().find(lacks) {
                    return Err(format!(
                        "{} counts in {configuration} without the record of {epoch}",
                        letters(std::iter::once(joiner).collect())
                    ));
                }
            }
        }
    }
    Ok(())
}

fn no_early_discard(_: Group, world: &World) -> Result<(), Violation> {
    let Some(current) = current(world) else {
        return Ok(());
    };
    let gone = |epoch: Epoch| {
        let taken_only = world
            .which(|node| node.standing == Standing::Up && node.took.contains(epoch) && !node.holds.contains(epoch));
        SegmentSet(taken_only.0 & current.everybody().0)
    };
    for epoch in [FIRST, SECOND].into_iter().filter(|epoch| !annulled(world, *epoch)) {
        let gone = gone(epoch);
        if current.sets[0].full.is_empty() && !gone.is_empty() {
            return Err(format!("{} of {current} discarded the record of {epoch}", letters(gone)));
        }
    }
    Ok(())
}

fn full_baseline(group: Group, world: &World) -> Result<(), Violation> {
    let installed = || world.history.iter().filter(|configuration| configuration.installed);
    for configuration in installed().filter(|configuration| !configuration.sets[0].full.is_empty()) {
        let tails = SegmentSet(configuration.everybody().0 & !configuration.sets[0].full.0);
        let anything = records(world).next().is_some();
        if anything && group.rules.is_read_quorum(configuration, tails, &world.hydrated()) {
            return Err(format!("{} suffice to read {configuration}, and none of them has pages", letters(tails)));
        }
    }
    Ok(())
}

/// Whether nothing but a fault or a new intention can happen.
fn is_terminal(group: Group, world: &World) -> bool {
    let mut quiet = true;
    world.candidates(group.bounds, |action| {
        let progress = match action {
            Action::Install { .. }
            | Action::Settle { .. }
            | Action::Hydrate { .. }
            | Action::Write { .. }
            | Action::Acknowledge { .. }
            | Action::Refresh { .. }
            | Action::FenceRead { .. }
            | Action::Decide
            | Action::Truncate { .. }
            | Action::Recreate { .. } => true,
            Action::Begin { .. }
            | Action::Shrink
            | Action::Recover
            | Action::Discard { .. }
            | Action::Drop { .. }
            | Action::Lose { .. } => false,
        };
        quiet = quiet && !(progress && world.after(group.rules, group.bounds, action).is_some());
    });
    quiet
}

fn change_settles(group: Group, world: &World) -> Result<(), Violation> {
    match unsettled(group, world) {
        Some(wrong) if is_terminal(group, world) => {
            let answered = world.which(|node| node.answered == Answered::Yes);
            Err(format!("nothing can happen any more, and {wrong} (answered: {})", letters(answered)))
        }
        _ => Ok(()),
    }
}

fn proposers_decide(group: Group, world: &World) -> Result<(), Violation> {
    let greatest = world.history.iter().map(|configuration| configuration.number).max().unwrap_or(0);
    let proposed = || world.history.iter().enumerate().filter(|(_, configuration)| configuration.number == greatest);
    if proposed().any(|(_, configuration)| configuration.installed) || !is_terminal(group, world) {
        return Ok(());
    }
    let at = |place: usize| letters(world.which(|node| usize::from(node.configuration) == place));
    let told: Vec<String> = proposed().map(|(place, one)| format!("{one} at {}", at(place))).collect();
    Err(format!("nothing can happen any more, and none is installed of: {}", told.join("; ")))
}

fn repairable(group: Group, world: &World) -> Result<(), Violation> {
    if !needs_repair(group, world) || !is_terminal(group, world) {
        return Ok(());
    }
    let up = world.which(|node| node.standing == Standing::Up);
    Err(format!("nothing can happen any more, and of {} only {} take part", world.newest(), letters(up)))
}

/// Whether the members that are up suffice to read, and not to write.
pub(super) fn needs_repair(group: Group, world: &World) -> bool {
    let up = world.which(|node| node.standing == Standing::Up);
    current(world).is_some_and(|current| {
        let readable = current.sets.iter().any(|members| members.enough_to_read(up));
        readable && !group.rules.is_write_quorum(current, up)
    })
}

/// What is still to be done.
pub(super) fn unsettled(group: Group, world: &World) -> Option<String> {
    if !group.bounds.hydrating.is_on() {
        return None;
    }
    let newest = world.newest();
    let writer = current_writer(world);
    if newest.is_joint() {
        Some(format!("{newest} is not settled"))
    } else if !newest.installed {
        Some(format!("{newest} is not installed"))
    } else if world.known_to(writer).number != newest.number {
        Some(format!("the writer goes by {}, and {newest} is newer", world.known_to(writer)))
    } else if !is_open(world) {
        Some("the recovery has not opened".to_owned())
    } else if !committed(world, writer) && wants_commit(group, writer) {
        Some(format!("the record of {writer} is not committed"))
    } else {
        None
    }
}

pub(super) fn current_writer(world: &World) -> Epoch {
    if world.recovery == Recovery::None { FIRST } else { SECOND }
}

pub(super) fn wants_commit(group: Group, writer: Epoch) -> bool {
    writer == FIRST || group.bounds.second_record.is_on()
}

pub(super) fn is_open(world: &World) -> bool {
    !matches!(world.recovery, Recovery::Reading | Recovery::Installing(_))
}

pub(super) fn is_settled(world: &World) -> bool {
    let newest = world.newest();
    !newest.is_joint() && newest.installed
}
