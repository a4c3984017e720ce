//! Operations as bars over the lines of the file, in plain text.

use sextant_histories::{Call, History, Operation, Outcome, Reply};

/// How many operations to draw; more are not looked at.
const DRAWN: usize = 12;

/// One line an operation, in order of invocation: who, what, on which lines, and a bar from its invocation to its return.
/// Only the events of these operations take room; an operation that nobody saw end runs off to the right.
pub fn timeline(history: &History, numbers: &[usize]) -> Vec<String> {
    let mut operations: Vec<&Operation> = numbers.iter().map(|number| &history.operations()[*number]).collect();
    operations.sort_by_key(|operation| operation.invoked.index);
    let more = operations.len().saturating_sub(DRAWN);
    operations.truncate(DRAWN);
    let mut events: Vec<usize> = operations.iter().map(|operation| operation.invoked.index).collect();
    events.extend(operations.iter().filter_map(|operation| operation.returned()));
    events.sort_unstable();
    let texts: Vec<[String; 3]> = operations.iter().map(|operation| columns(history, operation)).collect();
    let width = |column: usize| texts.iter().map(|text| text[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    let row = |(text, operation): (&[String; 3], &&Operation)| {
        let [who, what, lines] = text;
        let [one, two, three] = widths;
        format!("{who:<one$}  {what:<two$}  {lines:<three$}  {}", bar(operation, &events)).trim_end().to_owned()
    };
    let mut rows: Vec<String> = texts.iter().zip(&operations).map(row).collect();
    if more > 0 {
        rows.push(format!("and {more} more"));
    }
    rows
}

fn columns(history: &History, operation: &Operation) -> [String; 3] {
    let begin = history.line(operation.invoked.index);
    let lines = match operation.completed {
        Some(completed) => format!("lines {begin} and {}", history.line(completed.index)),
        None => format!("line {begin}, never completed"),
    };
    [format!("process {}", operation.process), ended(operation), lines]
}

/// What was asked for, and what came of it.
pub fn ended(operation: &Operation) -> String {
    match (&operation.call, &operation.outcome) {
        (call, Outcome::Ok(Reply::Read(value) | Reply::Returned(value))) => format!("{call} -> {value}"),
        (call, Outcome::Ok(Reply::Differed)) => format!("{call} -> differed"),
        (Call::Txn(_), Outcome::Ok(Reply::Txn(steps))) => {
            let steps: sextant_histories::Value = steps.iter().map(sextant_histories::Micro::to_value).collect();
            format!("txn -> {steps}")
        }
        (call, Outcome::Ok(_)) => format!("{call} -> ok"),
        (call, Outcome::Fail) => format!("{call} -> fail"),
        (call, Outcome::Indeterminate) => format!("{call} -> info"),
    }
}

/// Two characters for each event.
fn bar(operation: &Operation, events: &[usize]) -> String {
    let column = |event: usize| 2 * events.partition_point(|other| *other < event);
    let begin = column(operation.invoked.index);
    let (end, mark) = match operation.returned() {
        Some(end) => (column(end), "|"),
        None => (2 * events.len(), ">"),
    };
    let [left, middle] = [begin, end.saturating_sub(begin + 1)];
    format!("{}|{}{mark}", " ".repeat(left), "-".repeat(middle))
}

#[cfg(test)]
mod tests {
    use sextant_histories::Reader;

    use super::*;

    #[test]
    fn bars_show_what_was_at_once() {
        let lines = [
            r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}"#,
            r#"{"process":10,"type":"invoke","f":"read","key":"x"}"#,
            r#"{"process":0,"type":"ok","f":"write","key":"x","value":1}"#,
            r#"{"process":0,"type":"invoke","f":"write","key":"x","value":2}"#,
            r#"{"process":10,"type":"ok","f":"read","key":"x","value":1}"#,
        ];
        let text = lines.join("\n");
        let events = Reader::new("text", text.as_bytes()).map(|event| event.unwrap().1);
        let history = History::from_events(events).unwrap();
        assert_eq!(
            timeline(&history, &[0, 1, 2]),
            [
                "process 0   write 1 -> ok    lines 1 and 3            |---|",
                "process 10  read -> 1        lines 2 and 5              |-----|",
                "process 0   write 2 -> info  line 4, never completed        |--->",
            ]
        );
    }
}
