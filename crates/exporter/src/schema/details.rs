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
