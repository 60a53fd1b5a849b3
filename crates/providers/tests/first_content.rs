//! What may be held back before the first content, for every wire format that streams, and what ends the holding.

use http::StatusCode;
use outrigger_providers::{Dialect, FailureClass, FirstContent, Progress, dialects, is_plain_answer};
use proptest::prelude::*;
use serde_json::json;

use crate::cases::{Answer, Case, cases, content_type};
use crate::events::{aws, sse};

fn watch(case: &Case, answer: &Answer) -> FirstContent {
    FirstContent::new(case.dialect, StatusCode::OK, &case.headers(answer))
}

/// Held to the meters, which say when the first content passes.
#[test]
fn content_is_told_with_the_byte_that_brings_it_and_an_end_with_the_last_word() {
    let mut streamed = 0;
    for case in cases() {
        for answer in case.answers.iter().filter(|answer| answer.streams) {
            let name = format!("{}, {}", case.name, answer.file);
            let mut meter = case.dialect.response_meter(StatusCode::OK, &case.headers(answer));
            let first = answer.bytes.iter().position(|byte| meter.chunk(&[*byte])).unwrap();
            let mut held = watch(&case, answer);
            for (at, byte) in answer.bytes.iter().enumerate() {
                let progress = held.push(&[*byte]);
                let fits = match progress {
                    Progress::Lifecycle => at < first,
                    Progress::Content | Progress::Ended => at >= first,
                    Progress::Failed(_) => false,
                };
                assert!(fits, "{name}: {progress:?} after byte {at}, content at {first}");
            }
            assert_eq!(held.end(&case.headers(answer)).0, Progress::Ended, "{name}");
            streamed += 1;
        }
    }
    assert!(streamed > 20, "{streamed} streams");
}

#[test]
fn an_answer_cut_anywhere_ends_as_cut_and_never_as_ended() {
    for case in &cases() {
        for answer in &case.answers {
            let mut whole = answer.bytes.trim_ascii_end();
            if let Some(trailer) = case.expected["trailer"].as_str().filter(|_| answer.streams) {
                whole = whole.strip_suffix(trailer.as_bytes()).unwrap().trim_ascii_end();
            }
            for end in 0..whole.len() {
                let mut held = watch(case, answer);
                held.push(&answer.bytes[..end]);
                let cut = Progress::Failed(FailureClass::StreamCut);
                let (progress, _) = held.end(&case.headers(answer));
                assert_eq!(progress, cut, "{}, {}: cut at {end}", case.name, answer.file);
                assert!(!is_plain_answer(case.dialect, &answer.bytes[..end]), "{}: cut at {end}", case.name);
            }
        }
    }
}

#[test]
fn a_glance_tells_of_most_answers_that_they_are_well() {
    let mut glanced = 0;
    for case in &cases() {
        for answer in case.answers.iter().filter(|answer| !answer.streams) {
            let is_plain = is_plain_answer(case.dialect, &answer.bytes);
            assert_eq!(is_plain, case.dialect.failure_members().is_some(), "{}, {}", case.name, answer.file);
            glanced += usize::from(is_plain);
        }
    }
    assert!(glanced > 20, "{glanced} answers");
}

proptest! {
    /// Of what stands where an error may stand, and of what only looks so.
    #[test]
    fn what_is_well_at_a_glance_is_well_when_it_is_read(
        members in prop::collection::vec(
            (
                "error|errors|status|type|message|detail|code|promptFeedback|prompt_feedback|candidates|choices|id|err\\\\u006fr",
                r#"null|\{\}|\[\]|7|"error"|"failed"|"completed"|"x"|\{"blockReason":"SAFETY"\}|\{"error":\{"code":503\}\}|\{"type":"x","message":"x"\}|\{"code":429\}|tru|\{"a":"#,
            ),
            0..4,
        ),
    ) {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let body = format!("{{{}}}", members.join(","));
        for dialect in dialects::ALL {
            if is_plain_answer(dialect, body.as_bytes()) {
                let mut first = FirstContent::new(dialect, StatusCode::OK, &content_type("application/json"));
                first.push(body.as_bytes());
                let (progress, _) = first.end(&content_type("application/json"));
                prop_assert_eq!(progress, Progress::Ended, "{} {}", dialect.name(), body);
            }
        }
    }
}

fn after(dialect: &'static dyn Dialect, kind: &str, body: &[u8]) -> FirstContent {
    let mut held = FirstContent::new(dialect, StatusCode::OK, &content_type(kind));
    for piece in body.chunks(7) {
        held.push(piece);
    }
    held
}

const SSE: &str = "text/event-stream";

#[test]
fn an_error_under_200_fails_with_its_class_before_and_after_content() {
    use dialects::{anthropic_messages, bedrock_converse, gemini, openai_chat, openai_responses};
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}});
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}});
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let chat = &openai_chat::OPENAI_CHAT;
    let rate = json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}});
    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "x"}}});
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "x", "param": null, "sequence_number": 2});
    let exhausted = json!({"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}});
    let messages: &'static dyn Dialect = &anthropic_messages::AnthropicMessages;
    let told: Vec<(&'static dyn Dialect, &str, Vec<u8>, FailureClass)> = vec![
        (
            messages,
            SSE,
            sse(&[("message_start", start.clone()), ("error", overloaded.clone())]),
            FailureClass::Overloaded,
        ),
        (
            messages,
            SSE,
            sse(&[("message_start", start), ("content_block_delta", delta), ("error", overloaded)]),
            FailureClass::Overloaded,
        ),
        (chat, SSE, sse(&[("", rate.clone())]), FailureClass::RateLimit),
        (
            &openai_responses::OpenAiResponses,
            SSE,
            sse(&[("response.failed", failed)]),
            FailureClass::ServerError,
        ),
        (&openai_responses::OpenAiResponses, SSE, sse(&[("error", flat)]), FailureClass::RateLimit),
        // As servers tell it that imitate OpenAI.
        (&openai_responses::OpenAiResponses, SSE, sse(&[("", rate.clone())]), FailureClass::RateLimit),
        (&gemini::Gemini, SSE, sse(&[("", exhausted)]), FailureClass::RateLimit),
        (
            &bedrock_converse::BedrockConverse,
            "application/vnd.amazon.eventstream",
            aws("exception", "throttlingException", &json!({"message": "x"})),
            FailureClass::RateLimit,
        ),
        (chat, SSE, b"data: {\"choices\": [{]}\n\n".to_vec(), FailureClass::Malformed),
        (chat, "text/html; charset=utf-8", b"<html>".to_vec(), FailureClass::Edge),
    ];
    for (dialect, kind, body, class) in told {
        let held = after(dialect, kind, &body);
        assert_eq!(held.progress(), Progress::Failed(class), "{}", String::from_utf8_lossy(&body));
        assert_eq!(held.end(&content_type(kind)).0, Progress::Failed(class));
    }
}

/// Some servers answer a request for a stream with 200 and an error that does not stream.
#[test]
fn an_error_that_does_not_stream_is_known_at_its_end() {
    let body = br#"{"error": {"message": "busy", "type": "x", "code": "server_is_overloaded"}}"#;
    let held = after(&dialects::openai_chat::OPENAI_CHAT, "application/json", body);
    assert_eq!(held.progress(), Progress::Lifecycle);
    let (progress, reading) = held.end(&content_type("application/json"));
    assert_eq!(progress, Progress::Failed(FailureClass::Overloaded));
    assert_eq!(reading.failure_message.as_deref(), Some("busy"));
}

#[test]
fn comments_pings_roles_and_created_responses_are_held_back() {
    use dialects::{anthropic_messages, openai_chat, openai_responses};
    let role = json!({"id": "r", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "tool_calls": []}}], "usage": null});
    let created =
        json!({"type": "response.created", "response": {"id": "r", "status": "in_progress", "error": null}});
    let item =
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}});
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let held: [(&'static dyn Dialect, Vec<u8>); 4] = [
        (&openai_chat::OPENAI_CHAT, [b": PROCESSING\n\n", &sse(&[("", role)])[..]].concat()),
        (&anthropic_messages::AnthropicMessages, sse(&[("ping", json!({"type": "ping"}))])),
        (&anthropic_messages::AnthropicMessages, sse(&[("content_block_start", block)])),
        (
            &openai_responses::OpenAiResponses,
            sse(&[("response.created", created), ("response.output_item.added", item)]),
        ),
    ];
    for (dialect, body) in held {
        let held = after(dialect, SSE, &body);
        assert_eq!(held.progress(), Progress::Lifecycle, "{}", String::from_utf8_lossy(&body));
        assert_eq!(held.end(&content_type(SSE)).0, Progress::Failed(FailureClass::StreamCut));
    }
}
