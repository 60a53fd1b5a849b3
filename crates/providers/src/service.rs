//! What a provider is, apart from its wire formats: hosts, paths, where its key stands.

use http::{HeaderMap, Method};
use outrigger_pricing::Region;

use crate::dialects::openai_chat;
use crate::{Dialect, Operation, RequestFacts};

/// A request of a listed provider, recognised by host and path.
#[derive(Clone, Copy)]
pub struct Recognised {
    /// Its wire format; also decides the shape of our own errors.
    pub dialect: &'static dyn Dialect,
    /// What it asks for.
    pub operation: Operation,
}

/// What host and path say of a call, beside what its body says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressed {
    /// The model, where the path names it. What stands in the body is then wrong or absent.
    pub model: Option<String>,
    /// Whether the answer is to be streamed, where the path says so.
    pub stream: Option<bool>,
    /// Where the call is processed, as far as it changes the price.
    pub region: Region,
}

impl Addressed {
    /// The body's facts, with what the address knows better.
    #[must_use]
    pub fn complete(&self, facts: RequestFacts) -> RequestFacts {
        RequestFacts {
            model: self.model.clone().or(facts.model),
            stream: self.stream.unwrap_or(facts.stream),
            ..facts
        }
    }
}

/// Where a request's credential was found. Holds the secret: never logged, never stored.
#[derive(Clone, Copy)]
pub struct Credential<'a> {
    /// The header that carried it, or `query`.
    pub header: &'static str,
    /// The secret itself, without a scheme such as `Bearer`. Of a signed request the access key's id: its signature is
    /// different every time.
    pub secret: &'a str,
}

/// When the streams of a provider tell what they used, in the formats that have `stream_options.include_usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamedUsage {
    /// When they are asked.
    WhenAsked,
    /// Always; they need not be asked.
    Unasked,
    /// Nobody knows, nor whether the question is taken for an error.
    Untried,
}

/// A provider: one row of [`crate::services`].
pub struct Service {
    /// Provider id in price book, records and rules (`openai`); also the first part of its path in base-URL mode.
    pub id: &'static str,
    /// `gen_ai.provider.name` of the OpenTelemetry conventions.
    pub otel_name: &'static str,
    /// Hosts whose traffic is read, exact names in lower case; the first is the one that base-URL mode dials.
    pub hosts: &'static [&'static str],
    /// Domains of the provider under which every customer has a host of its own. Only domains that hold nothing else
    /// may stand here: the pod's authority is good for all of their hosts.
    pub domains: &'static [&'static str],
    /// Whether a host that an operator lists is one of this provider's, such as that of a region that is newer than
    /// `hosts`.
    pub is_kin: fn(&str) -> bool,
    /// Base-URL mode: environment variable and what follows the listener's address in it
    /// (`OPENAI_BASE_URL`, `/openai/v1`); `None` where no variable is known to lead its clients there.
    pub base_url: Option<(&'static str, &'static str)>,
    /// Environment variable that usually holds the key; for the mend in a message.
    pub key_variable: &'static str,
    /// Headers that may carry the key, lower case, the usual one first.
    pub key_headers: &'static [&'static str],
    /// The parameter of the query that may carry the key.
    pub key_parameter: Option<&'static str>,
    /// Further headers that name or prove the account that pays: to another provider they mean nothing, or too much.
    pub account_headers: &'static [&'static str],
    /// The service's name in AWS's signatures, by host; `None` where such signatures are not taken.
    pub signing_name: fn(&str) -> Option<&'static str>,
    /// Response header that carries the provider's request id.
    pub request_id_header: &'static str,
    /// When its streams tell what they used.
    pub streamed_usage: StreamedUsage,
    /// Whether it goes on with an answer, and bills all of it, when the app has hung up.
    pub bills_after_hang_up: bool,
    /// The formats that it speaks, each with the path at which it answers a conversation or the like. `{model}`, `{deployment}`,
    /// `{region}`, `{project}` and `{method}` stand for what another place is told by the path; without the first two the body names
    /// the model.
    pub speaks: &'static [(&'static str, &'static str)],
    /// Whether it answers conversations of a format, one of those it speaks, with a model: some vendors' models have a format of
    /// their own.
    pub serves: fn(&str, &str) -> bool,
    /// Recognises a request by method and path (no query).
    pub recognise: fn(&Method, &str) -> Recognised,
    /// What host and path say of a call.
    pub addressed: fn(&str, &str) -> Addressed,
    /// Whether a model is asked for by a name that its customer gave it: what stands behind it only a setting or the
    /// answer can say.
    pub is_deployment: fn(&str) -> bool,
    /// Recognises a request to speak WebSocket by its path; `None` where nothing is known of what is said there.
    pub recognise_socket: fn(&str) -> Option<Recognised>,
}

impl Service {
    /// What most providers have in common; a row names the rest.
    pub const ROW: Service = Service {
        id: "",
        otel_name: "",
        hosts: &[],
        domains: &[],
        is_kin: |_| false,
        base_url: None,
        key_variable: "",
        key_headers: &["authorization"],
        key_parameter: None,
        account_headers: &[],
        signing_name: |_| None,
        request_id_header: "x-request-id",
        streamed_usage: StreamedUsage::WhenAsked,
        bills_after_hang_up: false,
        speaks: &[],
        serves: |_, _| true,
        recognise: |_, _| Recognised { dialect: &openai_chat::OPENAI_CHAT, operation: Operation::Other },
        addressed: |_, _| Addressed { model: None, stream: None, region: Region::Global },
        is_deployment: |_| false,
        recognise_socket: |_| None,
    };

    /// The header in which it takes a key, and what stands before the key there.
    #[must_use]
    pub fn key_place(&self) -> (&'static str, &'static str) {
        match self.key_headers.first() {
            None | Some(&"authorization") => ("authorization", "Bearer "),
            Some(own) => (own, ""),
        }
    }

    /// The wire format of its errors where a path does not decide it.
    #[must_use]
    pub fn default_dialect(&self) -> &'static dyn Dialect {
        (self.recognise)(&Method::GET, "/").dialect
    }

    /// The credential of a request, if it carries one.
    #[must_use]
    pub fn credential<'a>(&self, headers: &'a HeaderMap, query: Option<&'a str>) -> Option<Credential<'a>> {
        let in_header = self.key_headers.iter().find_map(|name| {
            let value = headers.get(*name)?.to_str().ok()?;
            if let Some(signed) = value.strip_prefix("AWS4-") {
                return Some(Credential { header: name, secret: access_key_id(signed)? });
            }
            let secret = value
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map_or(value, |(_, secret)| secret);
            Some(Credential { header: name, secret: secret.trim() })
        });
        in_header.or_else(|| {
            let name = self.key_parameter?;
            query?.split('&').find_map(|pair| {
                let (found, secret) = pair.split_once('=')?;
                (found == name).then_some(Credential { header: "query", secret })
            })
        })
    }
}

/// The access key's id of `AWS4-… Credential=ID/DATE/REGION/SERVICE/aws4_request, …`. It is no secret.
fn access_key_id(signed: &str) -> Option<&str> {
    signed.split_once("Credential=")?.1.split(['/', ',', ' ']).next().filter(|id| !id.is_empty())
}

/// A part of a path with its `%XX` read. What is not valid stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_wherever_it_stands() {
        let service = Service {
            key_headers: &["x-goog-api-key", "authorization"],
            key_parameter: Some("key"),
            ..Service::ROW
        };
        let found = |name: &'static str, value: &str, query: Option<&str>| {
            let headers = [(name, value)]
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            service.credential(&headers, query).map(|found| found.secret.to_owned())
        };
        assert_eq!(found("x-goog-api-key", "AIza1", None).as_deref(), Some("AIza1"));
        assert_eq!(found("authorization", "bearer ya29.x", None).as_deref(), Some("ya29.x"));
        assert_eq!(found("accept", "*/*", Some("alt=sse&key=AIza2")).as_deref(), Some("AIza2"));
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261125/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=abc";
        assert_eq!(found("authorization", signed, None).as_deref(), Some("AKIAEXAMPLE"));
        assert_eq!(found("accept", "*/*", Some("monkey=1")), None);
    }

    #[test]
    fn a_key_goes_where_its_provider_expects_it() {
        for (id, place) in [
            ("openai", ("authorization", "Bearer ")),
            ("anthropic", ("x-api-key", "")),
            ("gemini", ("x-goog-api-key", "")),
            ("azure", ("api-key", "")),
            ("bedrock", ("authorization", "Bearer ")),
            ("vertex", ("authorization", "Bearer ")),
        ] {
            let service = crate::services::ALL.into_iter().find(|service| service.id == id);
            assert_eq!(service.map(Service::key_place), Some(place), "{id}");
        }
    }

    #[test]
    fn percent_signs_are_read_where_they_are_valid() {
        assert_eq!(percent_decoded("a%3A0%2fb"), "a:0/b");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
        assert_eq!(percent_decoded("%ff"), "%ff");
    }
}
