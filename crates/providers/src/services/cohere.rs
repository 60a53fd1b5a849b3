//! Cohere (wire formats, section 1.10): a format of its own, and OpenAI's under a prefix.

use http::Method;

use crate::dialects::cohere::Cohere;
use crate::dialects::openai_chat::{OpenAiChat, Takes};
use crate::services::compatible::recognised;
use crate::{Operation, Recognised, Service};

static CHAT: OpenAiChat = OpenAiChat {
    takes: &Takes { strict: true, penalties: true, image_urls: false, ..Takes::COMMON },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "cohere",
    otel_name: "cohere",
    hosts: &["api.cohere.com", "api.cohere.ai"],
    base_url: Some(("CO_API_URL", "/cohere")),
    key_variable: "CO_API_KEY",
    request_id_header: "x-debug-trace-id",
    speaks: &[("cohere", "/v2/chat"), ("openai_chat", "/compatibility/v1/chat/completions")],
    recognise,
    ..Service::ROW
};

fn recognise(method: &Method, path: &str) -> Recognised {
    if path.starts_with("/compatibility/") {
        return recognised(&CHAT, method, path);
    }
    let operation = match (method, path) {
        (&Method::POST, "/v2/chat") => Operation::Chat,
        (&Method::POST, "/v1/embed" | "/v2/embed") => Operation::Embeddings,
        (&Method::POST, "/v1/rerank" | "/v2/rerank") => Operation::Rerank,
        _ => Operation::Other,
    };
    Recognised { dialect: &Cohere, operation }
}
