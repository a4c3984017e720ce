//! Quorum algebra: which sets of copies suffice to write or to read, and whether every two such sets meet.
//!
//! A [`Quorum`] is a monotone predicate over sets of copies: thresholds, joined by *and* and *or*. The six copies of a
//! protection group need 4 of 6 to write and 3 of 6 to read (S17 §2.1); a group whose membership is changing needs 4 of 6
//! of the old *and* 4 of 6 of the new members (S18 §4.1); a group of full and tail segments needs 4 of 6 of any *or* 3 of 3
//! full ones (S18 §4.2). Text writes copies as letters: `4/ABCDEF & 4/ABCDEG`.
//!
//! There are few copies, so everything here is decided over all sets. [`separated`] answers in 2^n steps by monotonicity:
//! two quorums can miss each other iff some set is one of the first kind and its complement holds one of the second.

use std::fmt;
use std::str::FromStr;

use crate::rules::Scheme;
use crate::types::{SegmentId, SegmentSet};

/// Which sets of copies suffice. Monotone: a larger set never suffices less.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Quorum {
    /// At least `count` of these copies.
    Of { count: usize, members: SegmentSet },
    /// Each of these must be met.
    All(Vec<Quorum>),
    /// One of these suffices.
    Any(Vec<Quorum>),
}

/// More copies than this would make 2^n sets too many to go through.
pub const MOST_COPIES: usize = 16;

impl Quorum {
    #[must_use]
    pub fn of(count: usize, members: SegmentSet) -> Quorum {
        Quorum::Of { count, members }
    }

    /// `count` of the first `copies` copies.
    #[must_use]
    pub fn threshold(count: usize, copies: usize) -> Quorum {
        Quorum::of(count, SegmentId::all(copies).collect())
    }

    /// Whether `set` suffices.
    #[must_use]
    pub fn is_met_by(&self, set: SegmentSet) -> bool {
        match self {
            Quorum::Of { count, members } => SegmentSet(set.0 & members.0).len() >= *count,
            Quorum::All(parts) => parts.iter().all(|part| part.is_met_by(set)),
            Quorum::Any(parts) => parts.iter().any(|part| part.is_met_by(set)),
        }
    }

    /// Every copy that is named.
    #[must_use]
    pub fn members(&self) -> SegmentSet {
        match self {
            Quorum::Of { members, .. } => *members,
            Quorum::All(parts) | Quorum::Any(parts) => {
                SegmentSet(parts.iter().fold(0, |all, part| all | part.members().0))
            }
        }
    }

    /// The sets that suffice and of which no proper part does, in order.
    #[must_use]
    pub fn minimal(&self) -> Vec<SegmentSet> {
        let suffices = |set: &SegmentSet| self.is_met_by(*set);
        let shrinks = |set: SegmentSet| {
            let mut parts = SegmentId::all(32).filter(|copy| set.contains(*copy));
            parts.any(|copy| self.is_met_by(SegmentSet(set.0 & !(1 << copy.0))))
        };
        subsets(self.members()).filter(suffices).filter(|set| !shrinks(*set)).collect()
    }
}

/// All parts of `set`, from the empty one to itself, in order of their bits.
fn subsets(set: SegmentSet) -> impl Iterator<Item = SegmentSet> {
    let mut next = Some(0u32);
    std::iter::from_fn(move || {
        let part = next?;
        // Counting in the bits of `set` alone.
        next = (part != set.0).then(|| (part | !set.0).wrapping_add(1) & set.0);
        Some(SegmentSet(part))
    })
}

/// A set that meets `one` while the copies outside it meet `other`: two quorums without a common copy. None if every two meet.
#[must_use]
pub fn separated(one: &Quorum, other: &Quorum) -> Option<(SegmentSet, SegmentSet)> {
    let everybody = SegmentSet(one.members().0 | other.members().0);
    let apart = |set: &SegmentSet| one.is_met_by(*set) && other.is_met_by(SegmentSet(everybody.0 & !set.0));
    let set = subsets(everybody).filter(apart).min_by_key(|set| (set.len(), set.0))?;
    let rest = SegmentSet(everybody.0 & !set.0);
    let enough = subsets(rest).filter(|part| other.is_met_by(*part)).min_by_key(|part| (part.len(), part.0));
    Some((set, enough.unwrap_or(rest)))
}

/// The pairs of minimal quorums that have no copy in common.
#[must_use]
pub fn disjoint_pairs(one: &Quorum, other: &Quorum) -> Vec<(SegmentSet, SegmentSet)> {
    let others = other.minimal();
    let pairs = one.minimal().into_iter().flat_map(|set| others.iter().map(move |other| (set, *other)));
    pairs.filter(|(set, other)| set.0 & other.0 == 0).collect()
}

/// A loss that a scheme may have to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    AnyNode,
    AnyTwoNodes,
    Zone,
    /// AZ+1: a zone, and one node of another.
    ZoneAndNode,
}

impl Loss {
    pub const ALL: [Loss; 4] = [Loss::AnyNode, Loss::AnyTwoNodes, Loss::Zone, Loss::ZoneAndNode];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Loss::AnyNode => "any node",
            Loss::AnyTwoNodes => "any two nodes",
            Loss::Zone => "a zone",
            Loss::ZoneAndNode => "a zone plus one",
        }
    }

    /// Every set of copies that this can take away.
    #[must_use]
    pub fn sets(self, scheme: Scheme) -> Vec<SegmentSet> {
        let copies = usize::from(scheme.copies);
        let node = || SegmentId::all(copies).map(|copy| SegmentSet(1 << copy.0));
        let zones = || zones(scheme).into_iter();
        let mut sets: Vec<SegmentSet> = match self {
            Loss::AnyNode => node().collect(),
            Loss::AnyTwoNodes => node().flat_map(|one| node().map(move |two| SegmentSet(one.0 | two.0))).collect(),
            Loss::Zone => zones().collect(),
            Loss::ZoneAndNode => zones().flat_map(|zone| node().map(move |one| SegmentSet(zone.0 | one.0))).collect(),
        };
        sets.sort();
        sets.dedup();
        sets
    }
}

/// The copies of each zone. They are spread evenly, as [`SegmentId::name`] says.
#[must_use]
pub fn zones(scheme: Scheme) -> Vec<SegmentSet> {
    let (copies, zones) = (usize::from(scheme.copies), usize::from(scheme.zones).max(1));
    let per_zone = copies.div_ceil(zones).max(1);
    let zone = |zone: usize| SegmentId::all(copies).filter(|copy| copy.index() / per_zone == zone).collect();
    (0..zones).map(zone).filter(|members: &SegmentSet| !members.is_empty()).collect()
}

impl Scheme {
    #[must_use]
    pub fn write_quorum(self) -> Quorum {
        Quorum::threshold(usize::from(self.write), usize::from(self.copies))
    }

    #[must_use]
    pub fn read_quorum(self) -> Quorum {
        Quorum::threshold(usize::from(self.read), usize::from(self.copies))
    }

    /// A set that `loss` can take away and after which `quorum` cannot be met; none if it survives every one.
    #[must_use]
    pub fn defeat(self, quorum: &Quorum, loss: Loss) -> Option<SegmentSet> {
        let everybody: SegmentSet = SegmentId::all(usize::from(self.copies)).collect();
        let left = |down: &SegmentSet| SegmentSet(everybody.0 & !down.0);
        loss.sets(self).into_iter().find(|down| !quorum.is_met_by(left(down)))
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Quorum], sign: &str| {
            for (index, part) in parts.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { sign })?;
                match part {
                    Quorum::Of { .. } => write!(f, "{part}")?,
                    Quorum::All(_) | Quorum::Any(_) => write!(f, "({part})")?,
                }
            }
            Ok(())
        };
        match self {
            Quorum::Of { count, members } => write!(f, "{count}/{}", letters(*members)),
            Quorum::All(parts) => join(f, parts, " & "),
            Quorum::Any(parts) => join(f, parts, " | "),
        }
    }
}

/// `ABD` for the first, second and fourth copy.
#[must_use]
pub fn letters(set: SegmentSet) -> String {
    set.iter(26).map(|copy| char::from(b'A' + copy.0)).collect()
}

/// Reads what [`letters`] writes.
fn parse_letters(text: &str) -> Result<SegmentSet, String> {
    let copy = |letter: char| match letter {
        'A'..='P' => Ok(SegmentId(letter as u8 - b'A')),
        other => Err(format!("`{other}` is no copy: use letters from A to P")),
    };
    text.chars().map(copy).collect()
}

/// Reads what `Display` writes: `3/ABC`, joined by `&` or `|`, in parentheses where both occur. The error is a reason.
impl FromStr for Quorum {
    type Err = String;

    fn from_str(text: &str) -> Result<Quorum, String> {
        let mut rest = text.trim();
        let quorum = parse_joined(&mut rest, 0)?;
        if rest.is_empty() { Ok(quorum) } else { Err(format!("`{rest}` is left over")) }
    }
}

/// Deeper than any quorum that somebody means; a parser that recurses must stop somewhere.
const DEEPEST: usize = 16;

fn parse_joined(rest: &mut &str, depth: usize) -> Result<Quorum, String> {
    let first = parse_part(rest, depth)?;
    let Some(sign) = rest.chars().next().filter(|sign| matches!(sign, '&' | '|')) else {
        return Ok(first);
    };
    let mut parts = vec![first];
    while let Some(after) = rest.strip_prefix(sign) {
        *rest = after.trim_start();
        parts.push(parse_part(rest, depth)?);
    }
    if rest.starts_with(['&', '|']) {
        return Err("`&` and `|` side by side need parentheses".into());
    }
    Ok(if sign == '&' { Quorum::All(parts) } else { Quorum::Any(parts) })
}

fn parse_part(rest: &mut &str, depth: usize) -> Result<Quorum, String> {
    if let Some(inner) = rest.strip_prefix('(') {
        if depth == DEEPEST {
            return Err("too many parentheses".into());
        }
        *rest = inner.trim_start();
        let quorum = parse_joined(rest, depth + 1)?;
        *rest = rest.strip_prefix(')').ok_or("a parenthesis is not closed")?.trim_start();
        return Ok(quorum);
    }
    let end = rest.find([' ', '&', '|', ')']).unwrap_or(rest.len());
    let (part, after) = rest.split_at(end);
    *rest = after.trim_start();
    let (count, members) = part.split_once('/').ok_or_else(|| format!("`{part}` is not like 3/ABC"))?;
    let count = count.parse().map_err(|_| format!("`{count}` is no number"))?;
    Ok(Quorum::of(count, parse_letters(members)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quorum(text: &str) -> Quorum {
        let quorum: Quorum = text.parse().unwrap();
        assert_eq!(quorum.to_string(), text);
        quorum
    }

    /// The second, slower algorithm: every set of copies against every other.
    fn separated_the_long_way(one: &Quorum, other: &Quorum) -> bool {
        let everybody = one.members().0 | other.members().0;
        let sets = || (0..=everybody).filter(|set| set & !everybody == 0).map(SegmentSet);
        sets()
            .filter(|set| one.is_met_by(*set))
            .any(|set| sets().any(|against| set.0 & against.0 == 0 && other.is_met_by(against)))
    }

    fn disjoint(one: &str, other: &str) -> usize {
        let (one, other) = (quorum(one), quorum(other));
        let pairs = disjoint_pairs(&one, &other);
        assert_eq!(pairs.is_empty(), separated(&one, &other).is_none(), "{one} against {other}");
        assert_eq!(pairs.is_empty(), !separated_the_long_way(&one, &other), "{one} against {other}");
        if let Some((set, against)) = separated(&one, &other) {
            assert!(one.is_met_by(set) && other.is_met_by(against) && set.0 & against.0 == 0);
        }
        pairs.len()
    }

    const E1_W: &str = "4/ABCDEF";
    const E1_R: &str = "3/ABCDEF";
    const E2_W: &str = "4/ABCDEF & 4/ABCDEG";
    /// As S18 §4.1 prints it (C6).
    const E2_R: &str = "3/ABCDEF | 3/ABCDEG";
    const E3_W: &str = "4/ABCDEG";
    const E3_R: &str = "3/ABCDEG";
    const FOUR_W: &str = "(4/ABCDEF & 4/ABCDEG) & (4/ABCDFH & 4/ABCDGH)";
    const FOUR_R: &str = "3/ABCDEF | 3/ABCDEG | 3/ABCDFH | 3/ABCDGH";

    /// Protocol §5: what meets, and what the papers' text lets slip.
    #[test]
    fn the_set_facts_of_membership_changes() {
        for (write, read) in [(E1_W, E1_R), (E2_W, E2_R), (FOUR_W, FOUR_R), (E3_W, E3_R)] {
            assert_eq!((disjoint(write, read), disjoint(write, write)), (0, 0), "{write}");
        }
        assert_eq!((disjoint(E1_W, E2_W), disjoint(E2_W, E3_R), disjoint(E2_W, E1_R)), (0, 0, 0));
        // A joiner that counts before it is hydrated.
        assert_eq!(disjoint(E1_W, E2_R), 10);
        assert_eq!(disjoint(E1_W, E1_R), 0, "until then only the old members are read");
        assert_eq!(disjoint(E2_W, FOUR_R), 14);
        // In one step.
        assert_eq!((disjoint(E1_W, E3_W), disjoint(E1_W, E3_R)), (0, 10));
        // Two members swapped in one step: two writers at once.
        assert_eq!(disjoint(E1_W, "4/ABCDGH"), 6);
        // The whole zone is lost for long: four copies, three to write and two to read.
        assert_eq!((disjoint("3/ABCD", "2/ABCD"), disjoint(E1_W, "2/ABCD")), (0, 6));
    }

    /// S18 §4.2: A, C and E are full, one in each zone.
    #[test]
    fn the_set_facts_of_full_and_tail_segments() {
        let (write, read) = ("4/ABCDEF | 3/ACE", "3/ABCDEF & 1/ACE");
        assert_eq!((disjoint(write, read), disjoint(write, write)), (0, 0));
        assert_eq!(disjoint_pairs(&quorum(write), &quorum(E1_R)), [(SegmentSet(0b010101), SegmentSet(0b101010))]);
        assert_eq!(disjoint("4/ABCDEF | 2/ACE", read), 9);
        let scheme = Scheme::AURORA;
        assert_eq!(scheme.defeat(&quorum(read), Loss::ZoneAndNode), None);
        // Two full ones in a zone, and both lost with the third.
        assert!(scheme.defeat(&quorum("3/ABCDEF & 1/ABC"), Loss::ZoneAndNode).is_some());
    }

    #[test]
    fn six_copies_survive_what_aurora_says_and_three_do_not() {
        let survives = |scheme: Scheme| {
            let row = |quorum: Quorum| Loss::ALL.map(|loss| scheme.defeat(&quorum, loss).is_none());
            (row(scheme.write_quorum()), row(scheme.read_quorum()))
        };
        assert_eq!(survives(Scheme::AURORA), ([true, true, true, false], [true, true, true, true]));
        assert_eq!(survives(Scheme::TEACHING), ([true, false, true, false], [true, false, true, false]));
    }

    /// Every threshold pair of up to seven copies: they meet iff they add up to more than there are.
    #[test]
    fn thresholds_meet_by_arithmetic() {
        for copies in 1..=7 {
            for (write, read) in (1..=copies).flat_map(|w| (1..=copies).map(move |r| (w, r))) {
                let (one, other) = (Quorum::threshold(write, copies), Quorum::threshold(read, copies));
                assert_eq!(separated(&one, &other).is_none(), write + read > copies);
                assert_eq!(separated_the_long_way(&one, &other), write + read <= copies);
            }
        }
    }

    /// All pairs of all 64 sets of six copies, as quorums of all their members.
    #[test]
    fn all_pairs_of_sets() {
        for (one, other) in (0..64).flat_map(|one| (0..64).map(move |other| (one, other))) {
            let whole = |set: u32| Quorum::of(SegmentSet(set).len(), SegmentSet(set));
            assert_eq!(separated(&whole(one), &whole(other)).is_none(), one & other != 0);
        }
    }

    #[test]
    fn what_is_no_quorum_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "`` is not like 3/ABC"),
            ("4", "`4` is not like 3/ABC"),
            ("x/ABC", "`x` is no number"),
            ("3/abc", "`a` is no copy: use letters from A to P"),
            ("1/A & 1/B | 1/C", "`&` and `|` side by side need parentheses"),
            ("(1/A", "a parenthesis is not closed"),
            ("1/A)", "`)` is left over"),
        ] {
            assert_eq!(text.parse::<Quorum>().unwrap_err(), reason, "{text}");
        }
        assert_eq!("(".repeat(99).parse::<Quorum>().unwrap_err(), "too many parentheses");
    }
}
