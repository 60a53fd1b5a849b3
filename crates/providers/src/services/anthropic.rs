//! Anthropic (wire formats, section 1.7). Newer SDKs send the key as a bearer token, older ones as `x-api-key`.

use http::Method;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::{Operation, Recognised, Service};

pub(super) static SERVICE: Service = Service {
    id: "anthropic",
    otel_name: "anthropic",
    hosts: &["api.anthropic.com"],
    base_url: Some(("ANTHROPIC_BASE_URL", "/anthropic")),
    key_variable: "ANTHROPIC_API_KEY",
    key_headers: &["x-api-key", "authorization"],
    request_id_header: "request-id",
    recognise,
    ..Service::ROW
};

fn recognise(method: &Method, path: &str) -> Recognised {
    let operation = match (method, path) {
        (&Method::POST, "/v1/messages") => Operation::Chat,
        (&Method::POST, "/v1/messages/count_tokens") => Operation::CountTokens,
        _ => Operation::Other,
    };
    Recognised { dialect: &AnthropicMessages, operation }
}
