//! Azure OpenAI and Foundry (wire formats, section 1.6). Every customer has a host of its own under domains that hold
//! nothing but AI services, so the domains are covered. Path or body name the customer's deployment, not a model; what
//! stands behind it is a setting's to say.

use http::Method;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::openai_chat::OpenAiChat;
use crate::service::percent_decoded;
use crate::services::compatible::{recognised, recognised_socket};
use crate::{Addressed, FailureClass, Operation, Recognised, Service};

static CHAT: OpenAiChat = OpenAiChat {
    codes: &[
        ("DeploymentNotFound", FailureClass::NotFound),
        ("OperationNotSupported", FailureClass::InvalidRequest),
        ("ResponsibleAIPolicyViolation", FailureClass::ContentPolicy),
        ("PermissionDenied", FailureClass::Permission),
        ("AuthenticationTypeDisabled", FailureClass::Permission),
        ("InvalidAuthenticationToken", FailureClass::Authentication),
        ("RateLimitReached", FailureClass::RateLimit),
        ("NoCapacity", FailureClass::Overloaded),
        ("ServiceUnavailable", FailureClass::Overloaded),
        ("InternalServerError", FailureClass::ServerError),
    ],
    // The answer was not filtered: the filter failed.
    finish: &[("content_filter_error", "stop")],
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "azure",
    otel_name: "azure.ai.openai",
    domains: &["openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com"],
    key_variable: "AZURE_OPENAI_API_KEY",
    key_headers: &["api-key", "authorization", "x-api-key"],
    request_id_header: "apim-request-id",
    speaks: &[
        ("openai_chat", "/openai/v1/chat/completions"),
        ("openai_responses", "/openai/v1/responses"),
        ("openai_embeddings", "/openai/v1/embeddings"),
        ("anthropic_messages", "/anthropic/v1/messages"),
    ],
    // Claude's in Anthropic's format.
    serves: |format, model| model.contains("claude") == (format == "anthropic_messages"),
    recognise,
    addressed,
    is_deployment: |_| true,
    recognise_socket: recognised_socket,
    ..Service::ROW
};

fn recognise(method: &Method, path: &str) -> Recognised {
    if method == Method::POST && path.ends_with("/anthropic/v1/messages") {
        return Recognised { dialect: &AnthropicMessages, operation: Operation::Chat };
    }
    if ["/openai/", "/models/", "/anthropic/"].iter().any(|api| path.starts_with(api)) {
        recognised(&CHAT, method, path)
    } else {
        // Speech, vision and the rest of the cognitive services live at the same hosts.
        Recognised { dialect: &CHAT, operation: Operation::Other }
    }
}

fn addressed(_host: &str, path: &str) -> Addressed {
    let deployment = path
        .strip_prefix("/openai/deployments/")
        .and_then(|rest| rest.split_once('/'))
        .map(|(deployment, _)| percent_decoded(deployment));
    Addressed { model: deployment, ..Addressed::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_format_operation_and_deployment() {
        for (path, dialect, operation, deployment) in [
            (
                "/openai/deployments/our%20gpt/chat/completions",
                "openai_chat",
                Operation::Chat,
                Some("our gpt"),
            ),
            ("/openai/deployments/emb/embeddings", "openai_embeddings", Operation::Embeddings, Some("emb")),
            ("/openai/responses", "openai_responses", Operation::Chat, None),
            ("/openai/v1/chat/completions", "openai_chat", Operation::Chat, None),
            ("/models/chat/completions", "openai_chat", Operation::Chat, None),
            ("/anthropic/v1/messages", "anthropic_messages", Operation::Chat, None),
            ("/anthropic/v1/messages/count_tokens", "anthropic_messages", Operation::CountTokens, None),
            ("/openai/files", "openai_chat", Operation::Other, None),
            ("/speechtotext/v3.2/transcriptions", "openai_chat", Operation::Other, None),
        ] {
            let recognised = recognise(&Method::POST, path);
            assert_eq!((recognised.dialect.name(), recognised.operation), (dialect, operation), "{path}");
            assert_eq!(addressed("", path).model.as_deref(), deployment, "{path}");
        }
    }
}
