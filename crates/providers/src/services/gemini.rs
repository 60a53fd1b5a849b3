//! The Gemini API (wire formats, section 1.8). The key may stand in the query; OpenAI's format is spoken under a prefix,
//! with the usage in every chunk.

use http::Method;

use crate::dialects::gemini::Gemini;
use crate::dialects::gemini_interactions::GeminiInteractions;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::dialects::openai_embeddings::OpenAiEmbeddings;
use crate::service::percent_decoded;
use crate::{Addressed, Dialect, Operation, Recognised, Service, StreamedUsage};

pub(super) static SERVICE: Service = Service {
    id: "gemini",
    otel_name: "gcp.gemini",
    hosts: &["generativelanguage.googleapis.com"],
    base_url: Some(("GOOGLE_GEMINI_BASE_URL", "/gemini")),
    key_variable: "GEMINI_API_KEY",
    key_headers: &["x-goog-api-key", "authorization"],
    key_parameter: Some("key"),
    account_headers: &["x-goog-user-project"],
    request_id_header: "x-goog-request-id",
    streamed_usage: StreamedUsage::Unasked,
    speaks: &[
        ("gemini", "/v1beta/models/{model}:{method}"),
        ("openai_chat", "/v1beta/openai/chat/completions"),
        ("openai_embeddings", "/v1beta/openai/embeddings"),
    ],
    // What imitates OpenAI there wants the signatures of calls, for which its format has no place.
    serves: |format, _| format == "gemini",
    recognise,
    addressed,
    ..Service::ROW
};

/// What follows the version, whichever it is.
fn versioned(path: &str) -> Option<&str> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    version.starts_with("v1").then_some(rest)
}

/// What a method of a model does, by its word.
pub(super) fn operation(method: &str) -> Operation {
    match method {
        "generateContent" | "streamGenerateContent" => Operation::GenerateContent,
        "embedContent" | "batchEmbedContents" => Operation::Embeddings,
        "countTokens" | "computeTokens" => Operation::CountTokens,
        _ => Operation::Other,
    }
}

fn recognise(method: &Method, path: &str) -> Recognised {
    let Some(rest) = versioned(path) else {
        return Recognised { dialect: &Gemini, operation: Operation::Other };
    };
    let (dialect, operation): (&'static dyn Dialect, _) = match (method, rest) {
        (&Method::POST, "openai/chat/completions") => (&OPENAI_CHAT, Operation::Chat),
        (&Method::POST, "openai/embeddings") => (&OpenAiEmbeddings, Operation::Embeddings),
        (_, rest) if rest.starts_with("openai/") => (&OPENAI_CHAT, Operation::Other),
        (&Method::POST, "interactions") => (&GeminiInteractions, Operation::Chat),
        (&Method::GET, rest) if rest.starts_with("interactions/") => {
            (&GeminiInteractions, Operation::FetchResponse)
        }
        (_, rest) if rest.starts_with("interactions") => (&GeminiInteractions, Operation::Other),
        (&Method::POST, rest) => match rest.rsplit_once(':') {
            Some((_, method)) => (&Gemini, operation(method)),
            None => (&Gemini, Operation::Other),
        },
        _ => (&Gemini, Operation::Other),
    };
    Recognised { dialect, operation }
}

fn addressed(_host: &str, path: &str) -> Addressed {
    let Some((model, method)) = versioned(path).and_then(|rest| rest.rsplit_once(':')) else {
        return Addressed::default();
    };
    Addressed {
        // A tuned model is named with its collection, as its owner names it.
        model: Some(percent_decoded(model.strip_prefix("models/").unwrap_or(model))),
        stream: Some(method == "streamGenerateContent"),
        ..Addressed::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_format_operation_model_and_stream() {
        for (path, dialect, operation, model, stream) in [
            (
                "/v1beta/models/gemini-3.5-flash:generateContent",
                "gemini",
                Operation::GenerateContent,
                Some("gemini-3.5-flash"),
                Some(false),
            ),
            (
                "/v1/models/gemini-3.5-flash:streamGenerateContent",
                "gemini",
                Operation::GenerateContent,
                Some("gemini-3.5-flash"),
                Some(true),
            ),
            (
                "/v1beta/tunedModels/tide%2D1:generateContent",
                "gemini",
                Operation::GenerateContent,
                Some("tunedModels/tide-1"),
                Some(false),
            ),
            (
                "/v1beta/models/gemini-embedding-2:batchEmbedContents",
                "gemini",
                Operation::Embeddings,
                Some("gemini-embedding-2"),
                Some(false),
            ),
            ("/v1beta/openai/chat/completions", "openai_chat", Operation::Chat, None, None),
            ("/v1beta/interactions", "gemini_interactions", Operation::Chat, None, None),
            ("/v1beta/interactions/abc/cancel", "gemini_interactions", Operation::Other, None, None),
            ("/v1beta/files", "gemini", Operation::Other, None, None),
        ] {
            let recognised = recognise(&Method::POST, path);
            assert_eq!((recognised.dialect.name(), recognised.operation), (dialect, operation), "{path}");
            let addressed = addressed("", path);
            assert_eq!((addressed.model.as_deref(), addressed.stream), (model, stream), "{path}");
        }
    }
}
