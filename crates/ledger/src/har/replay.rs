//! One entry of a recording, shown to a call as live traffic would be.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};
use outrigger_pricing::PriceBook;
use outrigger_providers::{FailureClass, Recognised, Service, services};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::document::{self, Entry, Response};
use super::{HarEntry, Made, socket};
use crate::identity::tidy;
use crate::{Call, CallId, CallRecord, CallStart, End, IdentityRules, Mode, Outcome, Timestamp};

const NO_ANSWER: &str = "the recording holds no answer";
const NO_BODY: &str = "the recording holds no body of the answer";
const A_PART: &str = "the recording holds only a part of the answer";

/// An entry and what it is replayed with.
pub(super) struct Replayed<'a> {
    pub(super) index: usize,
    pub(super) entry: &'a Entry,
    pub(super) listed: &'a [String],
    pub(super) book: &'a Arc<PriceBook>,
}

/// Whose it is and what it asks for.
struct Asked<'a> {
    service: &'static Service,
    recognised: Recognised,
    method: Method,
    host: &'a str,
    uri: &'a Uri,
}

impl Replayed<'_> {
    /// What is made of the entry.
    pub(super) fn made(&self) -> HarEntry {
        let request = &self.entry.request;
        let uri = Uri::from_str(&request.url).ok();
        let made = match &uri {
            Some(uri) => self.of(uri).unwrap_or_else(Made::Ignored),
            None => Made::Ignored("its URL cannot be read".to_owned()),
        };
        HarEntry {
            index: self.index,
            started: self.entry.started_date_time.clone(),
            method: Some(request.method.clone()),
            url: uri.as_ref().map(shown),
            made,
        }
    }

    fn of(&self, uri: &Uri) -> Result<Made, String> {
        let asked = self.asked(uri)?;
        let at = self.started()?;
        if self.is_socket() {
            return self.socket(&asked, at);
        }
        let record = self.call(&asked, at, None)?;
        let broken = match &record.cause {
            Some(cause) => matches!(cause.class, FailureClass::StreamCut | FailureClass::Malformed),
            None => record.outcome == Outcome::Unknown,
        };
        // A recorder keeps only so much of a body; that is no fault of the provider's.
        if broken && self.is_short() {
            return Ok(Made::Call(Box::new(self.call(&asked, at, Some(A_PART))?)));
        }
        Ok(Made::Call(Box::new(record)))
    }

    fn asked<'a>(&self, uri: &'a Uri) -> Result<Asked<'a>, String> {
        let host = uri.host().ok_or("its URL names no host")?;
        let method = Method::from_str(&self.entry.request.method)
            .map_err(|_| format!("`{}` is no HTTP method", self.entry.request.method))?;
        let listed = || self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(host));
        let service = services::by_host(host).or_else(|| listed().then(|| services::of_listed(host)));
        let service = service.ok_or_else(|| format!("{host} is no LLM provider's host"))?;
        let recognised = if self.is_socket() {
            let unknown = || format!("a WebSocket of {} whose format is not known", service.id);
            (service.recognise_socket)(uri.path()).ok_or_else(unknown)?
        } else {
            (service.recognise)(&method, uri.path())
        };
        if !recognised.operation.is_inference() {
            return Err(format!("{method} {} of {} is no inference", uri.path(), service.id));
        }
        Ok(Asked { service, recognised, method, host, uri })
    }

    fn is_socket(&self) -> bool {
        self.entry.messages.is_some()
            || self.entry.response.as_ref().is_some_and(|response| response.status == 101)
    }

    fn started(&self) -> Result<Timestamp, String> {
        let told = self.entry.started_date_time.as_deref();
        let told = told.ok_or("it has no `startedDateTime`, and prices depend on the day")?;
        let at = OffsetDateTime::parse(told, &Rfc3339)
            .map_err(|_| format!("its `startedDateTime` is `{told}`, no instant of RFC 3339"))?;
        u64::try_from(at.unix_timestamp_nanos())
            .map(Timestamp)
            .map_err(|_| format!("its `startedDateTime` is `{told}`, before 1970"))
    }

    /// Whether less of the answer was kept than came.
    fn is_short(&self) -> bool {
        let content = self.entry.response.as_ref().and_then(|response| response.content.as_ref());
        let kept = content.and_then(|content| content.bytes()?.ok()).map_or(0, |bytes| bytes.len());
        let came = content.and_then(|content| usize::try_from(content.size?).ok()).unwrap_or(0);
        kept < came
    }

    /// A call up to its answer.
    fn begun(&self, asked: &Asked<'_>, at: Timestamp) -> Result<(Box<Call>, HeaderMap), String> {
        let request = &self.entry.request;
        let body = match request.post_data.as_ref().and_then(document::Body::bytes) {
            Some(bytes) => bytes.map_err(|fault| format!("its request is no base64: {fault}"))?,
            None => Vec::new(),
        };
        let headers = document::headers(&request.headers, &body);
        let secure = !matches!(asked.uri.scheme_str(), Some("http" | "ws"));
        let port = asked.uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let mut call = Call::begin(CallStart {
            id: self.id(),
            service: asked.service,
            recognised: asked.recognised,
            mode: Mode::Recorded,
            method: &asked.method,
            path: asked.uri.path(),
            query: asked.uri.query(),
            headers: &headers,
            host: asked.host,
            port,
            http_version: version(request.http_version.as_deref()),
            identity: &Arc::new(IdentityRules::default()),
            at,
        });
        call.request_chunk(&body);
        let peer = self.entry.server_ip_address.as_deref();
        let peer = peer.and_then(|ip| ip.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        call.connected(peer.map(|ip| SocketAddr::new(ip, port)));
        Ok((call, headers))
    }

    /// The call of an entry. `lacking` says that the recording, not the provider, ended it early.
    fn call(
        &self,
        asked: &Asked<'_>,
        at: Timestamp,
        lacking: Option<&'static str>,
    ) -> Result<CallRecord, String> {
        let (mut call, _) = self.begun(asked, at)?;
        let ended = after(at, self.entry.time);
        let (mut end, mut lacking) = (End::Complete, lacking);
        match self.entry.response.as_ref().filter(|response| response.status > 0) {
            None => match self.entry.response.as_ref().and_then(failure) {
                Some(failed) => end = failed,
                None => lacking = Some(NO_ANSWER),
            },
            Some(response) => {
                let body = response.content.as_ref().and_then(document::Body::bytes);
                let body = body.transpose().map_err(|fault| format!("its answer is no base64: {fault}"))?;
                let status = u16::try_from(response.status).ok();
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                let status = status.ok_or_else(|| format!("{} is no HTTP status", response.status))?;
                let receive = self.entry.timings.as_ref().and_then(|timings| timings.receive);
                let headers = document::headers(&response.headers, body.as_deref().unwrap_or_default());
                call.response_head(status, &headers, before(ended, receive).max(at));
                match body {
                    Some(body) => call.response_chunk(&body, ended),
                    None if status.is_success() => lacking = Some(NO_BODY),
                    None => {}
                }
                end = match failure(response) {
                    Some(End::Cancelled) => End::Cancelled,
                    Some(_) => End::Cut,
                    None => End::Complete,
                };
            }
        }
        if lacking.is_some() {
            end = End::Abandoned;
        }
        let on_the_way = matches!(end, End::Failed { .. });
        let mut record = call.finish(end, ended, self.book);
        // A recording does not say when which byte came.
        record.times.first_content = None;
        if on_the_way {
            // Nobody answered in the provider's place.
            record.cause.iter_mut().for_each(|cause| cause.status = None);
        }
        if lacking.is_some() && record.tokens.reason.is_some() {
            record.tokens.reason = lacking;
        }
        Ok(record)
    }

    fn socket(&self, asked: &Asked<'_>, at: Timestamp) -> Result<Made, String> {
        let messages = self.entry.messages.as_deref().filter(|messages| !messages.is_empty());
        let messages = messages.ok_or("the recording holds no messages of this WebSocket")?;
        let (mut call, request) = self.begun(asked, at)?;
        let list = self.entry.response.as_ref().map_or(&[][..], |response| &response.headers);
        let response = document::headers(list, &[]);
        call.response_head(StatusCode::SWITCHING_PROTOCOLS, &response, at);
        let socket = call
            .into_socket(asked.uri.query(), &request, &response, self.book)
            .map_err(|_| format!("a WebSocket of {} whose format is not known", asked.service.id))?;
        let records = socket::replay(socket, messages, at);
        if records.is_empty() {
            return Err("nothing was asked for on this WebSocket".to_owned());
        }
        Ok(Made::Socket(records))
    }

    /// The same entry always gives the same id.
    fn id(&self) -> CallId {
        let request = &self.entry.request;
        let digest = Sha256::new()
            .chain_update(self.index.to_be_bytes())
            .chain_update(self.entry.started_date_time.as_deref().unwrap_or_default())
            .chain_update(&request.url)
            .finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        CallId(id)
    }
}

/// What a browser says of a request that has no answer, or none to the end.
fn failure(response: &Response) -> Option<End> {
    let told = tidy(response.error.clone()?)?;
    let is = |part: &str| told.to_ascii_uppercase().contains(part);
    let class = if is("ABORT") || is("CANCEL") {
        return Some(End::Cancelled);
    } else if is("NAME_NOT_RESOLVED") || is("DNS") {
        FailureClass::Dns
    } else if is("TIMED_OUT") || is("TIMEOUT") {
        FailureClass::Timeout
    } else if is("CERT") || is("SSL") || is("TLS") {
        FailureClass::Tls
    } else if is("CONNECTION") || is("ADDRESS") || is("INTERNET") || is("NETWORK") {
        FailureClass::Connect
    } else {
        FailureClass::Other
    };
    Some(End::Failed { class, text: told, status: 0 })
}

/// Scheme, host, port and path.
fn shown(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", uri.path())
}

fn version(told: Option<&str>) -> &'static str {
    match told.unwrap_or_default().to_ascii_lowercase().as_str() {
        "h2" | "http/2" | "http/2.0" => "2",
        "h3" | "http/3" | "http/3.0" => "3",
        _ => "1.1",
    }
}

/// Milliseconds that a recording tells, as nanoseconds; what is negative was not known.
fn nanoseconds(milliseconds: Option<f64>) -> u64 {
    (milliseconds.unwrap_or(0.0).max(0.0) * 1e6) as u64
}

fn after(at: Timestamp, milliseconds: Option<f64>) -> Timestamp {
    Timestamp(at.0.saturating_add(nanoseconds(milliseconds)))
}

fn before(at: Timestamp, milliseconds: Option<f64>) -> Timestamp {
    Timestamp(at.0.saturating_sub(nanoseconds(milliseconds)))
}
