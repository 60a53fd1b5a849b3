//! One file per provider, one line per file in [`ALL`].
//!
//! Where a provider gives every region a host, its regions are listed: a name constraint cannot leave a part of a name
//! open, and the regions' parent domain holds far more than LLMs. Where it gives every customer a host under a domain of
//! that service alone, the domain stands in the constraint and covers them all.

mod anthropic;
mod aws_regions;
mod azure;
mod bedrock;
mod cerebras;
mod cohere;
mod compatible;
mod deepseek;
mod dollars;
mod fireworks;
mod gemini;
mod groq;
mod mistral;
mod ollama;
mod openai;
mod openrouter;
mod operator_listed;
mod perplexity;
mod together;
mod vertex;
mod xai;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::Service;
use dollars::dollars;

pub use operator_listed::OPERATOR_LISTED;

/// Every provider.
pub static ALL: [&Service; 17] = [
    &openai::SERVICE,
    &anthropic::SERVICE,
    &gemini::SERVICE,
    &vertex::SERVICE,
    &bedrock::SERVICE,
    &azure::SERVICE,
    &mistral::SERVICE,
    &groq::SERVICE,
    &deepseek::SERVICE,
    &xai::SERVICE,
    &openrouter::SERVICE,
    &together::SERVICE,
    &fireworks::SERVICE,
    &cerebras::SERVICE,
    &perplexity::SERVICE,
    &cohere::SERVICE,
    &ollama::SERVICE,
];

static HOSTS: LazyLock<HashMap<&'static str, &'static Service>> = LazyLock::new(|| {
    ALL.into_iter().flat_map(|service| service.hosts.iter().map(move |host| (*host, service))).collect()
});

/// The provider that a host name belongs to, by its exact name or the domain of its customers' hosts. Case and a trailing
/// dot do not matter.
#[must_use]
pub fn by_host(host: &str) -> Option<&'static Service> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    HOSTS
        .get(host.as_str())
        .copied()
        .or_else(|| ALL.into_iter().find(|service| service.domains.iter().any(|domain| is_in(&host, domain))))
}

/// The provider of a host that an operator lists: a known one where the name says so.
#[must_use]
pub fn of_listed(host: &str) -> &'static Service {
    ALL.into_iter().find(|service| (service.is_kin)(host)).unwrap_or(&OPERATOR_LISTED)
}

/// Whether a host stands in a domain, one label or more below it.
#[must_use]
pub fn is_in(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Every name that a pod's authority must be good for: hosts, and domains whose hosts are meant.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().flat_map(|service| service.hosts.iter().chain(service.domains).copied())
}

/// Other words for a provider, and its id, which is what records and metrics have.
const ALSO: [(&str, &str); 1] = [("azure_openai", "azure")];

/// The provider that a person names, by its id or another word for it. The error lists the ids.
///
/// # Errors
///
/// Where no provider is called so, in plain words.
pub fn by_word(word: &str) -> Result<&'static Service, String> {
    let id = ALSO.iter().find(|(also, _)| *also == word).map_or(word, |(_, id)| id);
    let ids = || ALL.map(|service| service.id).join(", ");
    ALL.into_iter().find(|service| service.id == id).ok_or_else(|| format!("the providers are {}", ids()))
}

/// Every word that names a provider: the ids first.
pub fn words() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|service| service.id).chain(ALSO.iter().map(|(also, _)| *also))
}

/// The provider that the first part of a base-URL path names, and the path that is the provider's own.
#[must_use]
pub fn by_prefix(path: &str) -> Option<(&'static Service, &str)> {
    let (first, _) = path.strip_prefix('/')?.split_once('/')?;
    let service = ALL.into_iter().find(|service| service.id == first && !service.hosts.is_empty())?;
    Some((service, &path[1 + first.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_exactly() {
        assert_eq!(by_host("API.OpenAI.com.").map(|service| service.id), Some("openai"));
        assert_eq!(by_host("eu.api.openai.com").map(|service| service.id), Some("openai"));
        assert_eq!(by_host("team-a.openai.azure.com").map(|service| service.id), Some("azure"));
        let fips = "bedrock-runtime-fips.us-west-2.amazonaws.com";
        assert_eq!(by_host(fips).map(|service| service.id), Some("bedrock"));
        for host in ["claude.googleapis.com", "aws-external-anthropic.eu-central-1.api.aws"] {
            assert_eq!(by_host(host).map(|service| service.id), Some("anthropic"), "{host}");
        }
        assert_eq!(by_host("us-east5-aiplatform.googleapis.com").map(|service| service.id), Some("vertex"));
        for other in [
            "mtls.api.openai.com",
            "openai.com",
            "api.openai.com.evil.example",
            "us-east5-evil-aiplatform.googleapis.com",
            "storage.googleapis.com",
            "openai.azure.com",
            "team-a.azure.com",
            "s3.us-east-1.amazonaws.com",
            "bedrock-agent-runtime.us-east-1.amazonaws.com",
            "chatgpt.com",
            "",
        ] {
            assert!(by_host(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_region_newer_than_this_table_is_known_once_it_is_listed() {
        for (host, service) in [
            ("bedrock-runtime.xx-north-9.amazonaws.com", "bedrock"),
            ("xx-north9-aiplatform.googleapis.com", "vertex"),
            ("aws-external-anthropic.xx-north-9.api.aws", "anthropic"),
            // It is paid by subscription: what a call would cost at the API's prices is not what it costs.
            ("chatgpt.com", "operator_listed"),
            ("llm.intranet.example", "operator_listed"),
            ("s3.xx-north-9.amazonaws.com", "operator_listed"),
        ] {
            assert!(by_host(host).is_none(), "{host}");
            assert_eq!(of_listed(host).id, service, "{host}");
        }
    }

    #[test]
    fn only_hosts_below_a_domain_stand_in_it() {
        assert!(is_in("a.b.example", "b.example") && is_in("x.a.b.example", "b.example"));
        assert!(!is_in("b.example", "b.example") && !is_in("ab.example", "b.example"));
        assert!(!is_in(".b.example", "b.example"));
    }

    #[test]
    fn prefixes_lead_to_the_providers_own_path() {
        let found = |path| by_prefix(path).map(|(service, rest)| (service.id, rest));
        assert_eq!(found("/openai/v1/chat/completions"), Some(("openai", "/v1/chat/completions")));
        assert_eq!(found("/anthropic/v1/messages"), Some(("anthropic", "/v1/messages")));
        for other in ["/v1/messages", "/openaiv1/x", "/", "", "openai/v1"] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
