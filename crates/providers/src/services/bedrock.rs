//! Amazon Bedrock (wire formats, sections 1.1 and 1.9): its own formats, the model vendors' inside them, and OpenAI's and
//! Anthropic's beside them.
//!
//! The host carries the region in its middle, which a name constraint cannot leave open, and the region's domain holds all
//! of AWS. So the regions are listed; one that is new is read as soon as an operator lists its host.

use http::Method;
use outrigger_pricing::Region;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::bedrock_converse::BedrockConverse;
use crate::dialects::bedrock_invoke;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::service::percent_decoded;
use crate::services::aws_regions::aws_regions;
use crate::{Addressed, Dialect, Operation, Recognised, Service};

macro_rules! hosts {
    ($($region:literal)*) => {
        hosts![$($region)* ; fips "us-east-1" "us-east-2" "us-west-2" "us-gov-east-1" "us-gov-west-1" "ca-central-1"
            "ca-west-1"]
    };
    ($first:literal $($region:literal)* ; fips $($fips:literal)*) => {
        &[
            concat!("bedrock-runtime.", $first, ".amazonaws.com"),
            concat!("bedrock-runtime.", $first, ".api.aws"),
            concat!("bedrock-mantle.", $first, ".api.aws"),
            $(
                concat!("bedrock-runtime.", $region, ".amazonaws.com"),
                concat!("bedrock-runtime.", $region, ".api.aws"),
                concat!("bedrock-mantle.", $region, ".api.aws"),
            )*
            $(
                concat!("bedrock-runtime-fips.", $fips, ".amazonaws.com"),
                concat!("bedrock-runtime-fips.", $fips, ".api.aws"),
            )*
        ]
    };
}

pub(super) static SERVICE: Service = Service {
    id: "bedrock",
    otel_name: "aws.bedrock",
    hosts: aws_regions!(hosts),
    is_kin: |host| {
        let aws =
            [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| host.ends_with(domain));
        aws && ["bedrock-runtime.", "bedrock-runtime-fips.", "bedrock-mantle."]
            .iter()
            .any(|name| host.starts_with(name))
    },
    key_variable: "AWS_ACCESS_KEY_ID or AWS_BEARER_TOKEN_BEDROCK",
    key_headers: &["authorization", "x-api-key"],
    // A private endpoint has its own label before the service's.
    signing_name: |host| match host.split('.').any(|label| label == "bedrock-mantle") {
        true => Some("bedrock-mantle"),
        false => Some("bedrock"),
    },
    request_id_header: "x-amzn-requestid",
    bills_after_hang_up: true,
    speaks: &[
        ("bedrock_converse", "/model/{model}/{method}"),
        ("bedrock_invoke", "/model/{model}/{method}"),
        ("openai_chat", "/openai/v1/chat/completions"),
    ],
    // OpenAI's in its own format as well.
    serves: |format, model| format != "openai_chat" || model.contains("openai."),
    recognise,
    addressed,
    // A profile of an application, provisioned throughput, an imported model.
    is_deployment: |model| model.starts_with("arn:"),
    ..Service::ROW
};

/// Model and operation of `/model/MODEL/OPERATION`.
pub(super) fn target(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/model/")?.rsplit_once('/').filter(|(model, _)| !model.is_empty())
}

/// The format inside, by the vendor that a model's name begins with, a region's prefix aside.
fn invoked(model: &str) -> (&'static dyn Dialect, Operation) {
    let has = |part: &str| model.contains(part);
    if has("embed") {
        (&bedrock_invoke::OTHER, Operation::Embeddings)
    } else if has("rerank") {
        (&bedrock_invoke::OTHER, Operation::Rerank)
    } else if has("anthropic.") {
        (&bedrock_invoke::CLAUDE, Operation::Chat)
    } else if [
        "openai.",
        "qwen.",
        "deepseek.v",
        "moonshot",
        "minimax.",
        "zai.",
        "mistral.magistral",
        "mistral.mistral-large-3",
    ]
    .iter()
    .any(|vendor| has(vendor))
    {
        (&bedrock_invoke::CHAT, Operation::Chat)
    } else {
        (&bedrock_invoke::OTHER, Operation::Chat)
    }
}

fn recognise(method: &Method, path: &str) -> Recognised {
    if method != Method::POST {
        return Recognised { dialect: &BedrockConverse, operation: Operation::Other };
    }
    let (dialect, operation): (&'static dyn Dialect, _) = match target(path) {
        Some((_, "converse" | "converse-stream")) => (&BedrockConverse, Operation::Chat),
        Some((model, "invoke" | "invoke-with-response-stream")) => invoked(model),
        Some((_, "count-tokens")) => (&BedrockConverse, Operation::CountTokens),
        Some(_) => (&BedrockConverse, Operation::Other),
        None if path.ends_with("/v1/chat/completions") => (&OPENAI_CHAT, Operation::Chat),
        None if path.ends_with("/v1/responses") => (&OpenAiResponses, Operation::Chat),
        None if path.ends_with("/v1/messages") => (&AnthropicMessages, Operation::Chat),
        None => (&BedrockConverse, Operation::Other),
    };
    Recognised { dialect, operation }
}

pub(super) fn addressed(_host: &str, path: &str) -> Addressed {
    let Some((model, operation)) = target(path) else { return Addressed::default() };
    let model = percent_decoded(model);
    // The name of a region's profile or of a plain model stands at the end of its ARN; all other kinds hide it.
    let named = ["inference-profile/", "foundation-model/"]
        .iter()
        .find_map(|kind| model.rsplit_once(kind).filter(|(before, _)| before.ends_with(':')))
        .map_or(model.as_str(), |(_, name)| name);
    // A profile is named by the group of regions that it spans, a model by its vendor.
    let region = match named.split_once('.') {
        Some(("global", _)) => Region::Global,
        Some(("us" | "us-gov" | "eu" | "apac" | "jp" | "au" | "ca", _)) => Region::Zone,
        _ => Region::Resident,
    };
    Addressed { model: Some(named.to_owned()), stream: Some(operation.ends_with("-stream")), region }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_the_service_of_its_host() {
        for (host, name) in [
            ("bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"),
            ("bedrock-runtime-fips.us-east-1.amazonaws.com", "bedrock"),
            ("vpce-0a1b.bedrock-runtime.us-east-1.vpce.amazonaws.com", "bedrock"),
            ("bedrock-mantle.us-east-1.api.aws", "bedrock-mantle"),
        ] {
            assert_eq!((SERVICE.signing_name)(host), Some(name), "{host}");
        }
    }

    #[test]
    fn the_path_tells_format_operation_model_stream_and_region() {
        let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A";
        for (path, dialect, operation, model, stream, region) in [
            (
                "/model/eu.anthropic.claude-sonnet-5-5-v1%3A0/converse-stream".to_owned(),
                "bedrock_converse",
                Operation::Chat,
                "eu.anthropic.claude-sonnet-5-5-v1:0",
                true,
                Region::Zone,
            ),
            (
                format!("/model/{arn}inference-profile%2Fglobal.anthropic.claude-opus-5-5/converse"),
                "bedrock_converse",
                Operation::Chat,
                "global.anthropic.claude-opus-5-5",
                false,
                Region::Global,
            ),
            (
                format!("/model/{arn}application-inference-profile%2Fabc123/invoke"),
                "bedrock_invoke",
                Operation::Chat,
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
                false,
                Region::Resident,
            ),
            (
                "/model/amazon.titan-embed-text-v2%3A0/invoke".to_owned(),
                "bedrock_invoke",
                Operation::Embeddings,
                "amazon.titan-embed-text-v2:0",
                false,
                Region::Resident,
            ),
            (
                "/model/us.anthropic.claude-opus-5-5/count-tokens".to_owned(),
                "bedrock_converse",
                Operation::CountTokens,
                "us.anthropic.claude-opus-5-5",
                false,
                Region::Zone,
            ),
        ] {
            let recognised = recognise(&Method::POST, &path);
            assert_eq!((recognised.dialect.name(), recognised.operation), (dialect, operation), "{path}");
            let addressed = addressed("", &path);
            assert_eq!(
                (addressed.model.as_deref(), addressed.stream, addressed.region),
                (Some(model), Some(stream), region),
                "{path}"
            );
        }
        for (path, dialect) in [
            ("/openai/v1/chat/completions", "openai_chat"),
            ("/openai/v1/responses", "openai_responses"),
            ("/anthropic/v1/messages", "anthropic_messages"),
        ] {
            let recognised = recognise(&Method::POST, path);
            assert_eq!((recognised.dialect.name(), recognised.operation), (dialect, Operation::Chat));
        }
    }
}
