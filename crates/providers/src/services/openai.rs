//! OpenAI (wire formats, section 1.2). Its mTLS hosts are not listed: a client certificate cannot be passed on.

use http::Method;

use crate::dialects::openai_chat::OpenAiChat;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::{Dialect, Operation, Recognised, Service};

pub(super) static SERVICE: Service = Service {
    id: "openai",
    otel_name: "openai",
    hosts: &[
        "api.openai.com",
        "us.api.openai.com",
        "eu.api.openai.com",
        "ae.api.openai.com",
        "au.api.openai.com",
        "in.api.openai.com",
        "jp.api.openai.com",
    ],
    resident_hosts: &[
        "us.api.openai.com",
        "eu.api.openai.com",
        "ae.api.openai.com",
        "au.api.openai.com",
        "in.api.openai.com",
        "jp.api.openai.com",
    ],
    base_url: ("OPENAI_BASE_URL", "/openai/v1"),
    key_variable: "OPENAI_API_KEY",
    key_headers: &["authorization"],
    request_id_header: "x-request-id",
    recognise,
};

fn recognise(method: &Method, path: &str) -> Recognised {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let (dialect, operation): (&'static dyn Dialect, _) = match (method, path) {
        (&Method::POST, "/chat/completions") => (&OpenAiChat, Operation::Chat),
        (&Method::POST, "/responses") => (&OpenAiResponses, Operation::Chat),
        (&Method::POST, "/responses/input_tokens") => (&OpenAiResponses, Operation::CountTokens),
        (&Method::GET, path)
            if path.strip_prefix("/responses/").is_some_and(|id| !id.is_empty() && !id.contains('/')) =>
        {
            (&OpenAiResponses, Operation::FetchResponse)
        }
        (_, path) if path.starts_with("/responses") => (&OpenAiResponses, Operation::Other),
        _ => (&OpenAiChat, Operation::Other),
    };
    Recognised { dialect, operation }
}
