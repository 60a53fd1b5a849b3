//! Hosts that an operator lists: gateways, private endpoints and servers of one's own that speak a known wire format.
//! What they are called is not known here, so their models have no built-in price.

use http::Method;

use crate::dialects::bedrock_converse::BedrockConverse;
use crate::dialects::gemini::Gemini;
use crate::dialects::ollama::Ollama;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::services::{bedrock, compatible, gemini, ollama};
use crate::{Addressed, Operation, Recognised, Service, StreamedUsage};

/// The service of every operator-listed host; it has no hosts of its own.
pub static OPERATOR_LISTED: Service = Service {
    id: "operator_listed",
    otel_name: "operator_listed",
    key_variable: "OPENAI_API_KEY",
    key_headers: &["authorization", "api-key", "x-api-key", "x-goog-api-key"],
    key_parameter: Some("key"),
    streamed_usage: StreamedUsage::Untried,
    recognise,
    addressed,
    recognise_socket: compatible::recognised_socket,
    ..Service::ROW
};

/// By the end of the path: such hosts put the API under prefixes of their own.
fn recognise(method: &Method, path: &str) -> Recognised {
    if method != Method::POST {
        return Recognised { dialect: &OPENAI_CHAT, operation: Operation::Other };
    }
    if let Some((_, method)) = gemini_target(path) {
        return Recognised { dialect: &Gemini, operation: gemini::operation(method) };
    }
    if let Some((_, "converse" | "converse-stream")) = bedrock_target(path) {
        return Recognised { dialect: &BedrockConverse, operation: Operation::Chat };
    }
    match ollama::operation(path) {
        Operation::Other => compatible::recognised(&OPENAI_CHAT, method, path),
        operation => Recognised { dialect: &Ollama, operation },
    }
}

/// Model and operation of `…/model/MODEL/OPERATION`.
fn bedrock_target(path: &str) -> Option<(&str, &str)> {
    bedrock::target(path.get(path.find("/model/")?..)?)
}

/// Model and method of `…/models/MODEL:METHOD`.
fn gemini_target(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once("/models/")?
        .1
        .rsplit_once(':')
        .filter(|(_, method)| gemini::operation(method) != Operation::Other)
}

fn addressed(host: &str, path: &str) -> Addressed {
    match gemini_target(path) {
        Some((model, method)) => Addressed {
            model: Some(model.to_owned()),
            stream: Some(method == "streamGenerateContent"),
            ..Addressed::default()
        },
        None => match bedrock_target(path) {
            Some((_, "converse" | "converse-stream")) => {
                bedrock::addressed(host, path.get(path.find("/model/").unwrap_or(0)..).unwrap_or(path))
            }
            _ => ollama::addressed(path),
        },
    }
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
        let gemini = "/google/v1beta/models/gemini-3.5-flash:streamGenerateContent";
        assert_eq!(operation(gemini), Operation::GenerateContent);
        assert_eq!(addressed("", gemini).model.as_deref(), Some("gemini-3.5-flash"));
        assert_eq!(addressed("", gemini).stream, Some(true));
        let socket = |path| compatible::recognised_socket(path).map(|recognised| recognised.dialect.name());
        assert_eq!(socket("/gateway/v1/realtime"), Some("openai_realtime"));
        assert_eq!(socket("/openai/v1/responses"), Some("openai_responses"));
        assert_eq!(socket("/v1/chat/completions"), None);
        let codex = "/backend-api/codex/responses";
        assert_eq!(operation(codex), Operation::Chat);
        assert_eq!(recognise(&Method::POST, codex).dialect.name(), "openai_responses");
        assert_eq!(socket(codex), Some("openai_responses"));
        let converse = "/aws/model/us.amazon.nova-pro-v1%3A0/converse";
        assert_eq!(operation(converse), Operation::Chat);
        assert_eq!(addressed("", converse).model.as_deref(), Some("us.amazon.nova-pro-v1:0"));
        assert_eq!(operation("/api/generate"), Operation::TextCompletion);
        assert_eq!(operation("/v1/embeddings"), Operation::Embeddings);
        assert_eq!(
            (addressed("", "/api/embed").stream, addressed("", "/api/chat").stream),
            (Some(false), None)
        );
    }
}
