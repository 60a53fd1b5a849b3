//! The span of a logical call, by the GenAI conventions.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use outrigger_ledger::{CallRecord, Instrumented, Outcome, Source, SpanContext};
use outrigger_pricing::estimate::CONFIDENCE;
use outrigger_pricing::{Atto, Completeness, Kind, Meter, TokenUsage};
use outrigger_providers::Who;
use prost::Message as _;

use super::value::{Attributes, cut, hex, seconds};
use super::{Form, details, keys};
use crate::CacheAttribute;
use crate::content::Told;

/// Span flags: the lower byte is the trace flags; these two bits say that the parent is another process's span.
pub(super) const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Field of `Span`.
pub(super) const ATTRIBUTES: u32 = 9;

/// Writes the span of the call as its caller saw it: from the request to the end of the answer.
pub(super) fn logical(call: &CallRecord, form: Form, told: Option<&Told>, out: &mut Vec<u8>) {
    let operation = call.operation.as_str();
    let parent = call.span.parent_span_id;
    let remote = parent.is_some() && !call.is_under_first_attempt();
    let mut links = links(call);
    let unlinked = links.len().saturating_sub(form.links);
    links.truncate(form.links);
    let span = Span {
        trace_id: call.span.trace_id.to_vec(),
        span_id: call.span.span_id.to_vec(),
        parent_span_id: parent.map(|id| id.to_vec()).unwrap_or_default(),
        flags: u32::from(call.span.flags) | HAS_IS_REMOTE | if remote { IS_REMOTE } else { 0 },
        name: match model(call) {
            Some(model) => format!("{operation} {}", cut(model, form.bounds.longest)),
            None => operation.to_owned(),
        },
        kind: SpanKind::Client.into(),
        start_time_unix_nano: call.times.started.0,
        end_time_unix_nano: call.times.ended.0,
        status: status(call),
        links,
        dropped_links_count: u32::try_from(unlinked).unwrap_or(u32::MAX),
        ..Span::default()
    };
    // The order of fields is free: attributes may follow the rest.
    span.encode_raw(out);
    let mut all = Attributes::new(out, ATTRIBUTES, form.bounds);
    attributes(&mut all, call, form);
    if let Some(told) = told {
        details::on_span(&mut all, told, form.bounds);
    }
    let dropped = all.dropped();
    say_dropped(dropped, out);
}

/// Says how many attributes had no room.
pub(super) fn say_dropped(dropped: u32, out: &mut Vec<u8>) {
    if dropped > 0 {
        Span { dropped_attributes_count: dropped, ..Span::default() }.encode_raw(out);
    }
}

/// The model that the attempt which served the caller was for.
pub(crate) fn model(call: &CallRecord) -> Option<&str> {
    let served = call.serving().and_then(|attempt| attempt.model.as_deref());
    served.or(call.facts.model.as_deref())
}

/// To the call that this one retries, and to the one that it goes on from: their spans are in traces of their own, unless the
/// app has one for all.
fn links(call: &CallRecord) -> Vec<Link> {
    let link = |to: &SpanContext, what: &str| {
        let value = AnyValue { value: Some(Value::StringValue(what.to_owned())) };
        Link {
            trace_id: to.trace_id.to_vec(),
            span_id: to.span_id.to_vec(),
            attributes: vec![KeyValue {
                key: keys::LINK.to_owned(),
                value: Some(value),
                ..KeyValue::default()
            }],
            flags: u32::from(to.flags) | HAS_IS_REMOTE,
            ..Link::default()
        }
    };
    // Jaeger takes a link to the parent for the parent itself.
    let before = call.logical.retried.filter(|before| call.span.parent_span_id != Some(before.span.span_id));
    let retried = before.map(|before| link(&before.span, "retry_of"));
    let parent = call.chain.and_then(|chain| Some(link(&chain.parent?.span, "goes_on_from")));
    retried.into_iter().chain(parent).collect()
}

/// Error where the app got an error. A caller that hangs up has not failed.
fn status(call: &CallRecord) -> Option<Status> {
    (call.outcome == Outcome::Failed).then(|| Status {
        code: StatusCode::Error.into(),
        message: call.cause.as_ref().map(|cause| cause.text.clone()).unwrap_or_default(),
    })
}

/// All but the content. Shared with the event.
pub(super) fn attributes(attributes: &mut Attributes<'_>, call: &CallRecord, form: Form) {
    identity(attributes, call);
    request(attributes, call);
    response(attributes, call);
    if call.operation.is_inference() {
        if form.counts(call) {
            usage(attributes, call, form);
            attributes.double_if(keys::GENAI_COST, sure_cost(call).map(Atto::to_f64));
        } else {
            // Under names that nobody adds up: where the two disagree, both stand in the trace.
            meters(attributes, call);
            attributes.text(keys::COUNTED_BY, "parent_span");
        }
        attributes.text(keys::USAGE_PROVENANCE, call.tokens.provenance.as_str());
        attributes.text_if(keys::USAGE_REASON, call.tokens.reason);
        parts_of_cost(attributes, call);
        amount(attributes, call);
    }
    own(attributes, call);
}

/// Who asked whom for what. Shared with the record.
pub(super) fn identity(attributes: &mut Attributes<'_>, call: &CallRecord) {
    attributes.text(keys::OPERATION, call.operation.as_str());
    attributes.text(keys::PROVIDER, call.otel_provider);
    attributes.text_if(keys::REQUEST_MODEL, model(call));
    attributes.text_if(keys::RESPONSE_MODEL, call.served_model.as_deref());
    if let Some(attempt) = call.serving() {
        attributes.text(keys::SERVER_ADDRESS, attempt.host.as_str());
        attributes.count(keys::SERVER_PORT, attempt.port.into());
    }
    if call.outcome == Outcome::Failed {
        attributes.text_if(keys::ERROR_TYPE, call.cause.as_ref().map(|cause| cause.error_type.as_str()));
    }
    attributes.text_if(keys::CONVERSATION, conversation(call));
    attributes.text_if(keys::SESSION, call.identity.get(Who::Session));
    attributes.text_if(keys::USER, call.identity.get(Who::User));
    attributes.text_if(keys::AGENT, call.identity.get(Who::Agent));
    attributes.text_if(keys::RESPONSE_ID, call.response_id.as_deref());
}

/// The conventions want a conversation's real id here or none: no trace, and no key of a cache.
fn conversation(call: &CallRecord) -> Option<&str> {
    let session = call.identity.named(Who::Session);
    let real = session.filter(|named| !matches!(named.source, Source::Trace | Source::CacheKey));
    call.facts.conversation.as_deref().or_else(|| real.map(|named| named.text.as_str()))
}

fn request(attributes: &mut Attributes<'_>, call: &CallRecord) {
    let facts = &call.facts;
    attributes.text_if(keys::OUTPUT_TYPE, facts.output_type);
    if facts.stream {
        attributes.truth(keys::STREAM, true);
    }
    attributes.count_if(keys::CHOICES, facts.choices.filter(|choices| *choices != 1));
    attributes.int_if(keys::SEED, facts.seed);
    attributes.count_if(keys::TOP_K, facts.top_k);
    attributes.double_if(keys::TOP_P, facts.top_p);
    attributes.double_if(keys::TEMPERATURE, facts.temperature);
    attributes.double_if(keys::FREQUENCY_PENALTY, facts.frequency_penalty);
    attributes.double_if(keys::PRESENCE_PENALTY, facts.presence_penalty);
    attributes.count_if(keys::MAX_TOKENS, facts.max_tokens);
    if !facts.stop_sequences.is_empty() {
        attributes.texts(keys::STOP_SEQUENCES, facts.stop_sequences.iter().map(String::as_str));
    }
    if !facts.encoding_formats.is_empty() {
        attributes.texts(keys::ENCODING_FORMATS, facts.encoding_formats.iter().map(String::as_str));
    }
    attributes.count_if(keys::DIMENSIONS, facts.dimensions);
    if let Some((id, version)) = &facts.prompt_template {
        attributes.text(keys::PROMPT_NAME, id);
        attributes.text_if(keys::PROMPT_VERSION, version.as_deref());
    }
    attributes.text_if(keys::GUARDRAIL, facts.guardrail.as_deref());
    if call.otel_provider.starts_with("azure.") {
        attributes.text(keys::AZURE_NAMESPACE, "Microsoft.CognitiveServices");
    }
    attributes.text_if(keys::REASONING_LEVEL, facts.reasoning_level.as_deref());
    attributes.text_if(keys::PREVIOUS_RESPONSE, facts.previous_response_id.as_deref());
    if is_openai(call) {
        attributes.text_if(keys::OPENAI_API, call.api_type);
        let tier = facts.tier_word.as_deref().filter(|tier| *tier != "auto");
        attributes.text_if(keys::OPENAI_REQUEST_TIER, tier);
        attributes.text_if(keys::OPENAI_RESPONSE_TIER, call.served_tier.as_deref());
        attributes.text_if(keys::OPENAI_FINGERPRINT, call.system_fingerprint.as_deref());
    }
}

/// `openai.…` keys describe OpenAI alone, not those who speak its dialect.
pub(crate) fn is_openai(call: &CallRecord) -> bool {
    call.otel_provider == "openai"
}

fn response(attributes: &mut Attributes<'_>, call: &CallRecord) {
    let broke_off = matches!(call.outcome, Outcome::Failed | Outcome::Cancelled);
    if !call.finish_reasons.is_empty() {
        attributes.texts(keys::FINISH_REASONS, call.finish_reasons.iter().map(String::as_str));
    } else if broke_off {
        // The conventions' word where a reason was expected and never came.
        attributes.texts(keys::FINISH_REASONS, ["error"]);
    }
    attributes.double_if(keys::FIRST_CHUNK, time_to_first_chunk(call));
}

/// Seconds from the request to the first content, of streams.
pub(crate) fn time_to_first_chunk(call: &CallRecord) -> Option<f64> {
    let first = call.times.first_content.filter(|_| call.facts.stream)?;
    Some(seconds(first.since(call.times.started)))
}

/// What the conventions call usage: totals with subsets. Unknown is left out, never zero.
fn usage(attributes: &mut Attributes<'_>, call: &CallRecord, form: Form) {
    // Whoever reads these names takes them for the provider's own counts.
    let usage = &call.tokens.reported();
    attributes.count_if(keys::INPUT_TOKENS, usage.total_prompt());
    attributes.count_if(keys::OUTPUT_TOKENS, usage.total_answer());
    attributes.count_if(keys::CACHE_READ_TOKENS, usage.total_cached());
    let written = match form.cache {
        CacheAttribute::CacheWrite => keys::CACHE_WRITE_TOKENS,
        CacheAttribute::CacheCreation => keys::CACHE_CREATION_TOKENS,
    };
    attributes.count_if(written, cache_write(call));
    attributes.count_if(keys::REASONING_TOKENS, reasoning(call));
    if form.modalities {
        by_modality(attributes, usage);
    }
}

/// Tokens by what they stand for, where there is more than one such thing.
fn by_modality(attributes: &mut Attributes<'_>, usage: &TokenUsage) {
    let used = |meter: Meter| usage.get(meter).is_some_and(|count| count > 0);
    let tokens = || Meter::ALL.into_iter().filter(|meter| meter.is_prompt() || meter.is_answer());
    let mut found = tokens().filter(|meter| used(*meter)).map(Meter::modality);
    let first = found.next();
    if found.all(|modality| Some(modality) == first) {
        return;
    }
    for (modality, [input, output, cached]) in keys::BY_MODALITY {
        if !tokens().any(|meter| meter.modality() == modality && used(meter)) {
            continue;
        }
        let sum =
            |belongs: fn(Meter) -> bool| usage.sum(|meter| meter.modality() == modality && belongs(meter));
        attributes.count_if(input, sum(Meter::is_prompt));
        attributes.count_if(output, sum(Meter::is_answer));
        attributes.count_if(cached, sum(|meter| meter.kind() == Kind::CacheRead));
    }
}

/// The count of each meter. Shared with the record.
pub(super) fn meters(attributes: &mut Attributes<'_>, call: &CallRecord) {
    for (meter, count) in call.tokens.usage.told() {
        attributes.count_if(keys::usage(meter), count);
    }
}

/// Prompt tokens written to a cache of any lifetime.
pub(crate) fn cache_write(call: &CallRecord) -> Option<u64> {
    call.tokens.reported().sum(|meter| meter.kind() == Kind::CacheWrite)
}

/// Answer tokens spent on reasoning.
pub(crate) fn reasoning(call: &CallRecord) -> Option<u64> {
    call.tokens.reported().sum(|meter| meter.kind() == Kind::Reasoning)
}

/// The cost as far as it rests on what was reported.
pub(super) fn sure_cost(call: &CallRecord) -> Option<Atto> {
    call.cost.total.filter(|_| call.cost.completeness != Completeness::Estimated)
}

/// What each part of the bill comes to, as doubles to look at: the exact lines stand in the record.
fn parts_of_cost(attributes: &mut Attributes<'_>, call: &CallRecord) {
    if sure_cost(call).is_none() {
        return;
    }
    let mut parts = [
        (keys::COST_INPUT, None),
        (keys::COST_CACHE_READ, None),
        (keys::COST_CACHE_WRITE, None),
        (keys::COST_OUTPUT, None),
        (keys::COST_FEES, None),
    ];
    for line in &call.cost.lines {
        let (_, sum) = match line.meter.kind() {
            Kind::Input | Kind::ToolPrompt => &mut parts[0],
            Kind::CacheRead => &mut parts[1],
            Kind::CacheWrite => &mut parts[2],
            Kind::Output | Kind::Reasoning | Kind::Citation => &mut parts[3],
            Kind::Fee => &mut parts[4],
        };
        *sum = sum.unwrap_or(Atto::ZERO).checked_add(line.amount);
    }
    for (key, sum) in parts {
        attributes.double_if(key, sum.map(Atto::to_f64));
    }
}

/// The exact amount and how far it can be trusted. Shared with the record.
pub(super) fn amount(attributes: &mut Attributes<'_>, call: &CallRecord) {
    if let Some(total) = call.cost.total {
        attributes.text(keys::COST, total.to_string());
        attributes.text(keys::COST_SOURCE, "local");
    }
    if let Some(reported) = call.reported_cost {
        attributes.text(keys::COST_REPORTED, reported.to_string());
    }
    estimate(attributes, call);
    attributes.text(keys::COST_STATUS, cost_status(call.cost.completeness));
    if !call.cost.reasons.is_empty() {
        attributes.texts(keys::COST_REASONS, call.cost.reasons.iter().map(String::as_str));
    }
    attributes.text(keys::PRICE_BOOK, &*call.price_book);
}

/// The bounds of what is estimated.
fn estimate(attributes: &mut Attributes<'_>, call: &CallRecord) {
    let tokens = &call.tokens;
    if let Some(prompt) = tokens.prompt {
        attributes.count(keys::ESTIMATE_INPUT_LOW, prompt.low);
        attributes.count(keys::ESTIMATE_INPUT_HIGH, prompt.high);
    }
    if let Some(answer) = tokens.answer {
        attributes.count(keys::ESTIMATE_OUTPUT_LOW, answer.low);
        attributes.count(keys::ESTIMATE_OUTPUT_HIGH, answer.high);
    }
    if let Some((low, high)) = call.cost_between {
        attributes.text(keys::ESTIMATE_COST_LOW, low.to_string());
        attributes.text(keys::ESTIMATE_COST_HIGH, high.to_string());
    }
    if tokens.prompt.is_some() || tokens.answer.is_some() {
        attributes.count(keys::ESTIMATE_CONFIDENCE, u64::from(CONFIDENCE));
    }
}

/// The word for how far a cost can be trusted.
pub(crate) const fn cost_status(completeness: Completeness) -> &'static str {
    match completeness {
        Completeness::Exact => "exact",
        Completeness::Partial => "partial",
        Completeness::Fallback => "fallback",
        Completeness::Estimated => "estimated",
        Completeness::Unpriced => "unpriced",
    }
}

/// What only we know of a call. Shared with the record.
pub(super) fn own(attributes: &mut Attributes<'_>, call: &CallRecord) {
    attributes.count(keys::SCHEMA_VERSION, super::VERSION.into());
    attributes.text(keys::CALL_ID, hex(&call.id.0));
    attributes.text(keys::MODE, call.mode.as_str());
    attributes.text(keys::DIALECT, call.dialect);
    attributes.text(keys::OUTCOME, call.outcome.as_str());
    if let Some(cause) = &call.cause {
        attributes.text(keys::CAUSE_CLASS, cause.class.as_str());
        attributes.text(keys::CAUSE_MESSAGE, cause.text.as_str());
        attributes.count_if(keys::CAUSE_STATUS, cause.status.map(u64::from));
    }
    if !call.verdicts.is_empty() {
        attributes.texts(keys::VERDICTS, call.verdicts.iter().copied());
    }
    if call.fault {
        attributes.truth(keys::FAULT, true);
    }
    attributes.text_if(keys::STEP, call.identity.get(Who::Step));
    attributes.text_if(keys::TENANT, call.identity.get(Who::Tenant));
    for (who, named) in call.identity.known() {
        let hashed = if named.hashed { ", hashed" } else { "" };
        let (source, place) = (named.source.as_str(), &named.place);
        attributes.text(keys::named_by(who), format!("{source} {place}{hashed}"));
    }
    if let Some(key) = &call.key {
        attributes.text(keys::KEY_FINGERPRINT, key.fingerprint.as_str());
        attributes.text_if(keys::KEY_ENDING, key.ending.as_deref());
    }
    attributes.text_if(keys::REQUEST_ID, call.request_id.as_deref());
    attributes.text_if(keys::PROMPT, call.prompt_fingerprint().as_deref());
    if let Some(chain) = &call.chain {
        attributes.text(keys::CHAIN_ID, hex(&chain.id.0));
        attributes.count(keys::CHAIN_NUMBER, chain.number.into());
        if let Some(parent) = &chain.parent {
            attributes.text(keys::CHAIN_PARENT, hex(&parent.call.0));
            attributes.text(keys::CHAINED_BY, parent.by.as_str());
            attributes.text(keys::CHAIN_CONFIDENCE, parent.confidence.as_str());
        }
    }
    attributes.text(keys::LOGICAL_ID, hex(&call.logical.id.0));
    attributes.count(keys::LOGICAL_ATTEMPT, call.logical.attempt.into());
    if let Some(before) = &call.logical.retried {
        attributes.text(keys::RETRY_OF, hex(&before.call.0));
        attributes.text(keys::JOINED_BY, before.by.as_str());
    }
    attributes.text_if(keys::INSTRUMENTED, call.instrumented.map(Instrumented::as_str));
    route(attributes, call);
}

/// How the call came to whom it came. Shared with the record.
fn route(attributes: &mut Attributes<'_>, call: &CallRecord) {
    attributes.count(keys::ROUTE_ATTEMPTS, call.attempts.len() as u64);
    let Some(routed) = &call.routed else { return };
    attributes.text(keys::ROUTE_RULE, &*routed.rule);
    attributes.count(keys::ROUTE_SERVING, routed.serving.into());
    attributes.text_if(keys::ROUTE_HINDRANCE, routed.hindrance);
    attributes.text_if(keys::ROUTE_NOT_CONTINUED, routed.not_continued);
    if let Some(seam) = &routed.seam {
        attributes.count(keys::ROUTE_SEAM_AFTER, seam.after);
        attributes.count(keys::ROUTE_SEAM_OVERLAP, seam.overlap);
        attributes.count(keys::ROUTE_SEAM_TIME, seam.at.0);
    }
    for (key, is_so) in
        [(keys::ROUTE_RETRY_DENIED, routed.retry_denied), (keys::ROUTE_EXHAUSTED, routed.exhausted)]
    {
        if is_so {
            attributes.truth(key, true);
        }
    }
    if !routed.passed_over.is_empty() {
        attributes.texts(keys::ROUTE_PASSED_OVER, routed.passed_over.iter().map(String::as_str));
    }
    if !routed.losses.is_empty() {
        attributes.texts(keys::ROUTE_LOSSES, routed.losses.iter().map(String::as_str));
    }
    if !routed.left_out.is_empty() {
        attributes.texts(keys::ROUTE_LEFT_OUT, routed.left_out.iter().copied());
    }
    if !routed.exceeded.is_empty() {
        attributes.texts(keys::ROUTE_EXCEEDED, routed.exceeded.iter().copied());
    }
    let Some(backup) = call.serving().and_then(|serving| serving.backup.as_deref()) else { return };
    attributes.text(keys::ROUTE_BACKUP, backup);
    attributes.text(keys::REQUESTED_PROVIDER, routed.requested_provider);
    attributes.text_if(keys::REQUESTED_MODEL, call.facts.model.as_deref());
    attributes.truth(keys::ROUTE_FAILOVER, true);
}
