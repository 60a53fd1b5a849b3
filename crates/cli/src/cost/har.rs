//! `outrigger cost har FILE`: the calls of recorded traffic, priced as Outrigger would have priced them live.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outrigger_ledger::{
    CallRecord, HarEntry, Made, Outcome, Provenance, Recorder as _, call_json, replay_har,
};
use outrigger_pricing::PriceBook;
use serde_json::{Map, Value, json};

use super::{Output, book, read};
use crate::bill::Bill;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// HTTP Archive (HAR 1.2); `-` for standard input.
    file: PathBuf,
    /// A host that speaks a known format, such as a gateway of one's own; may be given several times.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// File with prices of one's own, laid over the built-in book.
    #[arg(long)]
    prices: Option<PathBuf>,
    /// How to print; JSON has one object for every entry of the recording, in its order.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn told(arguments: &Arguments) -> Result<String, String> {
    let recording = read(&arguments.file)?;
    let book = Arc::new(book(arguments.prices.as_ref())?);
    let entries = replay_har(&recording, &arguments.hosts, &book)
        .map_err(|fault| format!("{}: {fault}", arguments.file.display()))?;
    Ok(match arguments.output {
        Output::Json => Value::Array(entries.iter().map(json).collect()).to_string(),
        Output::Text => text(&entries),
    })
}

/// The record of one entry, as JSON, where the text is an entry or, with its place given, a whole archive; `None` where it is
/// neither.
pub(super) fn one(
    text: &str,
    place: Option<usize>,
    hosts: &[String],
    book: &Arc<PriceBook>,
) -> Result<Option<String>, String> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let archive = match (value.get("log"), value.get("request")) {
        (Some(_), _) => Cow::Borrowed(text),
        (None, Some(_)) => Cow::Owned(json!({"log": {"entries": [value]}}).to_string()),
        (None, None) if place.is_some() => {
            return Err("`--entry` is for an HTTP Archive, and this is none".to_owned());
        }
        (None, None) => return Ok(None),
    };
    let mut entries = replay_har(&archive, hosts, book).map_err(|fault| fault.to_string())?;
    let count = entries.len();
    let place = match (place, count) {
        (Some(place), _) => place,
        (None, 1) => 0,
        (None, _) => return Err(format!("{count} entries; choose one with `--entry`, from 0")),
    };
    if place >= count {
        return Err(format!("there is no entry {place} among {count}; the first is 0"));
    }
    match entries.swap_remove(place).made {
        Made::Call(record) => Ok(Some(call_json(&record).to_string())),
        Made::Socket(records) => Err(format!(
            "entry {place} is a WebSocket with {} responses; `outrigger cost har --output json` has the record of each",
            records.len()
        )),
        Made::Ignored(reason) => Err(format!("entry {place} is no call: {reason}")),
    }
}

/// What an entry is, and the members of its call; a WebSocket has its calls in `responses`.
fn json(entry: &HarEntry) -> Value {
    let mut members = Map::new();
    members.insert("entry".to_owned(), json!(entry.index));
    members.insert(
        "recorded".to_owned(),
        json!({"started": entry.started, "method": entry.method, "url": entry.url}),
    );
    let (ignored, responses, call) = match &entry.made {
        Made::Ignored(reason) => (json!(reason), Value::Null, Value::Null),
        Made::Socket(records) => (Value::Null, records.iter().map(call_json).collect(), Value::Null),
        Made::Call(record) => (Value::Null, Value::Null, call_json(record)),
    };
    members.insert("ignored".to_owned(), ignored);
    if !responses.is_null() {
        members.insert("responses".to_owned(), responses);
    }
    if let Value::Object(call) = call {
        members.extend(call);
    }
    Value::Object(members)
}

fn text(entries: &[HarEntry]) -> String {
    let calls: Vec<(usize, &CallRecord)> = entries
        .iter()
        .flat_map(|entry| match &entry.made {
            Made::Call(record) => vec![(entry.index, &**record)],
            Made::Socket(records) => records.iter().map(|record| (entry.index, record)).collect(),
            Made::Ignored(_) => Vec::new(),
        })
        .collect();
    let bill = Bill::new(false);
    for (_, record) in &calls {
        bill.try_record(Arc::new((*record).clone()));
    }
    let begun = calls.iter().map(|(_, record)| record.times.started).min().unwrap_or_default();
    let ended = calls.iter().map(|(_, record)| record.times.ended).max().unwrap_or_default();
    let mut lines: Vec<String> = calls.iter().map(|(index, record)| line(*index, record)).collect();
    lines.push(bill.summary_of(Duration::from_nanos(ended.since(begun))).trim_end().to_owned());
    let mut ignored = BTreeMap::<&str, usize>::new();
    for entry in entries {
        if let Made::Ignored(reason) = &entry.made {
            *ignored.entry(reason).or_default() += 1;
        }
    }
    lines.extend(ignored.into_iter().map(|(reason, count)| format!("  ignored    {count} × {reason}")));
    lines.join("\n")
}

/// One call.
fn line(index: usize, record: &CallRecord) -> String {
    let usage = &record.tokens.usage;
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let cost = record.cost.total.map_or_else(|| "unpriced".to_owned(), |total| format!("${total}"));
    let known = match record.tokens.provenance {
        Provenance::Exact => String::new(),
        other => {
            let reason = record.tokens.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!(" ({}{reason})", other.as_str())
        }
    };
    let outcome = match (&record.cause, record.outcome) {
        (Some(cause), _) => format!("{}: {}", record.outcome.as_str(), cause.text),
        (None, Outcome::Answered) => String::new(),
        (None, outcome) => outcome.as_str().to_owned(),
    };
    let line = format!(
        "{index:>5}  {} {} {}  {} in {} out  {cost} {}{known}  {outcome}",
        record.provider,
        record.operation.as_str(),
        record.model().unwrap_or("?"),
        count(usage.total_prompt()),
        count(usage.total_answer()),
        record.cost.completeness.as_str(),
    );
    line.trim_end().to_owned()
}
