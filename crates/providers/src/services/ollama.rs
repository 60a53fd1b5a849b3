//! Ollama's own cloud (wire formats, section 1.10): its native format, and those of OpenAI and Anthropic. A server of
//! one's own is a host that an operator lists.

use http::Method;

use crate::dialects::ollama::Ollama;
use crate::dialects::openai_chat::{OpenAiChat, Takes};
use crate::services::compatible::recognised;
use crate::{Addressed, Operation, Recognised, Service};

static CHAT: OpenAiChat = OpenAiChat {
    takes: &Takes { schema: true, penalties: true, image_urls: false, ..Takes::COMMON },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "ollama",
    otel_name: "ollama",
    hosts: &["ollama.com"],
    key_variable: "OLLAMA_API_KEY",
    speaks: &[("ollama", "/api/chat"), ("openai_chat", "/v1/chat/completions")],
    recognise,
    addressed: |_, path| addressed(path),
    ..Service::ROW
};

/// What a native path asks for.
pub(super) fn operation(path: &str) -> Operation {
    if path.ends_with("/api/chat") {
        Operation::Chat
    } else if path.ends_with("/api/generate") {
        Operation::TextCompletion
    } else if path.ends_with("/api/embed") || path.ends_with("/api/embeddings") {
        Operation::Embeddings
    } else {
        Operation::Other
    }
}

/// Natively everything streams unless it is told not to, but vectors never do.
pub(super) fn addressed(path: &str) -> Addressed {
    Addressed { stream: (operation(path) == Operation::Embeddings).then_some(false), ..Addressed::default() }
}

fn recognise(method: &Method, path: &str) -> Recognised {
    if path.starts_with("/v1/") {
        return recognised(&CHAT, method, path);
    }
    let operation = if method == Method::POST { operation(path) } else { Operation::Other };
    Recognised { dialect: &Ollama, operation }
}
