//! The spans of a call's HTTP requests: plain HTTP, no `gen_ai.` key (readers would take each for a generation).

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use outrigger_ledger::{Attempt, CallRecord};
use outrigger_pricing::{Atto, Completeness};
use outrigger_providers::FailureClass;
use prost::Message as _;

use super::keys;
use super::span::{self, ATTRIBUTES, HAS_IS_REMOTE};
use super::value::{Attributes, Bounds, hex};

/// Writes the span of one attempt, a child of the logical one.
pub(super) fn of_call(call: &CallRecord, index: usize, bounds: Bounds, out: &mut Vec<u8>) {
    let Some(attempt) = call.attempts.get(index) else { return };
    let before = index.checked_sub(1).and_then(|index| call.attempts.get(index));
    let span = Span {
        trace_id: call.span.trace_id.to_vec(),
        span_id: attempt.span_id.to_vec(),
        parent_span_id: call.span.span_id.to_vec(),
        // The parent is ours: known to be local.
        flags: u32::from(call.span.flags) | HAS_IS_REMOTE,
        name: attempt.method.clone(),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: attempt.started.0,
        end_time_unix_nano: attempt.ended.0,
        // Without words: the status code or `error.type` says it all.
        status: attempt
            .error_type
            .is_some()
            .then(|| Status { code: StatusCode::Error.into(), message: String::new() }),
        ..Span::default()
    };
    span.encode_raw(out);
    let mut all = Attributes::new(out, ATTRIBUTES, bounds);
    attributes(&mut all, call, attempt, before);
    let dropped = all.dropped();
    span::say_dropped(dropped, out);
}

fn attributes(
    attributes: &mut Attributes<'_>,
    call: &CallRecord,
    attempt: &Attempt,
    before: Option<&Attempt>,
) {
    attributes.text(keys::HTTP_METHOD, attempt.method.as_str());
    attributes.text(keys::SERVER_ADDRESS, attempt.host.as_str());
    attributes.count(keys::SERVER_PORT, attempt.port.into());
    attributes.text(keys::URL_FULL, url(attempt));
    attributes.count_if(keys::HTTP_STATUS, attempt.status.map(u64::from));
    attributes.text_if(keys::ERROR_TYPE, attempt.error_type.as_deref());
    // An SDK's own retries count on.
    let earlier = call.logical.attempt.saturating_sub(1);
    let resent = u64::from(attempt.number.saturating_sub(1)) + u64::from(earlier);
    attributes.count_if(keys::HTTP_RESEND_COUNT, Some(resent).filter(|resent| *resent > 0));
    if let Some(peer) = attempt.peer {
        attributes.text(keys::PEER_ADDRESS, peer.ip().to_string());
        attributes.count(keys::PEER_PORT, peer.port().into());
    }
    attributes.text(keys::PROTOCOL_VERSION, attempt.http_version);
    attributes.count(keys::ATTEMPT_NUMBER, attempt.number.into());
    attributes.text(keys::ATTEMPT_PROVIDER, attempt.provider);
    attributes.text_if(keys::ATTEMPT_MODEL, attempt.model.as_deref());
    attributes.text_if(keys::ATTEMPT_BACKUP, attempt.backup.as_deref());
    attributes.text_if(keys::ATTEMPT_CLASS, attempt.class.map(FailureClass::as_str));
    attributes.text(keys::ATTEMPT_REASON, reason(call, attempt, before));
    billed(attributes, call, attempt);
}

/// What the attempt is charged for: the one that was served all that is known of the call, a refused one nothing, one that failed in
/// its answer what was told of it.
fn billed(attributes: &mut Attributes<'_>, call: &CallRecord, attempt: &Attempt) {
    let (input, output, cost) = if call.serving().is_some_and(|serving| serving.number == attempt.number) {
        let usage = call.tokens.reported();
        (usage.total_prompt(), usage.total_answer(), span::sure_cost(call).map(Atto::to_f64))
    } else if let Some(used) = &attempt.used {
        let usage = used.tokens.reported();
        let sure = used.cost.total.filter(|_| used.cost.completeness != Completeness::Estimated);
        (usage.total_prompt(), usage.total_answer(), sure.map(Atto::to_f64))
    } else if attempt.status.is_some_and(|status| status >= 400) {
        (Some(0), Some(0), Some(0.0))
    } else {
        (None, None, None)
    };
    attributes.count_if(keys::ATTEMPT_INPUT, input);
    attributes.count_if(keys::ATTEMPT_OUTPUT, output);
    attributes.double_if(keys::ATTEMPT_COST, cost);
}

/// The query stands there as the record keeps it: without what may be a key.
fn url(attempt: &Attempt) -> String {
    let mut url = match attempt.port {
        443 => format!("https://{}{}", attempt.host, attempt.path),
        port => format!("https://{}:{port}{}", attempt.host, attempt.path),
    };
    if let Some(query) = &attempt.query {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// Why there was an attempt.
fn reason(call: &CallRecord, attempt: &Attempt, before: Option<&Attempt>) -> &'static str {
    match (before, &attempt.backup) {
        (None, None) if call.logical.attempt > 1 => "retry",
        (None, None) => "initial",
        (Some(before), Some(backup)) if before.backup.as_ref() == Some(backup) => "retry",
        (_, Some(_)) => "failover",
        (Some(_), None) => "retry",
    }
}

/// Writes an attempt as an object of a record.
pub(super) fn object(fields: &mut Attributes<'_>, attempt: &Attempt) {
    fields.count("number", attempt.number.into());
    fields.text("span_id", hex(&attempt.span_id));
    fields.text("provider", attempt.provider);
    fields.text("method", attempt.method.as_str());
    fields.text("host", attempt.host.as_str());
    fields.count("port", attempt.port.into());
    fields.text("path", attempt.path.as_str());
    fields.text_if("query", attempt.query.as_deref());
    fields.text_if("model", attempt.model.as_deref());
    fields.text_if("backup", attempt.backup.as_deref());
    fields.text_if("peer", attempt.peer.map(|peer| peer.to_string()).as_deref());
    fields.text("http_version", attempt.http_version);
    fields.count_if("status", attempt.status.map(u64::from));
    fields.text_if("class", attempt.class.map(FailureClass::as_str));
    fields.text_if("error_type", attempt.error_type.as_deref());
    fields.count("started", attempt.started.0);
    fields.count("ended", attempt.ended.0);
    let Some(used) = &attempt.used else { return };
    fields.count_if("input_tokens", used.tokens.usage.total_prompt());
    fields.count_if("output_tokens", used.tokens.usage.total_answer());
    fields.text("usage_provenance", used.tokens.provenance.as_str());
    fields.text_if("cost", used.cost.total.map(|total| total.to_string()).as_deref());
    fields.text("cost_status", span::cost_status(used.cost.completeness));
}
