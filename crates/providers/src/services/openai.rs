//! OpenAI (wire formats, section 1.2). Its mTLS hosts are not listed: a client certificate cannot be passed on.

use http::Method;
use outrigger_pricing::Region;

use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::dialects::openai_realtime::OpenAiRealtime;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::{Addressed, Dialect, Operation, Recognised, Service};

/// The host without residency; all others carry an uplift.
const GLOBAL: &str = "api.openai.com";

pub(super) static SERVICE: Service = Service {
    id: "openai",
    otel_name: "openai",
    hosts: &[
        GLOBAL,
        "us.api.openai.com",
        "eu.api.openai.com",
        "ae.api.openai.com",
        "au.api.openai.com",
        "in.api.openai.com",
        "jp.api.openai.com",
    ],
    base_url: Some(("OPENAI_BASE_URL", "/openai/v1")),
    key_variable: "OPENAI_API_KEY",
    recognise,
    addressed: |host, _| Addressed {
        region: if host == GLOBAL { Region::Global } else { Region::Resident },
        ..Addressed::default()
    },
    recognise_socket,
    ..Service::ROW
};

fn recognise(method: &Method, path: &str) -> Recognised {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let (dialect, operation): (&'static dyn Dialect, _) = match (method, path) {
        (&Method::POST, "/chat/completions") => (&OPENAI_CHAT, Operation::Chat),
        (&Method::POST, "/responses") => (&OpenAiResponses, Operation::Chat),
        (&Method::POST, "/responses/input_tokens") => (&OpenAiResponses, Operation::CountTokens),
        (&Method::GET, path)
            if path.strip_prefix("/responses/").is_some_and(|id| !id.is_empty() && !id.contains('/')) =>
        {
            (&OpenAiResponses, Operation::FetchResponse)
        }
        (_, path) if path.starts_with("/responses") => (&OpenAiResponses, Operation::Other),
        _ => (&OPENAI_CHAT, Operation::Other),
    };
    Recognised { dialect, operation }
}

fn recognise_socket(path: &str) -> Option<Recognised> {
    let dialect: &'static dyn Dialect = match path.strip_prefix("/v1").unwrap_or(path) {
        "/responses" => &OpenAiResponses,
        "/realtime" => &OpenAiRealtime,
        _ => return None,
    };
    Some(Recognised { dialect, operation: Operation::Chat })
}
