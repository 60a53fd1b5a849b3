//! Calls in the order of their ends: which goes on from which, and which are attempts of one.

use outrigger_ledger::{CallRecord, ChainedBy, Confidence, End, JoinedBy, Trail};
use outrigger_pricing::Atto;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::Script;

/// An answer of Chat Completions: a text, or a tool call of this id.
fn answer(text: &str, tool: Option<&str>) -> Value {
    let message = match tool {
        Some(id) => {
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "tide", "arguments": "{}"}}]})
        }
        None => json!({"role": "assistant", "content": text}),
    };
    json!({"id": format!("chatcmpl-{text}"), "model": "gpt-5", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
}

fn chat(messages: &[Value], answer: &Value) -> Script {
    let request = json!({"model": "gpt-5", "messages": messages, "tools": [{"type": "function"}]});
    Script::new("api.openai.com", "/v1/chat/completions", &request.to_string(), &answer.to_string())
}

fn said(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

fn place(trail: &mut Trail, mut record: CallRecord) -> CallRecord {
    trail.place(&mut record);
    record
}

/// Number in its chain, first call of it, and what it goes on from.
fn chained(record: &CallRecord) -> (u32, u8, Option<(u8, ChainedBy, Confidence)>) {
    let chain = record.chain.unwrap();
    let parent = chain.parent.map(|parent| (parent.call.0[0], parent.by, parent.confidence));
    (chain.number, chain.id.0[0], parent)
}

/// Attempt, first attempt, and the one before.
fn joined(record: &CallRecord) -> (u32, u8, Option<(u8, JoinedBy)>) {
    let logical = record.logical;
    (logical.attempt, logical.id.0[0], logical.retried.map(|before| (before.call.0[0], before.by)))
}

#[test]
fn a_tool_loop_that_names_nothing_is_one_chain() {
    let mut trail = Trail::default();
    let mut messages = vec![said("system", "Be brief."), said("user", "When?")];
    for (id, seconds) in [(1, 0.0), (2, 10.0), (3, 20.0)] {
        let call = format!("call_{id}");
        let answer = answer("", Some(&call));
        let record = place(&mut trail, chat(&messages, &answer).at(id, seconds).run());
        let parent = (id > 1).then(|| (id - 1, ChainedBy::ToolCall, Confidence::Certain));
        assert_eq!(chained(&record), (u32::from(id), 1, parent));
        messages.push(answer["choices"][0]["message"].clone());
        messages.push(json!({"role": "tool", "tool_call_id": call, "content": "six"}));
        // Some programs cut the beginning of what they repeat; the ids are still there.
        if id == 2 {
            messages.remove(1);
        }
    }
}

#[test]
fn texts_are_chained_by_the_history_they_begin_with() {
    let mut trail = Trail::default();
    let first = [said("user", "Hi")];
    let second = [said("user", "Hi"), said("assistant", "Yes?"), said("user", "When?")];
    place(&mut trail, chat(&first, &answer("Yes?", None)).at(1, 0.0).run());
    let record = place(&mut trail, chat(&second, &answer("Six.", None)).at(2, 5.0).run());
    assert_eq!(chained(&record), (2, 1, Some((1, ChainedBy::History, Confidence::Likely))));
    // Another conversation that begins alike: from here on nobody knows.
    let other = place(&mut trail, chat(&first, &answer("Yes!", None)).at(3, 10.0).run());
    assert_eq!(chained(&other), (1, 3, None));
    let record = place(&mut trail, chat(&second, &answer("Six.", None)).at(4, 15.0).run());
    assert_eq!(chained(&record), (2, 3, Some((3, ChainedBy::History, Confidence::Guess))));
}

#[test]
fn nobody_goes_on_from_anothers_call_nor_from_a_failure_nor_from_what_has_not_begun() {
    let mut trail = Trail::default();
    let (first, second) = ([said("user", "Hi")], [said("user", "Hi"), said("user", "When?")]);
    let asks = |messages: &[Value], user: &str| {
        chat(messages, &answer("Yes?", None)).request_header("x-outrigger-user", user)
    };
    place(&mut trail, asks(&first, "zoe").at(1, 0.0).run());
    assert_eq!(chained(&place(&mut trail, asks(&second, "abe").at(2, 5.0).run())).0, 1);
    assert_eq!(chained(&place(&mut trail, asks(&second, "zoe").at(3, 5.0).run())).0, 2);
    let mut trail = Trail::default();
    place(&mut trail, chat(&first, &json!({"error": {"message": "x"}})).status(500).at(1, 0.0).run());
    assert_eq!(chained(&place(&mut trail, chat(&second, &answer("", None)).at(2, 5.0).run())).0, 1);
    place(&mut trail, chat(&first, &answer("", None)).at(3, 9.0).run());
    assert_eq!(chained(&place(&mut trail, chat(&second, &answer("", None)).at(4, 9.0).run())).0, 1);
    assert_eq!(
        chained(&place(&mut trail, chat(&second, &answer("", None)).at(5, 4000.0).run())).0,
        1,
        "an hour later"
    );
}

#[test]
fn a_response_that_is_named_is_gone_on_from() {
    let mut trail = Trail::default();
    let asks = |previous: Value, id: &str| {
        let request = json!({"model": "gpt-5", "input": "When?", "previous_response_id": previous});
        let answer = json!({"id": id, "object": "response", "status": "completed", "model": "gpt-5", "output": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
        Script::new("api.openai.com", "/v1/responses", &request.to_string(), &answer.to_string())
    };
    place(&mut trail, asks(Value::Null, "resp_1").at(1, 0.0).run());
    let record = place(&mut trail, asks(json!("resp_1"), "resp_2").at(2, 5.0).run());
    assert_eq!(chained(&record), (2, 1, Some((1, ChainedBy::Response, Confidence::Certain))));
    let record = place(&mut trail, asks(json!("resp_9"), "resp_3").at(3, 9.0).run());
    assert_eq!(chained(&record), (1, 3, None));
}

#[test]
fn a_prompt_is_known_by_its_fingerprint() {
    let of = |text: &str| {
        chat(&[said("system", text), said("user", "a")], &answer("", None)).run().facts.thread.prompt
    };
    assert_eq!(of("Be brief."), of("Be brief."));
    assert_ne!(of("Be brief."), of("Be brief!"));
}

/// An attempt that counts itself and is answered so.
fn attempt(count: Option<u32>, status: u16) -> Script {
    let body = if status == 200 { answer("", None) } else { json!({"error": {"message": "x"}}) };
    let script = chat(&[said("user", "Hi")], &body).status(status);
    match count {
        Some(count) => script.request_header("x-stainless-retry-count", &count.to_string()),
        None => script,
    }
}

#[test]
fn retries_that_are_counted_are_one_logical_call() {
    let mut trail = Trail::default();
    let first = place(&mut trail, attempt(Some(0), 500).at(1, 0.0).run());
    assert_eq!(joined(&first), (1, 1, None));
    let second = place(&mut trail, attempt(Some(1), 429).at(2, 1.0).run());
    assert_eq!(joined(&second), (2, 1, Some((1, JoinedBy::RetryCount))));
    let third = place(&mut trail, attempt(Some(2), 200).at(3, 10.0).run());
    assert_eq!(joined(&third), (3, 1, Some((2, JoinedBy::RetryCount))));
    assert!(third.logical.retried.unwrap().failed);
    // An app that keeps no trace sees them in one: under the first.
    for retry in [&second, &third] {
        assert_eq!(retry.span.trace_id, first.span.trace_id);
        assert_eq!(retry.span.parent_span_id, Some(first.span.span_id));
        assert!(retry.is_under_first_attempt() && !first.is_under_first_attempt());
    }
    // The same words again are a call of their own: what failed has had its retry.
    assert_eq!(joined(&place(&mut trail, attempt(Some(0), 200).at(4, 12.0).run())), (1, 4, None));
    // A retry of what was not seen knows its number.
    assert_eq!(joined(&place(&mut trail, attempt(Some(2), 200).at(5, 13.0).run())), (3, 5, None));
}

#[test]
fn a_retry_stays_where_the_app_put_it() {
    let traced = |count, status, parent: &str| {
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{parent}-01");
        attempt(Some(count), status).request_header("traceparent", &parent)
    };
    let mut trail = Trail::default();
    place(&mut trail, traced(0, 500, "00f067aa0ba902b7").at(1, 0.0).run());
    let again = place(&mut trail, traced(1, 200, "00f067aa0ba902b8").at(2, 1.0).run());
    assert_eq!(joined(&again).0, 2);
    assert_eq!(again.span.parent_span_id, Some([0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb8]));
    assert!(!again.is_under_first_attempt());
}

#[test]
fn what_is_not_counted_is_joined_only_behind_a_failure_that_is_tried_again() {
    for (status, seconds, expected) in [
        (500, 1.0, (2, 1, Some((1, JoinedBy::SameRequest)))),
        (529, 50.0, (2, 1, Some((1, JoinedBy::SameRequest)))),
        (500, 61.0, (1, 2, None)),
        (400, 1.0, (1, 2, None)),
        (200, 1.0, (1, 2, None)),
    ] {
        let mut trail = Trail::default();
        place(&mut trail, attempt(None, status).at(1, 0.0).run());
        assert_eq!(joined(&place(&mut trail, attempt(None, 200).at(2, seconds).run())), expected, "{status}");
    }
    let mut trail = Trail::default();
    place(&mut trail, attempt(None, 200).at(1, 0.0).end(End::Cancelled));
    assert_eq!(joined(&place(&mut trail, attempt(None, 200).at(2, 1.0).run())).0, 1, "it was answered whole");
    let late = Script { response: Vec::new(), ..attempt(None, 200) };
    place(&mut trail, late.at(3, 2.0).end(End::Cancelled));
    let again = place(&mut trail, attempt(None, 200).at(4, 3.0).run());
    assert_eq!(
        (joined(&again), again.logical.retried.unwrap().failed),
        ((2, 3, Some((3, JoinedBy::SameRequest))), false)
    );
}

#[test]
fn only_the_same_request_of_the_same_sender_is_joined() {
    let other = attempt(Some(1), 200).request_header("user-agent", "another/1");
    let words = chat(&[said("user", "Ho")], &answer("", None)).request_header("x-stainless-retry-count", "1");
    let mut key = attempt(Some(1), 200);
    key.request_headers.insert("authorization", "Bearer sk-another".parse().unwrap());
    for script in [other, words, key] {
        let mut trail = Trail::default();
        place(&mut trail, attempt(Some(0), 500).at(1, 0.0).run());
        assert_eq!(joined(&place(&mut trail, script.at(2, 1.0).run())), (2, 2, None));
    }
}

#[test]
fn a_request_that_names_itself_is_joined_by_its_name() {
    let named = |name: &str, value: &str, script: Script| script.request_header(name, value);
    let mut trail = Trail::default();
    let aws = |attempt: &str, script| {
        named("amz-sdk-request", attempt, named("amz-sdk-invocation-id", "8f14e45f", script))
    };
    place(&mut trail, aws("attempt=1", attempt(None, 429)).at(1, 0.0).run());
    let second = place(&mut trail, aws("attempt=2; max=3", attempt(None, 200)).at(2, 1.0).run());
    assert_eq!(joined(&second), (2, 1, Some((1, JoinedBy::RequestId))));
    place(&mut trail, named("idempotency-key", "k", attempt(None, 500)).at(3, 2.0).run());
    let changed = chat(&[said("user", "another body")], &answer("", None));
    let again = place(&mut trail, named("idempotency-key", "k", changed).at(4, 300.0).run());
    assert_eq!(joined(&again), (2, 3, Some((3, JoinedBy::RequestId))));
}

proptest! {
    /// However attempts fall together: none is lost or changed, none is retried twice, and each comes after the one before it.
    #[test]
    fn joining_changes_no_record_and_counts_no_cost_twice(
        attempts in prop::collection::vec((0u32..4, prop_oneof![Just(200u16), Just(500), Just(429), Just(400)], 0.0..30.0f64, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let mut trail = Trail::default();
        let mut placed: Vec<CallRecord> = Vec::new();
        let (mut now, mut cost) = (0.0, Atto::ZERO);
        for (at, (count, status, pause, counted, cancelled)) in attempts.into_iter().enumerate() {
            now += pause;
            let script = attempt(counted.then_some(count), status).at(at as u8 + 1, now);
            let plain = script.end(if cancelled { End::Cancelled } else { End::Complete });
            cost = cost.checked_add(plain.cost.total.unwrap_or_default()).unwrap();
            let record = place(&mut trail, plain.clone());
            let mut same = record.clone();
            (same.logical, same.chain) = (plain.logical, plain.chain);
            // Where it stands in a trace is its place too.
            prop_assert_eq!(same.span.span_id, plain.span.span_id);
            same.span = plain.span;
            prop_assert_eq!(&same, &plain);
            if let Some(before) = record.logical.retried {
                let one = placed.iter().find(|one| one.id == before.call).unwrap();
                prop_assert!(record.logical.attempt > one.logical.attempt);
                prop_assert_eq!(record.logical.id, one.logical.id);
                prop_assert!(one.times.ended <= record.times.started);
                let again = placed.iter().filter_map(|one| one.logical.retried).any(|other| other.call == before.call);
                prop_assert!(!again, "an attempt is retried once");
            } else {
                prop_assert_eq!(record.logical.id, record.id);
            }
            placed.push(record);
        }
        let sum = placed.iter().filter_map(|record| record.cost.total).fold(Atto::ZERO, |sum, one| sum.checked_add(one).unwrap());
        prop_assert_eq!(sum, cost);
    }
}
