//! Anthropic (wire formats, sections 1.1 and 1.7), also where AWS or Google stand before it: the same API, under a path of
//! its own at Google. Newer SDKs send the key as a bearer token, older ones as `x-api-key`; AWS also takes a signature.

use http::Method;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::services::aws_regions::aws_regions;
use crate::{Operation, Recognised, Service};

macro_rules! hosts {
    ($($region:literal)*) => {
        &[
            "api.anthropic.com",
            "claude.googleapis.com",
            $(concat!("aws-external-anthropic.", $region, ".api.aws"),)*
        ]
    };
}

pub(super) static SERVICE: Service = Service {
    id: "anthropic",
    otel_name: "anthropic",
    hosts: aws_regions!(hosts),
    is_kin: |host| host.starts_with("aws-external-anthropic.") && host.ends_with(".api.aws"),
    base_url: Some(("ANTHROPIC_BASE_URL", "/anthropic")),
    key_variable: "ANTHROPIC_API_KEY",
    key_headers: &["x-api-key", "authorization"],
    account_headers: &["anthropic-workspace-id"],
    request_id_header: "request-id",
    speaks: &[("anthropic_messages", "/v1/messages")],
    recognise,
    ..Service::ROW
};

fn recognise(method: &Method, path: &str) -> Recognised {
    // At Google `/v1/projects/P/locations/L/workspaces/W/invoke` stands before Anthropic's own path.
    let path = match path.split_once("/invoke/") {
        Some((place, _)) if place.starts_with("/v1/projects/") => &path[place.len() + "/invoke".len()..],
        _ => path,
    };
    let operation = match (method, path) {
        (&Method::POST, "/v1/messages") => Operation::Chat,
        (&Method::POST, "/v1/messages/count_tokens") => Operation::CountTokens,
        _ => Operation::Other,
    };
    Recognised { dialect: &AnthropicMessages, operation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_the_same_behind_googles_gateway() {
        let google = "/v1/projects/p/locations/global/workspaces/w/invoke";
        for (path, operation) in [
            ("/v1/messages", Operation::Chat),
            ("/v1/messages/count_tokens", Operation::CountTokens),
            ("/v1/messages/batches", Operation::Other),
            ("/v1/files", Operation::Other),
            ("/elsewhere/invoke/v1/messages", Operation::Other),
        ] {
            assert_eq!(recognise(&Method::POST, path).operation, operation, "{path}");
        }
        for (path, operation) in [
            ("/v1/messages", Operation::Chat),
            ("/v1/messages/count_tokens", Operation::CountTokens),
            ("/v1/messages/batches", Operation::Other),
        ] {
            assert_eq!(recognise(&Method::POST, &format!("{google}{path}")).operation, operation, "{path}");
        }
        assert_eq!(recognise(&Method::POST, google).operation, Operation::Other);
        assert_eq!(recognise(&Method::GET, "/v1/messages").operation, Operation::Other);
    }
}
