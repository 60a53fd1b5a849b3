//! What a provider is, apart from its wire formats: hosts, paths, where its key stands.

use http::{HeaderMap, Method};

use crate::{Dialect, Operation};

/// A request of a listed provider, recognised by host and path.
#[derive(Clone, Copy)]
pub struct Recognised {
    /// Its wire format; also decides the shape of our own errors.
    pub dialect: &'static dyn Dialect,
    /// What it asks for.
    pub operation: Operation,
}

/// Where a request's credential was found. Holds the secret: never logged, never stored.
#[derive(Clone, Copy)]
pub struct Credential<'a> {
    /// The header that carried it.
    pub header: &'static str,
    /// The secret itself, without a scheme such as `Bearer`.
    pub secret: &'a str,
}

/// A provider: one row of [`crate::services`].
pub struct Service {
    /// Provider id in price book, records and rules (`openai`).
    pub id: &'static str,
    /// `gen_ai.provider.name` of the OpenTelemetry conventions.
    pub otel_name: &'static str,
    /// Hosts whose traffic is read, exact names in lower case; the first is the one that base-URL mode dials.
    pub hosts: &'static [&'static str],
    /// Hosts among them whose calls carry the provider's residency uplift.
    pub resident_hosts: &'static [&'static str],
    /// Base-URL mode: environment variable and what follows the listener's address in it
    /// (`OPENAI_BASE_URL`, `/openai/v1`).
    pub base_url: (&'static str, &'static str),
    /// Environment variable that usually holds the key; for the mend in a message.
    pub key_variable: &'static str,
    /// Headers that may carry the key, lower case, the usual one first.
    pub key_headers: &'static [&'static str],
    /// Response header that carries the provider's request id.
    pub request_id_header: &'static str,
    /// Recognises a request by method and path (no query).
    pub recognise: fn(&Method, &str) -> Recognised,
}

impl Service {
    /// The wire format of its errors where a path does not decide it.
    #[must_use]
    pub fn default_dialect(&self) -> &'static dyn Dialect {
        (self.recognise)(&Method::GET, "/").dialect
    }

    /// The credential of a request, if it carries one.
    #[must_use]
    pub fn credential<'a>(&self, headers: &'a HeaderMap) -> Option<Credential<'a>> {
        self.key_headers.iter().find_map(|name| {
            let value = headers.get(*name)?.to_str().ok()?;
            let secret = value
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map_or(value, |(_, secret)| secret);
            Some(Credential { header: name, secret: secret.trim() })
        })
    }
}
