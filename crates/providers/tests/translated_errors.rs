//! An error keeps its class in the app's format: by status, headers and body, and by what a stream says under way.

use http::StatusCode;
use outrigger_providers::canonical::Asked;
use outrigger_providers::dialects::{
    anthropic_messages, bedrock_converse, gemini, openai_chat, openai_responses,
};
use outrigger_providers::translate::{Stream, error};
use outrigger_providers::{Dialect, FailureClass, StreamEnd};

use crate::events::content_type;

const CHAT: &dyn Dialect = &openai_chat::OPENAI_CHAT;
const MESSAGES: &dyn Dialect = &anthropic_messages::AnthropicMessages;
const RESPONSES: &dyn Dialect = &openai_responses::OpenAiResponses;
const GEMINI: &dyn Dialect = &gemini::Gemini;
const CONVERSE: &dyn Dialect = &bedrock_converse::BedrockConverse;

/// What a provider itself may tell; what goes wrong on the way has no class that it tells.
const TOLD: [FailureClass; 12] = [
    FailureClass::Authentication,
    FailureClass::Permission,
    FailureClass::NotFound,
    FailureClass::RateLimit,
    FailureClass::Quota,
    FailureClass::ContextLength,
    FailureClass::InvalidRequest,
    FailureClass::ContentPolicy,
    FailureClass::TooLarge,
    FailureClass::Overloaded,
    FailureClass::ServerError,
    FailureClass::Timeout,
];

/// What a family takes a class for where it has no words for it.
fn heard(to: &dyn Dialect, class: FailureClass) -> FailureClass {
    match (to.name(), class) {
        // Google tells a day's allowance from a minute's by details that only it knows.
        ("gemini", FailureClass::Quota) => FailureClass::RateLimit,
        ("openai_chat" | "openai_responses", _) => class,
        (_, FailureClass::ContentPolicy) => FailureClass::InvalidRequest,
        ("gemini", FailureClass::TooLarge) => FailureClass::InvalidRequest,
        _ => class,
    }
}

#[test]
fn an_error_keeps_its_class_and_gives_its_origin() {
    for to in [CHAT, MESSAGES, RESPONSES, GEMINI, CONVERSE] {
        for class in TOLD {
            let told = error(to, class, None, "no target is left");
            let mut meter = to.response_meter(told.status, &told.headers);
            meter.chunk(&told.body);
            let reading = meter.finish();
            let failure = to.classify(told.status, &told.headers, &reading);
            let name = format!("{} {class:?} {}", to.name(), String::from_utf8_lossy(&told.body));
            assert_eq!(failure.map(|failure| failure.class), Some(heard(to, class)), "{name}");
            let message = reading.failure_message.unwrap_or_default();
            assert!(message.starts_with("outrigger: ") && message.ends_with("no target is left"), "{name}");
        }
        for class in FailureClass::ALL {
            let status = error(to, class, None, "x").status;
            assert!(status.is_client_error() || status.is_server_error(), "{} {class:?}", to.name());
        }
    }
}

#[test]
fn the_statuses_are_those_that_sdks_of_the_family_act_on() {
    let statuses = |to: &dyn Dialect| {
        [
            FailureClass::RateLimit,
            FailureClass::Overloaded,
            FailureClass::ContextLength,
            FailureClass::Timeout,
            FailureClass::Connect,
        ]
        .map(|class| error(to, class, None, "x").status.as_u16())
    };
    for to in [CHAT, RESPONSES, GEMINI, CONVERSE] {
        assert_eq!(statuses(to), [429, 503, 400, 504, 502], "{}", to.name());
    }
    assert_eq!(statuses(MESSAGES), [429, 529, 400, 504, 502]);
    let primary = error(MESSAGES, FailureClass::Overloaded, Some(503), "x");
    assert_eq!(primary.status, StatusCode::SERVICE_UNAVAILABLE, "the status of who was asked first is kept");
}

/// No family has a code for it but OpenAI: apps look for the phrase.
#[test]
fn a_prompt_that_is_too_long_is_told_in_the_phrase_that_apps_look_for() {
    let phrases = [
        (MESSAGES, "prompt is too long"),
        (GEMINI, "exceeds the maximum number of tokens"),
        (CONVERSE, "maximum context length"),
        (CHAT, "context_length_exceeded"),
    ];
    for (to, phrase) in phrases {
        let text = String::from_utf8_lossy(&error(to, FailureClass::ContextLength, None, "too much").body)
            .into_owned();
        assert!(text.contains(phrase) && text.contains("outrigger: "), "{text}");
        let once = error(to, FailureClass::ContextLength, None, "prompt is too long: 9 > 8");
        assert!(String::from_utf8_lossy(&once.body).matches("prompt is too long").count() == 1);
    }
}

#[test]
fn an_error_under_way_is_the_familys_own_and_ends_nothing() {
    for to in [CHAT, MESSAGES, RESPONSES, GEMINI, CONVERSE] {
        for class in FailureClass::ALL {
            let head = content_type("text/event-stream");
            let from = if to.name() == "openai_chat" { MESSAGES } else { CHAT };
            let mut stream = Stream::new(from, to, &head, Asked::default());
            let told = stream.as_mut().map(|stream| stream.fail(class, "gone")).unwrap_or_default();
            let kind = to.answers().map_or("", |writer| writer.stream_type(&Asked::default()));
            let mut meter = to.response_meter(StatusCode::OK, &content_type(kind));
            meter.chunk(&told);
            let reading = meter.finish();
            assert!(reading.failure.is_some(), "{} {class:?}", to.name());
            assert_eq!((reading.end, reading.stumbled), (StreamEnd::Open, None), "{} {class:?}", to.name());
        }
    }
}
