//! Vertex AI (wire formats, sections 1.1 and 1.8): several publishers' formats at one host, told apart by the path.
//!
//! A regional host carries the region in its first label, which a name constraint cannot leave open, so the regions are
//! listed. One that is new is read as soon as an operator lists its host.

use http::Method;
use outrigger_pricing::Region;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::gemini::Gemini;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::service::percent_decoded;
use crate::services::gemini::operation;
use crate::{Addressed, Dialect, Operation, Recognised, Service};

macro_rules! regional {
    ($($region:literal)*) => {
        &[
            "aiplatform.googleapis.com",
            "aiplatform.us.rep.googleapis.com",
            "aiplatform.eu.rep.googleapis.com",
            $(concat!($region, "-aiplatform.googleapis.com"),)*
        ]
    };
}

pub(super) static SERVICE: Service = Service {
    id: "vertex",
    otel_name: "gcp.vertex_ai",
    hosts: regional![
        "africa-south1" "asia-east1" "asia-east2" "asia-northeast1" "asia-northeast2" "asia-northeast3" "asia-south1"
        "asia-south2" "asia-southeast1" "asia-southeast2" "australia-southeast1" "australia-southeast2"
        "europe-central2" "europe-north1" "europe-southwest1" "europe-west1" "europe-west2" "europe-west3"
        "europe-west4" "europe-west6" "europe-west8" "europe-west9" "europe-west12" "me-central1" "me-central2"
        "me-west1" "northamerica-northeast1" "northamerica-northeast2" "southamerica-east1" "southamerica-west1"
        "us-central1" "us-east1" "us-east4" "us-east5" "us-south1" "us-west1" "us-west2" "us-west3" "us-west4"
    ],
    is_kin: |host| host.ends_with("-aiplatform.googleapis.com"),
    key_variable: "GOOGLE_APPLICATION_CREDENTIALS",
    key_headers: &["authorization", "x-goog-api-key"],
    key_parameter: Some("key"),
    account_headers: &["x-goog-user-project"],
    request_id_header: "x-goog-request-id",
    speaks: &[(
        "gemini",
        "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:{method}",
    )],
    // Claude's in Anthropic's format.
    serves: |format, model| model.contains("claude") == (format == "anthropic_messages"),
    recognise,
    addressed,
    ..Service::ROW
};

/// A path taken apart: `…/locations/L/publishers/P/models/M:METHOD`, or an endpoint in a publisher's place.
#[derive(Default)]
struct Parts<'a> {
    location: Option<&'a str>,
    publisher: Option<&'a str>,
    model: Option<&'a str>,
    method: &'a str,
}

fn parts(path: &str) -> Parts<'_> {
    let mut parts = Parts::default();
    let mut steps = path.split('/');
    while let Some(step) = steps.next() {
        match step {
            "locations" => parts.location = steps.next(),
            "publishers" => parts.publisher = steps.next(),
            "models" | "endpoints" => {
                let last = steps.next().unwrap_or_default();
                let (model, method) = last.split_once(':').unwrap_or((last, ""));
                parts.model = Some(model);
                parts.method = method;
            }
            _ => {}
        }
    }
    parts
}

fn recognise(method: &Method, path: &str) -> Recognised {
    let of_openai = path.ends_with("/chat/completions") && path.contains("/endpoints/");
    if method == Method::POST && of_openai {
        return Recognised { dialect: &OPENAI_CHAT, operation: Operation::Chat };
    }
    let Parts { publisher, model, method: word, .. } = parts(path);
    let (dialect, operation): (&'static dyn Dialect, _) = match publisher {
        Some("anthropic") => (
            &AnthropicMessages,
            match word {
                "rawPredict" if model.is_some_and(|model| model.starts_with("count-tokens")) => {
                    Operation::CountTokens
                }
                "rawPredict" | "streamRawPredict" => Operation::Chat,
                _ => Operation::Other,
            },
        ),
        Some("openai" | "mistralai" | "meta" | "deepseek-ai" | "qwen" | "xai" | "moonshotai") => (
            &OPENAI_CHAT,
            if matches!(word, "rawPredict" | "streamRawPredict") {
                Operation::Chat
            } else {
                Operation::Other
            },
        ),
        _ => (&Gemini, if word == "predict" { predicted(model) } else { operation(word) }),
    };
    let operation = if method == Method::POST { operation } else { Operation::Other };
    Recognised { dialect, operation }
}

/// `predict` is how embeddings are made, and images and much else.
fn predicted(model: Option<&str>) -> Operation {
    if model.is_some_and(|model| model.contains("embedding")) {
        Operation::Embeddings
    } else {
        Operation::Other
    }
}

fn addressed(host: &str, path: &str) -> Addressed {
    let Parts { location, model, method, .. } = parts(path);
    // The location in the path decides; the host repeats it.
    let location =
        location.unwrap_or_else(|| host.strip_suffix("-aiplatform.googleapis.com").unwrap_or("global"));
    let region = if location == "global" { Region::Global } else { Region::Resident };
    let of_body = method.is_empty();
    Addressed {
        model: model.filter(|_| !of_body).map(percent_decoded),
        stream: match method {
            // These formats say it in the body as well, and the path decides.
            "streamGenerateContent" | "streamRawPredict" => Some(true),
            "" => None,
            _ => Some(false),
        },
        region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_publisher_operation_model_stream_and_region() {
        let google = "/v1/projects/p/locations/global/publishers/google/models/";
        let claude = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/";
        for (path, dialect, operation, model, stream, region) in [
            (
                format!("{google}gemini-3.5-flash:streamGenerateContent"),
                "gemini",
                Operation::GenerateContent,
                Some("gemini-3.5-flash"),
                Some(true),
                Region::Global,
            ),
            (
                format!("{google}text-embedding-005:predict"),
                "gemini",
                Operation::Embeddings,
                Some("text-embedding-005"),
                Some(false),
                Region::Global,
            ),
            (
                format!("{google}imagen-4:predict"),
                "gemini",
                Operation::Other,
                Some("imagen-4"),
                Some(false),
                Region::Global,
            ),
            (
                format!("{claude}claude-opus-5-5%4020260922:rawPredict"),
                "anthropic_messages",
                Operation::Chat,
                Some("claude-opus-5-5@20260922"),
                Some(false),
                Region::Resident,
            ),
            (
                format!("{claude}claude-opus-5-5:streamRawPredict"),
                "anthropic_messages",
                Operation::Chat,
                Some("claude-opus-5-5"),
                Some(true),
                Region::Resident,
            ),
            (
                format!("{claude}count-tokens:rawPredict"),
                "anthropic_messages",
                Operation::CountTokens,
                Some("count-tokens"),
                Some(false),
                Region::Resident,
            ),
            (
                "/v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions".to_owned(),
                "openai_chat",
                Operation::Chat,
                None,
                None,
                Region::Resident,
            ),
        ] {
            let recognised = recognise(&Method::POST, &path);
            assert_eq!((recognised.dialect.name(), recognised.operation), (dialect, operation), "{path}");
            let addressed = addressed("us-central1-aiplatform.googleapis.com", &path);
            assert_eq!(
                (addressed.model.as_deref(), addressed.stream, addressed.region),
                (model, stream, region),
                "{path}"
            );
        }
    }
}
