//! Failed calls: the class, the word for a label, and what a person reads.

use outrigger_ledger::{CallRecord, End, Outcome, Provenance};
use outrigger_pricing::{Completeness, TokenUsage};
use outrigger_providers::FailureClass;

use crate::support::bodies::{self, CHAT_PLAIN, CHAT_STREAM, MESSAGES_START, chat, messages};
use crate::support::{KEY, Script};

fn openai_error(status: u16, kind: &str, code: &str, message: &str) -> Script {
    let error = serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    chat(&error.to_string()).status(status)
}

fn anthropic_error(status: u16, kind: &str, message: &str) -> Script {
    let error = serde_json::json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
    messages(&error.to_string()).status(status)
}

fn unreached(class: FailureClass, text: &str, sent: bool) -> CallRecord {
    let mut script = chat("{}");
    script.status = None;
    if !sent {
        script.request.clear();
    }
    script.end(End::Failed { class, text: text.to_owned(), status: 502 })
}

#[test]
fn a_mistyped_key_is_named_with_the_mend() {
    let script = openai_error(
        401,
        "invalid_request_error",
        "invalid_api_key",
        &format!(
            "Incorrect API key provided: {KEY}. You can find your API key at https://platform.openai.com."
        ),
    );
    let record = script.run();
    let cause = record.cause.unwrap();
    assert_eq!((record.outcome, cause.class), (Outcome::Failed, FailureClass::Authentication));
    assert_eq!((cause.error_type.as_str(), cause.status), ("invalid_api_key", Some(401)));
    let key = record.key.unwrap();
    assert_eq!(key.ending.as_deref(), Some("x7Qa"));
    assert_eq!(
        cause.text,
        format!(
            "openai answered 401 invalid_api_key: the key ending …x7Qa (fingerprint {}) was refused, so it is mistyped \
             or revoked. Check OPENAI_API_KEY of the calling process.",
            key.fingerprint
        )
    );
}

#[test]
fn a_short_key_is_named_by_its_fingerprint_alone() {
    let mut script = anthropic_error(401, "authentication_error", "invalid x-api-key");
    script.request_headers.clear();
    let record = script.clone().request_header("x-api-key", "wrong").run();
    let (text, key) = (record.cause.unwrap().text, record.key.unwrap());
    assert_eq!(key.ending, None);
    assert!(text.contains(&format!("the key with fingerprint {} was refused", key.fingerprint)), "{text}");
    assert!(text.contains("ANTHROPIC_API_KEY") && !text.contains("wrong"), "{text}");
    for empty in [script.clone(), script.request_header("authorization", "Bearer ")] {
        let record = empty.run();
        assert_eq!(record.key, None);
        let text = record.cause.unwrap().text;
        assert!(text.contains("carried no key. Set ANTHROPIC_API_KEY"), "{text}");
    }
}

#[test]
fn every_class_has_its_word_and_its_mend() {
    use FailureClass as Class;
    let html = |status| {
        chat("{}")
            .status(status)
            .response_header("content-type", "text/html")
            .response(vec![b"<html>".to_vec()])
    };
    for (script, class, error_type, words) in [
        (openai_error(403, "x", "permission_denied", ""), Class::Permission, "permission_denied", "x7Qa"),
        (openai_error(404, "x", "model_not_found", ""), Class::NotFound, "model_not_found", "gpt-5.1"),
        (
            openai_error(429, "x", "rate_limit_exceeded", ""),
            Class::RateLimit,
            "rate_limit_exceeded",
            "too many",
        ),
        (
            openai_error(429, "insufficient_quota", "insufficient_quota", ""),
            Class::Quota,
            "insufficient_quota",
            "Waiting does not help",
        ),
        (
            openai_error(400, "x", "context_length_exceeded", ""),
            Class::ContextLength,
            "context_length_exceeded",
            "Shorten it",
        ),
        (
            openai_error(400, "x", "content_policy_violation", ""),
            Class::ContentPolicy,
            "content_policy_violation",
            "policy",
        ),
        (
            openai_error(400, "x", "y", "Unknown parameter"),
            Class::InvalidRequest,
            "400",
            "“Unknown parameter”",
        ),
        (openai_error(413, "x", "y", ""), Class::TooLarge, "413", "larger than the provider takes"),
        (openai_error(500, "server_error", "y", ""), Class::ServerError, "server_error", "provider's side"),
        (openai_error(504, "x", "y", ""), Class::Timeout, "504", "gave up waiting"),
        (html(502), Class::Edge, "502", "edge network"),
        (html(520), Class::Edge, "520", "edge network"),
        (
            anthropic_error(529, "overloaded_error", "Overloaded"),
            Class::Overloaded,
            "overloaded_error",
            "no capacity",
        ),
        (anthropic_error(402, "billing_error", ""), Class::Quota, "billing_error", "credit"),
        (
            anthropic_error(
                400,
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
            ),
            Class::ContextLength,
            "invalid_request_error",
            "longer than the window",
        ),
    ] {
        let record = script.run();
        let cause = record.cause.unwrap();
        assert_eq!((record.outcome, cause.class), (Outcome::Failed, class), "{}", cause.text);
        assert_eq!(cause.error_type, error_type, "{}", cause.text);
        assert_eq!(cause.status, script.status);
        assert!(cause.text.contains(words), "{}", cause.text);
        assert!(cause.text.starts_with(&format!("{} answered {}", record.provider, script.status.unwrap())));
        assert_eq!(record.finish_reasons, ["error"]);
        // Its span is one of HTTP, which knows the status alone.
        let (attempt, status) = (&record.attempts[0], script.status);
        assert_eq!(
            (attempt.status, attempt.error_type.clone()),
            (status, status.map(|status| status.to_string()))
        );
    }
}

#[test]
fn an_error_response_bills_nothing_and_that_is_certain() {
    // Also for a model without a price.
    let mut script = openai_error(500, "server_error", "y", "");
    script.request = vec![br#"{"model":"no-such-model"}"#.to_vec()];
    for end in [End::Complete, End::Cut, End::Cancelled] {
        let record = script.end(end);
        assert_eq!(record.outcome, Outcome::Failed);
        assert_eq!((record.tokens.usage, record.tokens.provenance), (TokenUsage::ZERO, Provenance::Exact));
        assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some("0"));
        assert_eq!((record.cost.completeness, record.cost.lines.len()), (Completeness::Exact, 0));
    }
}

#[test]
fn an_error_inside_a_200_is_a_failure_however_the_app_takes_it() {
    let openai = r#"data: {"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#;
    let (first, _) = CHAT_STREAM.split_once("\n\n").unwrap();
    let anthropic = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}";
    for (script, class, word) in [
        (chat(&format!("{first}\n\n{openai}\n\n")), FailureClass::ServerError, "server_error"),
        (messages(&format!("{MESSAGES_START}{anthropic}\n\n")), FailureClass::Overloaded, "overloaded_error"),
    ] {
        for end in [End::Complete, End::Cancelled, End::Cut] {
            let record = script.end(end);
            let cause = record.cause.unwrap();
            assert_eq!((record.outcome, cause.class), (Outcome::Failed, class), "{}", cause.text);
            assert_eq!((cause.error_type.as_str(), cause.status), (word, Some(200)));
            assert!(!record.tokens.provenance.is_reported());
            assert_eq!(record.finish_reasons, ["error"]);
        }
    }
}

#[test]
fn a_provider_that_was_not_reached_is_told_from_one_that_refused() {
    for (class, word) in [
        (FailureClass::Dns, "dns_error"),
        (FailureClass::Connect, "connect_error"),
        (FailureClass::Tls, "tls_error"),
        (FailureClass::Timeout, "timeout"),
    ] {
        let record = unreached(class, "the certificate of api.openai.com was refused (expired)", false);
        let cause = record.cause.unwrap();
        assert_eq!((record.outcome, cause.class, cause.error_type.as_str()), (Outcome::Failed, class, word));
        // The app saw our own answer; the provider gave none.
        assert_eq!((cause.status, record.attempts[0].status), (Some(502), None));
        assert_eq!(record.attempts[0].error_type.as_deref(), Some(word));
        assert!(cause.text.starts_with("openai"), "{}", cause.text);
        assert!(
            cause.text.contains("the certificate of api.openai.com was refused (expired)"),
            "{}",
            cause.text
        );
        // Nothing left, so nothing can be billed.
        assert_eq!((record.tokens.usage, record.tokens.provenance), (TokenUsage::ZERO, Provenance::Exact));
        assert_eq!((record.times.responded, record.cost.completeness), (None, Completeness::Exact));
    }
}

#[test]
fn a_request_that_left_may_have_been_billed_though_no_answer_came() {
    for class in [FailureClass::Connect, FailureClass::Timeout] {
        let record = unreached(class, "api.openai.com:443 closed the connection before it answered", true);
        assert_eq!(record.outcome, Outcome::Failed);
        assert_eq!(
            (record.tokens.usage, record.tokens.provenance),
            (TokenUsage::UNKNOWN, Provenance::Unknown)
        );
        assert_eq!((record.cost.total, record.cost.completeness), (None, Completeness::Unpriced));
    }
}

#[test]
fn choices_that_never_ended_have_the_word_for_it() {
    let stream = CHAT_STREAM.replace(r#"[{"index":0,"delta":{},"#, r#"[{"index":2,"delta":{},"#);
    assert_eq!(chat(&stream).run().finish_reasons, ["error", "error", "stop"]);
}

#[test]
fn words_of_a_provider_are_cut_and_cleaned() {
    let long = "m".repeat(5000);
    let record =
        chat(&CHAT_PLAIN.replace("gpt-5.1-2025-11-13", &long).replace("chatcmpl-1", "a\\u0007\\nb")).run();
    assert_eq!(record.served_model.map(|model| model.len()), Some(128));
    assert_eq!(record.response_id.as_deref(), Some("ab"));
    let record = bodies::responses(bodies::RESPONSES_PLAIN).response_header("x-request-id", &long).run();
    assert_eq!(record.request_id.map(|id| id.len()), Some(128));
}
