//! Bedrock. The model stands in the path, percent-encoded; a key is a bearer token or a signature.

use crate::formats::bedrock::{self, errors};
use crate::providers::{Provider, bearer, text};

pub(super) static ROW: Provider = Provider {
    name: "bedrock",
    hosts: &["bedrock-runtime.us-east-1.amazonaws.com"],
    on_gateway: |path| path.starts_with("/model/"),
    asked: |path, _| {
        let found = bedrock::target(path);
        found.map(|(model, operation)| (model, operation.ends_with("-stream"))).unwrap_or_default()
    },
    key: |headers, _| bearer(headers).or_else(|| crate::sigv4::access_key(text(headers, "authorization")?)),
    answer: bedrock::answer,
    error: |kind, _, _| errors::error(kind),
    error_headers: errors::headers,
    error_event: |kind, _| errors::exception(kind),
    headers: bedrock::headers,
};
