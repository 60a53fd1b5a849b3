//! The record of a call: everything about it but its content, exact, never sampled. Accounting reads this.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use outrigger_ledger::{CallRecord, Outcome};
use outrigger_pricing::CostLine;
use prost::Message as _;

use super::value::{Attributes, Bounds, hex};
use super::{attempt, keys, span};

/// Field of `LogRecord`.
pub(super) const ATTRIBUTES: u32 = 6;

/// Writes the log record of a call.
pub(super) fn record(call: &CallRecord, bounds: Bounds, out: &mut Vec<u8>) {
    let severity = match call.outcome {
        Outcome::Failed => SeverityNumber::Warn,
        Outcome::Answered | Outcome::Cancelled | Outcome::Unknown => SeverityNumber::Info,
    };
    let record = LogRecord {
        time_unix_nano: call.times.ended.0,
        observed_time_unix_nano: call.times.ended.0,
        severity_number: severity.into(),
        severity_text: if severity == SeverityNumber::Warn { "WARN" } else { "INFO" }.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(summary(call))) }),
        flags: call.span.flags.into(),
        trace_id: call.span.trace_id.to_vec(),
        span_id: call.span.span_id.to_vec(),
        event_name: outrigger_contract::telemetry::CALL_EVENT.to_owned(),
        ..LogRecord::default()
    };
    // The order of fields is free: attributes may follow the rest.
    record.encode_raw(out);
    attributes(&mut Attributes::new(out, ATTRIBUTES, bounds), call);
}

/// Writes the event that the conventions recommend for a call that failed, if it did.
pub(super) fn exception(call: &CallRecord, bounds: Bounds, out: &mut Vec<u8>) -> bool {
    let Some(cause) = call.cause.as_ref().filter(|_| call.outcome == Outcome::Failed) else { return false };
    let record = LogRecord {
        time_unix_nano: call.times.ended.0,
        observed_time_unix_nano: call.times.ended.0,
        severity_number: SeverityNumber::Warn.into(),
        severity_text: "WARN".to_owned(),
        flags: call.span.flags.into(),
        trace_id: call.span.trace_id.to_vec(),
        span_id: call.span.span_id.to_vec(),
        event_name: outrigger_contract::telemetry::EXCEPTION_EVENT.to_owned(),
        ..LogRecord::default()
    };
    record.encode_raw(out);
    let mut attributes = Attributes::new(out, ATTRIBUTES, bounds);
    attributes.text(keys::EXCEPTION_TYPE, &cause.error_type);
    attributes.text(keys::EXCEPTION_MESSAGE, &cause.text);
    attributes.text(keys::OPERATION, call.operation.as_str());
    attributes.text(keys::PROVIDER, call.otel_provider);
    attributes.text_if(keys::REQUEST_MODEL, call.facts.model.as_deref());
    attributes.text(keys::CALL_ID, hex(&call.id.0));
    true
}

/// One line for a person.
fn summary(call: &CallRecord) -> String {
    let (provider, model) = (call.provider, call.model().unwrap_or("unknown model"));
    match &call.cause {
        Some(cause) => cause.text.clone(),
        None => format!("{provider} {model}: {}", call.outcome.as_str()),
    }
}

fn attributes(attributes: &mut Attributes<'_>, call: &CallRecord) {
    span::identity(attributes, call);
    if call.facts.stream {
        attributes.truth(keys::STREAM, true);
    }
    attributes.texts(keys::FINISH_REASONS, call.finish_reasons.iter().map(String::as_str));
    attributes.text_if(keys::REQUESTED_TIER, call.facts.tier_word.as_deref());
    attributes.text_if(keys::SERVED_TIER, call.served_tier.as_deref());
    span::own(attributes, call);

    span::meters(attributes, call);
    attributes.text(keys::USAGE_PROVENANCE, call.tokens.provenance.as_str());
    attributes.text_if(keys::USAGE_REASON, call.tokens.reason);

    attributes.text_if(keys::COST_MODEL, call.deployed_model.as_deref());
    attributes.text(keys::COST_TIER, call.tier.as_str());
    attributes.text(keys::COST_REGION, call.region.as_str());
    span::amount(attributes, call);
    attributes.objects(keys::COST_LINES, &call.cost.lines, line);

    attributes.count(keys::STARTED, call.times.started.0);
    attributes.count_if(keys::RESPONDED, call.times.responded.map(|at| at.0));
    attributes.count_if(keys::FIRST_CONTENT, call.times.first_content.map(|at| at.0));
    attributes.count(keys::ENDED, call.times.ended.0);
    attributes.count(keys::REQUEST_BYTES, call.transport.request_bytes);
    attributes.count(keys::RESPONSE_BYTES, call.transport.response_bytes);
    attributes.objects(keys::ATTEMPTS, &call.attempts, attempt::object);
}

/// One line of the bill; money as decimal text, because a double could not hold it.
fn line(fields: &mut Attributes<'_>, line: &CostLine) {
    fields.text("meter", line.meter.as_str());
    fields.count("quantity", line.quantity);
    fields.text("rate", line.rate.to_string());
    fields.count("per", line.per);
    if line.factor != (1, 1) {
        fields.text("factor", format!("{}/{}", line.factor.0, line.factor.1));
    }
    fields.text("amount", line.amount.to_string());
}
