//! Bedrock: its own formats, and OpenAI's and Anthropic's beside them. The model stands in the path, percent-encoded; a key is a bearer token or a signature.

use crate::formats::bedrock::{self, errors};
use crate::formats::openai_chat::Style;
use crate::formats::{anthropic_messages, openai_responses};
use crate::providers::{Provider, bearer, compatible, of_body, text};

pub(super) static ROW: Provider = Provider {
    name: "bedrock",
    hosts: &["bedrock-runtime.us-east-1.amazonaws.com", "bedrock-mantle.us-east-1.api.aws"],
    on_gateway: |path| path.starts_with("/model/"),
    asked: |path, body| match bedrock::target(path) {
        Some((model, operation)) => (model, operation.ends_with("-stream")),
        None => of_body(body),
    },
    key: |headers, _| bearer(headers).or_else(|| crate::sigv4::access_key(text(headers, "authorization")?)),
    answer: |path, ask, told| match path {
        path if path.starts_with("/model/") => bedrock::answer(path, ask, told),
        path if path.ends_with("/v1/messages") => Some(anthropic_messages::answer(ask, told)),
        path if path.ends_with("/v1/responses") => Some(openai_responses::answer(ask, told)),
        path => compatible::answer(path, ask, told, &Style::PLAIN),
    },
    error: |kind, _, _| errors::error(kind),
    error_headers: errors::headers,
    error_event: |_, kind, _, _| errors::exception(kind),
    headers: bedrock::headers,
};
