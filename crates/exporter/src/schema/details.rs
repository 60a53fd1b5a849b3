//! What a call said: on its span as JSON, on an event of its own as a structure. Never in the record.

use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use outrigger_ledger::CallRecord;
use prost::Message as _;
use serde_json::Value;

use super::value::{Attributes, Bounds};
use super::{Form, keys, log, span};
use crate::content::{Told, fit};

/// Bytes of JSON of one attribute of an event at most; there are four.
const ON_EVENT: usize = 16 * 1024;

/// The content as attributes of a span: JSON that stays valid within the bound of a text.
pub(super) fn on_span(attributes: &mut Attributes<'_>, told: &Told, bounds: Bounds) {
    each(told, bounds.longest.min(ON_EVENT), |key, items| {
        attributes.text(key, Value::Array(items).to_string());
    });
    lacks(attributes, told);
}

/// Writes the event of a call: all that its span says, and its content.
pub(super) fn event(call: &CallRecord, form: Form, told: Option<&Told>, out: &mut Vec<u8>) {
    let record = LogRecord {
        time_unix_nano: call.times.ended.0,
        observed_time_unix_nano: call.times.ended.0,
        severity_number: SeverityNumber::Info.into(),
        severity_text: "INFO".to_owned(),
        flags: call.span.flags.into(),
        trace_id: call.span.trace_id.to_vec(),
        span_id: call.span.span_id.to_vec(),
        event_name: outrigger_contract::telemetry::DETAILS_EVENT.to_owned(),
        ..LogRecord::default()
    };
    record.encode_raw(out);
    let bounds = Bounds { left: usize::MAX, ..form.bounds };
    let mut attributes = Attributes::new(out, log::ATTRIBUTES, bounds);
    span::attributes(&mut attributes, call, form);
    if let Some(told) = told {
        each(told, ON_EVENT, |key, items| attributes.structure(key, &Value::Array(items)));
        lacks(&mut attributes, told);
    }
}

fn each(told: &Told, limit: usize, mut put: impl FnMut(&'static str, Vec<Value>)) {
    for (key, items) in [
        (keys::SYSTEM_INSTRUCTIONS, &told.system),
        (keys::INPUT_MESSAGES, &told.input),
        (keys::OUTPUT_MESSAGES, &told.output),
        (keys::TOOL_DEFINITIONS, &told.tools),
    ] {
        if !items.is_empty()
            && let Some(items) = fit(items, limit)
        {
            put(key, items);
        }
    }
}

fn lacks(attributes: &mut Attributes<'_>, told: &Told) {
    if !told.lacks.is_empty() {
        attributes.texts(keys::CONTENT_LACKS, told.lacks.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use outrigger_ledger::Room;
    use outrigger_providers::Operation;
    use serde_json::json;

    use super::*;
    use crate::lane::Content;
    use crate::schema::tests::{settings, spans};
    use crate::schema::{Entry, Schema, log_count};
    use crate::testing::calls::{answered, failed};
    use crate::testing::said;

    const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    const EMIT: (&str, &str) = ("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", "true");

    fn events(call: &CallRecord, variables: &[(&str, &str)]) -> Vec<LogRecord> {
        let request = Schema::new(&settings(variables)).logs([Entry::Call(call)].into_iter(), Content::Whole);
        let mut request = ExportLogsServiceRequest::decode(request).unwrap();
        std::mem::take(&mut request.resource_logs[0].scope_logs[0].log_records)
    }

    /// A call that says this many bytes.
    fn saying(bytes: usize) -> CallRecord {
        let request =
            json!({ "messages": [{ "role": "user", "content": "a ".repeat(bytes / 2) }] }).to_string();
        said::call(request.as_bytes(), b"{}", &Arc::new(Room::new(1 << 20)))
    }

    #[test]
    fn calls_that_ask_for_a_text_have_the_event_and_no_others() {
        for operation in Operation::ALL {
            for call in [answered(), failed()] {
                let call = CallRecord { operation, ..call };
                for (variables, emits) in [(&[][..], false), (&[EMIT], true)] {
                    let events = events(&call, variables);
                    assert_eq!(events.len() as u64, log_count(&call, emits), "{operation:?}");
                    let details =
                        events.iter().filter(|event| event.event_name.ends_with(".details")).count();
                    assert_eq!(details == 1, emits && operation.generates_text(), "{operation:?}");
                }
            }
        }
    }

    #[test]
    fn without_content_the_event_says_what_the_span_says() {
        let event = events(&saying(4), &[EMIT]).pop().unwrap();
        assert_eq!(event.attributes, spans(&saying(4), &[])[0].attributes);
    }

    #[test]
    fn json_on_a_span_stays_within_the_bound_of_its_texts_and_a_structure_within_its_own() {
        let both = (CAPTURE, "SPAN_AND_EVENT");
        let call = saying(100_000);
        for (longest, bound) in [("", 2047), ("300", 300), ("1000000", ON_EVENT)] {
            let variables = [both, ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", longest)];
            let span = spans(&call, &variables).remove(0);
            let input = span.attributes.into_iter().find(|attribute| attribute.key == keys::INPUT_MESSAGES);
            let Some(Any::StringValue(text)) = input.unwrap().value.unwrap().value else { panic!("no text") };
            assert!(text.len() <= bound && text.len() > bound / 10, "{longest}: {}", text.len());
            let messages: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(messages[0]["role"], "user");
            assert!(text.contains("bytes left out"), "{text}");
        }
        let event = events(&call, &[both]).pop().unwrap();
        let input = event.attributes.iter().find(|attribute| attribute.key == keys::INPUT_MESSAGES).unwrap();
        assert!(matches!(input.value.as_ref().unwrap().value, Some(Any::ArrayValue(_))), "{input:?}");
        assert!(input.encoded_len() <= ON_EVENT, "{}", input.encoded_len());
    }
}
