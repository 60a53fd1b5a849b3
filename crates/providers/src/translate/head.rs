//! Where a place answers a conversation, and the headers that its format wants. Authorisation is not part of it. Per translated
//! request.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Place;
use crate::Operation;

/// Anthropic's version whose meaning is translated to.
const ANTHROPIC_VERSION: &str = "2023-06-01";
/// The same at Google's, where it stands in the body.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// Where a place answers, and what its body names.
pub(super) struct Head {
    /// Path and query.
    pub(super) path: String,
    /// The model that the body names; `None` where the path does.
    pub(super) model: Option<String>,
    /// The version that the body names in the model's place.
    pub(super) version: Option<&'static str>,
}

/// `None` where the place does not speak its format, or a part of its address is missing.
pub(super) fn head(to: &Place<'_>, stream: bool) -> Option<Head> {
    let model = encoded(to.model);
    let named = |path: &str| {
        let model = to.deployment.unwrap_or(to.model).to_owned();
        Some(Head { path: path.to_owned(), model: Some(model), version: None })
    };
    let addressed = |path: String| Some(Head { path, model: None, version: None });
    match (to.service.id, to.dialect.name()) {
        ("openai" | "mistral" | "xai" | "together" | "cerebras" | "ollama", "openai_chat") => {
            named("/v1/chat/completions")
        }
        ("openai" | "xai", "openai_responses") => named("/v1/responses"),
        ("azure", "openai_chat") => named("/openai/v1/chat/completions"),
        ("azure", "openai_responses") => named("/openai/v1/responses"),
        ("azure", "anthropic_messages") => named("/anthropic/v1/messages"),
        ("groq", "openai_chat") => named("/openai/v1/chat/completions"),
        ("deepseek" | "perplexity", "openai_chat") => named("/chat/completions"),
        ("openrouter", "openai_chat") => named("/api/v1/chat/completions"),
        ("fireworks", "openai_chat") => named("/inference/v1/chat/completions"),
        ("anthropic", "anthropic_messages") => named("/v1/messages"),
        ("gemini", "gemini") => addressed(format!("/v1beta/models/{model}:{}", generate(stream))),
        ("vertex", "gemini") => {
            let place = google(to, "google")?;
            addressed(format!("{place}/models/{model}:{}", generate(stream)))
        }
        ("vertex", "anthropic_messages") => {
            let (place, word) =
                (google(to, "anthropic")?, if stream { "streamRawPredict" } else { "rawPredict" });
            let path = format!("{place}/models/{model}:{word}");
            Some(Head { path, model: None, version: Some(VERTEX_VERSION) })
        }
        ("bedrock", "bedrock_converse") => {
            let word = if stream { "converse-stream" } else { "converse" };
            addressed(format!("/model/{model}/{word}"))
        }
        _ => None,
    }
}

fn generate(stream: bool) -> &'static str {
    if stream { "streamGenerateContent?alt=sse" } else { "generateContent" }
}

fn google(to: &Place<'_>, publisher: &str) -> Option<String> {
    let (project, region) = (encoded(to.project?), encoded(to.region?));
    Some(format!("/v1/projects/{project}/locations/{region}/publishers/{publisher}"))
}

/// The formats in which a service answers conversations with a model, the one to translate to first.
pub(super) fn spoken(service: &str, model: &str) -> &'static [&'static str] {
    match service {
        "openai" => &["openai_chat", "openai_responses"],
        "azure" if model.contains("claude") => &["anthropic_messages"],
        "azure" => &["openai_chat", "openai_responses"],
        "xai" => &["openai_chat", "openai_responses"],
        "anthropic" => &["anthropic_messages"],
        "gemini" => &["gemini"],
        "vertex" if model.contains("claude") => &["anthropic_messages"],
        "vertex" => &["gemini"],
        "bedrock" => &["bedrock_converse"],
        "mistral" | "groq" | "deepseek" | "openrouter" | "together" | "fireworks" | "cerebras"
        | "perplexity" | "ollama" => &["openai_chat"],
        _ => &[],
    }
}

/// Headers that a translated request has beside those of its key.
pub(super) fn headers(to: &Place<'_>, version_in_body: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if to.dialect.name() == "anthropic_messages" && !version_in_body {
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(ANTHROPIC_VERSION),
        );
    }
    headers
}

/// Whether an operation is a turn of a conversation, which every format has.
pub(super) fn is_conversation(operation: Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::GenerateContent)
}

/// As one segment of a path.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
