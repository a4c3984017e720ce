//! A walk as a space-time diagram: an actor a column, an action a row, time downwards.
//!
//! ```text
//!                        w1        w2   ┊   a1   a2   ┊   b1
//!  1. w2 takes the …      │         ●   ┊    │    │   ┊    │
//!  2. w2 → a1: FENCE      │         ├──────▶ │    │   ┊    │
//! ```
//!
//! Lines are coloured by the volume epoch that an actor goes by; beside a line stands what the actor knows, where it changes.
//! Actors of one group (a zone, the database instances) stand side by side. The text comes from the model, which may be
//! anybody's; maud escapes it.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sextant_model::area::{Mark, Status};

use crate::{Step, Walk};

/// Width of a lane, of the gap between groups, height of a row, in px.
const LANE: usize = 92;
const GAP: usize = 26;
const ROW: usize = 30;
const HEAD: usize = 64;
const MARGIN: usize = 14;
/// Of a letter of the list of actions, whose font is monospace at 12 px.
const LETTER: usize = 7;

/// Epochs 1, 2, 3, … in colours that can be told apart, also by those who do not see red and green.
const COLOURS: [&str; 8] = ["#8a8a8a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6a3d9a"];

const STYLE: &str = "
svg { font: 11px system-ui, sans-serif; background: #fff }
.actor { font-weight: 600; text-anchor: middle }
.group { fill: #555; text-anchor: middle }
.band { fill: #f4f4f1 }
.action { font: 12px ui-monospace, monospace }
.number { fill: #888; font: 12px ui-monospace, monospace; text-anchor: end }
.status { fill: #333; font-size: 10px; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.fault { stroke: #b00020; stroke-width: 2.5 }
.wrong { fill: #b00020; font-weight: 600 }
";

struct Layout {
    /// Of each lane.
    x: Vec<usize>,
    /// Name, from, to.
    groups: Vec<(String, usize, usize)>,
    text: usize,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(walk: &Walk, facts: usize) -> Layout {
        let letters = walk.steps.iter().map(|step| step.action.chars().count()).max().unwrap_or(0);
        let text = MARGIN + 4 * LETTER;
        let mut at = text + (letters + 2) * LETTER;
        let mut x = Vec::new();
        let mut groups: Vec<(String, usize, usize)> = Vec::new();
        for lane in &walk.lanes {
            match groups.last_mut().filter(|(name, ..)| *name == lane.group) {
                Some((_, _, end)) => *end = at + LANE,
                None => {
                    at += GAP;
                    groups.push((lane.group.clone(), at, at + LANE));
                }
            }
            x.push(at + LANE / 3);
            at += LANE;
        }
        Layout { x, groups, text, width: at + MARGIN, height: HEAD + ROW * (walk.steps.len() + 1 + facts) + MARGIN }
    }

    fn y(step: usize) -> usize {
        HEAD + ROW * (step + 1)
    }
}

fn colour(status: Option<&Status>) -> &'static str {
    match status {
        Some(status) => COLOURS[(status.epoch.max(1) as usize - 1) % COLOURS.len()],
        None => "none",
    }
}

/// What is drawn of one action.
fn mark(step: &Step, y: usize, layout: &Layout) -> Markup {
    let x = |lane: usize| layout.x[lane];
    html! {
        @match step.mark {
            Mark::Message { from: Some(from), to } => {
                circle cx=(x(from)) cy=(y - 6) r="2.5" {}
                line x1=(x(from)) y1=(y - 6) x2=(x(to)) y2=(y) stroke="#222" stroke-width="1.3" marker-end="url(#arrow)" {}
            }
            Mark::Message { from: None, to } => {
                circle cx=(x(to) - 30) cy=(y - 6) r="3.5" fill="none" stroke="#222" {}
                line x1=(x(to) - 27) y1=(y - 6) x2=(x(to)) y2=(y) stroke="#222" stroke-width="1.3" marker-end="url(#arrow)" {}
            }
            Mark::Local { at } => circle cx=(x(at)) cy=(y) r="4.5" fill=(colour(step.status[at].as_ref())) stroke="#222" {}
            Mark::Fault { at } => {
                line.fault x1=(x(at) - 6) y1=(y - 6) x2=(x(at) + 6) y2=(y + 6) {}
                line.fault x1=(x(at) + 6) y1=(y - 6) x2=(x(at) - 6) y2=(y + 6) {}
            }
        }
    }
}

/// The diagram as one SVG element, which needs nothing else.
#[must_use]
pub fn svg(walk: &Walk) -> String {
    drawn(walk).into_string()
}

fn drawn(walk: &Walk) -> Markup {
    let layout = Layout::of(walk, walk.violated.len());
    let before = |step: usize| if step == 0 { &walk.first } else { &walk.steps[step - 1].status };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(layout.width) height=(layout.height)
            viewBox={ "0 0 " (layout.width) " " (layout.height) } role="img" {
            style { (PreEscaped(STYLE)) }
            defs {
                marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                    path d="M0 0L8 4L0 8z" fill="#222" {}
                }
            }
            @for (name, from, to) in &layout.groups {
                rect.band x=(from) y="4" width=(to - from) height=(layout.height - 8) rx="6" {}
                text.group x=((from + to) / 2) y="20" { (name) }
            }
            @for (lane, x) in walk.lanes.iter().zip(&layout.x) {
                text.actor x=(x) y="42" { (lane.name) }
            }
            @for (lane, &x) in layout.x.iter().enumerate() {
                @for step in 0..=walk.steps.len() {
                    @let status = if step == 0 { &walk.first[lane] } else { &walk.steps[step - 1].status[lane] };
                    @let from = if step == 0 { HEAD - 14 } else { Layout::y(step - 1) };
                    line x1=(x) y1=(from) x2=(x) y2=(Layout::y(step)) stroke=(colour(status.as_ref())) stroke-width="3" {}
                }
                @if let Some(status) = &walk.first[lane] {
                    text.status x=(x + 8) y=(HEAD + 4) { (status.text) }
                }
            }
            @for (place, step) in walk.steps.iter().enumerate() {
                @let y = Layout::y(place);
                g {
                    title { (step.changes.join("; ")) }
                    text.number x=(layout.text - LETTER) y=(y) { (place + 1) "." }
                    text.action x=(layout.text) y=(y) { (step.action) }
                    (mark(step, y, &layout))
                }
                @for (lane, status) in step.status.iter().enumerate() {
                    @if let Some(status) = status.as_ref().filter(|now| before(place)[lane].as_ref() != Some(now)) {
                        text.status x=(layout.x[lane] + 8) y=(y + 12) { (status.text) }
                    }
                }
            }
            @for (place, (property, fact)) in walk.violated.iter().enumerate() {
                text.wrong x=(layout.text) y=(Layout::y(walk.steps.len() + place)) {
                    "violated: " (property.id) " " (property.name) ": " (fact)
                }
            }
        }
    }
}

/// A page around the diagram: what is violated, the diagram, what each action changed.
#[must_use]
pub fn page(title: &str, walk: &Walk, case: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                style {
                    "body { font: 14px system-ui, sans-serif; margin: 1.5em; color: #222 } "
                    "td, th { text-align: left; vertical-align: top; padding: 2px 12px 2px 0 } "
                    "td:first-child { color: #888; text-align: right } .wrong { color: #b00020 } "
                    "figure { overflow-x: auto; margin: 1em 0 } pre { white-space: pre-wrap; overflow-wrap: anywhere }"
                }
            }
            body {
                h1 { (title) }
                @for (property, fact) in &walk.violated {
                    p.wrong { strong { (property.id) " " (property.name) } ": " (fact) }
                    p { code { (property.formula) } " (" (property.section) ")" }
                }
                figure { (drawn(walk)) }
                table {
                    tr { th { "" } th { "action" } th { "what it changed" } }
                    @for (place, step) in walk.steps.iter().enumerate() {
                        tr { td { (place + 1) } td { (step.action) } td { (step.changes.join("; ")) } }
                    }
                }
                details { summary { "the case, for sextant replay" } pre { (case) } }
            }
        }
    };
    page.into_string()
}
