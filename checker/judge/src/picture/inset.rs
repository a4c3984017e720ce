//! A few operations and nothing else: boxes from invocation to return, one row a process, arrows between them. An SVG that
//! needs no script.
//!
//! The axis has a column for every event of these operations, in their order, and none for the others. Columns are as
//! far apart as the labels need.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sextant_histories::{History, Operation, Outcome};

use super::text::{describe, plain};
use super::{Arrow, Member, Role};

/// Of a label, and of one character of it in the style sheet's font.
const CHARACTERS: usize = 44;
const CHARACTER: usize = 8;

const GUTTER: usize = 136;
const BOX: usize = 30;
const ROW: usize = 44;
const ROW_WITH_ARROWS: usize = 72;
const TOP: usize = 10;
/// Room for an indeterminate operation to fade out in.
const TAIL: usize = 70;

/// How many boxes there may be: more explain nothing.
pub(super) const SHOWN: usize = 60;

/// A box on the grid of columns and rows; `end` is none where it fades out.
struct Shown<'a> {
    number: usize,
    operation: &'a Operation,
    role: Role,
    label: String,
    row: usize,
    start: usize,
    end: Option<usize>,
    left: usize,
    right: usize,
}

pub(super) fn inset(history: &History, members: &[Member], arrows: &[Arrow]) -> Markup {
    let columns = columns(history, members);
    let mut boxes: Vec<Shown<'_>> = members.iter().map(|member| shown(history, *member, &columns)).collect();
    boxes.sort_by_key(|shown| (shown.start, shown.number));
    let rows = arrange_rows(&mut boxes);
    let places = arrange_columns(history, &mut boxes, &columns);
    let row = if arrows.is_empty() { ROW } else { ROW_WITH_ARROWS };
    let width = boxes.iter().map(|shown| shown.right).chain(places.last().copied()).max().unwrap_or(GUTTER) + 30;
    let bottom = TOP + rows.len() * row;
    let height = bottom + 22;
    html! {
        svg class="inset" xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            viewBox=(format!("0 0 {width} {height}")) role="group" aria-label="The operations of the failing core" {
            (definitions())
            @for (place, event) in places.iter().zip(columns.keys()) {
                line class="guide" x1=(place) x2=(place) y1=(TOP) y2=(bottom) {}
                text class="line" x=(place) y=(bottom + 14) text-anchor="middle" { (history.line(*event)) }
            }
            text class="line" x="4" y=(bottom + 14) { "line" }
            @for (number, process) in rows.iter().enumerate() {
                text class="process" x="4" y=(middle(number, row) + 4) { "process " (shortened(*process)) }
            }
            @for shown in &boxes { (draw(shown, row)) }
            @for arrow in arrows { (draw_arrow(arrow, arrows, &boxes, row)) }
        }
    }
}

fn definitions() -> Markup {
    html! {
        defs {
            linearGradient id="fading" {
                stop offset="0" class="fade-from" {}
                stop offset="1" class="fade-to" {}
            }
            pattern id="hatching" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                line class="hatch" x1="0" y1="0" x2="0" y2="6" {}
            }
            marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                path class="head" d="M0 0L8 4L0 8z" {}
            }
        }
    }
}

/// The events of the members, each with the number of its column.
fn columns(history: &History, members: &[Member]) -> BTreeMap<usize, usize> {
    let events = members.iter().flat_map(|member| {
        let operation = &history.operations()[member.operation];
        [Some(operation.invoked.index), operation.completed.map(|moment| moment.index)]
    });
    let mut columns: BTreeMap<usize, usize> = events.flatten().map(|event| (event, 0)).collect();
    columns.values_mut().enumerate().for_each(|(number, column)| *column = number);
    columns
}

fn shown<'a>(history: &'a History, member: Member, columns: &BTreeMap<usize, usize>) -> Shown<'a> {
    let operation = &history.operations()[member.operation];
    Shown {
        number: member.operation,
        operation,
        role: member.role,
        label: cut(&describe(operation, CHARACTERS)),
        row: 0,
        start: columns[&operation.invoked.index],
        end: operation.returned().map(|event| columns[&event]),
        left: 0,
        right: 0,
    }
}

/// Gives the boxes, in order of invocation, their rows; returns the process of each row. What overlaps with another one
/// of its process, in a shrunk history, gets a row for itself.
fn arrange_rows(boxes: &mut [Shown<'_>]) -> Vec<u64> {
    let mut rows: Vec<(u64, usize)> = Vec::new();
    for shown in boxes {
        let process = shown.operation.process;
        let end = shown.end.unwrap_or(usize::MAX);
        let free = |(owner, until): &(u64, usize)| *owner == process && *until <= shown.start;
        shown.row = match rows.iter().position(free) {
            Some(row) => row,
            None => {
                rows.push((process, 0));
                rows.len() - 1
            }
        };
        rows[shown.row].1 = end;
    }
    rows.into_iter().map(|(process, _)| process).collect()
}

/// Where the columns are, from left to right; sets both sides of the boxes.
fn arrange_columns(history: &History, boxes: &mut [Shown<'_>], columns: &BTreeMap<usize, usize>) -> Vec<usize> {
    let digits = columns.keys().last().map_or(1, |event| history.line(*event).to_string().len());
    let apart = 14 + 7 * digits;
    let wanted = |shown: &Shown<'_>| shown.label.chars().count() * CHARACTER + 16;
    let mut places: Vec<usize> = Vec::with_capacity(columns.len());
    for column in 0..columns.len() {
        let mut place = places.last().map_or(GUTTER, |before| before + apart);
        for shown in boxes.iter().filter(|shown| shown.end == Some(column) && shown.start < column) {
            place = place.max(places[shown.start] + wanted(shown));
        }
        places.push(place);
    }
    let last = places.last().copied().unwrap_or(GUTTER);
    for shown in boxes {
        shown.left = places[shown.start];
        shown.right = match shown.end {
            Some(end) => places[end].max(shown.left + 8),
            None => (shown.left + wanted(shown)).max(last) + TAIL,
        };
    }
    places
}

fn middle(row: usize, height: usize) -> usize {
    TOP + row * height + height / 2
}

fn draw(shown: &Shown<'_>, row: usize) -> Markup {
    let Shown { left, right, number, operation, .. } = shown;
    let (top, width) = (middle(shown.row, row) - BOX / 2, right - left);
    let class = format!("box {}", shown.role.class());
    html! {
        g class=(class) data-operation=(number) {
            title { "operation " (number) ", " (shown.role.words()) ": process " (operation.process) ", " (shown.label) }
            @if shown.end.is_some() {
                rect x=(left) y=(top) width=(width) height=(BOX) rx="3" {}
            } @else {
                rect x=(left) y=(top) width=(width) height=(BOX) rx="3" class="fading" {}
            }
            @if operation.outcome == Outcome::Fail {
                rect x=(left) y=(top) width=(width) height=(BOX) rx="3" class="hatched" {}
            }
            text x=(left + 8) y=(top + BOX / 2 + 4) { (shown.label) }
        }
    }
}

/// Curved, so that the two arrows of a pair do not hide each other.
fn draw_arrow(arrow: &Arrow, arrows: &[Arrow], boxes: &[Shown<'_>], row: usize) -> Markup {
    let find = |number| boxes.iter().find(|shown| shown.number == number);
    let (Some(from), Some(to)) = (find(arrow.from), find(arrow.to)) else {
        return html! {};
    };
    let same = |other: &&Arrow| (other.from, other.to) == (arrow.from, arrow.to);
    let before = arrows.iter().take_while(|other| !std::ptr::eq(*other, arrow)).filter(same).count() as i64;
    let centre = |shown: &Shown<'_>| (shown.left + shown.right) as i64 / 2;
    let middle = |shown: &Shown<'_>| middle(shown.row, row) as i64;
    let half = BOX as i64 / 2;
    let ((x1, y1), (x2, y2), (cx, cy)) = if from.row == to.row {
        let (y, lift) = (middle(from) - half, 26 + 12 * before);
        let (x1, x2) = (centre(from), centre(to));
        ((x1, y), (x2, y), ((x1 + x2) / 2, y - lift))
    } else {
        let down = if from.row < to.row { 1 } else { -1 };
        // Those that go up leave on the left of the middle, those that go down on the right.
        let aside = 14 * down + 16 * before;
        let (x1, y1) = (centre(from) + aside, middle(from) + half * down);
        let (x2, y2) = (centre(to) + aside, middle(to) - half * down);
        ((x1, y1), (x2, y2), ((x1 + x2) / 2 + 24 * down, (y1 + y2) / 2))
    };
    let path = format!("M{x1} {y1}Q{cx} {cy} {x2} {y2}");
    let (label_x, label_y) = ((x1 + x2 + 2 * cx) / 4, (y1 + y2 + 2 * cy) / 4);
    html! {
        g class="arrow" {
            path d=(path) marker-end="url(#head)" {}
            text x=(label_x) y=(label_y + 4) text-anchor="middle" { (cut(&plain(&arrow.label))) }
        }
    }
}

fn cut(label: &str) -> String {
    if label.chars().count() <= CHARACTERS {
        return label.to_owned();
    }
    label.chars().take(CHARACTERS).chain(['…']).collect()
}

fn shortened(process: u64) -> String {
    let digits = process.to_string();
    if digits.len() <= 8 { digits } else { format!("…{}", &digits[digits.len() - 7..]) }
}
