//! WebSocket and other upgrades: a tunnel after the provider's 101, the provider's own answer otherwise. Per request.

use std::rc::Rc;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use outrigger_ledger::End;

use crate::clock::CallClock;
use crate::exchange::body::{Ahead, ObservedBody, Passing, RelayedBody};
use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::request::{Route, outgoing};
use crate::exchange::tunnel::Tunnel;
use crate::exchange::watch::Fared;
use crate::exchange::{Connection, answer, headers, watch};
use crate::tls::accept::Protocol;
use crate::upstream::client::Lease;

/// Whether a request asks to speak something else from here on.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        && headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
}

fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Forwards the request on a connection of its own.
pub(crate) async fn forward(
    connection: &Rc<Connection>,
    request: Request<Incoming>,
    route: &Route,
    clock: CallClock,
) -> Response<RelayedBody> {
    let is_watched = is_websocket(request.headers()) && connection.shared.watches();
    let recognised =
        is_watched.then(|| (route.service.recognise_socket)(route.path_and_query.path())).flatten();
    let watch = recognised.map(|recognised| watch(connection, &request, route, recognised, clock, None));
    let (head, body) = request.into_parts();
    // What places its calls in a trace must outlive the request.
    let asked = if watch.is_some() { head.headers.clone() } else { HeaderMap::new() };
    let wanted = head.headers.get(UPGRADE).cloned();
    let mut head = outgoing(head, route, Protocol::H1, &connection.binding);
    if let Some(protocol) = wanted {
        head.headers.insert(UPGRADE, protocol);
        head.headers.insert(CONNECTION, http::HeaderValue::from_static("Upgrade"));
    }
    let sent = Rc::default();
    let request = Request::from_parts(head, ForwardedBody::new(body, None, Rc::clone(&sent)));
    let client = &connection.shared.client;
    let (response, peer, upstream) = match client.send_upgrade(&route.target, route.original, request).await {
        Ok(answered) => answered,
        Err(error) => {
            let dialect =
                recognised.map_or_else(|| route.service.default_dialect(), |recognised| recognised.dialect);
            let status = answer::status_for(error.class);
            let response = answer::error(dialect, status, error.class, &error.text);
            if let Some(watch) = watch {
                watch.finish(End::Failed { class: error.class, text: error.text, status });
            }
            return response;
        }
    };
    let (mut head, inner) = response.into_parts();
    if let Some(watch) = &watch {
        watch.show(|call| {
            call.connected(peer);
            call.response_head(head.status, &head.headers, clock.now());
        });
    }
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let query = route.path_and_query.query();
        let socket = watch
            .filter(|_| is_websocket(&head.headers))
            .and_then(|watch| watch.take_socket(query, &asked, &head.headers, &connection.shared.pulses));
        connection.tunnel.replace(Some(Tunnel::new(upstream, socket)));
        return Response::from_parts(head, RelayedBody::Own(None));
    }
    headers::clean_response(&mut head.headers);
    let body = ObservedBody {
        ahead: Ahead::new(),
        inner: Some(inner),
        watch,
        pulse: None,
        keep_alives: None,
        says: false,
        after: Rc::clone(&connection.after),
        lease: Lease::none(),
        client: Rc::clone(client),
        request_sent: sent,
        hang_ups: None,
        is_kept: false,
        holds_end: false,
        fared: Fared::default(),
    };
    Response::from_parts(head, RelayedBody::Passing(Passing::Observed(Box::new(body))))
}
