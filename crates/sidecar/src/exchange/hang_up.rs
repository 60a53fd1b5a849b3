//! Apps that hang up in the middle of an answer which its provider bills to the end all the same: the rest is read, within
//! bounds, for the usage alone. Per hang-up; per frame what the meter does.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use outrigger_ledger::End;

use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::watch::Watch;
use crate::settings::{HangUp, Settings};
use crate::upstream::client::{Lease, SharedClient};

/// So many answers are read on at a time; others are cancelled.
const AT_ONCE: usize = 16;

/// What the hang-ups of the process have in common.
pub(crate) struct HangUps {
    policy: HangUp,
    time: Duration,
    bytes: u64,
    under_way: Cell<usize>,
}

/// An answer that nobody waits for any more.
pub(crate) struct Rest {
    pub(crate) inner: Incoming,
    pub(crate) watch: Rc<Watch>,
    pub(crate) lease: Lease<ForwardedBody>,
    pub(crate) client: SharedClient<ForwardedBody>,
    pub(crate) request_sent: bool,
}

/// The place that an answer takes while it is read on.
struct Place(Rc<HangUps>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

impl HangUps {
    pub(crate) const fn new(settings: &Settings) -> HangUps {
        HangUps {
            policy: settings.hang_up,
            time: Duration::from_secs(settings.hang_up_seconds),
            bytes: settings.hang_up_bytes,
            under_way: Cell::new(0),
        }
    }

    /// Whether answers of a provider that bills them to the end are read on.
    pub(crate) fn drains(&self) -> bool {
        self.policy == HangUp::Drain
    }

    /// Whether one more may be read on now.
    pub(crate) const fn has_room(&self) -> bool {
        self.under_way.get() < AT_ONCE
    }

    /// Reads the rest on a task of its own.
    pub(crate) fn read_on(self: Rc<Self>, rest: Rest) {
        self.under_way.set(self.under_way.get() + 1);
        let place = Place(self);
        tokio::task::spawn_local(async move {
            let Rest { mut inner, watch, mut lease, client, request_sent } = rest;
            let reading = read(&mut inner, &watch, place.0.bytes);
            let whole = tokio::time::timeout(place.0.time, reading).await.unwrap_or(false);
            watch.finish(End::Cancelled);
            if whole && request_sent {
                lease.put_back(&client);
            }
        });
    }
}

/// Shows the call what still comes; whether it came to its end.
async fn read(inner: &mut Incoming, watch: &Watch, bytes: u64) -> bool {
    let hung_up = watch.clock.now();
    let (mut left, mut first) = (bytes, true);
    while let Some(frame) = inner.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else { continue };
        // An answer of which nothing was missing but its end was over when the app left.
        if std::mem::take(&mut first) {
            watch.show(|call| call.hung_up(hung_up));
        }
        watch.response_chunk(data, watch.clock.now());
        match left.checked_sub(Bytes::len(data) as u64) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}
