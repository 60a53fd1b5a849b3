//! What the Collector's file exporter wrote, as plain lines that show every name, type and value.

use std::fmt::Write as _;

use outrigger_tests::collector::Collector;
use serde_json::Value;

use super::calls::START;

/// Metrics of the program itself: what they say depends on the run.
const OF_THE_PROGRAM: [&str; 7] = [
    "outrigger.telemetry.",
    "outrigger.metrics.",
    "outrigger.build.",
    "outrigger.rules.",
    "outrigger.config.",
    "outrigger.settings.",
    "outrigger.ca.",
];

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Items of requests, each with its resource and its scope.
fn items<'a>(requests: &'a [Value], names: [&str; 3]) -> Vec<(&'a Value, &'a Value, &'a Value)> {
    let mut items = Vec::new();
    for resource in requests.iter().flat_map(|request| list(&request[names[0]])) {
        for scope in list(&resource[names[1]]) {
            items.extend(
                list(&scope[names[2]]).iter().map(|item| (&resource["resource"], &scope["scope"], item)),
            );
        }
    }
    items
}

const SPANS: [&str; 3] = ["resourceSpans", "scopeSpans", "spans"];
const LOGS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];
const METRICS: [&str; 3] = ["resourceMetrics", "scopeMetrics", "metrics"];

/// At least so many spans.
pub(super) fn spans(collector: &Collector, count: usize) -> Vec<Value> {
    let requests = collector.written("traces", |requests| items(requests, SPANS).len() >= count);
    items(&requests, SPANS).into_iter().map(|(_, _, span)| span.clone()).collect()
}

/// The metrics that were written last.
pub(super) fn metrics(collector: &Collector) -> Vec<Value> {
    let requests = collector.written("metrics", |requests| !requests.is_empty());
    let last = &requests[requests.len() - 1..];
    items(last, METRICS).into_iter().map(|(_, _, metric)| metric.clone()).collect()
}

/// Everything of a run with so many spans and records. Times are in milliseconds since the call began.
pub(super) fn page(collector: &Collector, spans: usize, logs: usize) -> String {
    let mut page = String::new();
    let requests = collector.written("traces", |requests| items(requests, SPANS).len() >= spans);
    for (number, (resource, scope, span)) in items(&requests, SPANS).into_iter().enumerate() {
        if number == 0 {
            origin(&mut page, resource, scope);
        }
        let kind = if span["kind"] == 3 { "CLIENT" } else { "another kind" };
        let status = if span["status"]["code"] == 2 { "error" } else { "unset" };
        let (from, to) = (since(&span["startTimeUnixNano"]), since(&span["endTimeUnixNano"]));
        line(&mut page, &format!("span {}, {kind}, {from} to {to} ms, status {status}", span["name"]));
        line(&mut page, &format!("  {} under {}", span["spanId"], span["parentSpanId"]));
        attributes(&mut page, &span["attributes"]);
    }
    let requests = collector.written("logs", |requests| items(requests, LOGS).len() >= logs);
    for (_, _, record) in items(&requests, LOGS) {
        let at = since(&record["timeUnixNano"]);
        line(&mut page, &format!("record {}, {} at {at} ms", record["eventName"], record["severityText"]));
        line(&mut page, &format!("  {}", shown(&record["body"])));
        attributes(&mut page, &record["attributes"]);
    }
    let mut metrics = metrics(collector);
    metrics.retain(|metric| {
        let name = metric["name"].as_str().unwrap_or_default();
        !OF_THE_PROGRAM.iter().any(|beginning| name.starts_with(beginning))
    });
    metrics.sort_by_key(|metric| metric["name"].to_string());
    for metric in &metrics {
        points(&mut page, metric);
    }
    page
}

fn origin(page: &mut String, resource: &Value, scope: &Value) {
    let mut origin = String::new();
    line(&mut origin, &format!("scope {}, version {}", scope["name"], scope["version"]));
    line(&mut origin, "resource");
    attributes(&mut origin, &resource["attributes"]);
    page.push_str(&origin.replace(&format!("{:?}", outrigger_contract::VERSION), "\"VERSION\""));
}

fn points(page: &mut String, metric: &Value) {
    let kind = if metric["sum"].is_null() { "histogram" } else { "sum" };
    let unit = metric["unit"].as_str().unwrap_or_default();
    line(page, &format!("metric {}, {kind} in {unit:?}", metric["name"]));
    let mut lines: Vec<String> = list(&metric[kind]["dataPoints"])
        .iter()
        .map(|point| {
            let value = match kind {
                "sum" if !point["asInt"].is_null() => point["asInt"].as_str().unwrap_or_default().to_owned(),
                "sum" => point["asDouble"].to_string(),
                // A sum of doubles, told to the microsecond.
                _ => {
                    let sum = (point["sum"].as_f64().unwrap_or_default() * 1e6).round() / 1e6;
                    format!("{} of {sum}", point["count"].as_str().unwrap_or_default())
                }
            };
            let mut labels: Vec<String> = list(&point["attributes"]).iter().map(pair).collect();
            labels.sort();
            format!("  {{{}}} {value}", labels.join(", "))
        })
        .collect();
    lines.sort();
    for one in lines {
        line(page, &one);
    }
}

fn attributes(page: &mut String, attributes: &Value) {
    let mut lines: Vec<String> = list(attributes).iter().map(pair).collect();
    lines.sort();
    for one in lines {
        line(page, &format!("  {one}"));
    }
}

fn pair(attribute: &Value) -> String {
    format!("{} = {}", attribute["key"].as_str().unwrap_or_default(), shown(&attribute["value"]))
}

/// A value in words that show its type: texts quoted, doubles with a point.
fn shown(value: &Value) -> String {
    let (kind, inner) = value.as_object().and_then(|value| value.iter().next()).expect("a value");
    match kind.as_str() {
        "intValue" => inner.as_str().unwrap_or_default().to_owned(),
        "doubleValue" => format!("{:?}", inner.as_f64().expect("a double")),
        "arrayValue" => {
            format!("[{}]", list(&inner["values"]).iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        "kvlistValue" => {
            format!("{{{}}}", list(&inner["values"]).iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        _ => inner.to_string(),
    }
}

fn since(nanoseconds: &Value) -> u64 {
    let at: u64 = nanoseconds.as_str().and_then(|text| text.parse().ok()).expect("a time");
    (at - START) / 1_000_000
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a text grows");
}
