//! Sends a request and waits for the head of its answer. Per attempt.

use std::cell::Cell;
use std::rc::Rc;

use http::Request;

use crate::exchange::Connection;
use crate::exchange::body::Ahead;
use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::include_usage::{Answered, Asked};
use crate::exchange::relay::Came;
use crate::exchange::request::Route;
use crate::exchange::watch::Watch;
use crate::tls::accept::Protocol;
use crate::upstream::DialError;
use crate::upstream::client::{Sent, Towards};

async fn send(
    connection: &Connection,
    route: &Route,
    protocol: Protocol,
    request: Request<ForwardedBody>,
    watch: Option<&Rc<Watch>>,
) -> Result<Sent<ForwardedBody>, DialError> {
    let client = &connection.shared.client;
    let took = watch.map(|watch| &watch.waits.connecting);
    let way = Towards { original: route.original, within: route.connect, took };
    let sent = client.send(&route.target, way, protocol, &connection.own_h2, request).await?;
    if let Some(watch) = watch {
        watch.answered();
    }
    Ok(sent)
}

/// Sends a request. One that was made to ask for the usage is sent once more as the app sent it, if that is refused.
pub(super) async fn ask(
    connection: &Connection,
    route: &Route,
    protocol: Protocol,
    request: Request<ForwardedBody>,
    asked: Option<Asked>,
    watch: Option<&Rc<Watch>>,
    request_sent: Rc<Cell<bool>>,
) -> Result<Came, DialError> {
    let (sent, answered) = match asked {
        None => {
            let sent = send(connection, route, protocol, request, watch).await?;
            (sent, Answered::Otherwise(Ahead::new()))
        }
        Some(asked) => {
            let asking = ask_for_usage(connection, route, protocol, request, asked, watch, &request_sent);
            Box::pin(asking).await?
        }
    };
    let (ahead, strip) = match answered {
        Answered::Stream(strip) => (Ahead::new(), Some(strip)),
        Answered::Otherwise(ahead) => (ahead, None),
    };
    Ok(Came { sent, ahead, whole: None, strip, anew: None, request_sent })
}

async fn ask_for_usage(
    connection: &Connection,
    route: &Route,
    protocol: Protocol,
    request: Request<ForwardedBody>,
    asked: Asked,
    watch: Option<&Rc<Watch>>,
    request_sent: &Rc<Cell<bool>>,
) -> Result<(Sent<ForwardedBody>, Answered), DialError> {
    let shared = &connection.shared;
    let mut sent = send(connection, route, protocol, request, watch).await?;
    let refused = match shared.include_usage.answered(&asked, &mut sent.response).await {
        Ok(answered) => return Ok((sent, answered)),
        Err(refused) => refused,
    };
    if refused.whole && request_sent.get() {
        sent.lease.put_back(&shared.client);
    }
    if let Some(watch) = watch {
        watch.show(|call| {
            call.connected(sent.peer);
            call.sent_again(sent.response.status(), watch.clock.now());
        });
    }
    drop(sent);
    let host = Rc::clone(asked.host());
    let sent = send(connection, route, protocol, asked.without(request_sent), watch).await?;
    shared.include_usage.fared(&host, sent.response.status(), watch);
    Ok((sent, Answered::Otherwise(Ahead::new())))
}
