//! A good call of each dialect, streamed and plain, from bytes to record.

use outrigger_ledger::{Call, CallRecord, End, Outcome, Provenance, Timestamp};
use outrigger_pricing::{Completeness, Meter, TokenUsage};
use outrigger_providers::Who;

use crate::support::bodies::{self, CHAT_STREAM, chat, messages, responses};
use crate::support::{self, START, STEP};

#[test]
fn every_dialect_is_accounted_to_the_token_and_priced_to_the_last_digit() {
    let usage = TokenUsage::ZERO
        .with(Meter::Input, 210)
        .with(Meter::CacheRead, 1024)
        .with(Meter::Output, 316)
        .with(Meter::Reasoning, 64);
    for script in bodies::all() {
        let record = script.run();
        assert_eq!(record.outcome, Outcome::Answered, "{}: {:?}", script.path, record.cause);
        assert_eq!(record.tokens.usage, usage, "{}", script.path);
        assert_eq!((record.tokens.provenance, record.tokens.reason), (Provenance::Exact, None));
        // By hand: 210 × 1.25 + 1024 × 0.125 + 380 × 10, and 210 × 3 + 1024 × 0.3 + 380 × 15, per million.
        let (model, cost) = match script.host {
            bodies::OPENAI => ("gpt-5.1-2025-11-13", "0.0041905"),
            _ => ("claude-sonnet-4-5-20250929", "0.0066372"),
        };
        assert_eq!(record.served_model.as_deref(), Some(model));
        assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some(cost));
        assert_eq!(record.cost.completeness, Completeness::Exact, "{:?}", record.cost.reasons);
        assert_eq!(record.finish_reasons, ["stop"]);
        assert_eq!(record.request_id.as_deref(), Some("req_1"));
        assert_eq!(record.transport.response_bytes, script.body().len() as u64);
        assert_eq!(record.cause, None);
        let attempt = &record.attempts[0];
        assert_eq!((attempt.number, attempt.status, attempt.error_type.as_deref()), (1, Some(200), None));
        assert_eq!((attempt.host.as_str(), attempt.path.as_str()), (script.host, script.path));
        assert!(attempt.span_id != record.span.span_id && attempt.peer.is_some());
    }
}

#[test]
fn a_call_may_move_between_threads() {
    const fn is_send<T: Send>() {}
    const { is_send::<Call>() }
}

#[test]
fn a_stream_reads_the_same_however_it_is_cut() {
    for script in bodies::all() {
        let whole = script.run();
        for size in [1, 2, 3, 7, 64, 1000] {
            let mut pieces = script.clone();
            pieces.request = support::cut(&script.request.concat(), size);
            let mut record = pieces.response(support::cut(&script.body(), size)).run();
            record.times = whole.times;
            record.attempts = whole.attempts.clone();
            assert_eq!(record, whole, "{} in pieces of {size}", script.path);
        }
    }
}

#[test]
fn times_are_those_of_the_head_the_first_content_and_the_end() {
    let events: Vec<Vec<u8>> =
        CHAT_STREAM.split_inclusive("\n\n").map(|event| event.as_bytes().to_vec()).collect();
    let record = chat(CHAT_STREAM).response(events.clone()).run();
    assert_eq!(record.times.started, Timestamp(START));
    assert_eq!(record.times.responded, Some(Timestamp(START + STEP)));
    // The first event names the role, the second brings text.
    assert_eq!(record.times.first_content, Some(Timestamp(START + 3 * STEP)));
    assert_eq!(record.times.ended, Timestamp(START + (events.len() as u64 + 2) * STEP));
    assert_eq!(
        (record.attempts[0].started, record.attempts[0].ended),
        (record.times.started, record.times.ended)
    );
}

/// User, session, step.
fn names(record: &CallRecord) -> [Option<&str>; 3] {
    [Who::User, Who::Session, Who::Step].map(|who| record.identity.get(who))
}

#[test]
fn the_apps_headers_name_it_before_the_body_does() {
    let record = chat(CHAT_STREAM).run();
    assert_eq!(names(&record), [Some("u_81"), None, None]);
    let record = messages(&bodies::messages_stream()).run();
    assert_eq!(record.identity.get(Who::User), Some("u_81"));
    let record = responses(bodies::RESPONSES_STREAM).run();
    assert_eq!(record.identity.get(Who::Session), Some("conv_42"));
    let record = responses(bodies::RESPONSES_STREAM)
        .request_header("x-outrigger-step", " plan ")
        .request_header("x-outrigger-user", "zoë\t1")
        .request_header("x-outrigger-session", &"s".repeat(1000))
        .run();
    assert_eq!(names(&record), [Some("zoë1"), Some(&*"s".repeat(128)), Some("plan")]);
}

#[test]
fn a_parent_is_taken_only_if_there_is_exactly_one() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let script = chat(CHAT_STREAM);
    let root = script.run().span;
    assert_eq!((root.trace_id, root.parent_span_id), ([0xab; 16], None));
    let child = script.clone().request_header("traceparent", PARENT).run().span;
    assert_eq!(child.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(child.span_id, root.span_id);
    let twice = script.request_header("traceparent", PARENT).request_header("traceparent", PARENT).run().span;
    assert_eq!(twice, root);
}

#[test]
fn a_residency_host_costs_more() {
    let record = |host| {
        let mut script = chat(&CHAT_STREAM.replace("gpt-5.1-2025-11-13", "gpt-5.4"));
        script.host = host;
        script.run().cost.total.unwrap()
    };
    let (plain, resident) = (record("api.openai.com"), record("eu.api.openai.com"));
    assert_eq!(plain.checked_ratio(11, 10), Some(resident));
}

#[test]
fn an_app_that_hangs_up_after_the_last_event_was_answered() {
    for script in bodies::streams() {
        let record = script.end(End::Cancelled);
        assert_eq!((record.outcome, record.cause), (Outcome::Answered, None));
        assert_eq!(record.tokens.provenance, Provenance::Exact);
    }
}

#[test]
fn a_model_that_only_the_request_names_makes_a_doubtful_price() {
    let record = chat(&CHAT_STREAM.replace(r#""model":"gpt-5.1-2025-11-13","#, "")).run();
    assert_eq!((record.served_model.as_deref(), record.model()), (None, Some("gpt-5.1")));
    assert_eq!(record.tokens.provenance, Provenance::Exact);
    assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some("0.0041905"));
    assert_eq!(record.cost.completeness, Completeness::Partial);
    assert_eq!(record.cost.reasons, ["the answer names no model: priced as the one asked for"]);
}

#[test]
fn a_cloud_is_priced_by_the_model_and_region_of_its_address() {
    let converse = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":10000,"outputTokens":1000,"totalTokens":11000}}"#;
    let claude = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10000,"output_tokens":1000}}"#;
    for (host, path, body, model, cost) in [
        // 10,000 × 3 + 1,000 × 15 per million, and a tenth more in the region's profile.
        (
            "bedrock-runtime.eu-central-1.amazonaws.com",
            "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            converse,
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "0.0495",
        ),
        // 10,000 × 4 + 1,000 × 20 per million, and a tenth more in a region.
        (
            "us-east5-aiplatform.googleapis.com",
            "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:rawPredict",
            claude,
            "claude-opus-5-5",
            "0.066",
        ),
        (
            "aiplatform.googleapis.com",
            "/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-5-5:rawPredict",
            claude,
            "claude-opus-5-5",
            "0.06",
        ),
    ] {
        let record = support::Script::new(host, path, "{}", body).run();
        assert_eq!(record.facts.model.as_deref(), Some(model), "{path}");
        assert_eq!(record.outcome, Outcome::Answered, "{path}: {:?}", record.cause);
        assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some(cost), "{path}");
        assert_eq!(record.cost.completeness, Completeness::Exact, "{path}: {:?}", record.cost.reasons);
    }
}
