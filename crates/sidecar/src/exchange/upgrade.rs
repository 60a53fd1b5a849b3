//! WebSocket and other upgrades: a tunnel after the provider's 101, the provider's own answer otherwise.
//! Its frames are not read yet; the bytes pass as they are.

use std::rc::Rc;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::exchange::body::{ForwardedBody, ObservedBody, RelayedBody};
use crate::exchange::request::{Route, outgoing};
use crate::exchange::{Connection, answer, headers};
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

/// Forwards the request on a connection of its own.
pub(crate) async fn forward(
    connection: &Rc<Connection>,
    request: Request<Incoming>,
    route: &Route,
) -> Response<RelayedBody> {
    let (head, body) = request.into_parts();
    let wanted = head.headers.get(UPGRADE).cloned();
    let mut head = outgoing(head, route, Protocol::H1, &connection.binding);
    if let Some(protocol) = wanted {
        head.headers.insert(UPGRADE, protocol);
        head.headers.insert(CONNECTION, http::HeaderValue::from_static("Upgrade"));
    }
    let sent = Rc::default();
    let request = Request::from_parts(head, ForwardedBody::new(body, None, Rc::clone(&sent)));
    let client = &connection.shared.client;
    let (response, _, upstream) = match client.send_upgrade(&route.target, route.original, request).await {
        Ok(answered) => answered,
        Err(error) => {
            let dialect = route.service.default_dialect();
            return answer::error(dialect, answer::status_for(error.class), error.class, &error.text);
        }
    };
    let (mut head, inner) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        connection.tunnel.replace(Some(upstream));
        return Response::from_parts(head, RelayedBody::Own(None));
    }
    headers::clean_response(&mut head.headers);
    let body = ObservedBody {
        inner,
        watch: None,
        after: Rc::clone(&connection.after),
        lease: Lease::none(),
        client: Rc::clone(client),
        request_sent: sent,
    };
    Response::from_parts(head, RelayedBody::Observed(Box::new(body)))
}
