//! Operations in words, taken apart so that a million of them share a few templates.

use std::fmt::{self, Write};

use sextant_histories::{Call, Micro, MicroKind, Operation, Outcome, Reply, Value};

/// How an operation is worded: the text before the first slot, between it and the second, and so on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// By which it is coloured.
    pub(super) function: String,
    pub(super) template: Vec<Part>,
    pub(super) ending: Ending,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Text(String),
    /// The next of the operation's slots.
    Slot,
}

/// How an operation ended, as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ending {
    Ok,
    Fail,
    Info,
    /// The history stops before.
    Open,
}

/// What stands in a slot.
pub(super) enum Slot<'a> {
    Value(&'a Value),
    Steps(&'a [Micro]),
}

impl Ending {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
            Self::Open => "open",
        }
    }

    fn of(operation: &Operation) -> Self {
        match (&operation.outcome, operation.completed) {
            (Outcome::Ok(_), _) => Self::Ok,
            (Outcome::Fail, _) => Self::Fail,
            (Outcome::Indeterminate, Some(_)) => Self::Info,
            (Outcome::Indeterminate, None) => Self::Open,
        }
    }
}

/// The operation in words, as far as a shape has them, and what fills the slots.
pub(super) fn shape(operation: &Operation) -> (Shape, Vec<Slot<'_>>) {
    let mut wording = Wording { template: vec![Part::Text(plain(operation.call.name()))], slots: Vec::new() };
    let reply = operation.reply();
    match &operation.call {
        Call::Cas { old, new } => {
            wording.slot(" ", Slot::Value(old));
            wording.slot(" → ", Slot::Value(new));
        }
        Call::Txn(steps) => match reply {
            Some(Reply::Txn(seen)) => wording.slot(" ", Slot::Steps(seen)),
            _ => wording.slot(" ", Slot::Steps(steps)),
        },
        Call::Other(_, Value::Null) => {}
        Call::Write(value)
        | Call::Append(value)
        | Call::Add(value)
        | Call::Remove(value)
        | Call::Contains(value)
        | Call::Enqueue(value)
        | Call::Push(value)
        | Call::Insert(value)
        | Call::Other(_, value) => wording.slot(" ", Slot::Value(value)),
        Call::Read | Call::Dequeue | Call::Pop | Call::PopMin | Call::Acquire | Call::Release => {}
    }
    match reply {
        Some(Reply::Read(value) | Reply::Returned(value)) => wording.slot(" → ", Slot::Value(value)),
        Some(Reply::Differed) => wording.template.push(Part::Text(": differed".into())),
        Some(Reply::Written | Reply::Swapped | Reply::Done | Reply::Txn(_)) | None => {}
    }
    let function = plain(operation.call.name());
    (Shape { function, template: wording.template, ending: Ending::of(operation) }, wording.slots)
}

struct Wording<'a> {
    template: Vec<Part>,
    slots: Vec<Slot<'a>>,
}

impl<'a> Wording<'a> {
    fn slot(&mut self, before: &str, slot: Slot<'a>) {
        self.template.extend([Part::Text(before.into()), Part::Slot]);
        self.slots.push(slot);
    }
}

/// The operation in words, each slot in at most `limit` characters.
pub(super) fn describe(operation: &Operation, limit: usize) -> String {
    let (shape, slots) = shape(operation);
    let mut slots = slots.iter();
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Slot => slots.next().map_or_else(String::new, |slot| slot.text(limit)),
    };
    shape.template.iter().map(part).collect()
}

impl Slot<'_> {
    /// In at most `limit` characters and an ellipsis. Takes no longer for a longer value.
    pub(super) fn text(&self, limit: usize) -> String {
        let mut clip = Clip { text: String::new(), left: limit };
        let whole = match self {
            Self::Value(value) => write!(clip, "{value}"),
            Self::Steps(steps) => write_steps(steps, &mut clip),
        };
        if whole.is_err() {
            clip.text.push('…');
        }
        plain(&clip.text)
    }
}

fn write_steps(steps: &[Micro], out: &mut impl Write) -> fmt::Result {
    for (index, Micro { kind, key, value }) in steps.iter().enumerate() {
        out.write_str(if index == 0 { "" } else { ", " })?;
        match kind {
            MicroKind::Read => write!(out, "r {key} → {value}")?,
            MicroKind::Write => write!(out, "w {key} {value}")?,
            MicroKind::Append => write!(out, "append {key} {value}")?,
        }
    }
    Ok(())
}

/// Stops the formatting of what nobody can read anyway: a list that was appended to ten thousand times.
struct Clip {
    text: String,
    left: usize,
}

impl Write for Clip {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

/// `text` with what cannot be seen, or reorders what stands around it, escaped as in Rust.
pub(super) fn plain(text: &str) -> String {
    let hidden = |character: &char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    if !text.chars().any(|character| hidden(&character)) {
        return text.to_owned();
    }
    let show = |character: char| {
        if hidden(&character) { character.escape_default().to_string() } else { character.to_string() }
    };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use sextant_histories::{Key, Moment};

    use super::*;

    fn operation(call: Call, outcome: Outcome) -> Operation {
        let invoked = Moment { index: 0, time: None };
        Operation { process: 0, key: Key::None, call, outcome, invoked, completed: None }
    }

    #[test]
    fn operations_in_words() {
        let txn = [
            Micro { kind: MicroKind::Read, key: "x".into(), value: Value::Null },
            Micro { kind: MicroKind::Append, key: 1.into(), value: 2.into() },
        ];
        let seen = [Micro { value: [1.into()].into_iter().collect(), ..txn[0].clone() }, txn[1].clone()];
        let cas = Call::Cas { old: 1.into(), new: Value::Null };
        for (call, reply, expected) in [
            (Call::Read, Some(Reply::Read("a".into())), "read → \"a\""),
            (Call::Read, None, "read"),
            (Call::Write(5.into()), Some(Reply::Written), "write 5"),
            (cas.clone(), Some(Reply::Swapped), "cas 1 → null"),
            (cas, Some(Reply::Differed), "cas 1 → null: differed"),
            (Call::Contains(3.into()), Some(Reply::Returned(true.into())), "contains 3 → true"),
            (Call::PopMin, Some(Reply::Returned(7.into())), "pop-min → 7"),
            (Call::Acquire, Some(Reply::Done), "acquire"),
            (Call::Txn(txn.into()), None, "txn r \"x\" → null, append 1 2"),
            (Call::Txn(seen.clone().into()), Some(Reply::Txn(seen.into())), "txn r \"x\" → [1], append 1 2"),
            (Call::Other("in\u{202e}c\n".into(), Value::Null), Some(Reply::Returned(9.into())), r"in\u{202e}c\n → 9"),
        ] {
            let outcome = reply.map_or(Outcome::Fail, Outcome::Ok);
            assert_eq!(describe(&operation(call, outcome), 100), expected);
        }
    }

    #[test]
    fn long_values_end_in_an_ellipsis() {
        let write = |text: &str| describe(&operation(Call::Write(text.into()), Outcome::Fail), 6);
        assert_eq!(write("abcd"), "write \"abcd\"");
        assert_eq!(write("abcde"), "write \"abcde…");
        assert_eq!(write("ééééé"), "write \"ééééé…");
        let endless: Value = (0..1_000_000).map(Value::Int).collect();
        assert_eq!(describe(&operation(Call::Write(endless), Outcome::Fail), 6), "write [0, 1,…");
    }
}
