//! Hosts that an operator lists: gateways, private endpoints and servers of one's own that speak a known wire format.
//! What they are called is not known here, so their models have no built-in price.

use http::Method;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::openai_chat::OpenAiChat;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::{Dialect, Operation, Recognised, Service};

/// The service of every operator-listed host; it has no hosts of its own.
pub static OPERATOR_LISTED: Service = Service {
    id: "operator_listed",
    otel_name: "operator_listed",
    hosts: &[],
    resident_hosts: &[],
    base_url: ("OPENAI_BASE_URL", "/operator-listed/v1"),
    key_variable: "OPENAI_API_KEY",
    key_headers: &["authorization", "api-key", "x-api-key", "x-goog-api-key"],
    request_id_header: "x-request-id",
    recognise,
};

/// By the end of the path: such hosts put the API under prefixes of their own.
fn recognise(method: &Method, path: &str) -> Recognised {
    let (dialect, operation): (&'static dyn Dialect, _) = match *method {
        Method::POST if path.ends_with("/chat/completions") => (&OpenAiChat, Operation::Chat),
        Method::POST if path.ends_with("/responses") => (&OpenAiResponses, Operation::Chat),
        Method::POST if path.ends_with("/v1/messages") => (&AnthropicMessages, Operation::Chat),
        _ => (&OpenAiChat, Operation::Other),
    };
    Recognised { dialect, operation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_formats_are_recognised_under_any_prefix() {
        let operation = |path| recognise(&Method::POST, path).operation;
        assert_eq!(operation("/gateway/team-a/v1/chat/completions"), Operation::Chat);
        assert_eq!(operation("/openai/responses"), Operation::Chat);
        assert_eq!(operation("/v1/messages"), Operation::Chat);
        assert_eq!(operation("/v1/models"), Operation::Other);
    }
}
