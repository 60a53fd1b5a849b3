//! The body of an answer: sent piece by piece, at its pace, recorded as it goes.

use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{Semaphore, mpsc};

use crate::received::Log;

/// The connection is to break here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut by the script")
    }
}

impl std::error::Error for Broken {}

/// What hyper sends.
pub(crate) enum Sent {
    Whole(Option<Bytes>),
    /// Bytes, then trailers.
    Trailed(Option<Bytes>, Option<HeaderMap>),
    Pieces(mpsc::Receiver<Result<Bytes, Broken>>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Sent::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Sent::Trailed(bytes, trailers) => {
                let frame = bytes.take().map(Frame::data).or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            Sent::Pieces(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Sent::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Sent::Trailed(..) | Sent::Pieces(_) => SizeHint::default(),
        }
    }
}

/// How a stream is sent.
pub(crate) struct Pace {
    pub(crate) between: Duration,
    pub(crate) gate: Option<Arc<Semaphore>>,
    pub(crate) gzip: bool,
    pub(crate) end: Last,
}

/// What comes after the last piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// The end.
    End,
    /// A break.
    Break,
    /// Nothing, until the client leaves.
    Silence,
}

/// Sends `pieces` one by one; records what has gone out under `at`.
pub(crate) fn stream(
    pieces: impl Iterator<Item = Bytes> + Send + 'static,
    pace: Pace,
    log: Arc<Log>,
    at: usize,
) -> Sent {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut encoder = pace.gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        let mut abandoned = false;
        for piece in pieces {
            let turn = async {
                if let Some(Ok(permit)) = match &pace.gate {
                    Some(gate) => Some(gate.acquire().await),
                    None => None,
                } {
                    permit.forget();
                }
            };
            tokio::select! {
                () = turn => {}
                () = sender.closed() => {
                    abandoned = true;
                    break;
                }
            }
            let bytes = match &mut encoder {
                None => piece.clone(),
                Some(encoder) => flushed(encoder, &piece),
            };
            if sender.send(Ok(bytes)).await.is_err() {
                abandoned = true;
                break;
            }
            log.change(at, |received| received.sent.extend_from_slice(&piece));
            if !pace.between.is_zero() {
                tokio::time::sleep(pace.between).await;
            }
        }
        if pace.end == Last::Silence {
            sender.closed().await;
            abandoned = true;
        }
        let last = match (pace.end, encoder.map(GzEncoder::finish)) {
            (Last::Break, _) => Some(Err(Broken)),
            (Last::End, Some(Ok(trailer))) => Some(Ok(Bytes::from(trailer))),
            (Last::End | Last::Silence, _) => None,
        };
        if let Some(last) = last {
            abandoned |= sender.send(last).await.is_err();
        }
        log.change(at, |received| {
            received.abandoned = abandoned;
            received.ended = true;
        });
    });
    Sent::Pieces(receiver)
}

/// A compressed event that a decoder can read at once.
fn flushed(encoder: &mut GzEncoder<Vec<u8>>, bytes: &[u8]) -> Bytes {
    // Writing to a Vec cannot fail.
    let _written = encoder.write_all(bytes).and_then(|()| encoder.flush());
    Bytes::from(std::mem::take(encoder.get_mut()))
}

/// A whole body, compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(written.unwrap_or_default())
}
