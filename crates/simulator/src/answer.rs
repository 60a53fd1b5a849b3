//! From a request to its answer: who is asked, whether the key is good, what the script says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use crate::ask::{Ask, Told, members};
use crate::body::{Broken, Last, Pace, Sent, gzip, stream};
use crate::formats::Whole;
use crate::providers::Provider;
use crate::received::{Received, Reported};
use crate::script::{Answer, Asked, Cut, ErrorKind};
use crate::server::Shared;
use crate::{google_tokens, other, sigv4, socket};

/// Answers one request.
pub(crate) async fn respond(
    shared: Arc<Shared>,
    server_name: Option<String>,
    request: Request<Incoming>,
) -> Response<Sent> {
    let host = request.uri().authority().map(ToString::to_string);
    let host =
        host.or_else(|| Some(request.headers().get(HOST)?.to_str().ok()?.to_owned())).unwrap_or_default();
    let received = Received {
        method: request.method().to_string(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        authority: host.clone(),
        version: format!("{:?}", request.version()),
        server_name: server_name.clone(),
        headers: request.headers().clone(),
        body: Vec::new(),
        status: 0,
        sent: Vec::new(),
        ended: false,
        abandoned: false,
        signature_holds: None,
        reported: None,
    };
    let at = shared.log.add(received);
    if other::is_grpc(request.headers()) {
        return other::grpc(&shared, at, request.into_body()).await;
    }
    if let Some(references) = other::git(&shared, at, &request) {
        return references;
    }
    let path = request.uri().path().to_owned();
    let name = server_name.as_deref().unwrap_or(&host);
    if name == google_tokens::HOST {
        return google_tokens::respond(&shared, at, request).await;
    }
    let provider = Provider::of(name, &path, shared.gateways.iter().any(|gateway| gateway == name));
    if let Some(provider) = provider.filter(|provider| socket::is_asked_for(provider, &request)) {
        let asked = Asked { provider: provider.name, path: &path, model: "", stream: true, handshake: true };
        let answer = shared.answer(&asked);
        let mut response = socket::respond(&shared, at, request, answer);
        provider.add_headers(response.headers_mut(), at);
        return response;
    }
    let (head, body) = request.into_parts();
    let Some(provider) = provider else {
        return other::echo(&shared, at, &path, body).await;
    };
    let Ok(body) = body.collect().await else {
        // The client gave up in the middle of its request; nobody reads the answer.
        shared.log.change(at, |received| (received.abandoned, received.ended) = (true, true));
        return Response::new(Sent::Whole(None));
    };
    let body = body.to_bytes();
    shared.log.change(at, |received| received.body = body.to_vec());
    let mut response = answer(&shared, at, provider, &head, &body).await;
    provider.add_headers(response.headers_mut(), at);
    if head.method == Method::HEAD {
        // hyper leaves it out over HTTP/1 only.
        *response.body_mut() = Sent::Whole(None);
    }
    response
}

async fn answer(
    shared: &Arc<Shared>,
    at: usize,
    provider: &Provider,
    head: &Parts,
    body: &[u8],
) -> Response<Sent> {
    let Parts { method, headers, uri, .. } = head;
    let path = uri.path();
    let json = members(headers, body);
    let (model, streams) = (provider.asked)(path, &json);
    let asked = Asked { provider: provider.name, path, model: &model, stream: streams, handshake: false };
    let answer = shared.answer(&asked);
    if answer.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
    }
    let accepts_gzip = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.contains("gzip"));
    let zip = answer.gzip && accepts_gzip;
    let mut response = if let Some(raw) = &answer.raw_body {
        let kind = answer.content_type.as_deref().unwrap_or("text/html");
        whole(shared, at, answer.status.unwrap_or(200), kind, raw.clone().into_bytes(), zip)
    } else if wrongly_signed(shared, at, headers, uri, body) {
        error(shared, at, provider, ErrorKind::Authentication, Some("signature"), &answer)
    } else if let Some(refused) = refused_key(shared, provider, headers, uri) {
        error(shared, at, provider, ErrorKind::Authentication, Some(&refused), &answer)
    } else if let Some(kind) = answer.error.filter(|_| answer.error_after.is_none()) {
        error(shared, at, provider, kind, None, &answer)
    } else if let Some(words) =
        answer.refuse_stream_options.as_ref().filter(|_| !json["stream_options"].is_null())
    {
        let refusal = json!({"error": {"message": words, "type": "invalid_request_error", "param": null, "code": null}});
        whole(shared, at, 400, "application/json", refusal.to_string().into_bytes(), zip)
    } else {
        let ask = Ask {
            method: method.clone(),
            query: uri.query().unwrap_or_default().to_owned(),
            ..Ask::new(at, model, streams, json)
        };
        good(shared, at, provider, path, &ask, &answer, body.len(), zip)
    };
    if answer.reset {
        response.extensions_mut().insert(Broken);
    }
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether a request is signed with a key that is known, and its signature does not hold.
fn wrongly_signed(shared: &Shared, at: usize, headers: &HeaderMap, uri: &Uri, body: &[u8]) -> bool {
    let mut holds = None;
    shared.log.change(at, |received| {
        let Ok(method) = received.method.parse() else { return };
        holds = sigv4::holds(&shared.aws_keys, &method, uri, &received.authority, headers, body);
        received.signature_holds = holds;
    });
    holds == Some(false)
}

/// The key of a request, if it is not one of the valid ones.
pub(crate) fn refused_key(
    shared: &Shared,
    provider: &Provider,
    headers: &HeaderMap,
    uri: &Uri,
) -> Option<String> {
    match (provider.key)(headers, uri) {
        Some(key)
            if shared.valid_keys.is_empty()
                || shared.valid_keys.iter().any(|valid| valid == key)
                || shared.desk.gave(key) =>
        {
            None
        }
        other => Some(other.unwrap_or_default().to_owned()),
    }
}

pub(crate) fn error(
    shared: &Shared,
    at: usize,
    provider: &Provider,
    kind: ErrorKind,
    key: Option<&str>,
    answer: &Answer,
) -> Response<Sent> {
    let (status, body) = (provider.error)(kind, key, at);
    let status = answer.status.unwrap_or(status);
    let mut response = whole(shared, at, status, "application/json", body.to_string().into_bytes(), false);
    for (name, value) in (provider.error_headers)(kind) {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[expect(clippy::too_many_arguments, reason = "one call's parts, used once")]
fn good(
    shared: &Shared,
    at: usize,
    provider: &Provider,
    path: &str,
    ask: &Ask,
    answer: &Answer,
    body_length: usize,
    zip: bool,
) -> Response<Sent> {
    let told = Told::new(answer, ask, body_length);
    let Some(parts) = (provider.answer)(path, ask, &told) else {
        let (status, body) = (provider.error)(ErrorKind::NotFound, None, at);
        return whole(shared, at, status, "application/json", body.to_string().into_bytes(), false);
    };
    let reported =
        told.usage.map(|usage| Reported { model: told.model.clone(), tier: told.tier.clone(), usage });
    shared.log.change(at, |received| received.reported = reported);
    if !ask.stream || parts.events.is_empty() {
        let (kind, bytes) = match parts.whole {
            Whole::Json(json) => ("application/json", json.to_string().into_bytes()),
            Whole::Raw(kind, bytes) => (kind, bytes.to_vec()),
        };
        return whole(shared, at, answer.status.unwrap_or(200), kind, bytes, zip);
    }
    let (events, end) = scripted(provider, path, parts.events, parts.deltas, answer, at);
    shared.log.change(at, |received| received.status = 200);
    let pace = Pace {
        between: Duration::from_millis(answer.pace_ms),
        gate: answer.gated.then(|| Arc::clone(&shared.gate)),
        gzip: zip,
        end,
    };
    let mut response = Response::new(stream(events, pace, Arc::clone(&shared.log), at));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(parts.stream_type));
    if zip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

type Events = Box<dyn Iterator<Item = Bytes> + Send>;

/// The events as the script wants them, and what comes after them.
fn scripted(
    provider: &Provider,
    path: &str,
    mut events: Vec<Bytes>,
    deltas: std::ops::Range<usize>,
    answer: &Answer,
    at: usize,
) -> (Events, Last) {
    if let Some(after) = answer.garbage_after {
        events.insert(after.min(events.len()), Bytes::from_static(b"data: {\"id\": \x1fbroken <<<\n\n"));
    }
    if let Some(after) = answer.error_after {
        events.truncate(after);
        let kind = answer.error.unwrap_or(ErrorKind::ServerError);
        let (_, body) = (provider.error)(kind, None, at);
        events.push((provider.error_event)(path, kind, &body, after));
        return (Box::new(events.into_iter()), Last::End);
    }
    if let Some(after) = answer.silent_after {
        events.truncate(after);
        return (Box::new(events.into_iter()), Last::Silence);
    }
    if let Some(after) = answer.cut_after {
        let half = events.get(after).filter(|_| answer.cut_within).map(|next| next.slice(..next.len() / 2));
        events.truncate(after);
        events.extend(half);
        let end = if answer.cut == Cut::Broken { Last::Break } else { Last::End };
        return (Box::new(events.into_iter()), end);
    }
    if answer.endless {
        let repeated = events.get(deltas).map(<[Bytes]>::to_vec).unwrap_or_default();
        events.truncate(2);
        return (Box::new(events.into_iter().chain(repeated.into_iter().cycle().take(100_000))), Last::Break);
    }
    (Box::new(events.into_iter()), Last::End)
}

/// An answer that is sent at once.
pub(crate) fn whole(
    shared: &Shared,
    at: usize,
    status: u16,
    kind: &str,
    body: Vec<u8>,
    zip: bool,
) -> Response<Sent> {
    shared.log.change(at, |received| {
        received.status = status;
        received.sent.clone_from(&body);
        received.ended = true;
    });
    let bytes = if zip { gzip(&body) } else { Bytes::from(body) };
    let mut response = Response::new(Sent::Whole(Some(bytes)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    if zip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
