//! OTLP as JSON: made of the encoded request, since that is what lanes and the spool hold.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;

use crate::settings::Signal;

/// An encoded request in JSON; `None` for what is no request of that signal.
pub(super) fn of(signal: Signal, body: &[u8]) -> Option<Vec<u8>> {
    match signal {
        Signal::Traces => rewritten::<ExportTraceServiceRequest>(body),
        Signal::Logs => rewritten::<ExportLogsServiceRequest>(body),
        Signal::Metrics => rewritten::<ExportMetricsServiceRequest>(body),
    }
}

fn rewritten<M: Message + Default + Serialize>(body: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&M::decode(body).ok()?).ok()
}

/// What an answer in JSON says was not taken, and its words.
pub(super) fn rejected(body: &[u8]) -> Option<(i64, String)> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let partial = answer.get("partialSuccess")?;
    let names = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"];
    let count = names.iter().find_map(|name| partial.get(name))?;
    // JSON of protobuf writes 64-bit integers as texts; not everybody does.
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
    let words = partial.get("errorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
    Some((count, words.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Settings;
    use crate::schema::{Schema, Traced};
    use crate::testing::calls::answered;

    #[test]
    fn ids_are_hexadecimal_and_names_as_the_standard_writes_them() {
        let settings = Settings::read(None, |_| None).unwrap();
        let body = Schema::new(&settings)
            .traces([Traced::Call(&answered())].into_iter(), crate::lane::Content::Whole);
        let text: Value = serde_json::from_slice(&of(Signal::Traces, &body).unwrap()).unwrap();
        let span = &text["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "01".repeat(16));
        assert_eq!(span["parentSpanId"], "09".repeat(8));
        assert_eq!(span["startTimeUnixNano"], crate::testing::calls::START.to_string());
        let model =
            span["attributes"].as_array().unwrap().iter().find(|it| it["key"] == "gen_ai.response.model");
        assert_eq!(model.unwrap()["value"], json!({"stringValue": "gpt-5.1-2025-11-13"}));
        assert_eq!(of(Signal::Traces, b"no request"), None);
    }

    #[test]
    fn a_partial_success_is_read_however_its_number_is_written() {
        for count in ["3", "\"3\""] {
            let body =
                format!(r#"{{"partialSuccess":{{"rejectedSpans":{count},"errorMessage":"too old"}}}}"#);
            assert_eq!(rejected(body.as_bytes()), Some((3, "too old".to_owned())));
        }
        for body in ["{}", r#"{"partialSuccess":{}}"#, "ok", ""] {
            assert_eq!(rejected(body.as_bytes()), None, "{body}");
        }
    }
}
