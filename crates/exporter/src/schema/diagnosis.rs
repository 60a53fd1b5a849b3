//! What is wrong, as an event: one when a verdict begins, one when it ends. Never sampled, no content.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use outrigger_diagnosis::{Change, Verdict};
use outrigger_ledger::Timestamp;
use prost::Message as _;

use super::keys;
use super::log::ATTRIBUTES;
use super::value::{Attributes, Bounds};

/// Writes the log record of a change that came about at `at`.
pub(super) fn event(change: &Change, at: Timestamp, bounds: Bounds, out: &mut Vec<u8>) {
    let (verdict, severity, words) = match change {
        Change::Began(verdict) => (verdict, SeverityNumber::Warn, verdict.to_string()),
        Change::Ended(verdict, why) => {
            (verdict, SeverityNumber::Info, format!("{}: over: {why}", verdict.cause))
        }
    };
    let record = LogRecord {
        time_unix_nano: at.0,
        observed_time_unix_nano: at.0,
        severity_number: severity.into(),
        severity_text: if severity == SeverityNumber::Warn { "WARN" } else { "INFO" }.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(words)) }),
        event_name: outrigger_contract::telemetry::DIAGNOSIS_EVENT.to_owned(),
        ..LogRecord::default()
    };
    record.encode_raw(out);
    attributes(&mut Attributes::new(out, ATTRIBUTES, bounds), change, verdict);
}

fn attributes(attributes: &mut Attributes<'_>, change: &Change, verdict: &Verdict) {
    attributes.count(keys::SCHEMA_VERSION, super::VERSION.into());
    attributes.text(keys::DIAGNOSIS_KIND, verdict.kind.as_str());
    match change {
        Change::Began(_) => attributes.text(keys::DIAGNOSIS_STATE, "began"),
        Change::Ended(_, why) => {
            attributes.text(keys::DIAGNOSIS_STATE, "ended");
            attributes.text(keys::DIAGNOSIS_WHY, *why);
        }
    }
    attributes.text_if(keys::DIAGNOSIS_PROVIDER, verdict.provider);
    attributes.text_if(keys::DIAGNOSIS_MODEL, verdict.model.as_deref());
    attributes.text_if(keys::KEY_FINGERPRINT, verdict.key.as_deref());
    attributes.count(keys::DIAGNOSIS_SINCE, verdict.since.0);
    attributes.count(keys::DIAGNOSIS_CALLS, verdict.calls);
    attributes.count_if(keys::DIAGNOSIS_RESETS, verdict.resets.map(|resets| resets.0));
    attributes.text(keys::DIAGNOSIS_CAUSE, verdict.cause.as_str());
    attributes.text(keys::DIAGNOSIS_EVIDENCE, verdict.evidence.as_str());
    attributes.text(keys::DIAGNOSIS_NEXT, verdict.next_step.as_str());
}
