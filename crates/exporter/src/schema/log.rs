//! The record of a call: everything about it but its content, exact, never sampled. Accounting reads this.

use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use outrigger_ledger::{CallRecord, Outcome};
use outrigger_pricing::{CostLine, Meter};

use super::value::{Attributes, text};
use super::{attempt, keys, span};

/// The log record of a call.
pub(super) fn record(call: &CallRecord) -> LogRecord {
    let severity = match call.outcome {
        Outcome::Failed => SeverityNumber::Warn,
        Outcome::Answered | Outcome::Cancelled | Outcome::Unknown => SeverityNumber::Info,
    };
    LogRecord {
        time_unix_nano: call.times.ended.0,
        observed_time_unix_nano: call.times.ended.0,
        severity_number: severity.into(),
        severity_text: if severity == SeverityNumber::Warn { "WARN" } else { "INFO" }.to_owned(),
        body: Some(text(summary(call))),
        attributes: attributes(call).finish(),
        dropped_attributes_count: 0,
        flags: call.span.flags.into(),
        trace_id: call.span.trace_id.to_vec(),
        span_id: call.span.span_id.to_vec(),
        event_name: outrigger_contract::telemetry::CALL_EVENT.to_owned(),
    }
}

/// One line for a person.
fn summary(call: &CallRecord) -> String {
    let (provider, model) = (call.provider, call.model().unwrap_or("unknown model"));
    match &call.cause {
        Some(cause) => cause.text.clone(),
        None => format!("{provider} {model}: {}", call.outcome.as_str()),
    }
}

fn attributes(call: &CallRecord) -> Attributes {
    let mut attributes = Attributes::with_capacity(48);
    span::identity(&mut attributes, call);
    if call.facts.stream {
        attributes.truth(keys::STREAM, true);
    }
    attributes.texts(keys::FINISH_REASONS, call.finish_reasons.iter().map(String::as_str));
    attributes.text_if(keys::REQUESTED_TIER, call.facts.tier_word.as_deref());
    attributes.text_if(keys::SERVED_TIER, call.served_tier.as_deref());
    span::own(&mut attributes, call);

    for meter in Meter::ALL {
        let key = format!("{}.{}", keys::USAGE, meter.as_str());
        attributes.count_if(&key, call.tokens.usage.get(meter));
    }
    attributes.text(keys::USAGE_PROVENANCE, call.tokens.provenance.as_str());
    attributes.text_if(keys::USAGE_REASON, call.tokens.reason);

    span::amount(&mut attributes, call);
    attributes.objects(keys::COST_LINES, call.cost.lines.iter().map(line));

    attributes.count(keys::STARTED, call.times.started.0);
    attributes.count_if(keys::RESPONDED, call.times.responded.map(|at| at.0));
    attributes.count_if(keys::FIRST_CONTENT, call.times.first_content.map(|at| at.0));
    attributes.count(keys::ENDED, call.times.ended.0);
    attributes.count(keys::REQUEST_BYTES, call.transport.request_bytes);
    attributes.count(keys::RESPONSE_BYTES, call.transport.response_bytes);
    attributes.objects(keys::ATTEMPTS, attempt::objects(call));
    attributes
}

/// One line of the bill; money as decimal text, because a double could not hold it.
fn line(line: &CostLine) -> Attributes {
    let mut fields = Attributes::with_capacity(5);
    fields.text("meter", line.meter.as_str());
    fields.count("quantity", line.quantity);
    fields.text("rate", line.rate.to_string());
    fields.count("per", line.per);
    fields.text("amount", line.amount.to_string());
    fields
}
