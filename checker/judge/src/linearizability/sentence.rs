//! A smallest failing core in one sentence, in the words of the model.
//!
//! Each form of sentence has its conditions checked before it is used, so that what it says is what makes the core
//! impossible; a core that fits none is told as a list of its members with their order in real time.

use std::collections::BTreeMap;

use sextant_histories::{Call, History, Operation, Outcome, Reply, Value};

use super::core::Core;
use super::model::Family;

/// How many members a sentence names; a longer one is not read.
const NAMED: usize = 5;

/// The sentence about `core`, a core of `operations` of one key, with their numbers. No full stop, no key.
pub(super) fn sentence(history: &History, operations: &[(usize, &Operation)], family: &Family, core: &Core) -> String {
    let all = history.operations();
    let mut members: Vec<&Operation> = core.operations.iter().map(|number| &all[*number]).collect();
    members.sort_by_key(|member| member.invoked.index);
    let told = Told { history, operations, family, members };
    told.unfounded()
        .or_else(|| told.too_often())
        .or_else(|| told.stale())
        .or_else(|| told.held_at_once())
        .or_else(|| told.overtaken())
        .or_else(|| told.not_empty())
        .unwrap_or_else(|| told.list())
}

struct Told<'a> {
    history: &'a History,
    operations: &'a [(usize, &'a Operation)],
    family: &'a Family,
    /// In order of invocation.
    members: Vec<&'a Operation>,
}

impl<'a> Told<'a> {
    /// One claims a value that nobody can have left there by then: nobody asked for it, or all failed, or were yet to come.
    fn unfounded(&self) -> Option<String> {
        if !self.has_values() {
            return None;
        }
        let (claimant, value) = self.only_claimant()?;
        let makers = self.makers(value);
        if self.is_initial(value) || self.members.len() != 1 + makers.len() {
            return None;
        }
        let failed = |maker: &&&Operation| maker.outcome == Outcome::Fail;
        let late: Vec<&&Operation> = makers.iter().filter(|maker| !failed(maker)).collect();
        if !late.iter().all(|maker| precedes(claimant, maker)) {
            return None;
        }
        let subject = self.subject(claimant);
        let verb = self.verb();
        Some(match (&makers[..], &late[..]) {
            ([], _) => format!("{subject}, but nothing ever {verb} {value}"),
            ([maker], []) => format!(
                "{subject}, but {} of {value} by process {} failed (line {}) and nothing else {verb} {value}",
                maker.call.name(),
                maker.process,
                self.end(maker)
            ),
            (makers, []) => {
                format!("{subject}, but all {} operations that would have {verb} {value} failed", makers.len())
            }
            (_, [first, ..]) => {
                let first = *first;
                let others = if makers.len() == 1 { "and nothing else" } else { "and nothing before" };
                format!(
                    "{subject} had completed (line {}) before {} began (line {}), {others} {verb} {value}",
                    self.end(claimant),
                    self.subject_of(first),
                    self.begin(first)
                )
            }
        })
    }

    /// More operations used up a value than there were of it.
    fn too_often(&self) -> Option<String> {
        if !self.has_values() {
            return None;
        }
        let value = uses_up(self.members.first()?)?;
        let all = self.members.iter().all(|member| uses_up(member) == Some(value));
        if !all || self.members.len() != self.supply(value) + 1 || self.members.len() < 2 {
            return None;
        }
        let subjects: Vec<String> = self.members.iter().take(NAMED).map(|member| self.subject_of(member)).collect();
        let more = self.members.len() - subjects.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let action = if self.is_register() { "replaced" } else { "took" };
        let times = times(self.supply(value));
        Some(format!("{}{more} each {action} {value}, which was there {times}", subjects.join(" and ")))
    }

    /// One claims a value that was written before another operation, which was over when it began.
    fn stale(&self) -> Option<String> {
        if !self.is_register() {
            return None;
        }
        let claimants = self.members.iter().filter(|member| claims(member).is_some());
        claimants.filter_map(|claimant| self.stale_for(claimant)).next()
    }

    fn stale_for(&self, claimant: &Operation) -> Option<String> {
        let value = claims(claimant)?;
        let others = self.members.iter().filter(|member| !std::ptr::eq(**member, claimant));
        let (makers, rest): (Vec<&Operation>, Vec<&Operation>) =
            others.copied().partition(|member| makes(member) == Some(value));
        let [other] = rest[..] else { return None };
        let between = if claims(other) == Some(value) { makes(other)? } else { leaves(other)? };
        let settled =
            |maker: &&Operation| maker.outcome == Outcome::Fail || precedes(maker, other) || precedes(claimant, maker);
        if between == value
            || !precedes(other, claimant)
            || makers.len() != self.makers(value).len()
            || !makers.iter().all(settled)
        {
            return None;
        }
        let before: Vec<&&Operation> = makers.iter().filter(|maker| precedes(maker, other)).collect();
        let before: Vec<&&Operation> = before.into_iter().filter(|maker| maker.outcome != Outcome::Fail).collect();
        let begins = format!(
            "{} began after {} had completed (line {})",
            self.subject(claimant),
            self.subject_of(other),
            self.end(other)
        );
        Some(match &before[..] {
            [] if makers.is_empty() => format!("{begins}, and nothing wrote {value}"),
            [] => format!("{begins}, and nothing wrote {value} in between"),
            [one] => {
                let line = self.end(one);
                format!("{begins}, which began after {} had completed (line {line})", self.subject_of(one))
            }
            many => format!("{begins}, which began after all {} writes of {value} before it had completed", many.len()),
        })
    }

    /// Two values, each written once, that operations show to have been there at the same time.
    fn held_at_once(&self) -> Option<String> {
        if !self.is_register() {
            return None;
        }
        let mut holders: BTreeMap<&Value, Vec<&Operation>> = BTreeMap::new();
        for member in &self.members {
            let value = leaves(member).filter(|_| !matches!(member.call, Call::Cas { .. }))?;
            holders.entry(value).or_default().push(member);
        }
        let zones: Vec<Zone<'_>> = holders.iter().filter_map(|(value, holders)| Zone::of(value, holders)).collect();
        let [one, other] = &zones[..] else { return None };
        let (first, second) = if one.is_held() { (one, other) } else { (other, one) };
        let once = |zone: &Zone<'_>| self.supply(zone.value) == 1;
        let meet = if second.is_held() {
            first.from() < second.to() && second.from() < first.to()
        } else {
            first.from() < second.from() && second.to() < first.to()
        };
        if holders.len() != 2 || !first.is_held() || !once(first) || !meet {
            return None;
        }
        let held = |zone: &Zone<'_>| {
            format!(
                "{} was there from the end of {} (line {}) to the beginning of {} (line {})",
                zone.value,
                self.subject_of(zone.ends),
                self.end(zone.ends),
                self.subject_of(zone.begins),
                self.begin(zone.begins)
            )
        };
        if second.is_held() {
            return once(second)
                .then(|| format!("{}, and {}, but each was there only once", held(first), held(second)));
        }
        if holders.get(second.value)?.len() > 1 && !once(second) {
            return None;
        }
        let seen = if std::ptr::eq(second.ends, second.begins) {
            format!("but {} lies in between", self.subject(second.ends))
        } else {
            format!(
                "but {} was there between the beginning of {} (line {}) and the end of {} (line {})",
                second.value,
                self.subject_of(second.begins),
                self.begin(second.begins),
                self.subject_of(second.ends),
                self.end(second.ends)
            )
        };
        Some(format!("{}, and it was there only once, {seen}", held(first)))
    }

    /// First in was not first out.
    fn overtaken(&self) -> Option<String> {
        if *self.family != Family::Queue || self.members.len() != 4 {
            return None;
        }
        let puts: Vec<&&Operation> = self.members.iter().filter(|member| makes(member).is_some()).collect();
        let takes: Vec<&&Operation> = self.members.iter().filter(|member| uses_up(member).is_some()).collect();
        let ([first, second], [one, other]) = (&puts[..], &takes[..]) else { return None };
        let (early, late) = if uses_up(one) == makes(first) { (one, other) } else { (other, one) };
        let paired = uses_up(early) == makes(first) && uses_up(late) == makes(second);
        let once = [first, second].iter().all(|put| makes(put).is_some_and(|value| self.supply(value) == 1));
        if !paired || !once || makes(first) == makes(second) || !precedes(first, second) || !precedes(late, early) {
            return None;
        }
        Some(format!(
            "{} had completed (line {}) before {} began (line {}), though {} had completed (line {}) before {} began (line {})",
            self.subject(late),
            self.end(late),
            self.subject_of(early),
            self.begin(early),
            self.subject_of(first),
            self.end(first),
            self.subject_of(second),
            self.begin(second)
        ))
    }

    /// One found nothing while something was there.
    fn not_empty(&self) -> Option<String> {
        if !self.has_values() || self.is_register() {
            return None;
        }
        let mut finders = self.members.iter().filter(|member| found_nothing(member));
        let mut puts = self.members.iter().filter(|member| makes(member).is_some());
        let (finder, put) = (finders.next()?, puts.next()?);
        let value = makes(put)?;
        if finders.next().is_some() || puts.next().is_some() || !precedes(put, finder) || put.reply().is_none() {
            return None;
        }
        let takers: Vec<&&Operation> = self.members.iter().filter(|member| uses_up(member) == Some(value)).collect();
        if self.members.len() != 2 + takers.len() || !takers.iter().all(|taker| precedes(finder, taker)) {
            return None;
        }
        let began = format!(
            "{} began after {} had completed (line {})",
            self.subject(finder),
            self.subject_of(put),
            self.end(put)
        );
        Some(match takers.first() {
            None => format!("{began}, and nothing can have taken {value} out"),
            Some(taker) => format!(
                "{began}, and completed (line {}) before {} began (line {})",
                self.end(finder),
                self.subject_of(taker),
                self.begin(taker)
            ),
        })
    }

    /// What is true of every core: its members, and which was over before which began.
    fn list(&self) -> String {
        let mut items: Vec<String> = Vec::new();
        for (place, member) in self.members.iter().enumerate().take(NAMED) {
            let before = self.members[..place].iter().filter(|other| precedes(other, member));
            let latest = before.max_by_key(|other| other.returned());
            items.push(match latest {
                Some(other) => format!(
                    "{}, which began after {} had completed (line {})",
                    self.subject(member),
                    noun(other),
                    self.end(other)
                ),
                None => self.subject(member),
            });
        }
        let more = self.members.len() - items.len();
        if more > 0 {
            items.push(format!("and {more} more"));
        }
        match &self.members[..] {
            [_] => format!("{}, which is impossible whatever the other operations did", items.join("")),
            members => format!(
                "{} operations do not fit together, whatever the others did: {}",
                members.len(),
                items.join("; ")
            ),
        }
    }

    /// The member that claims a value, if it is the only one that claims anything and all others would make that value.
    fn only_claimant(&self) -> Option<(&'a Operation, &'a Value)> {
        let mut claimants = self.members.iter().filter(|member| claims(member).is_some());
        let claimant = claimants.next()?;
        let value = claims(claimant)?;
        let mut others = self.members.iter().filter(|member| !std::ptr::eq(**member, *claimant));
        others.all(|other| makes(other) == Some(value)).then_some((claimant, value))
    }

    /// Everybody who asked to make `value`, whatever came of it, but for a compare that differed.
    fn makers(&self, value: &Value) -> Vec<&'a Operation> {
        let operations = self.operations.iter().map(|(_, operation)| *operation);
        operations.filter(|operation| makes(operation) == Some(value)).collect()
    }

    /// How often `value` can have been there at most.
    fn supply(&self, value: &Value) -> usize {
        let made = self.makers(value).into_iter().filter(|maker| maker.outcome != Outcome::Fail);
        made.count() + usize::from(self.is_initial(value))
    }

    fn is_initial(&self, value: &Value) -> bool {
        matches!(self.family, Family::Register { initial } if initial == value)
    }

    /// Whether what one operation finds is what another one made.
    fn has_values(&self) -> bool {
        match self.family {
            Family::Register { .. } | Family::Queue | Family::Stack | Family::PriorityQueue => true,
            Family::General
            | Family::Set
            | Family::Counter { .. }
            | Family::Mutex
            | Family::Registers
            | Family::Text { .. }
            | Family::List => false,
        }
    }

    fn is_register(&self) -> bool {
        matches!(self.family, Family::Register { .. })
    }

    fn verb(&self) -> &'static str {
        match self.family {
            Family::Queue => "enqueued",
            Family::Stack => "pushed",
            Family::PriorityQueue => "inserted",
            _ => "wrote",
        }
    }

    /// `read of 3 by process 7 (lines 10 to 12)`.
    fn subject(&self, operation: &Operation) -> String {
        let lines = match operation.completed {
            Some(_) => format!("lines {} to {}", self.begin(operation), self.end(operation)),
            None => format!("line {}, never completed", self.begin(operation)),
        };
        format!("{} by process {} ({lines})", noun(operation), operation.process)
    }

    /// `read of 3 by process 7`.
    fn subject_of(&self, operation: &Operation) -> String {
        format!("{} by process {}", noun(operation), operation.process)
    }

    fn begin(&self, operation: &Operation) -> usize {
        self.history.line(operation.invoked.index)
    }

    fn end(&self, operation: &Operation) -> usize {
        operation.completed.map_or(0, |moment| self.history.line(moment.index))
    }
}

/// What operations on one value say of when it was there.
struct Zone<'a> {
    value: &'a Value,
    /// The first to end, and the last to begin.
    ends: &'a Operation,
    begins: &'a Operation,
}

impl<'a> Zone<'a> {
    fn of(value: &'a Value, holders: &[&'a Operation]) -> Option<Self> {
        let ended = holders.iter().filter(|holder| holder.returned().is_some());
        let ends = ended.min_by_key(|holder| holder.returned())?;
        let begins = holders.iter().max_by_key(|holder| holder.invoked.index)?;
        Some(Self { value, ends, begins })
    }

    /// Whether the value was there for all the time between, and not only at some moment.
    fn is_held(&self) -> bool {
        self.end() < self.begin()
    }

    fn from(&self) -> usize {
        self.end().min(self.begin())
    }

    fn to(&self) -> usize {
        self.end().max(self.begin())
    }

    fn end(&self) -> usize {
        self.ends.returned().unwrap_or(usize::MAX)
    }

    fn begin(&self) -> usize {
        self.begins.invoked.index
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "never".into(),
        1 => "only once".into(),
        count => format!("only {count} times"),
    }
}

fn precedes(one: &Operation, other: &Operation) -> bool {
    one.returned().is_some_and(|end| end < other.invoked.index)
}

/// The value that an operation found, or took.
fn claims(operation: &Operation) -> Option<&Value> {
    match (&operation.call, operation.reply()) {
        (Call::Read, Some(Reply::Read(value))) => Some(value),
        (Call::Cas { old, .. }, Some(Reply::Swapped)) => Some(old),
        _ => uses_up(operation),
    }
}

/// The value that was gone, by this operation, after it.
fn uses_up(operation: &Operation) -> Option<&Value> {
    match (&operation.call, operation.reply()) {
        (Call::Cas { old, new }, Some(Reply::Swapped)) if old != new => Some(old),
        (Call::Dequeue | Call::Pop | Call::PopMin, Some(Reply::Returned(value))) if *value != Value::Null => {
            Some(value)
        }
        _ => None,
    }
}

fn found_nothing(operation: &Operation) -> bool {
    matches!(operation.call, Call::Dequeue | Call::Pop | Call::PopMin)
        && operation.reply() == Some(&Reply::Returned(Value::Null))
}

/// The value that is there by this operation, if it took effect.
fn makes(operation: &Operation) -> Option<&Value> {
    match (&operation.call, operation.reply()) {
        (Call::Cas { .. }, Some(Reply::Differed)) => None,
        (Call::Cas { old, new }, _) => (old != new).then_some(new),
        (Call::Write(value) | Call::Enqueue(value) | Call::Push(value) | Call::Insert(value), _) => Some(value),
        _ => None,
    }
}

/// The value of a register right after an operation that took effect for certain.
fn leaves(operation: &Operation) -> Option<&Value> {
    operation.reply()?;
    makes(operation).or_else(|| claims(operation))
}

/// `read of 3`, `write of 4`, `dequeue that found nothing`.
pub(super) fn noun(operation: &Operation) -> String {
    let what = match (&operation.call, operation.reply()) {
        (_, Some(Reply::Returned(Value::Null))) if found_nothing(operation) => {
            format!("{} that found nothing", operation.call.name())
        }
        (Call::Cas { old, new }, Some(Reply::Differed)) => format!("compare-and-set from {old} to {new} that differed"),
        (Call::Cas { old, new }, _) => format!("compare-and-set from {old} to {new}"),
        (Call::Read, Some(Reply::Read(value))) => format!("read of {value}"),
        (Call::Dequeue | Call::Pop | Call::PopMin, Some(Reply::Returned(value))) => {
            format!("{} of {value}", operation.call.name())
        }
        (Call::Contains(value), Some(Reply::Returned(answer))) => format!("look-up of {value} that returned {answer}"),
        (call, Some(Reply::Txn(steps))) => {
            let steps: Value = steps.iter().map(sextant_histories::Micro::to_value).collect();
            format!("{} {steps}", call.name())
        }
        (call, Some(Reply::Returned(answer))) => format!("{} that returned {answer}", of(call)),
        (call, _) => of(call),
    };
    match operation.outcome {
        Outcome::Ok(_) => what,
        Outcome::Fail => format!("failed {what}"),
        Outcome::Indeterminate => format!("indeterminate {what}"),
    }
}

fn of(call: &Call) -> String {
    match call.argument() {
        Some(argument) => format!("{} of {argument}", call.name()),
        None => call.name().to_owned(),
    }
}

#[cfg(test)]
mod tests;
