//! The HTTP/2 connection of one connection of the app. Per connection, looked at per request.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::client::conn::http2;
use tokio::sync::OnceCell;

use super::Client;
use crate::upstream::{DialError, Target};

/// The HTTP/2 connection that a connection of the app has to itself, once it needs one. Requests that come while it is
/// being opened wait for it, and share its failure.
pub(crate) struct OwnH2<B>(RefCell<Option<Opening<B>>>);

type Opening<B> = Rc<OnceCell<Result<Held<B>, DialError>>>;
pub(super) type Held<B> = (http2::SendRequest<B>, Option<SocketAddr>);

impl<B> Default for OwnH2<B> {
    fn default() -> OwnH2<B> {
        OwnH2(RefCell::default())
    }
}

impl<B> OwnH2<B> {
    /// The connection of the app has ended; the next one may have it.
    pub(crate) fn put_back(&self, client: &Client<B>, target: &Target) {
        if let Some(opening) = self.0.take()
            && let Some(Ok((sender, peer))) = opening.get()
        {
            client.pool.put_h2(target, sender.clone(), *peer);
        }
    }

    pub(super) fn opening(&self) -> Opening<B> {
        Rc::clone(self.0.borrow_mut().get_or_insert_default())
    }

    /// The next request opens another one.
    pub(super) fn give_up(&self) {
        self.0.take();
    }

    /// The next request opens another one, unless somebody has begun to.
    pub(super) fn forget(&self, opening: &Opening<B>) {
        self.0.borrow_mut().take_if(|current| Rc::ptr_eq(current, opening));
    }
}
