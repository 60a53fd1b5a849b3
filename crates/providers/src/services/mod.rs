//! One file per provider, one line per file in [`ALL`].

mod anthropic;
mod openai;
mod operator_listed;

use crate::Service;

pub use operator_listed::OPERATOR_LISTED;

/// Every provider.
pub static ALL: [&Service; 2] = [&openai::SERVICE, &anthropic::SERVICE];

/// The provider that a host name belongs to. Exact names only; case and a trailing dot do not matter.
#[must_use]
pub fn by_host(host: &str) -> Option<&'static Service> {
    let host = host.strip_suffix('.').unwrap_or(host);
    ALL.into_iter().find(|service| service.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
}

/// The provider that the first part of a base-URL path names, and the path that is the provider's own.
#[must_use]
pub fn by_prefix(path: &str) -> Option<(&'static Service, &str)> {
    let (first, _) = path.strip_prefix('/')?.split_once('/')?;
    let service = ALL.into_iter().find(|service| {
        service.base_url.1.strip_prefix('/').is_some_and(|known| known.split('/').next() == Some(first))
    })?;
    Some((service, &path[1 + first.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_exactly() {
        assert_eq!(by_host("API.OpenAI.com.").map(|service| service.id), Some("openai"));
        assert_eq!(by_host("eu.api.openai.com").map(|service| service.id), Some("openai"));
        for other in ["mtls.api.openai.com", "openai.com", "api.openai.com.evil.example", ""] {
            assert!(by_host(other).is_none(), "{other}");
        }
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

    #[test]
    fn no_host_belongs_to_two_providers() {
        let mut all: Vec<_> = ALL.iter().flat_map(|service| service.hosts).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
