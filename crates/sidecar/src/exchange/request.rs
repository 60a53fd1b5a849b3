//! From the app's request to the one that leaves. Per request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri, Version, request};
use hyper::body::Incoming;
use outrigger_providers::{FailureClass, Service, services};

use crate::exchange::headers;
use crate::tls::accept::Protocol;
use crate::upstream::Target;

/// How requests of a connection find their provider.
pub(crate) enum Binding {
    /// TLS was terminated for this name: every request must be for it.
    /// `original` is where the app's own connection was going.
    Named { service: &'static Service, target: Target, original: Option<SocketAddr> },
    /// Plain HTTP on loopback: the first part of the path names the provider.
    BaseUrl { port: u16 },
}

/// Where a request goes.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) service: &'static Service,
    pub(crate) target: Target,
    pub(crate) original: Option<SocketAddr>,
    /// How long a rule gives a connection to stand.
    pub(crate) connect: Option<Duration>,
    pub(crate) path_and_query: PathAndQuery,
}

/// Why a request goes nowhere; told to the app.
pub(crate) struct Misrouted {
    pub(crate) service: Option<&'static Service>,
    pub(crate) status: u16,
    pub(crate) class: FailureClass,
    pub(crate) text: String,
}

impl Binding {
    /// Finds where a request goes.
    pub(crate) fn route(&self, request: &Request<Incoming>) -> Result<Route, Misrouted> {
        if request.method() == Method::CONNECT {
            return Err(Misrouted {
                service: None,
                status: 405,
                class: FailureClass::InvalidRequest,
                text: "CONNECT is for the proxy listener; this connection already leads to a provider"
                    .to_owned(),
            });
        }
        let authority = authority(request);
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        match self {
            Binding::Named { service, target, original } => {
                if authority.as_ref().is_some_and(|named| names(named, target)) {
                    Ok(Route {
                        service,
                        target: target.clone(),
                        original: *original,
                        connect: None,
                        path_and_query: path,
                    })
                } else {
                    Err(Misrouted {
                        service: Some(service),
                        status: 421,
                        class: FailureClass::InvalidRequest,
                        text: format!(
                            "this connection was opened for {}, but the request is for {}; open a connection of its own for it",
                            target.host,
                            authority.as_ref().map_or("no host at all", |named| named.as_str())
                        ),
                    })
                }
            }
            Binding::BaseUrl { port } => base_url_route(*port, authority.as_ref(), &path),
        }
    }
}

fn base_url_route(port: u16, authority: Option<&Authority>, path: &PathAndQuery) -> Result<Route, Misrouted> {
    let local = authority.is_some_and(|named| {
        named.port_u16().unwrap_or(80) == port && matches!(named.host(), "127.0.0.1" | "localhost" | "[::1]")
    });
    // A page in a browser may resolve its own name to loopback; it must not spend the user's money.
    if !local {
        return Err(Misrouted {
            service: None,
            status: 421,
            class: FailureClass::InvalidRequest,
            text: format!("the base-URL listener answers to 127.0.0.1:{port} and localhost:{port} only"),
        });
    }
    let unknown = || {
        let prefixes: Vec<_> = services::ALL.iter().filter_map(|service| Some(service.base_url?.1)).collect();
        Misrouted {
            service: None,
            status: 404,
            class: FailureClass::NotFound,
            text: format!(
                "no provider is known by the path {}; base URLs here end in {}",
                path.path(),
                prefixes.join(" or ")
            ),
        }
    };
    let (service, rest) = services::by_prefix(path.path()).ok_or_else(unknown)?;
    let rest = match path.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    Ok(Route {
        service,
        target: Target { host: Rc::from(service.hosts[0]), port: 443 },
        original: None,
        connect: None,
        path_and_query: rest.parse().map_err(|_| unknown())?,
    })
}

fn authority(request: &Request<Incoming>) -> Option<Authority> {
    let in_header = || {
        let mut named = request.headers().get_all(HOST).iter();
        let one = named.next().filter(|_| named.next().is_none())?;
        one.to_str().ok()?.parse().ok()
    };
    match (request.uri().authority(), request.headers().contains_key(HOST)) {
        (Some(in_uri), false) => Some(in_uri.clone()),
        // Two different answers to the same question are none.
        (Some(in_uri), true) => in_header().filter(|named| named == in_uri),
        (None, _) => in_header(),
    }
}

fn names(authority: &Authority, target: &Target) -> bool {
    authority.host().trim_end_matches('.').eq_ignore_ascii_case(&target.host)
        && authority.port_u16().is_none_or(|port| port == target.port || port == 443)
}

/// The head that leaves: the app's, without what concerns one hop, for the protocol that the app itself speaks.
pub(crate) fn outgoing(
    mut head: request::Parts,
    route: &Route,
    protocol: Protocol,
    binding: &Binding,
) -> request::Parts {
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(route.path_and_query.clone());
    match protocol {
        Protocol::H1 => {
            head.version = Version::HTTP_11;
            if (matches!(binding, Binding::BaseUrl { .. }) || !head.headers.contains_key(HOST))
                && let Ok(value) = HeaderValue::from_str(&route.target.host)
            {
                head.headers.insert(HOST, value);
            }
        }
        Protocol::H2 => {
            head.version = Version::HTTP_2;
            uri.scheme = Some(Scheme::HTTPS);
            uri.authority = head.uri.authority().cloned().or_else(|| route.target.host.parse().ok());
        }
    }
    // The parts come from a parsed URI, so they fit together again; if not, the app's own form is the best there is.
    if let Ok(uri) = Uri::from_parts(uri) {
        head.uri = uri;
    }
    headers::clean_request(&mut head.headers);
    head
}
