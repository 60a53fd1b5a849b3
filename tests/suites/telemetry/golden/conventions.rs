//! The conventions as tables: OpenTelemetry's GenAI conventions (after v1.41; Development) and the HTTP client's (stable), as
//! read in August to November 2026. What is ours begins with `outrigger.` and is documented elsewhere.

#![expect(clippy::panic, reason = "a check fails its test by panicking, with the reason")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::written::list;

/// Attributes of spans and their types, as OTLP calls them.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("gen_ai.operation.name", "stringValue"),
    ("gen_ai.provider.name", "stringValue"),
    ("gen_ai.request.model", "stringValue"),
    ("gen_ai.conversation.id", "stringValue"),
    ("gen_ai.output.type", "stringValue"),
    ("gen_ai.request.stream", "boolValue"),
    ("gen_ai.request.choice.count", "intValue"),
    ("gen_ai.request.seed", "intValue"),
    ("gen_ai.request.top_k", "intValue"),
    ("gen_ai.request.temperature", "doubleValue"),
    ("gen_ai.request.top_p", "doubleValue"),
    ("gen_ai.request.frequency_penalty", "doubleValue"),
    ("gen_ai.request.presence_penalty", "doubleValue"),
    ("gen_ai.request.max_tokens", "intValue"),
    ("gen_ai.request.stop_sequences", "arrayValue"),
    ("gen_ai.request.reasoning.level", "stringValue"),
    ("gen_ai.request.previous_response.id", "stringValue"),
    ("gen_ai.request.encoding_formats", "arrayValue"),
    ("gen_ai.embeddings.dimension.count", "intValue"),
    ("gen_ai.response.id", "stringValue"),
    ("gen_ai.response.model", "stringValue"),
    ("gen_ai.response.finish_reasons", "arrayValue"),
    ("gen_ai.response.time_to_first_chunk", "doubleValue"),
    ("gen_ai.usage.input_tokens", "intValue"),
    ("gen_ai.usage.output_tokens", "intValue"),
    ("gen_ai.usage.cache_read.input_tokens", "intValue"),
    ("gen_ai.usage.cache_write.input_tokens", "intValue"),
    ("gen_ai.usage.reasoning.output_tokens", "intValue"),
    // Not of the conventions, but the one name of a cost that readers know.
    ("gen_ai.usage.cost", "doubleValue"),
    ("gen_ai.agent.name", "stringValue"),
    ("openai.api.type", "stringValue"),
    ("openai.request.service_tier", "stringValue"),
    ("openai.response.service_tier", "stringValue"),
    ("openai.response.system_fingerprint", "stringValue"),
    ("session.id", "stringValue"),
    ("user.id", "stringValue"),
    ("error.type", "stringValue"),
    ("server.address", "stringValue"),
    ("server.port", "intValue"),
    ("url.full", "stringValue"),
    ("http.request.method", "stringValue"),
    ("http.request.resend_count", "intValue"),
    ("http.response.status_code", "intValue"),
    ("network.peer.address", "stringValue"),
    ("network.peer.port", "intValue"),
    ("network.protocol.version", "stringValue"),
];

/// Names of operations that a span of a call may have.
const OPERATIONS: [&str; 5] = ["chat", "text_completion", "generate_content", "embeddings", "fetch_response"];

const SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const HTTP_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// One bound more than the conventions have: past it a call is called slow.
const SLOW: f64 = 30.0;

/// Labels of every GenAI metric; the tier is OpenAI's refinement.
const CALL: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "openai.response.service_tier",
];

/// A metric: its unit, its bounds if it is a histogram, its labels beside those of every GenAI metric.
type Row = (&'static str, &'static str, Option<&'static [f64]>, &'static [&'static str]);

const METRICS: &[Row] = &[
    ("gen_ai.client.inference.duration", "s", Some(SECONDS), &["error.type"]),
    ("gen_ai.client.inference.time_to_first_chunk", "s", Some(SECONDS), &[]),
    ("gen_ai.client.inference.usage.input_tokens", "{token}", None, &["gen_ai.token.modality"]),
    ("gen_ai.client.inference.usage.output_tokens", "{token}", None, &["gen_ai.token.modality"]),
    ("gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", None, &["gen_ai.token.modality"]),
    ("gen_ai.client.inference.usage.cache_write.input_tokens", "{token}", None, &["gen_ai.token.modality"]),
    ("gen_ai.client.inference.usage.reasoning.output_tokens", "{token}", None, &["gen_ai.token.modality"]),
    ("gen_ai.client.inference.operation.input_tokens", "{token}", Some(TOKENS), &["error.type"]),
    ("gen_ai.client.inference.operation.output_tokens", "{token}", Some(TOKENS), &["error.type"]),
    ("gen_ai.client.embeddings.duration", "s", Some(SECONDS), &["error.type"]),
    ("gen_ai.client.embeddings.operation.input_tokens", "{token}", Some(TOKENS), &[]),
    // Of v1.41.
    ("gen_ai.client.operation.duration", "s", Some(SECONDS), &["error.type"]),
    ("gen_ai.client.operation.time_to_first_chunk", "s", Some(SECONDS), &[]),
    ("gen_ai.client.token.usage", "{token}", Some(TOKENS), &["gen_ai.token.type"]),
];

/// Labels of the duration of HTTP requests.
const HTTP: &[&str] = &[
    "http.request.method",
    "server.address",
    "server.port",
    "http.response.status_code",
    "error.type",
    "network.protocol.version",
];

fn keys(attributes: &Value) -> BTreeMap<&str, &Value> {
    let named: BTreeMap<&str, &Value> = list(attributes)
        .iter()
        .map(|attribute| (attribute["key"].as_str().unwrap_or_default(), &attribute["value"]))
        .collect();
    assert_eq!(named.len(), list(attributes).len(), "a key stands twice: {attributes}");
    named
}

/// Checks a span of a call or of an attempt; adds the names that it has seen.
pub(super) fn check_span(span: &Value, seen: &mut BTreeSet<String>) {
    let named = keys(&span["attributes"]);
    assert_eq!(span["kind"], 3, "not a client's: {span}");
    for (key, value) in &named {
        if key.starts_with("outrigger.") {
            continue;
        }
        let row = ATTRIBUTES.iter().find(|(name, _)| name == key);
        let (_, kind) = row.unwrap_or_else(|| panic!("the conventions do not know {key} of {span}"));
        assert!(value.get(kind).is_some(), "{key} is no {kind}: {value}");
        seen.insert((*key).to_owned());
    }
    let text = |key: &str| named.get(key).and_then(|value| value["stringValue"].as_str());
    let name = span["name"].as_str().expect("a name");
    let failed = span["status"]["code"] == 2;
    assert_eq!(failed, named.contains_key("error.type"), "error.type goes with the status: {span}");
    match text("gen_ai.operation.name") {
        Some(operation) => {
            assert!(OPERATIONS.contains(&operation), "{operation}");
            assert!(named.contains_key("gen_ai.provider.name"), "{span}");
            let expected = format!("{operation} {}", text("gen_ai.request.model").unwrap_or_default());
            assert_eq!(name, expected.trim_end());
        }
        None => {
            assert_eq!(Some(name), text("http.request.method"), "a path is no name: {span}");
            for required in ["server.address", "server.port", "url.full"] {
                assert!(named.contains_key(required), "{required} is missing: {span}");
            }
            // Readers would take it for a generation.
            assert!(!named.keys().any(|key| key.starts_with("gen_ai.")), "{span}");
        }
    }
}

/// Checks a metric; adds its name.
pub(super) fn check_metric(metric: &Value, seen: &mut BTreeSet<String>) {
    let name = metric["name"].as_str().expect("a name");
    if name.starts_with("outrigger.") {
        return;
    }
    let row = METRICS.iter().find(|(known, ..)| *known == name).copied();
    let http = (name == "http.client.request.duration").then_some((name, "s", Some(HTTP_SECONDS), HTTP));
    let Some((_, unit, bounds, labels)) = row.or(http) else { panic!("the conventions do not know {name}") };
    assert_eq!(metric["unit"], unit, "{name}");
    let kind = if bounds.is_some() { "histogram" } else { "sum" };
    let points = list(&metric[kind]["dataPoints"]);
    assert!(!points.is_empty(), "{name} is no {kind}: {metric}");
    if kind == "sum" {
        assert_eq!(metric["sum"]["isMonotonic"], true, "{name}");
    }
    for point in points {
        for key in keys(&point["attributes"]).keys() {
            let known = labels.contains(key) || row.is_some() && CALL.contains(key);
            assert!(known, "{name} has a label {key}");
        }
        if let Some(bounds) = bounds {
            let told = list(&point["explicitBounds"]).iter().filter_map(Value::as_f64);
            let told: Vec<f64> = told.filter(|bound| *bound != SLOW).collect();
            assert_eq!(told, bounds, "{name}");
        }
    }
    seen.insert(name.to_owned());
}
