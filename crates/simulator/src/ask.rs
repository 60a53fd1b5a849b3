//! What one call asks and what its answer tells, as far as the templates need it.

use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::formats::first_tool;
use crate::script::{Answer, Refused, Usage};

/// What one call asks.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) query: String,
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// Chat: whether a usage chunk was asked for.
    pub(crate) include_usage: bool,
    /// Whether the request offers tools; the answer then calls the first one.
    pub(crate) tool: Option<String>,
    /// The body's members: of JSON, or the fields of a form.
    pub(crate) body: Value,
    /// A number that is different for every call.
    pub(crate) serial: usize,
}

impl Ask {
    pub(crate) fn new(serial: usize, model: String, stream: bool, body: Value) -> Ask {
        Ask {
            include_usage: body["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            tool: first_tool(&body),
            model,
            stream,
            body,
            serial,
            ..Ask::default()
        }
    }

    /// Whether the query has this pair.
    pub(crate) fn query_has(&self, pair: &str) -> bool {
        self.query.split('&').any(|one| one == pair)
    }
}

/// What is told in an answer.
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) refused: Option<Refused>,
    pub(crate) model: String,
    pub(crate) tier: Option<String>,
    /// `None` when the script leaves the usage out.
    pub(crate) usage: Option<Usage>,
    /// What the call cost by the provider's own word, dollars as decimal text.
    pub(crate) cost: String,
}

impl Told {
    /// What a good answer tells.
    pub(crate) fn new(answer: &Answer, ask: &Ask, body_length: usize) -> Told {
        let text = answer
            .text
            .clone()
            .unwrap_or_else(|| "The tide turns at six, and the harbour is calm until then.".to_owned());
        // Four bytes to a token and one word to a token: made up, but the same on every run.
        let computed = Usage {
            input: body_length as u64 / 4,
            output: text.split_whitespace().count() as u64,
            ..Usage::default()
        };
        Told {
            model: answer.served_model.clone().unwrap_or_else(|| ask.model.clone()),
            tier: answer.served_tier.clone(),
            usage: (!answer.omit_usage).then(|| answer.usage.unwrap_or(computed)),
            cost: answer.reported_cost.clone().unwrap_or_else(|| "0.00125".to_owned()),
            refused: answer.refused,
            text,
        }
    }

    /// The counts; nothing where the script leaves them out.
    pub(crate) fn used(&self) -> Usage {
        self.usage.unwrap_or_default()
    }
}

/// The members of a request's body.
pub(crate) fn members(headers: &http::HeaderMap, body: &[u8]) -> Value {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match kind.split_once("boundary=") {
        Some((form, boundary)) if form.starts_with("multipart/form-data") => {
            fields(boundary.trim_matches('"'), body)
        }
        _ => serde_json::from_slice(body).unwrap_or(Value::Null),
    }
}

/// The texts of a form (RFC 7578); files are left out.
fn fields(boundary: &str, body: &[u8]) -> Value {
    let body = String::from_utf8_lossy(body);
    let mut found = Map::new();
    for part in body.split(&format!("--{boundary}")) {
        let Some((head, text)) = part.split_once("\r\n\r\n") else { continue };
        let name = head.split_once(" name=\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some((name, _)) = name.filter(|_| !head.contains("filename=")) {
            found.insert(name.to_owned(), text.strip_suffix("\r\n").unwrap_or(text).into());
        }
    }
    Value::Object(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_texts_are_read_and_its_files_are_not() {
        let body = b"--tide\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--tide\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\xff\xfe\r\n--tide--\r\n";
        let kind = "multipart/form-data; boundary=tide".parse().unwrap();
        let headers = [(CONTENT_TYPE, kind)].into_iter().collect();
        assert_eq!(members(&headers, body), serde_json::json!({"model": "whisper-1"}));
        assert_eq!(members(&http::HeaderMap::new(), b"{\"model\": 1}")["model"], 1);
    }
}
