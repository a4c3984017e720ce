//! The page of a run: plain, no scripts. The picture of its history is a page beside it.

use maud::{DOCTYPE, Markup, html};

use super::Outcome;
use super::run::PICTURE;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;\
border-bottom:1px solid #ddd}pre,code{font:13px/1.4 ui-monospace,monospace}pre{overflow-x:auto}\
.valid{color:#060}.invalid{color:#a00}.unknown{color:#850}";

pub(crate) fn render(outcome: &Outcome) -> String {
    let verdict = outcome.verdict.to_string();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Sextant run: " (verdict) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                h1 { "Run: " span class=(verdict) { (verdict) } }
                @for reason in &outcome.reasons { p { (reason) } }
                (summary(outcome))
                @if !outcome.offending.is_empty() {
                    h2 { "Operations that cannot be" }
                    pre { @for line in &outcome.offending { (line) "\n" } }
                }
                h2 { "Repeat it" }
                pre { (outcome.command) }
                h2 { "Faults" }
                (receipts(outcome))
                h2 { "Evidence" }
                p { a href=(PICTURE) { "The history as a picture" } }
                ul {
                    @for file in ["history.jsonl", "run.json", "logs/"] { li { a href=(file) { (file) } } }
                }
            }
        }
    };
    page.into_string()
}

fn summary(outcome: &Outcome) -> Markup {
    html! {
        table {
            @for (name, value) in outcome.table() {
                tr { th { (name) } td { (value) } }
            }
        }
    }
}

fn receipts(outcome: &Outcome) -> Markup {
    if outcome.receipts.is_empty() {
        return html! { p { "None." } };
    }
    html! {
        table {
            tr { th { "fault" } th { "at" } th { "for" } th { "hit" } th { "seen" } th { "bit" } }
            @for receipt in &outcome.receipts {
                tr {
                    td { (receipt.fault) }
                    td { (format!("{:.1} s", receipt.start_ms as f64 / 1000.0)) }
                    td { (format!("{:.1} s", receipt.took_ms as f64 / 1000.0)) }
                    td { (receipt.targets.join(" ")) }
                    td { (receipt.evidence.join("; ")) }
                    td {
                        @if receipt.bit() { "yes" } @else { "no: " (receipt.missed.join("; ")) }
                        @if let Some(starved) = &receipt.starved { "; " (starved) }
                    }
                }
            }
        }
    }
}
