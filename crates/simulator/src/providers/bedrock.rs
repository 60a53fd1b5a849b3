//! Bedrock's Converse, not streamed. The model stands in the path, percent-encoded.

use serde_json::{Value, json};

use crate::answer::{Ask, Told};
use crate::providers::Parts;
use crate::script::{ErrorKind, Usage};

/// The model of `/model/MODEL/converse`.
pub(super) fn model(path: &str) -> Option<String> {
    let encoded = path.strip_prefix("/model/")?.strip_suffix("/converse")?;
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
    })
}

pub(super) fn answer(ask: &Ask, told: &Told) -> Parts {
    let (block, stop) = match &ask.tool {
        None => (json!({"text": told.text}), "end_turn"),
        Some(tool) => (
            json!({"toolUse": {"toolUseId": format!("tooluse_{:022x}", ask.serial), "name": tool, "input": {"place": "Kiel"}}}),
            "tool_use",
        ),
    };
    let mut whole = json!({
        "metrics": {"latencyMs": 411},
        "output": {"message": {"content": [block], "role": "assistant"}},
        "stopReason": stop,
    });
    if let Some(used) = &told.usage {
        whole["usage"] = usage(used);
    }
    Parts { whole, events: Vec::new(), deltas: 0..0 }
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
            ("/model/arn%3Aaws%2Fx/converse", Some("arn:aws/x")),
            ("/model/odd%/converse", Some("odd%")),
            ("/model/x/invoke", None),
        ] {
            assert_eq!(model(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_access_keys_id_is_read_out_of_a_signature() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAHARBOUR/20261116/us-east-1/bedrock/aws4_request, SignedHeaders=host";
        assert_eq!(access_key(signed), Some("AKIAHARBOUR"));
        assert_eq!(access_key("Bearer abc"), None);
    }
}
