//! Anthropic, also where AWS and Google stand before it.

use crate::formats::anthropic_messages::{self as messages, batches, errors};
use crate::providers::{Provider, bearer, text};

pub(super) static ROW: Provider = Provider {
    name: "anthropic",
    hosts: &["api.anthropic.com", "claude.googleapis.com", "aws-external-anthropic.us-east-1.api.aws"],
    on_gateway: |path| path.starts_with("/v1/messages"),
    key: |headers, _| {
        let key = text(headers, "x-api-key").or_else(|| bearer(headers));
        key.or_else(|| crate::sigv4::access_key(text(headers, "authorization")?))
    },
    answer: |path, ask, told| match own(path) {
        "/v1/messages" => Some(messages::answer(ask, told)),
        "/v1/messages/count_tokens" => Some(messages::count(told)),
        path if path.starts_with("/v1/messages/batches") => Some(batches::answer(path)),
        _ => None,
    },
    error: |kind, _, serial| errors::error(kind, serial),
    error_event: |_, _, body, _| errors::event(body),
    headers: messages::headers,
    ..Provider::ROW
};

/// The path at Anthropic; at Google it stands behind that of a workspace.
fn own(path: &str) -> &str {
    match path.find("/invoke/v1/") {
        Some(at) if path.starts_with("/v1/projects/") => &path[at + "/invoke".len()..],
        _ => path,
    }
}
