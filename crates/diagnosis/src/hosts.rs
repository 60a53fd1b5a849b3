//! Which hosts have answered. Bounded: the one that answered longest ago is forgotten first.

use outrigger_ledger::{CallRecord, Timestamp};

use crate::trend::is_silent;

/// Hosts that are remembered.
const HOSTS: usize = 64;

/// Hosts that have answered, and when they last did.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Vec<(String, Timestamp)>);

impl Hosts {
    /// Remembers the hosts that answered a call, whatever they said.
    pub(crate) fn saw(&mut self, record: &CallRecord) {
        for attempt in record.attempts.iter().filter(|attempt| attempt.status.is_some()) {
            if let Some(at) = self.0.iter().position(|(host, _)| *host == attempt.host) {
                self.0[at].1 = attempt.ended;
                continue;
            }
            if self.0.len() == HOSTS
                && let Some((oldest, _)) = self.0.iter().enumerate().min_by_key(|(_, (_, at))| *at)
            {
                self.0.swap_remove(oldest);
            }
            self.0.push((attempt.host.clone(), attempt.ended));
        }
    }

    /// Whether this one never answered while others do.
    pub(crate) fn is_the_odd_one(&self, host: &str, now: Timestamp) -> bool {
        self.0.iter().all(|(known, _)| known != host) && self.0.iter().any(|(_, at)| !is_silent(*at, now))
    }
}
