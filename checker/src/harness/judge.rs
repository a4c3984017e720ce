//! From what happened to a verdict: the history by the checker, and the run by what it lacks.
//!
//! A history that is not linearizable is invalid, whatever else went wrong: it was recorded. A valid one proves
//! something only if the run did what it was asked to do; otherwise the verdict is unknown, with every reason.

use sextant_histories::{Call, History, Operation, Outcome, Reply};

use super::config::Nemesis;
use super::receipt::Receipt;
use crate::linearizability::{CasRegister, Evidence, Finding, Limits, Report, check, verify};
use crate::verdict::Verdict;

/// What there is to be said about a run beyond its history.
pub(crate) struct Circumstances<'a> {
    pub(crate) nemesis: &'a Nemesis,
    pub(crate) receipts: &'a [Receipt],
    pub(crate) seconds: u32,
    /// Operations that ended in `ok`.
    pub(crate) ok: u64,
    /// Reasons that the run itself found: interrupted, processes that died by themselves, final reads that failed.
    pub(crate) doubts: Vec<String>,
}

/// The verdict on a run.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    /// Why it is not valid, one line each.
    pub(crate) reasons: Vec<String>,
    /// The operations that cannot be, one line each.
    pub(crate) offending: Vec<String>,
    /// What the checker said of the history.
    pub(crate) report: Report,
}

/// A cluster that answers no more than this many operations a second, on average and in spite of faults, was not tested.
const OPERATIONS_PER_SECOND: u64 = 10;

/// By what the history is judged.
pub(crate) const MODEL: &str = "cas-register";

/// How many operations of a kind to show: a few are read.
const SHOWN: usize = 6;

pub(crate) fn judge(history: &History, circumstances: &Circumstances<'_>) -> Judgement {
    let report = check(history, &CasRegister::default(), &Limits::default());
    let mut judgement = of_history(history, report);
    if judgement.verdict != Verdict::Invalid {
        judgement.reasons.extend(shortcomings(circumstances));
        if !judgement.reasons.is_empty() {
            judgement.verdict = Verdict::Unknown;
        }
    }
    judgement
}

fn of_history(history: &History, report: Report) -> Judgement {
    let mut reasons: Vec<String> = report.reason().into_iter().collect();
    let mut offending = Vec::new();
    match &report.finding {
        Finding::Invalid(evidence) => offending = explain(history, evidence),
        Finding::Unknown(_) => {}
        // The checker's word is not enough: its linearization is replayed by a verifier that knows none of its tricks.
        Finding::Valid(order) => {
            if let Err(reason) = verify(history, &CasRegister::default(), order) {
                reasons.push(format!("the checker's own linearization does not replay: {reason}"));
            }
        }
    }
    Judgement { verdict: report.verdict(), reasons, offending, report }
}

/// Everything for which a run that is valid by its history proves nothing.
fn shortcomings(circumstances: &Circumstances<'_>) -> Vec<String> {
    let Circumstances { nemesis, receipts, seconds, ok, doubts } = circumstances;
    let mut reasons = doubts.clone();
    for kind in nemesis.kinds() {
        let mut own = receipts.iter().filter(|receipt| receipt.fault == *kind).peekable();
        if own.peek().is_none() {
            reasons.push(format!("{kind} never happened"));
        } else if !own.clone().any(Receipt::bit) {
            let why: Vec<&str> = own.flat_map(|receipt| receipt.missed.iter().map(String::as_str)).collect();
            reasons.push(format!("{kind} never bit: {}", why.join("; ")));
        }
    }
    for receipt in receipts.iter() {
        reasons.extend(receipt.starved.iter().map(|why| format!("{}: {why}", receipt.fault)));
    }
    let least = u64::from(*seconds) * OPERATIONS_PER_SECOND;
    if *ok < least {
        reasons.push(format!("only {ok} operations ended in ok; a run of {seconds} s needs {least}"));
    }
    reasons
}

fn explain(history: &History, evidence: &Evidence) -> Vec<String> {
    let concurrent: Vec<usize> =
        evidence.concurrent.iter().filter(|number| !evidence.witnesses.contains(number)).copied().collect();
    let mut lines = vec![format!("impossible  {}", describe(history, evidence.operation))];
    for (role, numbers) in [("because of", &evidence.witnesses), ("concurrent", &concurrent)] {
        lines.extend(numbers.iter().take(SHOWN).map(|number| format!("{role:<11} {}", describe(history, *number))));
        if numbers.len() > SHOWN {
            lines.push(format!("{role:<11} and {} more", numbers.len() - SHOWN));
        }
    }
    lines
}

fn describe(history: &History, number: usize) -> String {
    let operation = &history.operations()[number];
    let second = |time: Option<u64>| time.map_or(String::new(), |time| format!("{:.4}", time as f64 / 1e9));
    let began = second(operation.invoked.time);
    let ended = operation.completed.and_then(|moment| moment.time);
    let span = format!("{began} s to {} s", if ended.is_some() { second(ended) } else { "?".into() });
    let line = history.line(operation.invoked.index);
    format!("process {:<4} key {}  {:<30} {span}, line {line}", operation.process, operation.key, ended_as(operation))
}

fn ended_as(operation: &Operation) -> String {
    let call = &operation.call;
    match (call, &operation.outcome) {
        (Call::Read, Outcome::Ok(Reply::Read(value))) => format!("read -> {value}"),
        (_, Outcome::Ok(Reply::Differed)) => format!("{call} -> differed"),
        (_, Outcome::Ok(_)) => format!("{call} -> ok"),
        (_, Outcome::Fail) => format!("{call} -> fail"),
        (_, Outcome::Indeterminate) => format!("{call} -> info"),
    }
}

#[cfg(test)]
mod tests {
    use sextant_histories::{Event, Kind, Value};

    use super::*;
    use crate::harness::FaultKind;

    fn history(reads: Value) -> History {
        let event = |kind, call| Event { process: 0, kind, call, key: 0.into(), time: None };
        let write = Call::Write(1.into());
        let events = vec![
            event(Kind::Invoke, write.clone()),
            event(Kind::Ok(Reply::Written), write),
            event(Kind::Invoke, Call::Read),
            event(Kind::Ok(Reply::Read(reads)), Call::Read),
        ];
        History::from_events(events).unwrap()
    }

    fn receipt(kind: FaultKind, change: fn(&mut Receipt)) -> Receipt {
        let mut receipt = Receipt::new(kind, 0);
        change(&mut receipt);
        receipt
    }

    fn verdict(reads: Value, nemesis: &str, receipts: &[Receipt], ok: u64, doubts: &[&str]) -> (Verdict, Vec<String>) {
        let nemesis = nemesis.parse().unwrap();
        let doubts = doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
        let judgement = judge(&history(reads), &Circumstances { nemesis: &nemesis, receipts, seconds: 1, ok, doubts });
        (judgement.verdict, judgement.reasons)
    }

    #[test]
    fn a_run_that_did_what_it_was_asked_is_valid() {
        let bit = receipt(FaultKind::KillNode, |_| ());
        assert_eq!(verdict(1.into(), "kill-node", &[bit], 100, &[]), (Verdict::Valid, Vec::new()));
        assert_eq!(verdict(1.into(), "none", &[], 100, &[]), (Verdict::Valid, Vec::new()));
    }

    #[test]
    fn a_fault_that_did_not_bite_makes_it_unknown() {
        let missed = receipt(FaultKind::PowerCut, |receipt| receipt.missed("nothing unsynced was destroyed"));
        for receipts in [vec![], vec![missed.clone()]] {
            let (verdict, reasons) = verdict(1.into(), "power-cut", &receipts, 100, &[]);
            assert_eq!(verdict, Verdict::Unknown);
            assert!(reasons[0].starts_with("power-cut never"), "{reasons:?}");
        }
        let bit = receipt(FaultKind::PowerCut, |_| ());
        assert_eq!(verdict(1.into(), "power-cut", &[missed, bit], 100, &[]).0, Verdict::Valid);
    }

    #[test]
    fn too_few_operations_make_it_unknown() {
        assert_eq!(verdict(1.into(), "none", &[], OPERATIONS_PER_SECOND - 1, &[]).0, Verdict::Unknown);
        let starved = receipt(FaultKind::KillNode, |receipt| receipt.starved = Some("only 1 operation".into()));
        let (verdict, reasons) = verdict(1.into(), "kill-node", &[starved], 100, &[]);
        assert_eq!((verdict, reasons), (Verdict::Unknown, vec!["kill-node: only 1 operation".to_owned()]));
    }

    #[test]
    fn a_doubt_makes_it_unknown() {
        assert_eq!(verdict(1.into(), "none", &[], 100, &["interrupted"]).0, Verdict::Unknown);
    }

    #[test]
    fn what_is_invalid_stays_invalid() {
        let (verdict, reasons) = verdict(Value::Null, "power-cut", &[], 0, &["interrupted"]);
        assert_eq!(verdict, Verdict::Invalid);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
    }
}
