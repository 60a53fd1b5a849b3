//! The providers' wire formats as templates.

mod anthropic;
mod openai;
mod openai_chat;
mod openai_responses;

use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::answer::{Ask, Told};
use crate::script::ErrorKind;

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    Openai,
    Anthropic,
}

/// An answer in both of its forms.
pub(crate) struct Parts {
    /// Not streamed.
    pub(crate) whole: Value,
    /// Streamed, event by event; empty where the path does not stream.
    pub(crate) events: Vec<String>,
    /// Which of the events are content.
    pub(crate) deltas: std::ops::Range<usize>,
}

impl Provider {
    /// By host; on localhost by path.
    pub(crate) fn of(host: &str, path: &str) -> Option<Provider> {
        let host = host.split(':').next().unwrap_or_default();
        match host {
            "localhost" | "127.0.0.1" if path.starts_with("/v1/messages") => Some(Provider::Anthropic),
            "localhost" | "127.0.0.1" if path.starts_with("/v1/") => Some(Provider::Openai),
            "api.anthropic.com" => Some(Provider::Anthropic),
            host if host.ends_with("api.openai.com") => Some(Provider::Openai),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Provider::Openai => "openai",
            Provider::Anthropic => "anthropic",
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
            _ => None,
        }
    }

    /// An error's status and body.
    pub(crate) fn error(self, kind: ErrorKind, key: Option<&str>, serial: usize) -> (u16, Value) {
        match self {
            Provider::Openai => openai::error(kind, key),
            Provider::Anthropic => anthropic::error(kind, serial),
        }
    }

    /// An error inside a stream.
    pub(crate) fn error_event(self, kind: ErrorKind, serial: usize) -> String {
        let (_, body) = self.error(kind, None, serial);
        match self {
            Provider::Openai => format!("data: {body}\n\n"),
            Provider::Anthropic => format!("event: error\ndata: {body}\n\n"),
        }
    }

    /// Headers of every answer.
    pub(crate) fn common_headers(self, headers: &mut HeaderMap, serial: usize) {
        let pairs = match self {
            Provider::Openai => openai::headers(serial),
            Provider::Anthropic => anthropic::headers(serial),
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
    tool["name"].as_str().or_else(|| tool["function"]["name"].as_str()).map(str::to_owned)
}

/// Pieces of a text that join to it again: a word with the space behind it.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

/// `data:` alone, as OpenAI's chat streams.
pub(crate) fn unnamed(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// `event:` and `data:`, the name being the data's type.
pub(crate) fn named(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
