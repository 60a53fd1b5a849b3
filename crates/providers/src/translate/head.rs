//! Where a place answers a conversation, and the headers that its format wants. Authorisation is not part of it. Per translated
//! request.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Place;
use crate::{Operation, Service};

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

/// The formats in which a service answers conversations, the one to translate to first. Without a model: of any of its models.
pub(super) fn spoken(service: &str, model: Option<&str>) -> impl Iterator<Item = &'static str> {
    let all: &'static [&'static str] = match service {
        "openai" | "xai" => &["openai_chat", "openai_responses"],
        "azure" => &["openai_chat", "openai_responses", "anthropic_messages"],
        "anthropic" => &["anthropic_messages"],
        "gemini" => &["gemini"],
        "vertex" => &["gemini", "anthropic_messages"],
        "bedrock" => &["bedrock_converse"],
        "mistral" | "groq" | "deepseek" | "openrouter" | "together" | "fireworks" | "cerebras"
        | "perplexity" | "ollama" => &["openai_chat"],
        _ => &[],
    };
    // These have a vendor's models in that vendor's format.
    let by_vendor = matches!(service, "azure" | "vertex");
    let claude = model.map(|model| model.contains("claude"));
    let serves = move |format: &&str| {
        !by_vendor || claude.is_none_or(|claude| claude == (*format == "anthropic_messages"))
    };
    all.iter().copied().filter(serves)
}

/// Why no conversation of one provider's apps can go to another; `None` where some can. `asked` is the app's model, where it is
/// known, and `model` the one that is named for the other. What one request asks for is another matter.
#[must_use]
pub fn refusal(from: &Service, asked: Option<&str>, to: &Service, model: Option<&str>) -> Option<String> {
    if from.id == to.id {
        return None;
    }
    let apps: Vec<&str> = spoken(from.id, asked).collect();
    let mut theirs = spoken(to.id, model.or(asked)).peekable();
    if apps.is_empty() {
        return Some(format!("no request of {}'s format is translated", from.id));
    }
    if theirs.peek().is_none() {
        return Some(format!("no request is translated to {}'s format", to.id));
    }
    if model.is_none() && !theirs.any(|format| apps.contains(&format)) {
        return Some(format!("the backup names no model, and {} has none of {}'s", to.id, from.id));
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialects, services};

    fn service(id: &str) -> &'static Service {
        services::ALL.into_iter().find(|service| service.id == id).unwrap()
    }

    fn asked(to: &str, app: &str, model: &'static str, stream: bool) -> Option<(String, Option<String>)> {
        let app = dialects::ALL.into_iter().find(|dialect| dialect.name() == app).unwrap();
        let place = Place::at(service(to), app, model)?;
        let place = Place { region: Some("eu-west4"), project: Some("tides"), ..place };
        head(&place, stream).map(|head| (head.path, head.model))
    }

    #[test]
    fn every_format_has_its_path() {
        let body = |path: &str, model: &str| Some((path.to_owned(), Some(model.to_owned())));
        let path = |path: &str| Some((path.to_owned(), None));
        let chat = "openai_chat";
        assert_eq!(asked("anthropic", chat, "claude-x", true), body("/v1/messages", "claude-x"));
        assert_eq!(
            asked("openai", "anthropic_messages", "gpt-6", true),
            body("/v1/chat/completions", "gpt-6")
        );
        assert_eq!(asked("openai", "openai_responses", "gpt-6", true), body("/v1/responses", "gpt-6"));
        assert_eq!(
            asked("gemini", chat, "gemini-3", true),
            path("/v1beta/models/gemini-3:streamGenerateContent?alt=sse")
        );
        assert_eq!(asked("gemini", chat, "gemini-3", false), path("/v1beta/models/gemini-3:generateContent"));
        let vertex = "/v1/projects/tides/locations/eu-west4/publishers";
        assert_eq!(
            asked("vertex", chat, "claude-x@1", true),
            path(&format!("{vertex}/anthropic/models/claude-x%401:streamRawPredict"))
        );
        assert_eq!(
            asked("vertex", chat, "gemini-3", false),
            path(&format!("{vertex}/google/models/gemini-3:generateContent"))
        );
        let model = "eu.anthropic.claude-x-v1:0";
        assert_eq!(
            asked("bedrock", chat, model, true),
            path("/model/eu.anthropic.claude-x-v1%3A0/converse-stream")
        );
        assert_eq!(asked("azure", chat, "claude-x", false), body("/anthropic/v1/messages", "claude-x"));
        assert_eq!(asked("cohere", chat, "command-a", false), None);
    }

    #[test]
    fn a_place_without_a_part_of_its_address_has_no_path() {
        let app = dialects::ALL[0];
        let place = Place::at(service("vertex"), app, "gemini-3").unwrap();
        assert!(head(&place, false).is_none());
        let deployed =
            Place { deployment: Some("our-gpt"), ..Place::at(service("azure"), app, "gpt-6").unwrap() };
        let head = head(&deployed, false).unwrap();
        assert_eq!(
            (head.path.as_str(), head.model.as_deref()),
            ("/openai/v1/chat/completions", Some("our-gpt"))
        );
    }

    /// Whatever a path says, its service reads the same of it.
    #[test]
    fn every_service_recognises_what_it_is_asked() {
        for to in services::ALL {
            for model in ["claude-x", "gpt-6", "gemini-3"] {
                for app in spoken(to.id, Some(model)) {
                    let (path, _) = asked(to.id, app, model, true).unwrap();
                    let path = path.split('?').next().unwrap();
                    let read = (to.recognise)(&http::Method::POST, path);
                    assert_eq!(read.dialect.name(), app, "{} {path}", to.id);
                    assert!(is_conversation(read.operation), "{} {path}", to.id);
                    assert_ne!((to.addressed)("", path).stream, Some(false), "{path}");
                }
            }
        }
    }

    #[test]
    fn what_no_call_can_do_is_known_before_there_is_one() {
        let why = |from, asked, to, model| refusal(service(from), asked, service(to), model);
        assert_eq!(why("openai", None, "anthropic", Some("claude-x")), None);
        assert_eq!(why("openai", None, "azure", None), None);
        assert_eq!(why("cohere", None, "cohere", None), None);
        assert_eq!(why("vertex", Some("claude-x"), "anthropic", None), None);
        assert_eq!(why("vertex", None, "anthropic", None), None, "it may be one of Anthropic's");
        for (from, asked, to, model, reason) in [
            (
                "openai",
                None,
                "anthropic",
                None,
                "the backup names no model, and anthropic has none of openai's",
            ),
            (
                "vertex",
                Some("gemini-3"),
                "anthropic",
                None,
                "the backup names no model, and anthropic has none of vertex's",
            ),
            ("cohere", None, "openai", Some("gpt-6"), "no request of cohere's format is translated"),
            ("openai", None, "cohere", Some("command-a"), "no request is translated to cohere's format"),
        ] {
            assert_eq!(why(from, asked, to, model).as_deref(), Some(reason));
        }
    }
}
