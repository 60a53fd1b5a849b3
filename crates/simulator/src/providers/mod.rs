//! The providers' wire formats as templates.

mod anthropic;
mod azure;
mod bedrock;
mod gemini;
mod openai;
mod openai_chat;
pub(crate) mod openai_responses;
pub(crate) mod realtime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use serde_json::Value;

use crate::answer::{Ask, Told};
use crate::script::ErrorKind;

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    Openai,
    Anthropic,
    Gemini,
    Bedrock,
    /// OpenAI's formats under paths of its own.
    Azure,
}

/// An answer in both of its forms.
pub(crate) struct Parts {
    /// Not streamed.
    pub(crate) whole: Value,
    /// Streamed, event by event; empty where the path does not stream.
    pub(crate) events: Vec<Bytes>,
    /// Which of the events are content.
    pub(crate) deltas: std::ops::Range<usize>,
}

impl Provider {
    /// By host; on a gateway, as localhost always is one, by path.
    pub(crate) fn of(host: &str, path: &str, gateway: bool) -> Option<Provider> {
        let host = host.split(':').next().unwrap_or_default();
        match host {
            "api.anthropic.com" => Some(Provider::Anthropic),
            "generativelanguage.googleapis.com" => Some(Provider::Gemini),
            "bedrock-runtime.us-east-1.amazonaws.com" => Some(Provider::Bedrock),
            host if host.ends_with(".openai.azure.com") => Some(Provider::Azure),
            host if host.ends_with("api.openai.com") => Some(Provider::Openai),
            host if gateway || host == "localhost" || host == "127.0.0.1" => Provider::of_path(path),
            _ => None,
        }
    }

    fn of_path(path: &str) -> Option<Provider> {
        if path.starts_with("/v1/messages") {
            Some(Provider::Anthropic)
        } else if path.starts_with("/model/") {
            Some(Provider::Bedrock)
        } else if gemini::target(path).is_some() {
            Some(Provider::Gemini)
        } else {
            path.starts_with("/v1/").then_some(Provider::Openai)
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Provider::Openai => "openai",
            Provider::Anthropic => "anthropic",
            Provider::Gemini => "gemini",
            Provider::Bedrock => "bedrock",
            Provider::Azure => "azure",
        }
    }

    /// The model, and whether a stream is asked for: some providers read the body, others the path.
    pub(crate) fn asked(self, path: &str, body: &Value) -> (String, bool) {
        match self {
            Provider::Azure => (
                azure::deployment(path).unwrap_or_default().to_owned(),
                body["stream"].as_bool().unwrap_or(false),
            ),
            Provider::Openai | Provider::Anthropic => (
                body["model"].as_str().unwrap_or_default().to_owned(),
                body["stream"].as_bool().unwrap_or(false),
            ),
            Provider::Gemini => {
                let (model, method) = gemini::target(path).unwrap_or_default();
                (model.to_owned(), method == "streamGenerateContent")
            }
            Provider::Bedrock => bedrock::target(path)
                .map(|(model, operation)| (model, operation.ends_with("-stream")))
                .unwrap_or_default(),
        }
    }

    /// The key that a request is made with.
    pub(crate) fn key<'a>(self, headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match self {
            Provider::Openai => bearer,
            Provider::Azure => text("api-key").or(bearer),
            Provider::Anthropic => text("x-api-key").or(bearer),
            Provider::Gemini => text("x-goog-api-key")
                .or_else(|| uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="))),
            Provider::Bedrock => bearer.or_else(|| bedrock::access_key(text("authorization")?)),
        }
    }

    /// A good answer; `None` for a path that does not exist.
    pub(crate) fn answer(self, path: &str, ask: &Ask, told: &Told) -> Option<Parts> {
        match (self, path) {
            (Provider::Openai, "/v1/chat/completions") => Some(openai_chat::answer(ask, told)),
            (Provider::Openai, "/v1/responses") => Some(openai_responses::answer(ask, told)),
            (Provider::Openai, "/v1/models") => Some(openai::models()),
            (Provider::Anthropic, "/v1/messages") => Some(anthropic::answer(ask, told)),
            (Provider::Anthropic, "/v1/messages/count_tokens") => Some(anthropic::count(told)),
            (Provider::Gemini, path) => gemini::answer(path, ask, told),
            (Provider::Bedrock, path) => bedrock::answer(path, ask, told),
            (Provider::Azure, path) if path.ends_with("/chat/completions") => {
                Some(azure::with_filters(openai_chat::answer(ask, told)))
            }
            _ => None,
        }
    }

    /// The content type of a stream.
    pub(crate) const fn stream_type(self) -> &'static str {
        match self {
            Provider::Bedrock => "application/vnd.amazon.eventstream",
            _ => "text/event-stream; charset=utf-8",
        }
    }

    /// An error's status and body.
    pub(crate) fn error(self, kind: ErrorKind, key: Option<&str>, serial: usize) -> (u16, Value) {
        match self {
            Provider::Openai | Provider::Azure => openai::error(kind, key),
            Provider::Anthropic => anthropic::error(kind, serial),
            Provider::Gemini => gemini::error(kind),
            Provider::Bedrock => bedrock::error(kind),
        }
    }

    /// Headers of an error.
    pub(crate) fn error_headers(self, kind: ErrorKind) -> Vec<(&'static str, String)> {
        match self {
            Provider::Openai | Provider::Anthropic | Provider::Azure if kind == ErrorKind::RateLimit => {
                vec![("retry-after", "1".to_owned())]
            }
            Provider::Bedrock => bedrock::error_headers(kind),
            Provider::Openai | Provider::Anthropic | Provider::Gemini | Provider::Azure => Vec::new(),
        }
    }

    /// An error inside a stream.
    pub(crate) fn error_event(self, kind: ErrorKind, serial: usize) -> Bytes {
        let (_, body) = self.error(kind, None, serial);
        match self {
            Provider::Openai | Provider::Azure => format!("data: {body}\n\n").into(),
            Provider::Gemini => format!("data: {body}\r\n\r\n").into(),
            Provider::Bedrock => bedrock::exception(kind),
            Provider::Anthropic => format!("event: error\ndata: {body}\n\n").into(),
        }
    }

    /// Headers of every answer.
    pub(crate) fn common_headers(self, headers: &mut HeaderMap, serial: usize) {
        let pairs = match self {
            Provider::Openai => openai::headers(serial),
            Provider::Azure => azure::headers(serial),
            Provider::Anthropic => anthropic::headers(serial),
            Provider::Gemini => gemini::headers(),
            Provider::Bedrock => bedrock::headers(serial),
        };
        for (name, value) in pairs {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.entry(name).or_insert(value);
            }
        }
    }
}

/// The name of the first tool that a request offers.
pub(crate) fn first_tool(request: &Value) -> Option<String> {
    let tool = &request["tools"][0];
    [
        &tool["name"],
        &tool["function"]["name"],
        &tool["functionDeclarations"][0]["name"],
        &request["toolConfig"]["tools"][0]["toolSpec"]["name"],
    ]
    .into_iter()
    .find_map(|name| name.as_str().map(str::to_owned))
}

/// Pieces of a text that join to it again: a word with the space behind it.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

/// `data:` alone, as OpenAI's chat streams.
pub(crate) fn unnamed(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// `event:` and `data:`, the name being the data's type.
pub(crate) fn named(data: &Value) -> Bytes {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()).into()
}
