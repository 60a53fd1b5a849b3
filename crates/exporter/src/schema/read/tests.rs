//! What is written is what is read; what was changed on the way is named.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use outrigger_ledger::{
    CallRecord, Cause, Chain, ChainedBy, Confidence, Instrumented, JoinedBy, Logical, Outcome, Parent,
    Provenance, Retried, Source, SpanContext, Used,
};
use outrigger_pricing::Completeness;
use outrigger_pricing::estimate::Estimate;
use outrigger_providers::FailureClass;
use proptest::prelude::*;

use super::super::tests::log;
use super::*;
use crate::testing::calls::{answered, failed, named, routed};

/// The same facts, taken from the record itself.
fn facts(call: &CallRecord) -> ExportedCall {
    let owned = |text: &Option<String>| text.clone();
    let bounds = |estimate: Option<Estimate>| estimate.map(|it| (it.low, it.high));
    let before = call.logical.retried.map(|before| ExportedBefore {
        call: before.call,
        by: before.by.as_str().to_owned(),
        confidence: None,
    });
    let chain = call.chain.map(|chain| ExportedPlace {
        id: chain.id,
        number: u64::from(chain.number),
        before: chain.parent.map(|parent| ExportedBefore {
            call: parent.call,
            by: parent.by.as_str().to_owned(),
            confidence: Some(parent.confidence.as_str().to_owned()),
        }),
    });
    let name = |who| {
        let named = call.identity.named(who)?;
        let hashed = if named.hashed { ", hashed" } else { "" };
        let by = format!("{} {}{hashed}", named.source.as_str(), named.place);
        Some((who, ExportedName { text: named.text.clone(), by }))
    };
    let session = call.identity.named(Who::Session);
    ExportedCall {
        version: u64::from(super::super::VERSION),
        id: call.id,
        trace_id: call.span.trace_id,
        span_id: call.span.span_id,
        mode: call.mode.as_str().to_owned(),
        instrumented: call.instrumented.map(|it| it.as_str().to_owned()),
        provider: call.otel_provider.to_owned(),
        dialect: call.dialect.to_owned(),
        operation: call.operation.as_str().to_owned(),
        requested_model: call
            .serving()
            .and_then(|attempt| attempt.model.clone())
            .or(owned(&call.facts.model)),
        served_model: owned(&call.served_model),
        stream: call.facts.stream,
        outcome: call.outcome.as_str().to_owned(),
        cause: call.cause.as_ref().map(|cause| ExportedCause {
            class: cause.class.as_str().to_owned(),
            error_type: (call.outcome == Outcome::Failed).then(|| cause.error_type.clone()),
            status: cause.status.map(u64::from),
            message: cause.text.clone(),
        }),
        verdicts: call.verdicts.iter().map(|word| (*word).to_owned()).collect(),
        fault: call.fault,
        finish_reasons: call.finish_reasons.clone(),
        response_id: owned(&call.response_id),
        request_id: owned(&call.request_id),
        names: Who::ALL.into_iter().filter_map(name).collect(),
        conversation: session
            .filter(|named| !matches!(named.source, Source::Trace | Source::CacheKey))
            .map(|named| named.text.clone()),
        key: call.key.as_ref().map(|key| (key.fingerprint.clone(), key.ending.clone())),
        prompt: call.prompt_fingerprint(),
        tiers: [owned(&call.facts.tier_word), owned(&call.served_tier)],
        tokens: ExportedTokens {
            usage: TokenUsage::from_told(call.tokens.usage.told()),
            provenance: call.tokens.provenance.as_str().to_owned(),
            reason: call.tokens.reason.map(str::to_owned),
            prompt: bounds(call.tokens.prompt),
            answer: bounds(call.tokens.answer),
        },
        cost: ExportedCost {
            total: call.cost.total,
            status: super::super::cost_status(call.cost.completeness).to_owned(),
            reasons: call.cost.reasons.clone(),
            reported: call.reported_cost,
            between: call.cost_between,
            lines: call.cost.lines.iter().map(exported_line).collect(),
            price_book: call.price_book.to_string(),
            model: owned(&call.deployed_model),
            priced_in: (call.tier.as_str().to_owned(), call.region.as_str().to_owned()),
        },
        times: call.times,
        transport: call.transport,
        attempts: call.attempts.iter().map(exported_attempt).collect(),
        routed: call.routed.as_ref().map(|routed| ExportedRoute {
            rule: routed.rule.to_string(),
            serving: routed.serving.into(),
            moved: call.serving().and_then(|serving| serving.backup.as_deref()).map(|backup| {
                (backup.to_owned(), routed.requested_provider.to_owned(), call.facts.model.clone())
            }),
            passed_over: routed.passed_over.clone(),
            losses: routed.losses.clone(),
            left_out: routed.left_out.iter().map(ToString::to_string).collect(),
            exceeded: routed.exceeded.iter().map(ToString::to_string).collect(),
            hindrance: routed.hindrance.map(str::to_owned),
            retry_denied: routed.retry_denied,
            exhausted: routed.exhausted,
            seam: routed.seam,
            not_continued: routed.not_continued.map(str::to_owned),
        }),
        logical: ExportedPlace { id: call.logical.id, number: u64::from(call.logical.attempt), before },
        chain,
    }
}

fn exported_line(line: &outrigger_pricing::CostLine) -> ExportedLine {
    ExportedLine {
        meter: line.meter,
        quantity: line.quantity,
        rate: line.rate.to_string(),
        per: line.per,
        factor: (line.factor != (1, 1)).then(|| format!("{}/{}", line.factor.0, line.factor.1)),
        amount: line.amount,
    }
}

fn exported_attempt(attempt: &outrigger_ledger::Attempt) -> ExportedAttempt {
    ExportedAttempt {
        number: u64::from(attempt.number),
        span_id: attempt.span_id,
        provider: attempt.provider.to_owned(),
        method: attempt.method.clone(),
        host: attempt.host.clone(),
        port: u64::from(attempt.port),
        path: attempt.path.clone(),
        query: attempt.query.clone(),
        model: attempt.model.clone(),
        backup: attempt.backup.as_deref().map(str::to_owned),
        peer: attempt.peer.map(|peer| peer.to_string()),
        http_version: attempt.http_version.to_owned(),
        status: attempt.status.map(u64::from),
        class: attempt.class.map(|class| class.as_str().to_owned()),
        error_type: attempt.error_type.clone(),
        started: attempt.started,
        ended: attempt.ended,
        used: attempt.used.as_ref().map(|used| ExportedUse {
            input: used.tokens.usage.total_prompt(),
            output: used.tokens.usage.total_answer(),
            provenance: used.tokens.provenance.as_str().to_owned(),
            cost: used.cost.total,
            cost_status: super::super::span::cost_status(used.cost.completeness).to_owned(),
        }),
    }
}

/// Any facts that a call may have, together or not.
fn any_call() -> impl Strategy<Value = CallRecord> {
    let texts = (".{0,20}", ".{0,20}", ".{1,20}");
    let numbers = (any::<[u8; 16]>(), 0..u64::MAX / 4, 0u64..1 << 40, any::<u16>());
    (any::<[bool; 16]>(), texts, numbers, any::<prop::sample::Index>()).prop_map(
        |(has, (one, other, name), (bytes, time, count, small), which)| {
            let mut call = if has[0] { answered() } else { failed() };
            (call.id, call.span.trace_id) = (CallId(bytes), bytes);
            call.facts.stream = has[1];
            call.fault = has[2];
            call.served_model = has[3].then(|| one.clone());
            call.deployed_model = has[4].then(|| other.clone());
            call.instrumented = has[5].then_some(Instrumented::AnthropicSdk);
            call.facts.tier_word = has[6].then(|| other.clone());
            call.facts.thread.prompt = has[7].then_some(count);
            let place =
                SpanContext { trace_id: bytes, span_id: [9; 8], parent_span_id: None, flags: small as u8 };
            let id = CallId(bytes);
            call.logical.attempt = u32::from(small) + 1;
            if has[8] {
                let retried = Retried { call: id, span: place, failed: true, by: JoinedBy::SameRequest };
                call.logical = Logical { id, attempt: 2, retried: Some(retried) };
            }
            let parent =
                Parent { call: id, span: place, by: ChainedBy::History, confidence: Confidence::Guess };
            call.chain =
                has[9].then_some(Chain { id, number: small.into(), parent: has[10].then_some(parent) });
            let source = if has[11] { Source::Trace } else { Source::Header };
            call.identity.set(Who::ALL[which.index(5)], named(source, &name, "place"));
            call.tokens.usage.set(Meter::ALL[which.index(Meter::ALL.len())], has[12].then_some(count));
            let estimate = Estimate { tokens: count, low: count / 2, high: count * 2 };
            if has[13] {
                (call.tokens.prompt, call.tokens.provenance) = (Some(estimate), Provenance::Estimated);
                call.cost.completeness = Completeness::Estimated;
                call.cost_between = Atto::parse("0.001").ok().zip(Atto::parse("12.000000000000000001").ok());
            }
            call.reported_cost = has[14].then(|| Atto::parse("0.000000000000000001").unwrap());
            call.cost.reasons = vec![one.clone(); usize::from(small % 3)];
            call.finish_reasons = vec![other.clone(); usize::from(small % 4)];
            call.times.started = Timestamp(time);
            call.times.responded = has[15].then_some(Timestamp(time + 1));
            call.transport.response_bytes = count;
            let mut second = call.attempts[0].clone();
            (second.number, second.query, second.status) = (2, Some(one), has[1].then_some(small));
            if has[2] {
                (second.backup, second.class) = (Some("azure-eu".into()), Some(FailureClass::RateLimit));
                second.model = has[3].then_some(other);
                second.used = Some(Box::new(Used { tokens: call.tokens.clone(), cost: call.cost.clone() }));
            }
            call.routed = has[4].then(|| routed(u32::from(has[5]) + 1));
            call.attempts.push(second);
            call
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(call in any_call()) {
        prop_assert_eq!(ExportedCall::read(&log(&call)), Ok(facts(&call)));
    }

    /// Whatever becomes of a field: the record is read without it, or the error names it.
    #[test]
    fn a_changed_field_is_named_or_missed(
        call in any_call(),
        which in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just(None),
            Just(Some(Value::IntValue(-1))),
            Just(Some(Value::BoolValue(true))),
            Just(Some(Value::DoubleValue(0.5))),
            Just(Some(Value::StringValue("zz".to_owned()))),
            Just(Some(Value::ArrayValue(Default::default()))),
        ],
    ) {
        let mut record = log(&call);
        let at = which.index(record.attributes.len());
        let key = record.attributes[at].key.clone();
        record.attributes[at].value = value.map(|value| AnyValue { value: Some(value) });
        match ExportedCall::read(&record) {
            Ok(_) => {}
            Err(ReadError::Field { key: named, .. }) => prop_assert_eq!(named, key),
            Err(ReadError::Other(event)) => prop_assert!(false, "{event}"),
        }
    }
}

#[test]
fn other_events_are_no_calls_and_a_newer_record_is_read_as_far_as_it_is_known() {
    let mut record = log(&answered());
    let value = Some(AnyValue { value: Some(Value::StringValue("new".to_owned())) });
    record.attributes.push(KeyValue { key: "outrigger.novelty".to_owned(), value, ..KeyValue::default() });
    assert_eq!(ExportedCall::read(&record), Ok(facts(&answered())));
    record.event_name = "gen_ai.client.operation.exception".to_owned();
    assert_eq!(ExportedCall::read(&record), Err(ReadError::Other(record.event_name.clone())));
    record.event_name = "outrigger.call".to_owned();
    record.attributes.retain(|field| field.key != "outrigger.call.id");
    let error = ExportedCall::read(&record).unwrap_err();
    assert!(error.to_string().contains("`outrigger.call.id` is missing"), "{error}");
}

#[test]
fn a_call_that_has_a_cause_and_has_not_failed_has_no_error_type() {
    let mut call = answered();
    let class = FailureClass::RateLimit;
    call.cause = Some(Cause {
        class,
        error_type: "429".to_owned(),
        status: None,
        text: "words".to_owned(),
        resets: None,
    });
    let read = ExportedCall::read(&log(&call)).unwrap();
    assert_eq!(read.cause.unwrap().error_type, None);
}
