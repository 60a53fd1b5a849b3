//! Says once what a person must know of the endpoints, however many requests run into it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::Signal;

/// Losses of one signal are said at most this often.
const LOSS_PAUSE: Duration = Duration::from_secs(60);

/// What has been said already. One per exporter, shared by its lanes: signals that share an endpoint speak once.
#[derive(Debug, Default)]
pub(crate) struct Herald {
    down: RefCell<BTreeSet<String>>,
    losses: [Losses; Signal::ALL.len()],
    unspooled: Cell<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Losses {
    said: Cell<Option<Instant>>,
    unsaid: Cell<u64>,
}

impl Herald {
    /// An endpoint does not answer, or asks to wait.
    pub(crate) fn down(&self, endpoint: &str, why: &str) {
        if self.down.borrow_mut().insert(endpoint.to_owned()) {
            tracing::warn!(
                endpoint,
                why,
                "telemetry waits: the OTLP endpoint does not take it; calls are not affected, what no longer fits in \
                 memory or spool is dropped and counted; see that a collector listens there, or correct \
                 OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL (4317 is gRPC, 4318 http/protobuf)"
            );
        }
    }

    /// An endpoint took something.
    pub(crate) fn up(&self, endpoint: &str) {
        if !self.down.borrow().is_empty() && self.down.borrow_mut().remove(endpoint) {
            tracing::info!(endpoint, "telemetry flows again: the OTLP endpoint takes it");
        }
    }

    /// An endpoint does not take a signal.
    pub(crate) fn refused(&self, signal: Signal, endpoint: &str, why: &str, again: Duration) {
        let (signal, variable) = (signal.as_str(), signal.variable());
        tracing::warn!(
            endpoint,
            signal,
            why,
            "the OTLP endpoint does not take this signal, the others go on; it is dropped and counted, and offered \
             again every {} s; to keep it, point OTEL_EXPORTER_OTLP_{variable}_ENDPOINT at a collector that takes it; \
             to stop offering it, set OTEL_{variable}_EXPORTER=none",
            again.as_secs()
        );
    }

    /// A signal that was refused is taken now.
    pub(crate) fn accepted(&self, signal: Signal, endpoint: &str) {
        tracing::info!(endpoint, signal = signal.as_str(), "the OTLP endpoint takes this signal now");
    }

    /// The disk does not take what is to be kept there. Said at most once a minute.
    pub(crate) fn unspooled(&self, why: &str) {
        let now = Instant::now();
        if self.unspooled.get().is_some_and(|said| now.duration_since(said) < LOSS_PAUSE) {
            return;
        }
        self.unspooled.set(Some(now));
        tracing::error!(
            why,
            "the spool does not take telemetry: it stays in memory, and what no longer fits there is dropped and counted; \
             calls are not affected; make room on the spool's volume"
        );
    }

    /// Items are lost. The first loss is said at once, later ones together, once a minute.
    pub(crate) fn lost(&self, signal: Signal, endpoint: &str, items: u64, why: &str, mend: &str) {
        let losses = &self.losses[signal as usize];
        let unsaid = losses.unsaid.get().saturating_add(items);
        let now = Instant::now();
        if losses.said.get().is_some_and(|said| now.duration_since(said) < LOSS_PAUSE) {
            losses.unsaid.set(unsaid);
            return;
        }
        losses.said.set(Some(now));
        losses.unsaid.set(0);
        tracing::warn!(
            endpoint,
            signal = signal.as_str(),
            dropped = unsaid,
            why,
            "telemetry is dropped; {mend}"
        );
    }
}
