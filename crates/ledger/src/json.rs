//! The one JSON shape of a call, for every command that prints calls.

use outrigger_pricing::estimate::{CONFIDENCE, Estimate};
use outrigger_providers::{FailureClass, Who};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ids::hex;
use crate::{Accounted, Attempt, CallRecord, Routed, Timestamp};

/// A call as JSON.
///
/// Money is decimal text (US dollars), times are RFC 3339 in UTC, durations are milliseconds; what is unknown is `null`.
/// `tokens` has `provenance`, `reason`, `input_total`, `output_total`, `estimate` (`null`, or the estimated sides with their
/// bounds) and `meters` (per meter `count` and `provenance`;
/// which are left out is said at [`TokenUsage::told`](outrigger_pricing::TokenUsage::told));
/// `named_by` says of `user`, `session`, `step`, `agent` and `tenant` where those that are known were found;
/// `chain` is `null` or says which call this one goes on from; `logical` which call it is an attempt of;
/// an attempt whose answer the app did not get has `tokens` and `cost` of its own;
/// `cause` is `null` or an object with `class`, `error_type`, `status` and `message`.
#[must_use]
pub fn call_json(record: &CallRecord) -> Value {
    let started = record.times.started;
    let cause = record.cause.as_ref().map(|cause| {
        json!({
            "class": cause.class.as_str(),
            "error_type": cause.error_type,
            "status": cause.status,
            "message": cause.text,
        })
    });
    let lines: Vec<Value> = record
        .cost
        .lines
        .iter()
        .map(|line| {
            json!({
                "meter": line.meter.as_str(),
                "quantity": line.quantity,
                "rate": line.rate.to_string(),
                "per": line.per,
                "factor": (line.factor != (1, 1)).then(|| format!("{}/{}", line.factor.0, line.factor.1)),
                "amount": line.amount.to_string(),
            })
        })
        .collect();
    let attempts: Vec<Value> = record.attempts.iter().map(attempt).collect();
    let mut whole = json!({
        "id": record.id.to_string(),
        "trace_id": hex(&record.span.trace_id),
        "span_id": hex(&record.span.span_id),
        "provider": record.provider,
        "dialect": record.dialect,
        "operation": record.operation.as_str(),
        "mode": record.mode.as_str(),
        "model": record.model(),
        "requested_model": record.facts.model,
        "deployed_model": record.deployed_model,
        "served_tier": record.served_tier,
        "stream": record.facts.stream,
        "outcome": record.outcome.as_str(),
        "cause": cause,
        "fault": record.fault,
        "finish_reasons": record.finish_reasons,
        "response_id": record.response_id,
        "request_id": record.request_id,
        "key": record.key.as_ref().map(|key| json!({"fingerprint": key.fingerprint, "ending": key.ending})),
        "tokens": tokens(&record.tokens),
        "tier": record.tier.as_str(),
        "region": record.region.as_str(),
        "cost": record.cost.total.map(|total| total.to_string()),
        "cost_status": record.cost.completeness.as_str(),
        "cost_reasons": record.cost.reasons,
        "cost_between": record.cost_between.map(|(low, high)| [low.to_string(), high.to_string()]),
        "cost_reported": record.reported_cost.map(|cost| cost.to_string()),
        "cost_lines": lines,
        "price_book": &*record.price_book,
        "times": {
            "started": rfc3339(started),
            "ended": rfc3339(record.times.ended),
            "responded_ms": record.times.responded.map(|at| milliseconds(started, at)),
            "first_content_ms": record.times.first_content.map(|at| milliseconds(started, at)),
            "duration_ms": milliseconds(started, record.times.ended),
        },
        "bytes": {"request": record.transport.request_bytes, "response": record.transport.response_bytes},
        "attempts": attempts,
        "route": record.routed.as_deref().map(route),
    });
    if let (Value::Object(members), Value::Object(placed)) = (&mut whole, place(record)) {
        members.extend(placed);
    }
    whole
}

/// One request that was made for it.
fn attempt(attempt: &Attempt) -> Value {
    let mut told = json!({
        "number": attempt.number,
        "provider": attempt.provider,
        "host": attempt.host,
        "port": attempt.port,
        "method": attempt.method,
        "path": attempt.path,
        "query": attempt.query,
        "model": attempt.model,
        "backup": attempt.backup.as_deref(),
        "http_version": attempt.http_version,
        "status": attempt.status,
        "class": attempt.class.map(FailureClass::as_str),
        "error_type": attempt.error_type,
        "started": rfc3339(attempt.started),
        "duration_ms": milliseconds(attempt.started, attempt.ended),
    });
    if let Some(used) = &attempt.used {
        told["tokens"] = tokens(&used.tokens);
        told["cost"] = used.cost.total.map(|total| total.to_string()).into();
        told["cost_status"] = used.cost.completeness.as_str().into();
    }
    told
}

/// What a rule had to do with it.
fn route(routed: &Routed) -> Value {
    json!({
        "rule": &*routed.rule,
        "requested_provider": routed.requested_provider,
        "serving": routed.serving,
        "passed_over": routed.passed_over,
        "losses": routed.losses,
        "left_out": routed.left_out,
        "exceeded": routed.exceeded,
        "hindrance": routed.hindrance,
        "retry_denied": routed.retry_denied,
        "exhausted": routed.exhausted,
        "seam": routed.seam.map(|seam| json!({"after": seam.after, "overlap": seam.overlap})),
        "not_continued": routed.not_continued,
    })
}

/// Who and what it is for, and its place among the other calls.
fn place(record: &CallRecord) -> Value {
    json!({
        "user": record.identity.get(Who::User),
        "session": record.identity.get(Who::Session),
        "step": record.identity.get(Who::Step),
        "agent": record.identity.get(Who::Agent),
        "tenant": record.identity.get(Who::Tenant),
        "named_by": named_by(record),
        "prompt_fingerprint": record.prompt_fingerprint(),
        "chain": chain(record),
        "logical": {
            "id": record.logical.id.to_string(),
            "attempt": record.logical.attempt,
            "retry_of": record.logical.retried.map(|before| before.call.to_string()),
            "by": record.logical.retried.map(|before| before.by.as_str()),
        },
    })
}

/// Its place among the calls that go on from one another.
fn chain(record: &CallRecord) -> Option<Value> {
    let chain = record.chain?;
    Some(json!({
        "id": chain.id.to_string(),
        "number": chain.number,
        "parent": chain.parent.map(|parent| parent.call.to_string()),
        "by": chain.parent.map(|parent| parent.by.as_str()),
        "confidence": chain.parent.map(|parent| parent.confidence.as_str()),
    }))
}

/// Where each name was found.
fn named_by(record: &CallRecord) -> Value {
    let known = record.identity.known().map(|(who, named)| {
        let found = json!({"source": named.source.as_str(), "place": named.place, "hashed": named.hashed});
        (who.as_str().to_owned(), found)
    });
    Value::Object(known.collect())
}

fn tokens(accounted: &Accounted) -> Value {
    let meters: Map<String, Value> = accounted
        .usage
        .told()
        .map(|(meter, count)| {
            let known = json!({"count": count, "provenance": accounted.of(meter).as_str()});
            (meter.as_str().to_owned(), known)
        })
        .collect();
    json!({
        "provenance": accounted.provenance.as_str(),
        "reason": accounted.reason,
        "input_total": accounted.usage.total_prompt(),
        "output_total": accounted.usage.total_answer(),
        "meters": meters,
        "estimate": estimate(accounted),
    })
}

fn estimate(accounted: &Accounted) -> Value {
    if accounted.prompt.is_none() && accounted.answer.is_none() {
        return Value::Null;
    }
    let bounds = |side: Option<Estimate>| {
        side.map(|side| json!({"tokens": side.tokens, "low": side.low, "high": side.high}))
    };
    json!({
        "input": bounds(accounted.prompt),
        "output": bounds(accounted.answer),
        "confidence_percent": CONFIDENCE,
    })
}

fn rfc3339(at: Timestamp) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0)).ok()?.format(&Rfc3339).ok()
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from) as f64 / 1e6
}
