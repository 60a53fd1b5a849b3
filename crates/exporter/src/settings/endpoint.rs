//! An OTLP endpoint: a checked http(s) URL without credentials.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use super::error::SettingsError;
use super::{Protocol, Signal};

/// A checked endpoint. Printing it shows no secret: user info is refused when it is read, and a query is left out.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    base: String,
}

impl Endpoint {
    /// No endpoint: standard error.
    pub(super) fn console() -> Endpoint {
        Endpoint { uri: Uri::default(), base: "the console".to_owned() }
    }

    /// The full URL requests go to.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// `scheme://host:port`, which is what a person is told.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.base, self.uri.path())
    }
}

/// An endpoint as somebody wrote it.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    /// Where it was written.
    pub(super) variable: &'a str,
    /// The text.
    pub(super) text: &'a str,
    /// Whether it is for all signals, so that HTTP adds the signal's path.
    pub(super) common: bool,
}

impl Written<'_> {
    /// The protocol that a URL implies when none is set: 4317 is the registered port of OTLP over gRPC.
    pub(super) fn implied_protocol(&self) -> Protocol {
        let port = self.text.parse::<Uri>().ok().and_then(|uri| uri.port_u16());
        if port == Some(4317) { Protocol::Grpc } else { Protocol::HttpProtobuf }
    }

    /// Checks and completes the endpoint.
    pub(super) fn read(
        &self,
        signal: Signal,
        protocol: Protocol,
        insecure: bool,
    ) -> Result<Endpoint, SettingsError> {
        let example = match protocol {
            Protocol::Grpc => "http://localhost:4317",
            _ => "http://localhost:4318",
        };
        let mend = format!("write a URL such as {example}");
        // Before anything is repeated in a message: the text may hold a password.
        if self.text.contains('@') {
            return Err(SettingsError::secret(
                self.variable,
                "a URL with credentials in it is not taken",
                "leave them out of the URL and send them with OTEL_EXPORTER_OTLP_HEADERS",
            ));
        }
        let fault = |problem: &str| SettingsError::new(self.variable, self.text, problem, mend.clone());
        let uri: Uri = self.text.parse().map_err(|_| fault("not a URL"))?;
        let scheme = match (uri.scheme_str(), protocol) {
            (Some("http"), _) => Scheme::HTTP,
            (Some("https"), _) => Scheme::HTTPS,
            (None, Protocol::Grpc) if insecure => Scheme::HTTP,
            (None, Protocol::Grpc) => Scheme::HTTPS,
            (None, _) => return Err(fault("a URL must begin with http:// or https://")),
            (Some(_), _) => return Err(fault("only http and https are spoken")),
        };
        let authority = uri.authority().cloned().ok_or_else(|| fault("no host in it"))?;
        if authority.host().is_empty() || self.text.contains('#') {
            return Err(fault("not a URL"));
        }
        let base = format!("{scheme}://{authority}");
        let path = self.path(&uri, signal, protocol);
        build(scheme, authority, &path).map(|uri| Endpoint { uri, base }).ok_or_else(|| fault("not a URL"))
    }

    fn path(&self, uri: &Uri, signal: Signal, protocol: Protocol) -> String {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        match protocol {
            // The path of a gRPC request is the method's name; it is set per request.
            Protocol::Grpc => "/".to_owned(),
            _ if self.common => {
                format!("{}/v1/{}{query}", uri.path().trim_end_matches('/'), signal.as_str())
            }
            _ => format!("{}{query}", uri.path()),
        }
    }
}

fn build(scheme: Scheme, authority: Authority, path: &str) -> Option<Uri> {
    let path: PathAndQuery = path.parse().ok()?;
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}
