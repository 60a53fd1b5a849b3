//! WebSockets: the handshake, then many responses on one connection, each answered as the script says.

mod frames;
mod session;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};

use crate::answer::{error, refused_key, whole};
use crate::body::Sent;
use crate::providers::{Provider, openai};
use crate::script::{Answer, ErrorKind};
use crate::server::Shared;

/// Part of every accepted key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What was agreed on.
#[derive(Clone, Copy)]
struct Agreed {
    compressed: bool,
    context: bool,
}

/// Whether a request asks for a WebSocket of OpenAI's.
pub(crate) fn is_asked_for(provider: &Provider, request: &Request<Incoming>) -> bool {
    provider.name == openai::ROW.name
        && matches!(request.uri().path(), "/v1/responses" | "/v1/realtime")
        && request
            .headers()
            .get(UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Answers the handshake; what follows runs by itself.
pub(crate) fn respond(
    shared: &Arc<Shared>,
    at: usize,
    mut request: Request<Incoming>,
    answer: Answer,
) -> Response<Sent> {
    let provider = &openai::ROW;
    if let Some(raw) = &answer.raw_body {
        let kind = answer.content_type.as_deref().unwrap_or("text/html");
        return whole(shared, at, answer.status.unwrap_or(426), kind, raw.clone().into_bytes(), false);
    }
    if let Some(refused) = refused_key(shared, provider, request.headers(), request.uri()) {
        return error(shared, at, provider, ErrorKind::Authentication, Some(&refused), &answer);
    }
    if let Some(kind) = answer.error {
        return error(shared, at, provider, kind, None, &answer);
    }
    let offered = |what: &str| {
        request
            .headers()
            .get_all(SEC_WEBSOCKET_EXTENSIONS)
            .iter()
            .any(|value| value.to_str().is_ok_and(|value| value.contains(what)))
    };
    let agreed = Agreed {
        compressed: offered("permessage-deflate") && !answer.uncompressed,
        context: !answer.no_context_takeover,
    };
    let mut response = Response::new(Sent::Whole(None));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    accept(request.headers(), agreed, response.headers_mut());
    shared.log.change(at, |received| received.status = 101);
    let uri = request.uri().clone();
    let upgraded = hyper::upgrade::on(&mut request);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        // The client may have left.
        if let Ok(io) = upgraded.await {
            session::serve(shared, at, uri, TokioIo::new(io), agreed, answer).await;
        }
    });
    response
}

fn accept(request: &HeaderMap, agreed: Agreed, response: &mut HeaderMap) {
    let key = request.get(SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
    let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize());
    response.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = accept.parse() {
        response.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if agreed.compressed {
        response.insert(
            SEC_WEBSOCKET_EXTENSIONS,
            HeaderValue::from_static(if agreed.context {
                "permessage-deflate"
            } else {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            }),
        );
    }
}
