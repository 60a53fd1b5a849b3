//! Bedrock's Converse and Claude by InvokeModel, plain and streamed. The model stands in the path, percent-encoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Ask, Told};
use crate::providers::{Parts, anthropic, words};
use crate::script::{ErrorKind, Usage};

/// Model and operation of `/model/MODEL/OPERATION`.
pub(super) fn target(path: &str) -> Option<(String, &str)> {
    let (encoded, operation) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    Some((decoded(encoded)?, operation))
}

fn decoded(encoded: &str) -> Option<String> {
    let mut model = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let (byte, read) = match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => (byte, 2),
            None => (*first, 0),
        };
        model.push(byte);
        rest = &tail[read..];
    }
    String::from_utf8(model).ok()
}

/// The access key's id in a SigV4 `Authorization`.
pub(super) fn access_key(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?.split_once("Credential=")?;
    credential.split('/').next()
}

pub(super) fn headers(serial: usize) -> Vec<(&'static str, String)> {
    vec![("x-amzn-requestid", format!("00000000-0000-4000-8000-{serial:012x}"))]
}

fn usage(used: &Usage) -> Value {
    let written = used.cache_write_short + used.cache_write_long;
    let output = used.output + used.reasoning;
    json!({
        "inputTokens": used.input, "outputTokens": output,
        "totalTokens": used.input + used.cache_read + written + output,
        "cacheReadInputTokens": used.cache_read, "cacheWriteInputTokens": written,
        "cacheDetails": [
            {"ttl": "5m", "inputTokens": used.cache_write_short},
            {"ttl": "1h", "inputTokens": used.cache_write_long},
        ],
    })
}

/// One message of the event stream; every header is a string.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(name.len() as u8);
        written.extend_from_slice(name.as_bytes());
        written.push(7);
        written.extend_from_slice(&(value.len() as u16).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let total = 12 + written.len() + payload.len() + 4;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&(total as u32).to_be_bytes());
    bytes.extend_from_slice(&(written.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&written);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.into()
}

fn event(name: &str, payload: &Value) -> Bytes {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.to_string().as_bytes())
}

/// An error inside a stream: an exception whose name begins in lower case.
pub(super) fn exception(kind: ErrorKind) -> Bytes {
    let (_, word, text) = fault(kind);
    let name = format!("{}{}", word[..1].to_ascii_lowercase(), &word[1..]);
    let headers = [
        (":exception-type", name.as_str()),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, json!({"message": text}).to_string().as_bytes())
}

pub(super) fn answer(path: &str, ask: &Ask, told: &Told) -> Option<Parts> {
    match target(path)?.1 {
        "converse" | "converse-stream" => Some(converse(ask, told)),
        "invoke" | "invoke-with-response-stream" => Some(invoke(ask, told)),
        _ => None,
    }
}

fn converse(ask: &Ask, told: &Told) -> Parts {
    let id = format!("tooluse_{:022x}", ask.serial);
    let (block, stop) = match &ask.tool {
        None => (json!({"text": told.text}), "end_turn"),
        Some(tool) => {
            (json!({"toolUse": {"toolUseId": id, "name": tool, "input": {"place": "Kiel"}}}), "tool_use")
        }
    };
    let mut metadata = json!({"metrics": {"latencyMs": 411}});
    if let Some(used) = &told.usage {
        metadata["usage"] = usage(used);
    }
    if let Some(tier) = &told.tier {
        metadata["serviceTier"] = json!({"type": tier});
    }
    let mut whole = metadata.clone();
    whole["output"] = json!({"message": {"content": [block], "role": "assistant"}});
    whole["stopReason"] = json!(stop);

    let mut events = vec![event("messageStart", &json!({"role": "assistant", "p": "abcdefgh"}))];
    let delta = |delta: Value| {
        event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": delta, "p": "abcd"}))
    };
    if let Some(tool) = &ask.tool {
        let start = json!({"toolUse": {"toolUseId": id, "name": tool}});
        events.push(event("contentBlockStart", &json!({"contentBlockIndex": 0, "start": start, "p": "ab"})));
    }
    let first = events.len();
    match &ask.tool {
        None => events.extend(words(&told.text).into_iter().map(|word| delta(json!({"text": word})))),
        Some(_) => events.push(delta(json!({"toolUse": {"input": "{\"place\": \"Kiel\"}"}}))),
    }
    let deltas = first..events.len();
    events.push(event("contentBlockStop", &json!({"contentBlockIndex": 0, "p": "abc"})));
    events.push(event("messageStop", &json!({"stopReason": stop, "p": "abcdef"})));
    metadata["p"] = json!("ab");
    events.push(event("metadata", &metadata));
    Parts { whole, events, deltas }
}

/// Claude's own format: as it is, or event by event inside chunks.
fn invoke(ask: &Ask, told: &Told) -> Parts {
    let parts = anthropic::answer(ask, told);
    let last = parts.events.len().saturating_sub(1);
    let wrapped = |(at, sse): (usize, &Bytes)| {
        let text = String::from_utf8_lossy(sse);
        let data = text.split_once("data: ").map_or("{}", |(_, data)| data.trim_end());
        let mut value: Value = serde_json::from_str(data).unwrap_or_default();
        if let Some(used) = told.usage.filter(|_| at == last) {
            value["amazon-bedrock-invocationMetrics"] = json!({
                "inputTokenCount": used.input, "outputTokenCount": used.output + used.reasoning,
                "invocationLatency": 411, "firstByteLatency": 120,
                "cacheReadInputTokenCount": used.cache_read,
                "cacheWriteInputTokenCount": used.cache_write_short + used.cache_write_long,
            });
        }
        event("chunk", &json!({"bytes": STANDARD.encode(value.to_string()), "p": "abcdefghijkl"}))
    };
    Parts {
        events: parts.events.iter().enumerate().map(wrapped).collect(),
        whole: parts.whole,
        deltas: parts.deltas,
    }
}

/// Status, the word of `x-amzn-errortype` and the message.
const fn fault(kind: ErrorKind) -> (u16, &'static str, &'static str) {
    match kind {
        ErrorKind::Authentication => {
            (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        ErrorKind::Permission => {
            (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.")
        }
        ErrorKind::NotFound => (404, "ResourceNotFoundException", "The model could not be found."),
        ErrorKind::RateLimit => {
            (429, "ThrottlingException", "Too many requests, please wait before trying again.")
        }
        ErrorKind::Quota => {
            (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.")
        }
        ErrorKind::ContextLength => (400, "ValidationException", "Input is too long for requested model."),
        ErrorKind::InvalidRequest => {
            (400, "ValidationException", "A conversation must start with a user message.")
        }
        ErrorKind::TooLarge => (413, "RequestEntityTooLargeException", "The request is too large."),
        ErrorKind::Overloaded => {
            (503, "ServiceUnavailableException", "The service is unable to process your request.")
        }
        ErrorKind::ServerError => (500, "InternalServerException", "An internal server error occurred."),
    }
}

pub(super) fn error(kind: ErrorKind) -> (u16, Value) {
    let (status, _, message) = fault(kind);
    (status, json!({"message": message}))
}

pub(super) fn error_headers(kind: ErrorKind) -> Vec<(&'static str, String)> {
    vec![("x-amzn-errortype", fault(kind).1.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_out_of_the_path() {
        for (path, expected) in [
            ("/model/us.anthropic.claude-v1%3A0/converse", Some("us.anthropic.claude-v1:0")),
            ("/model/arn%3Aaws%2Fx/converse-stream", Some("arn:aws/x")),
            ("/model/odd%/converse", Some("odd%")),
            ("/guardrail/x/apply", None),
        ] {
            assert_eq!(target(path).map(|(model, _)| model).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_access_keys_id_is_read_out_of_a_signature() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAHARBOUR/20261116/us-east-1/bedrock/aws4_request, SignedHeaders=host";
        assert_eq!(access_key(signed), Some("AKIAHARBOUR"));
        assert_eq!(access_key("Bearer abc"), None);
    }
}
