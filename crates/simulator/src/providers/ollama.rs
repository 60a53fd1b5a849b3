//! Ollama: its native format, and OpenAI's and Anthropic's beside it.

use crate::formats::openai_chat::Style;
use crate::formats::{anthropic_messages, ollama, openai_responses};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "ollama",
    hosts: &["ollama.com"],
    on_gateway: |path| path.starts_with("/api/"),
    asked: |path, body| {
        // Natively a stream is what comes unless it is refused.
        let streams = body["stream"].as_bool().unwrap_or(path.starts_with("/api/"));
        (body["model"].as_str().unwrap_or_default().to_owned(), streams)
    },
    answer: |path, ask, told| match path {
        "/api/chat" => Some(ollama::answer(told, true)),
        "/api/generate" => Some(ollama::answer(told, false)),
        "/api/embed" => Some(ollama::embed(ask, told)),
        "/v1/responses" => Some(openai_responses::answer(ask, told)),
        "/v1/messages" => Some(anthropic_messages::answer(ask, told)),
        path => compatible::answer(path, ask, told, &Style::PLAIN),
    },
    error: |kind, _, _| ollama::error(kind),
    error_headers: |_| Vec::new(),
    error_event: |_, _, body, _| ollama::error_line(body),
    ..Provider::ROW
};
