//! All operations in few bytes.
//!
//! A stream of variable-length integers (seven bits a byte, the lowest first, the top bit on all but the last), some 15
//! bytes an operation. Signed ones are folded: 0, -1, 1, -2 … are 0, 1, 2, 3 …. An operation, in order of invocation, is
//!
//! ```text
//! shape * 8 + bits      bit 0: another process than before on this lane; bit 1: invocation has a time; bit 2: completion
//! lane
//! process               if bit 0; number in the dictionary
//! invoked               event, signed difference to that of the operation before
//! completed - invoked   unless it is open
//! key                   number in the dictionary; for a transaction how many, and then each
//! slot, as many as the shape has
//!                       even: twice the folded difference to the integer before in this slot; odd: 2 * string + 1
//! time invoked          if bit 1; signed difference to the invocation before that had one
//! time completed        if bit 2; signed difference to its invocation, or else to the invocation before that had one
//! point                 0: none; else 1 + gap - invoked, and the rank in the gap
//! ```
//!
//! What `web/data.js` reads is this, and it must be changed with it.

use std::collections::HashMap;

use serde::Serialize;
use sextant_histories::{Call, History, Key, Operation};

use super::points::{Point, points};
use super::text::{Ending, Part, Shape, Slot, plain, shape};
use super::{Picture, lanes};
use crate::linearizability::Prefix;

/// The two data blocks of a page.
pub(super) struct Encoded {
    /// JSON without `<`.
    pub(super) meta: String,
    pub(super) operations: Vec<u8>,
    pub(super) counts: Counts,
}

/// How many different ones there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) processes: usize,
    pub(super) keys: usize,
}

#[derive(Serialize)]
struct Meta<'a> {
    title: &'a str,
    operations: usize,
    /// Of the stream of operations: one that was cut short may still look like a stream.
    checksum: u32,
    events: usize,
    lanes: u32,
    keys: Vec<String>,
    processes: Vec<String>,
    strings: Vec<String>,
    functions: Vec<String>,
    shapes: Vec<Wording>,
    /// The failing core.
    core: Vec<usize>,
    /// Shown with it, but no part of it.
    bystanders: Vec<usize>,
    /// How many events are already wrong, and whether one fewer is right.
    prefix: Option<usize>,
    prefix_is_shortest: bool,
    lines: Lines,
    /// The least recorded time, from which the others are counted; in nanoseconds.
    time_base: Option<String>,
}

/// A shape as the script reads it: in `template`, null is a slot.
#[derive(Serialize)]
struct Wording {
    function: usize,
    ending: &'static str,
    template: Vec<Option<String>>,
    /// Whether the operation names several keys.
    many_keys: bool,
}

/// The lines of the events in their file.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Lines {
    /// Event `n` is on line `n` plus this.
    From(usize),
    /// At the end of the stream: for each event the signed difference to the line of the event before.
    Stream,
}

/// How long a value may be, and how long when there are very many of them.
const VALUE: usize = 200;
const VALUE_AMONG_MANY: usize = 40;

/// Of all strings together, in bytes; from there on they are [`VALUE_AMONG_MANY`].
const MANY: usize = 8 << 20;

/// Integers below this, either way, stand in the stream; differences of two of them, folded and doubled, are exact as
/// the script's numbers, which have 53 bits.
const INLINE: i64 = 1 << 49;

pub(super) fn encode(picture: &Picture<'_>) -> Encoded {
    let history = picture.history;
    let operations = history.operations();
    let (lanes, lane_count) = lanes::assign(operations);
    let points = points(operations, &picture.orders);
    let base = operations.iter().flat_map(times).flatten().min();
    let mut encoder = Encoder {
        bytes: Vec::with_capacity(16 * operations.len()),
        base: base.unwrap_or(0),
        on_lane: vec![None; lane_count as usize],
        ..Encoder::default()
    };
    for ((operation, lane), point) in operations.iter().zip(lanes).zip(points) {
        encoder.push(operation, lane, point);
    }
    let lines = put_lines(history, &mut encoder);
    let counts = Counts { processes: encoder.processes.names.len(), keys: encoder.keys.names.len() };
    let failing = picture.failing();
    let bystanders = picture.core.iter().map(|member| member.operation);
    let title = plain(&picture.title);
    let meta = Meta {
        title: &title,
        operations: operations.len(),
        checksum: checksum(&encoder.bytes),
        events: events(history),
        lanes: lane_count,
        keys: encoder.keys.names,
        processes: encoder.processes.names,
        strings: encoder.strings.names,
        functions: encoder.functions.names,
        shapes: encoder.shapes,
        bystanders: bystanders.filter(|number| !failing.contains(number)).collect(),
        core: failing,
        prefix: picture.prefix.map(Prefix::events),
        prefix_is_shortest: matches!(picture.prefix, Some(Prefix::Shortest(_))),
        lines,
        time_base: base.map(|base| base.to_string()),
    };
    // Maps with other keys than strings are the only thing that JSON cannot say.
    let meta = serde_json::to_string(&meta).expect("the dictionary is made of structs, lists and strings");
    Encoded { meta: meta.replace('<', "\\u003c"), operations: encoder.bytes, counts }
}

fn times(operation: &Operation) -> [Option<u64>; 2] {
    [operation.invoked.time, operation.completed.and_then(|moment| moment.time)]
}

/// How many events there are; a changed copy of a history may say fewer than it has.
fn events(history: &History) -> usize {
    let end = |operation: &Operation| operation.completed.unwrap_or(operation.invoked).index + 1;
    history.operations().iter().map(end).max().unwrap_or(0).max(history.len())
}

/// Other formats than the native one have comments, and both events of an operation on one line.
fn put_lines(history: &History, encoder: &mut Encoder) -> Lines {
    let from = history.line(0);
    if (0..events(history)).all(|event| history.line(event) == event + from) {
        return Lines::From(from);
    }
    let mut before = 0;
    for event in 0..events(history) {
        let line = history.line(event) as i64;
        encoder.put(fold(line - before));
        before = line;
    }
    Lines::Stream
}

/// Names, numbered as they come up.
struct Dictionary<T> {
    numbers: HashMap<T, usize>,
    names: Vec<String>,
    bytes: usize,
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), names: Vec::new(), bytes: 0 }
    }
}

impl<T: std::hash::Hash + Eq> Dictionary<T> {
    fn number(&mut self, thing: T, name: impl FnOnce(&T) -> String) -> usize {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        let (number, name) = (self.names.len(), name(&thing));
        self.bytes += name.len();
        self.names.push(name);
        self.numbers.insert(thing, number);
        number
    }
}

#[derive(Default)]
struct Encoder {
    bytes: Vec<u8>,
    keys: Dictionary<Key>,
    processes: Dictionary<u64>,
    strings: Dictionary<String>,
    functions: Dictionary<String>,
    shape_numbers: HashMap<(Shape, bool), usize>,
    shapes: Vec<Wording>,
    on_lane: Vec<Option<u64>>,
    base: u64,
    invoked: usize,
    time: u64,
    integers: [i64; 3],
}

impl Encoder {
    fn push(&mut self, operation: &Operation, lane: u32, point: Option<Point>) {
        let (shape, slots) = shape(operation);
        let ending = shape.ending;
        let many_keys = matches!(operation.call, Call::Txn(_));
        let [begun, ended] = times(operation);
        let before = self.on_lane[lane as usize].replace(operation.process);
        let another = before != Some(operation.process);
        let bits = u64::from(another) | u64::from(begun.is_some()) << 1 | u64::from(ended.is_some()) << 2;
        let shape = self.shape(shape, many_keys);
        self.put(shape as u64 * 8 + bits);
        self.put(lane.into());
        if another {
            let process = self.processes.number(operation.process, u64::to_string);
            self.put(process as u64);
        }
        self.put(fold(operation.invoked.index as i64 - self.invoked as i64));
        self.invoked = operation.invoked.index;
        if ending != Ending::Open {
            let end = operation.completed.map_or(self.invoked, |moment| moment.index);
            self.put(end.saturating_sub(self.invoked) as u64);
        }
        self.put_keys(operation);
        for (position, slot) in slots.iter().enumerate() {
            self.put_slot(position, slot);
        }
        if let Some(time) = begun {
            self.put(fold(difference(time - self.base, self.time)));
            self.time = time - self.base;
        }
        if let Some(time) = ended {
            self.put(fold(difference(time - self.base, self.time)));
        }
        match point {
            None => self.put(0),
            Some(point) => {
                self.put((1 + point.event - self.invoked) as u64);
                self.put(point.rank as u64);
            }
        }
    }

    fn shape(&mut self, shape: Shape, many_keys: bool) -> usize {
        if let Some(number) = self.shape_numbers.get(&(shape.clone(), many_keys)) {
            return *number;
        }
        let part = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Slot => None,
        };
        let wording = Wording {
            function: self.functions.number(shape.function.clone(), String::clone),
            ending: shape.ending.name(),
            template: shape.template.iter().map(part).collect(),
            many_keys,
        };
        self.shapes.push(wording);
        self.shape_numbers.insert((shape, many_keys), self.shapes.len() - 1);
        self.shapes.len() - 1
    }

    fn put_keys(&mut self, operation: &Operation) {
        if let Call::Txn(steps) = &operation.call {
            let mut keys: Vec<usize> = Vec::new();
            for step in steps.iter() {
                let key = self.keys.number(step.key.clone(), key_name);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            self.put(keys.len() as u64);
            keys.into_iter().for_each(|key| self.put(key as u64));
        } else {
            let key = self.keys.number(operation.key.clone(), key_name);
            self.put(key as u64);
        }
    }

    fn put_slot(&mut self, position: usize, slot: &Slot<'_>) {
        if let Slot::Value(sextant_histories::Value::Int(value)) = slot
            && (-INLINE..INLINE).contains(value)
        {
            let before = std::mem::replace(&mut self.integers[position], *value);
            return self.put(fold(value - before) * 2);
        }
        let limit = if self.strings.bytes < MANY { VALUE } else { VALUE_AMONG_MANY };
        let string = self.strings.number(slot.text(limit), String::clone);
        self.put(string as u64 * 2 + 1);
    }

    fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// FNV-1a: two lines here and two in the script.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn key_name(key: &Key) -> String {
    plain(&key.to_string())
}

/// Of two times; a difference of more than three centuries is not a time.
fn difference(time: u64, from: u64) -> i64 {
    i64::try_from(i128::from(time) - i128::from(from)).unwrap_or(i64::MAX >> 1)
}

fn fold(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of its authors (Fowler, Noll and Vo, RFC 9923).
    #[test]
    fn the_checksum_is_fnv() {
        assert_eq!([&b""[..], b"a", b"foobar"].map(checksum), [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
    }

    #[test]
    fn numbers_are_folded_and_put_in_sevens() {
        assert_eq!([0, -1, 1, -2, i64::MAX >> 1].map(fold), [0, 1, 2, 3, i64::MAX as u64 - 1]);
        let mut encoder = Encoder::default();
        for number in [0, 127, 128, 300, u64::MAX] {
            encoder.put(number);
        }
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(encoder.bytes, [&[0, 127, 128, 1, 0xac, 2][..], &longest].concat());
    }
}
