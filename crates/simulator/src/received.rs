//! What reached the simulator and what it answered, for the other end of a comparison.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::script::Usage;

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The authority asked for.
    pub authority: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The name of the TLS handshake.
    pub server_name: Option<String>,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
    /// Status answered.
    pub status: u16,
    /// The answer's body so far, before compression.
    pub sent: Vec<u8>,
    /// Whether the answer is through: sent whole, cut as the script says, or given up by the client.
    pub ended: bool,
    /// Whether its AWS signature holds; `None` without one of a known key.
    pub signature_holds: Option<bool>,
    /// Whether the client left before the answer was through.
    pub abandoned: bool,
    /// What was reported as used, if anything.
    pub reported: Option<Reported>,
}

/// What an answer says was used; also what its provider would bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The model that answered.
    pub model: String,
    /// The tier that was served.
    pub tier: Option<String>,
    /// The token parts.
    pub usage: Usage,
}

#[derive(Default)]
pub(crate) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    bytes: u64,
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// One of them, as it is now.
    pub(crate) fn get(&self, at: usize) -> Received {
        self.state().received[at].clone()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.state().bytes
    }

    pub(crate) fn count_bytes(&self, bytes: usize) {
        self.state().bytes += bytes as u64;
    }

    /// Adds a request; its number is what [`Log::change`] takes.
    pub(crate) fn add(&self, received: Received) -> usize {
        let mut state = self.state();
        state.received.push(received);
        self.changed.notify_all();
        state.received.len() - 1
    }

    pub(crate) fn change(&self, at: usize, change: impl FnOnce(&mut Received)) {
        if let Some(received) = self.state().received.get_mut(at) {
            change(received);
        }
        self.changed.notify_all();
    }

    pub(crate) fn wait_for(&self, deadline: Duration, enough: impl Fn(&[Received]) -> bool) -> bool {
        let until = Instant::now() + deadline;
        let mut state = self.state();
        loop {
            if enough(&state.received) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
