//! Cohere: its own format, and OpenAI's under a prefix.

use crate::formats::cohere;
use crate::formats::openai_chat::{Style, plain_usage};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "cohere",
    hosts: &["api.cohere.com", "api.cohere.ai"],
    answer: |path, ask, told| match path {
        "/v2/chat" => Some(cohere::chat(ask, told)),
        "/v2/embed" => Some(cohere::embed(ask, told)),
        "/v2/rerank" => Some(cohere::rerank(ask, told)),
        path if path.starts_with("/compatibility/v1/") => compatible::answer(path, ask, told, &STYLE),
        _ => None,
    },
    error: |kind, _, _| cohere::error(kind),
    error_headers: |_| Vec::new(),
    error_event: |_, _, body, _| cohere::error_event(body),
    headers: |serial| vec![("x-debug-trace-id", format!("{serial:032x}"))],
    ..Provider::ROW
};

static STYLE: Style = Style { id: "", usage: |_, used| plain_usage(used), ..Style::PLAIN };
