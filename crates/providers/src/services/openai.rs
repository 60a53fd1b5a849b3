//! OpenAI (wire formats, section 1.2). Its mTLS hosts are not listed: a client certificate cannot be passed on.

use http::Method;
use outrigger_pricing::Region;

use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::dialects::openai_realtime::OpenAiRealtime;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::services::compatible;
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
    account_headers: &["openai-organization", "openai-project"],
    speaks: &[
        ("openai_chat", "/v1/chat/completions"),
        ("openai_responses", "/v1/responses"),
        ("openai_embeddings", "/v1/embeddings"),
        ("openai_completions", "/v1/completions"),
    ],
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
        (&Method::POST, "/responses") => (&OpenAiResponses, Operation::Chat),
        (&Method::POST, "/responses/input_tokens") => (&OpenAiResponses, Operation::CountTokens),
        (&Method::GET, path)
            if path.strip_prefix("/responses/").is_some_and(|id| !id.is_empty() && !id.contains('/')) =>
        {
            (&OpenAiResponses, Operation::FetchResponse)
        }
        (_, path) if path.starts_with("/responses") => (&OpenAiResponses, Operation::Other),
        // Files, batches, vector stores and the like are none of these.
        (method, path) => return compatible::recognised(&OPENAI_CHAT, method, path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_format_and_operation() {
        for (method, path, dialect, operation) in [
            (Method::POST, "/v1/chat/completions", "openai_chat", Operation::Chat),
            (Method::POST, "/v1/responses", "openai_responses", Operation::Chat),
            (Method::GET, "/v1/responses/resp_1", "openai_responses", Operation::FetchResponse),
            (Method::POST, "/v1/responses/resp_1/cancel", "openai_responses", Operation::Other),
            (Method::POST, "/v1/embeddings", "openai_embeddings", Operation::Embeddings),
            (Method::POST, "/v1/completions", "openai_completions", Operation::TextCompletion),
            (Method::POST, "/v1/images/edits", "openai_media", Operation::Image),
            (Method::POST, "/v1/audio/transcriptions", "openai_media", Operation::Transcription),
            (Method::POST, "/v1/audio/speech", "openai_media", Operation::Speech),
            (Method::POST, "/v1/moderations", "openai_chat", Operation::Other),
            (Method::POST, "/v1/files", "openai_chat", Operation::Other),
            (Method::POST, "/v1/batches", "openai_chat", Operation::Other),
            (Method::POST, "/v1/vector_stores", "openai_chat", Operation::Other),
            (Method::GET, "/v1/chat/completions", "openai_chat", Operation::Other),
        ] {
            let recognised = recognise(&method, path);
            assert_eq!((recognised.dialect.name(), recognised.operation), (dialect, operation), "{path}");
        }
    }
}
