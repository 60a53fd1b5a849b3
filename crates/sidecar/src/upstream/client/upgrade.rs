//! A connection that stops being HTTP: its raw form comes back. Per upgrade.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::open::{Tls, h1_builder};
use super::{Client, RequestBody, broken};
use crate::upstream::tls::Offer;
use crate::upstream::{DialError, Target};

impl<B: RequestBody> Client<B> {
    /// A connection of its own for an upgrade; its raw form comes back once the response's head has been read.
    pub(crate) async fn send_upgrade(
        &self,
        target: &Target,
        original: Option<SocketAddr>,
        request: Request<B>,
    ) -> Result<(Response<Incoming>, Option<SocketAddr>, UpgradedUpstream), DialError> {
        let (tls, peer, _) = Box::pin(self.open(target, original, Offer::H1)).await?;
        let (mut sender, connection) =
            h1_builder().handshake(TokioIo::new(tls)).await.map_err(|error| broken(target, &error))?;
        let (hand_over, raw) = tokio::sync::oneshot::channel();
        tokio::task::spawn_local(async move {
            if let Ok(parts) = connection.without_shutdown().await {
                // The receiver is gone when the response was no 101; the connection then closes here.
                let _closed = hand_over.send((parts.io.into_inner(), parts.read_buf));
            }
        });
        let response = sender.send_request(request).await.map_err(|error| broken(target, &error))?;
        Ok((response, peer, UpgradedUpstream(raw)))
    }
}

/// The provider's side of an upgraded connection, once its response head is through.
pub(crate) struct UpgradedUpstream(tokio::sync::oneshot::Receiver<(Tls, bytes::Bytes)>);

impl UpgradedUpstream {
    /// The raw connection and what had been read behind the head.
    pub(crate) async fn raw(self) -> Option<(Tls, bytes::Bytes)> {
        self.0.await.ok()
    }
}
