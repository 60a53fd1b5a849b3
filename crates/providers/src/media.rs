//! What a response's head says of its body. Per request.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// The body's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    EventStream,
    /// AWS's own framing.
    AwsEvents,
    /// One object per line.
    Lines,
    /// Not something an API says: HTML from an edge, plain text, nothing at all.
    Other,
}

/// Reads the content type. A body without one is taken for JSON: some gateways leave it out.
pub(crate) fn media(headers: &HeaderMap) -> Media {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Media::Json };
    let value = value.to_str().unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("text/event-stream") {
        Media::EventStream
    } else if kind.eq_ignore_ascii_case("application/vnd.amazon.eventstream") {
        Media::AwsEvents
    } else if ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        .iter()
        .any(|lines| kind.eq_ignore_ascii_case(lines))
    {
        Media::Lines
    } else if kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json") {
        Media::Json
    } else {
        Media::Other
    }
}

/// Whether a body with these headers must be decoded to be read.
#[must_use]
pub fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether a body with these headers is JSON that can be read as it is.
#[must_use]
pub fn is_plain_json(headers: &HeaderMap) -> bool {
    media(headers) == Media::Json && !is_encoded(headers)
}
