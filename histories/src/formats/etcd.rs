//! Reports of etcd's robustness tests: a directory with `client-N/operations.json`, a line of JSON an operation.
//!
//! The operations of all clients are merged by `Call` and `Return`, which are nanoseconds on one clock; of equal times the
//! invocation counts as the earlier event. What ended in an error may have taken effect at any later time or never, and as its client
//! goes on, everything after is a process of its own: client 3 of 12 becomes process 3, 15, 27 and so on. Lines in
//! messages are those of the client's own file.
//!
//! The calls, as values of [`Call::Other`], and what they return, which is `[revision]` where the report has no more:
//!
//! | call | takes | returns |
//! |---|---|---|
//! | `etcd-range` | `[start, end, limit, revision]` | `[revision, kvs, count]` |
//! | `etcd-txn` | `[conditions, on success, on failure]` | `[revision, failed, [[kvs, count, deleted], ...]]` |
//! | `etcd-lease-grant`, `etcd-lease-revoke` | the lease | `[revision]` |
//! | `etcd-defragment` | null | nothing that is a claim |
//!
//! A condition is `[key, mod revision]`, a step of a transaction `["range", start, end, limit]`, `["put", key, value, lease]` or
//! `["delete", key]`, and one of `kvs` is `[key, value, mod revision]`. A value is a string, or, where the report has a hash
//! in its place, that integer.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::source::{At, Bad, Lines};
use crate::error::{Error, Fault};
use crate::event::{Call, Event, Kind, Reply};
use crate::history::History;
use crate::value::{Key, Value};

const OPERATIONS: &str = "operations.json";

/// What was read, and what was odd about it.
pub(super) struct Report {
    pub(super) history: History,
    pub(super) warnings: Vec<String>,
}

/// Whether the directory looks like a report.
pub(super) fn is_report(directory: &Path) -> bool {
    files(directory).is_ok_and(|files| !files.is_empty())
}

/// Reads a report, or the operations of one client.
pub(super) fn read(path: &Path, salvage: bool) -> Result<Report, Error> {
    let mut warnings = Vec::new();
    let files = if path.is_dir() { files(path)? } else { vec![path.to_owned()] };
    if files.is_empty() {
        let reason = format!("no client-*/{OPERATIONS} in this directory");
        return Err(Error::new(path, Fault::UnknownFormat(reason)));
    }
    let mut records = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let opened = File::open(file).map_err(|error| Error::new(file, Fault::Io(error)))?;
        read_client(file, opened, number, salvage, &mut records, &mut warnings)?;
    }
    if path.is_dir() {
        let watches = files.iter().filter(|file| file.with_file_name("watch.json").exists()).count();
        if watches > 0 {
            warnings.push(format!("{watches} files watch.json were not looked at: events of watches are not judged"));
        }
    }
    let history = merge(&records, &files)?;
    Ok(Report { history, warnings })
}

/// Reads the operations of one client from memory.
pub(super) fn read_bytes(name: &Path, bytes: &[u8], salvage: bool) -> Result<Report, Error> {
    let (mut records, mut warnings) = (Vec::new(), Vec::new());
    read_client(name, bytes, 0, salvage, &mut records, &mut warnings)?;
    let history = merge(&records, &[name.to_owned()])?;
    Ok(Report { history, warnings })
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |error| Error::new(directory, Fault::Io(error));
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let file = entry.path().join(OPERATIONS);
        if entry.file_name().to_string_lossy().starts_with("client-") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// An operation of a client, translated.
struct Record {
    client: u64,
    call: Call,
    /// None where it ended in an error.
    reply: Option<Reply>,
    invoked: u64,
    returned: u64,
    file: usize,
    line: u32,
}

fn read_client<R: Read>(
    file: &Path,
    reader: R,
    number: usize,
    salvage: bool,
    records: &mut Vec<Record>,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let mut lines = Lines::new(reader);
    while let Some((text, line, ended)) = lines.next().map_err(|bad| bad.in_file(file))? {
        if text.trim().is_empty() {
            continue;
        }
        let operation = match serde_json::from_str::<Operation>(text) {
            Ok(operation) => operation,
            Err(error) if error.is_eof() && !ended => {
                let torn = Error::new(file, Fault::TruncatedLastLine).at(line as usize, Some(error.column()));
                if !salvage {
                    return Err(torn);
                }
                warnings.push(format!("{torn}: what stands before it was read"));
                break;
            }
            Err(error) => {
                let fault = match error.classify() {
                    serde_json::error::Category::Data => Fault::Malformed(reason(&error)),
                    _ => Fault::NotJson(reason(&error)),
                };
                return Err(Error::new(file, fault).at(line as usize, Some(error.column())));
            }
        };
        let record = operation.translate(number, line);
        records.push(record.map_err(|reason| Bad::malformed(At { line, column: 0 }, reason).in_file(file))?);
    }
    Ok(())
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn merge(records: &[Record], files: &[PathBuf]) -> Result<History, Error> {
    let processes = processes(records, files)?;
    // Invocation (false) before return at equal times.
    let mut ends: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * records.len());
    for (number, record) in records.iter().enumerate() {
        ends.push((record.invoked, false, number));
        ends.push((record.returned, true, number));
    }
    ends.sort_unstable();
    let events = ends.iter().map(|(time, returns, number)| {
        let record = &records[*number];
        let kind = match (returns, &record.reply) {
            (false, _) => Kind::Invoke,
            (true, Some(reply)) => Kind::Ok(reply.clone()),
            (true, None) => Kind::Info,
        };
        Event { process: processes[*number], kind, call: record.call.clone(), key: Key::None, time: Some(*time) }
    });
    let history = History::from_events(events).map_err(|(index, misuse)| {
        let record = &records[ends[index].2];
        Error::new(&files[record.file], Fault::Misuse(misuse)).at(record.line as usize, None)
    })?;
    let lines = ends.iter().map(|(_, _, number)| records[*number].line).collect();
    Ok(history.described(None, lines))
}

/// The process of each record: a client's number until its first error, then one that nobody else has.
fn processes(records: &[Record], files: &[PathBuf]) -> Result<Vec<u64>, Error> {
    let clients = records.iter().map(|record| record.client).max().unwrap_or(0).saturating_add(1);
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|number| (records[*number].client, records[*number].invoked));
    let mut processes = vec![0; records.len()];
    let mut last: Option<&Record> = None;
    let mut process = 0;
    for number in order {
        let record = &records[number];
        let before = last.replace(record).filter(|before| before.client == record.client);
        process = match before {
            None => record.client,
            Some(before) if before.returned > record.invoked => {
                let reason =
                    format!("client {} invokes while its operation of line {} is open", record.client, before.line);
                let bad = Bad::malformed(At { line: record.line, column: 0 }, reason);
                return Err(bad.in_file(&files[record.file]));
            }
            // At equal times the invocation is the earlier event, so the process would have two operations at once.
            Some(before) if before.reply.is_none() || before.returned == record.invoked => {
                process.checked_add(clients).ok_or_else(|| {
                    let bad =
                        Bad::malformed(At { line: record.line, column: 0 }, "the number of the client is too large");
                    bad.in_file(&files[record.file])
                })?
            }
            Some(_) => process,
        };
        processes[number] = process;
    }
    Ok(processes)
}

/// A line of `operations.json`. What is not known here may change what the rest means, so it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Operation {
    client_id: u64,
    input: Input,
    call: u64,
    output: Output,
    #[serde(rename = "Return")]
    returned: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Input {
    #[serde(rename = "Type")]
    kind: String,
    lease_grant: Option<Lease>,
    lease_revoke: Option<Lease>,
    range: Option<Range>,
    txn: Option<Txn>,
    #[serde(rename = "Defragment")]
    _defragment: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    #[serde(rename = "LeaseID")]
    id: i64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
struct Range {
    start: String,
    end: String,
    limit: i64,
    revision: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Txn {
    conditions: Option<Vec<Condition>>,
    operations_on_success: Option<Vec<Step>>,
    operations_on_failure: Option<Vec<Step>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Condition {
    key: String,
    expected_revision: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Step {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    range: Range,
    #[serde(default)]
    put: Put,
    #[serde(default)]
    delete: Delete,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value")]
    value: ValueOrHash,
    #[serde(rename = "LeaseID")]
    lease: i64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Delete {
    key: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ValueOrHash {
    value: String,
    hash: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    txn: Option<TxnResponse>,
    range: Option<RangeResponse>,
    revision: i64,
    #[serde(default)]
    partial_response: bool,
    error: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct TxnResponse {
    failure: bool,
    results: Option<Vec<StepResponse>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepResponse {
    #[serde(rename = "KVs")]
    kvs: Option<Vec<KeyValue>>,
    #[serde(rename = "Count")]
    count: i64,
    #[serde(rename = "Deleted")]
    deleted: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeResponse {
    #[serde(rename = "KVs")]
    kvs: Option<Vec<KeyValue>>,
    #[serde(rename = "Count")]
    count: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct KeyValue {
    key: String,
    value: ValueOrHash,
    mod_revision: i64,
}

impl Operation {
    fn translate(&self, file: usize, line: u32) -> Result<Record, String> {
        if self.returned < self.call {
            return Err("returns before it was called".into());
        }
        let reply = if self.output.error.is_empty() { Some(self.output.reply(&self.input.kind)?) } else { None };
        Ok(Record {
            client: self.client_id,
            call: self.input.call()?,
            reply,
            invoked: self.call,
            returned: self.returned,
            file,
            line,
        })
    }
}

impl Input {
    fn call(&self) -> Result<Call, String> {
        let missing = || format!("the request of type {:?} has no field for it", self.kind);
        let (name, argument) = match self.kind.as_str() {
            "range" => {
                let range = self.range.as_ref().ok_or_else(missing)?;
                ("etcd-range", list([text(&range.start), text(&range.end), range.limit.into(), range.revision.into()]))
            }
            "txn" => ("etcd-txn", self.txn.as_ref().ok_or_else(missing)?.to_value()?),
            "leaseGrant" => ("etcd-lease-grant", self.lease_grant.as_ref().ok_or_else(missing)?.id.into()),
            "leaseRevoke" => ("etcd-lease-revoke", self.lease_revoke.as_ref().ok_or_else(missing)?.id.into()),
            "defragment" => ("etcd-defragment", Value::Null),
            other => return Err(format!("unknown type of request {other:?}")),
        };
        Ok(Call::Other(name.into(), argument))
    }
}

impl Txn {
    fn to_value(&self) -> Result<Value, String> {
        let conditions = self.conditions.iter().flatten();
        let conditions = conditions.map(|condition| list([text(&condition.key), condition.expected_revision.into()]));
        let steps =
            |steps: &Option<Vec<Step>>| steps.iter().flatten().map(Step::to_value).collect::<Result<Value, _>>();
        Ok(list([conditions.collect(), steps(&self.operations_on_success)?, steps(&self.operations_on_failure)?]))
    }
}

impl Step {
    fn to_value(&self) -> Result<Value, String> {
        Ok(match self.kind.as_str() {
            "range-operation" => {
                list(["range".into(), text(&self.range.start), text(&self.range.end), self.range.limit.into()])
            }
            "put-operation" => {
                list(["put".into(), text(&self.put.key), self.put.value.to_value(), self.put.lease.into()])
            }
            "delete-operation" => list(["delete".into(), text(&self.delete.key)]),
            other => return Err(format!("unknown step {other:?} of a transaction")),
        })
    }
}

impl Output {
    fn reply(&self, kind: &str) -> Result<Reply, String> {
        let missing = || format!("the answer to a request of type {kind:?} has no field for it");
        let revision = Value::Int(self.revision);
        let parts = match kind {
            // What a defragmentation answers does not go through the log.
            "defragment" => return Ok(Reply::Done),
            _ if self.partial_response => list([revision]),
            "range" => {
                let range = self.range.as_ref().ok_or_else(missing)?;
                list([revision, kvs(&range.kvs), range.count.into()])
            }
            "txn" => {
                let txn = self.txn.as_ref().ok_or_else(missing)?;
                let results = txn.results.iter().flatten();
                let results =
                    results.map(|result| list([kvs(&result.kvs), result.count.into(), result.deleted.into()]));
                list([revision, txn.failure.into(), results.collect()])
            }
            _ => list([revision]),
        };
        Ok(Reply::Returned(parts))
    }
}

impl ValueOrHash {
    fn to_value(&self) -> Value {
        if self.hash == 0 { text(&self.value) } else { Value::Int(self.hash.into()) }
    }
}

fn kvs(kvs: &Option<Vec<KeyValue>>) -> Value {
    let kvs = kvs.iter().flatten();
    kvs.map(|kv| list([text(&kv.key), kv.value.to_value(), kv.mod_revision.into()])).collect()
}

fn list<const N: usize>(values: [Value; N]) -> Value {
    values.into_iter().collect()
}

fn text(text: &str) -> Value {
    text.into()
}
