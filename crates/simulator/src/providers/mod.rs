//! The providers: hosts, paths, keys, and what each does differently from the formats that it speaks. A row per provider.

mod anthropic;
mod azure;
mod bedrock;
mod cerebras;
mod cohere;
mod compatible;
mod deepseek;
mod fireworks;
mod gemini;
mod groq;
mod mistral;
mod ollama;
pub(crate) mod openai;
mod openrouter;
mod perplexity;
mod together;
mod vertex;
mod vllm;
mod xai;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use serde_json::Value;

use crate::ask::{Ask, Told};
use crate::formats::{Parts, openai as of_openai, openai_responses, unnamed};
use crate::script::ErrorKind;

/// Every provider.
pub(crate) static ALL: [&Provider; 18] = [
    &anthropic::ROW,
    &gemini::ROW,
    &bedrock::ROW,
    &azure::ROW,
    &mistral::ROW,
    &groq::ROW,
    &deepseek::ROW,
    &xai::ROW,
    &openrouter::ROW,
    &together::ROW,
    &fireworks::ROW,
    &cerebras::ROW,
    &perplexity::ROW,
    &vllm::ROW,
    &cohere::ROW,
    &ollama::ROW,
    &vertex::ROW,
    // Last: on a gateway its paths are those that no other has.
    &openai::ROW,
];

/// Headers with their values.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// A provider.
pub(crate) struct Provider {
    /// Its word in scripts.
    pub(crate) name: &'static str,
    /// Its hosts, as its certificate has them: `*` stands for one label.
    pub(crate) hosts: &'static [&'static str],
    /// Whether a path is its own on a host that serves every provider's.
    pub(crate) on_gateway: fn(&str) -> bool,
    /// The model, and whether a stream is asked for: some read the body, others the path.
    pub(crate) asked: fn(&str, &Value) -> (String, bool),
    /// The key that a request is made with.
    pub(crate) key: for<'a> fn(&'a HeaderMap, &'a Uri) -> Option<&'a str>,
    /// A good answer; `None` for a path that does not exist.
    pub(crate) answer: fn(&str, &Ask, &Told) -> Option<Parts>,
    /// An error's status and body; the key is that which was refused.
    pub(crate) error: fn(ErrorKind, Option<&str>, usize) -> (u16, Value),
    /// Headers of an error.
    pub(crate) error_headers: fn(ErrorKind) -> Headers,
    /// An error inside a stream of a path, from its body; so many events came before it.
    pub(crate) error_event: fn(&str, ErrorKind, &Value, usize) -> Bytes,
    /// Headers of every answer.
    pub(crate) headers: fn(usize) -> Headers,
}

impl Provider {
    /// What most have in common: OpenAI's manners.
    pub(crate) const ROW: Provider = Provider {
        name: "",
        hosts: &[],
        on_gateway: |_| false,
        asked: |_, body| of_body(body),
        key: |headers, _| bearer(headers),
        answer: |_, _, _| None,
        error: |kind, key, _| of_openai::error(kind, key),
        error_headers: |kind| match kind {
            ErrorKind::RateLimit => vec![("retry-after", "1".to_owned())],
            _ => Vec::new(),
        },
        error_event: |path, _, body, before| match path.ends_with("/responses") {
            true => openai_responses::error_event(body, before),
            false => unnamed(body),
        },
        headers: |_| Vec::new(),
    };

    /// By host; on a gateway, as localhost always is one, by path.
    pub(crate) fn of(host: &str, path: &str, gateway: bool) -> Option<&'static Provider> {
        let host = host.split(':').next().unwrap_or_default();
        let by_name = ALL.into_iter().find(|provider| provider.hosts.iter().any(|name| fits(host, name)));
        by_name.or_else(|| {
            let all = gateway || host == "localhost" || host == "127.0.0.1";
            ALL.into_iter().filter(|_| all).find(|provider| (provider.on_gateway)(path))
        })
    }

    /// Adds the headers of every answer.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap, serial: usize) {
        for (name, value) in (self.headers)(serial) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.entry(name).or_insert(value);
            }
        }
    }
}

/// Model and stream as a body says them.
fn of_body(body: &Value) -> (String, bool) {
    let model = body["model"].as_str().unwrap_or_default();
    (model.to_owned(), body["stream"].as_bool().unwrap_or(false))
}

fn fits(host: &str, name: &str) -> bool {
    match name.strip_prefix('*') {
        Some(domain) => {
            host.strip_suffix(domain).is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }
        None => host == name,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_found_by_its_host_and_on_a_gateway_by_path() {
        let name = |host, path, gateway| Provider::of(host, path, gateway).map(|provider| provider.name);
        assert_eq!(name("eu.api.openai.com:443", "/v1/models", false), Some("openai"));
        assert_eq!(name("team-a.openai.azure.com", "/", false), Some("azure"));
        assert_eq!(name("a.b.openai.azure.com", "/", false), None);
        assert_eq!(name("localhost", "/v1/messages", false), Some("anthropic"));
        assert_eq!(name("gateway.example", "/model/m/converse", true), Some("bedrock"));
        let claude = "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict";
        assert_eq!(name("gateway.example", claude, true), Some("vertex"));
        assert_eq!(name("gateway.example", "/v1/chat/completions", true), Some("openai"));
        assert_eq!(name("gateway.example", "/v1/chat/completions", false), None);
    }

    #[test]
    fn no_host_is_two_providers() {
        let mut hosts: Vec<_> = ALL.into_iter().flat_map(|provider| provider.hosts).collect();
        let all = hosts.len();
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!(hosts.len(), all);
    }
}
