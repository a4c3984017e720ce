//! The page around the data: what is readable without script, and what the script finds in its place.

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sextant_histories::{Call, History, Operation};

use super::encode::Encoded;
use super::inset::{self, inset};
use super::sha256::{policy_source, write_base64};
use super::text::{describe, plain, shape};
use super::{Member, Picture, Role};
use crate::linearizability::Prefix;

const STYLE: &str = include_str!("web/page.css");

/// One function around all of them: nothing of the page is global but `window.sextant`.
const SCRIPT: &str = concat!(
    "(()=>{\"use strict\";\n",
    include_str!("web/data.js"),
    include_str!("web/scale.js"),
    include_str!("web/search.js"),
    include_str!("web/paint.js"),
    include_str!("web/minimap.js"),
    include_str!("web/facts.js"),
    include_str!("web/page.js"),
    include_str!("web/selftest.js"),
    "})();"
);

/// Of a value in the table of the core, which is to be read and not drawn.
const VALUE: usize = 2000;

pub(super) fn write(picture: &Picture<'_>, encoded: &Encoded, out: &mut impl Write) -> io::Result<()> {
    let title = plain(&picture.title);
    let head = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{title}: {}", picture.verdict)))
            (PreEscaped("<body>"))
            (header(picture, &title, encoded))
            (evidence(picture))
            (stage())
        }
    };
    // maud closes what it opens; the data and the script are still to come.
    let head = head.into_string();
    let open = head.strip_suffix("</html>").unwrap_or(&head);
    write!(out, "{open}<script type=\"application/json\" id=\"meta\">{}</script>", encoded.meta)?;
    out.write_all(b"<script type=\"text/plain\" id=\"operations\">")?;
    write_base64(&encoded.operations, out)?;
    writeln!(out, "</script><script>{SCRIPT}</script></body></html>")
}

fn head(title: &str) -> Markup {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        policy_source(SCRIPT),
        policy_source(STYLE)
    );
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width,initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn header(picture: &Picture<'_>, title: &str, encoded: &Encoded) -> Markup {
    let verdict = picture.verdict.to_string();
    let history = picture.history;
    let facts = format!(
        "{}, {} by {} on {}, {}",
        plain(&picture.model),
        count(history.operations().len(), "operation"),
        count(encoded.counts.processes, "process"),
        count(encoded.counts.keys, "key"),
        count(history.len(), "event"),
    );
    html! {
        header {
            h1 { (title) " " span class={ "verdict " (verdict) } { (verdict) } }
            p class="facts" { (facts) }
            @if let Some(about) = history.about() { p class="about" { (plain(about)) } }
        }
    }
}

fn count(number: usize, what: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let ending = match (number, what.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{grouped} {what}{ending}")
}

fn evidence(picture: &Picture<'_>) -> Markup {
    if picture.reason.is_none() && picture.core.is_empty() {
        return html! {};
    }
    let shown = &picture.core[..picture.core.len().min(inset::SHOWN)];
    html! {
        section id="evidence" class=(picture.verdict) aria-label="Why" {
            @if let Some(reason) = &picture.reason { p class="reason" { (plain(reason)) } }
            @if let Some(prefix) = picture.prefix { p class="prefix" { (extent(picture.history, prefix)) } }
            @if !shown.is_empty() {
                div class="scroll" tabindex="0" role="region" aria-label="Only the failing core" {
                    (inset(picture.history, shown, &picture.arrows))
                }
                details open[picture.core.len() <= 5] {
                    summary { "These operations as a table" }
                    div class="scroll" { (table(picture.history, shown)) }
                    @if picture.core.len() > shown.len() { p { "And " (picture.core.len() - shown.len()) " more." } }
                }
            }
        }
    }
}

fn extent(history: &History, prefix: Prefix) -> String {
    let line = history.line(prefix.events().saturating_sub(1));
    match prefix {
        Prefix::Shortest(events) => format!(
            "The longest prefix for which there is an order is that of {}; with line {line} there is none.",
            count(events.saturating_sub(1), "event")
        ),
        Prefix::AtMost(_) => format!("With line {line} at the latest there is no order any more."),
    }
}

fn table(history: &History, members: &[Member]) -> Markup {
    html! {
        table class="operations" {
            thead {
                tr {
                    th scope="col" { "role" }
                    th scope="col" { "operation" }
                    th scope="col" { "process" }
                    th scope="col" { "key" }
                    th scope="col" { "what" }
                    th scope="col" { "ended" }
                    th scope="col" { "lines" }
                    th scope="col" { "time" }
                }
            }
            tbody {
                @for Member { operation: number, role } in members {
                    @let operation = &history.operations()[*number];
                    tr class=(role.class()) data-operation=(number) {
                        th scope="row" { (role.words()) @if *role == Role::Impossible { " ✗" } }
                        td { (number) }
                        td { (operation.process) }
                        td { (keys(operation)) }
                        td { code { (describe(operation, VALUE)) } }
                        td { (shape(operation).0.ending.name()) }
                        td { (lines(history, operation)) }
                        td { (times(operation)) }
                    }
                }
            }
        }
    }
}

/// A transaction has those of its steps.
fn keys(operation: &Operation) -> String {
    let mut keys = vec![plain(&operation.key.to_string())];
    if let Call::Txn(steps) = &operation.call {
        keys.clear();
        for step in steps.iter() {
            let key = plain(&step.key.to_string());
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.join(", ")
}

fn lines(history: &History, operation: &Operation) -> String {
    let invoked = history.line(operation.invoked.index);
    match operation.completed {
        Some(moment) => format!("{invoked} to {}", history.line(moment.index)),
        None => format!("{invoked}, never completed"),
    }
}

fn times(operation: &Operation) -> String {
    let time = |time: Option<u64>| time.map_or("?".to_owned(), |time| format!("{time} ns"));
    match (operation.invoked.time, operation.completed.and_then(|moment| moment.time)) {
        (None, None) => "not recorded".into(),
        (begun, ended) => format!("{} to {}", time(begun), time(ended)),
    }
}

/// What the script fills.
fn stage() -> Markup {
    html! {
        noscript { p { "Without script there is no picture of the whole history; what is above is complete." } }
        main id="stage" hidden {
            form id="tools" role="search" {
                label for="query" { "Search" }
                select id="field" aria-label="Where to search" {
                    @for field in ["anything", "operation", "process", "key", "value", "line"] {
                        option value=(field) { (field) }
                    }
                }
                input id="query" type="search" autocomplete="off" spellcheck="false";
                button type="button" id="previous" aria-label="Previous result" { "◀" }
                button type="button" id="next" aria-label="Next result" { "▶" }
                output id="results" for="query" {}
                span class="gap" {}
                label for="key" { "Only key" }
                input id="key" list="keys" autocomplete="off" spellcheck="false" placeholder="all";
                datalist id="keys" {}
                label for="axis" { "Axis" }
                select id="axis" {
                    option value="order" { "order of events" }
                    option value="time" { "recorded time" }
                }
                span class="gap" {}
                button type="button" id="zoom-in" aria-label="Zoom in" { "+" }
                button type="button" id="zoom-out" aria-label="Zoom out" { "−" }
                button type="button" id="whole" { "Whole" }
                button type="button" id="to-core" { "Core" }
                button type="button" id="theme" { "Dark" }
            }
            ul id="legend" aria-label="Legend" {}
            canvas id="minimap" role="img" aria-label="The whole history; the frame is what is shown below" {}
            canvas id="lanes" tabindex="0" role="application" aria-describedby="keyboard"
                aria-label="Operations per process" {}
            p id="keyboard" {
                "Drag or arrow keys: move. Wheel, + and −: zoom; on the names of the processes the wheel moves the lanes. 0: whole. C: core. N and P: next and previous result. "
                "Comma and period: operation before and after on the lane. Escape: nothing selected."
            }
            p id="status" role="status" aria-live="polite" {}
            dl id="selected" hidden {}
            section aria-label="Operations in view" {
                h2 id="in-view-title" { "Operations in view" }
                div class="scroll" {
                    table class="operations" aria-labelledby="in-view-title" {
                        thead {
                            tr {
                                th scope="col" { "operation" }
                                th scope="col" { "process" }
                                th scope="col" { "key" }
                                th scope="col" { "what" }
                                th scope="col" { "ended" }
                                th scope="col" { "lines" }
                            }
                        }
                        tbody id="in-view" {}
                    }
                }
            }
            div id="tip" role="tooltip" hidden {}
        }
    }
}
