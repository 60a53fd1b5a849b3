//! What of a request belongs to the account that pays for it: keys, signatures, cookies, names of organisations. Per call
//! that goes to another provider than the app asked.
//!
//! None of it may reach another host. What the rows of [`services`] name is known; beside that a name decides, since an
//! app or a gateway may have headers of its own: better one too many is left out than one key goes elsewhere.

use crate::services;

/// Anywhere in a name, they mean a secret.
const PARTS: [&str; 7] =
    ["authorization", "apikey", "secret", "signature", "credential", "password", "cookie"];
/// As a whole word of a name, they mean a secret.
const WORDS: [&str; 5] = ["auth", "key", "jwt", "sig", "token"];
/// Words beside `key` that say that it opens nothing.
const HARMLESS: [&str; 2] = ["idempotency", "cache"];
/// AWS's own: parts of a signature, and what is signed by it.
const SIGNED: &str = "x-amz-";

/// Whether a request's header belongs to the account that pays.
#[must_use]
pub fn is_account_header(name: &str) -> bool {
    let known = services::ALL.into_iter().chain([&services::OPERATOR_LISTED]);
    let mut known = known.flat_map(|service| service.key_headers.iter().chain(service.account_headers));
    known.any(|header| name.eq_ignore_ascii_case(header)) || means_a_secret(name)
}

/// Whether a parameter of the query does.
#[must_use]
pub fn is_account_parameter(name: &str) -> bool {
    let mut known = services::ALL.into_iter().filter_map(|service| service.key_parameter);
    known.any(|parameter| name == parameter) || means_a_secret(name)
}

/// A path and query without the parameters that belong to the account; all else stays byte for byte. `None` where there are none.
#[must_use]
pub fn without_account_parameters(path_and_query: &str) -> Option<String> {
    let (path, query) = path_and_query.split_once('?')?;
    // Some servers take the name as `%6bey`, too.
    let belongs = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        is_account_parameter(&crate::service::percent_decoded(name))
    };
    query.split('&').any(|pair| belongs(&pair)).then(|| {
        let kept: Vec<&str> = query.split('&').filter(|pair| !belongs(pair)).collect();
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
    })
}

fn means_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let run: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let harmless = words.clone().any(|word| HARMLESS.contains(&word));
    name.starts_with(SIGNED)
        || PARTS.iter().any(|part| run.contains(part))
        || (!harmless && words.any(|word| WORDS.contains(&word)))
        || run.ends_with("token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_that_a_provider_takes_a_key_in_belongs_to_the_account() {
        for service in services::ALL.into_iter().chain([&services::OPERATOR_LISTED]) {
            for header in service.key_headers.iter().chain(service.account_headers) {
                assert!(is_account_header(header), "{}: {header}", service.id);
            }
            assert!(service.key_parameter.is_none_or(is_account_parameter), "{}", service.id);
        }
    }

    #[test]
    fn names_tell_the_secrets_that_no_row_knows() {
        for secret in [
            "Authorization",
            "proxy-authorization",
            "cookie",
            "x-amz-security-token",
            "X-Amz-Date",
            "ocp-apim-subscription-key",
            "cf-aig-authorization",
            "helicone-auth",
            "x-portkey-api-key",
            "x-functions-key",
            "x-goog-user-project",
            "openai-organization",
            "x-client-secret",
        ] {
            assert!(is_account_header(secret), "{secret}");
        }
        for harmless in [
            "content-type",
            "accept",
            "user-agent",
            "anthropic-version",
            "anthropic-beta",
            "openai-beta",
            "idempotency-key",
            "x-stainless-retry-count",
            "x-ratelimit-limit-tokens",
            "x-amzn-bedrock-trace",
            "traceparent",
            "author",
        ] {
            assert!(!is_account_header(harmless), "{harmless}");
        }
    }

    #[test]
    fn a_query_loses_its_keys_and_nothing_else() {
        let without = |text| without_account_parameters(text);
        assert_eq!(without("/v1/x"), None);
        assert_eq!(without("/v1/x?alt=sse&api-version=2"), None);
        assert_eq!(without("/v1/x?key=AIza&alt=sse").as_deref(), Some("/v1/x?alt=sse"));
        assert_eq!(without("/v1/x?alt=s%20e&%6bey=AIza&&b").as_deref(), Some("/v1/x?alt=s%20e&&b"));
        assert_eq!(without("/v1/x?access_token=ya29").as_deref(), Some("/v1/x"));
        let presigned =
            "/model/m%3A0/converse?X-Amz-Algorithm=A&X-Amz-Signature=ab&X-Amz-Credential=AKIA&n=1";
        assert_eq!(without(presigned).as_deref(), Some("/model/m%3A0/converse?n=1"));
    }
}
