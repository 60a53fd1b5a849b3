//! Which clients accept our certificates, found out by their handshakes and by whether they then speak: some look at
//! the certificate only when the handshake is over. One that refused goes unobserved from then on, so that it loses one
//! connection in the pod's life, not each. Per connection: one look-up under a lock that nobody else takes but the admin's
//! snapshots.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use lru::LruCache;
use rustls::server::ClientHello;

use crate::status;

/// Clients times hosts; past it the one that has not been seen for longest is forgotten, so that nobody who shows ever new faces
/// keeps the others from being learned.
const REMEMBERED: usize = 4096;

/// A TLS stack and the host that it talks to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) host: String,
    /// What the stack offers, hashed; equal for connections of the same stack with the same configuration.
    pub(crate) fingerprint: u64,
}

impl Client {
    pub(crate) fn of(hello: &ClientHello<'_>, host: String) -> Client {
        let mut hasher = DefaultHasher::new();
        let mut values = |list: &mut dyn Iterator<Item = u16>| {
            for value in list.filter(|value| !is_grease(*value)) {
                value.hash(&mut hasher);
            }
            u16::MAX.hash(&mut hasher);
        };
        values(&mut hello.cipher_suites().iter().map(|suite| u16::from(*suite)));
        values(&mut hello.signature_schemes().iter().map(|scheme| u16::from(*scheme)));
        values(&mut hello.named_groups().unwrap_or_default().iter().map(|group| u16::from(*group)));
        if let Some(names) = hello.alpn() {
            names.for_each(|name| name.hash(&mut hasher));
        }
        Client { host, fingerprint: hasher.finish() }
    }

    /// The fingerprint as logs and reports show it.
    pub(crate) fn shown(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }
}

/// Values that some stacks draw at random (RFC 8701).
const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// How a client ended a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It said that it does not accept the certificate.
    Certificate,
    /// It said something else, or left without a word.
    Unexplained,
}

/// Two programs may look alike and trust differently. So many refusals in plain words, and the one that cannot connect
/// counts for more than the one that is observed.
const PLAIN_REFUSALS: u8 = 3;

/// What is known of one client.
struct Known {
    standing: status::Standing,
    /// Refusals of its certificate by a client that accepted it before.
    plain_refusals: u8,
    /// Seconds since the epoch.
    since: u64,
    connections: u64,
}

impl Known {
    fn now(standing: status::Standing) -> Known {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Known { standing, plain_refusals: 0, since, connections: 1 }
    }
}

/// What was learned so far.
pub(crate) struct Learned(Mutex<LruCache<Client, Known>>);

impl Default for Learned {
    fn default() -> Learned {
        // Grows as it is filled; few pods have more than a handful.
        Learned(Mutex::new(LruCache::unbounded()))
    }
}

impl Learned {
    /// Whether a client is known to refuse us.
    pub(crate) fn refuses(&self, client: &Client) -> bool {
        match self.known().get_mut(client) {
            Some(known) if known.standing == status::Standing::Refuses => {
                known.connections += 1;
                true
            }
            _ => false,
        }
    }

    /// Whether nothing was learned of a client yet.
    pub(crate) fn is_new(&self, client: &Client) -> bool {
        !self.known().contains(client)
    }

    /// It spoke, once the handshake was over.
    pub(crate) fn trusts(&self, client: &Client) {
        self.learn(client, status::Standing::Trusts);
    }

    /// It refused. One that trusted us before may have had another reason this time, unless it keeps saying that the
    /// certificate is it. True when this is news.
    pub(crate) fn refused(&self, client: &Client, refusal: Refusal) -> bool {
        if let Some(known) = self.known().get_mut(client)
            && known.standing == status::Standing::Trusts
        {
            known.plain_refusals += u8::from(refusal == Refusal::Certificate);
            if known.plain_refusals < PLAIN_REFUSALS {
                return false;
            }
            *known = Known::now(status::Standing::Refuses);
            return true;
        }
        self.learn(client, status::Standing::Refuses)
    }

    /// Every client, by host.
    pub(crate) fn clients(&self) -> Vec<status::Client> {
        let mut clients: Vec<status::Client> = self
            .known()
            .iter()
            .map(|(client, known)| status::Client {
                host: client.host.clone(),
                fingerprint: client.shown(),
                standing: known.standing,
                since: known.since,
                connections: known.connections,
            })
            .collect();
        clients.sort_by(|a, b| (&a.host, &a.fingerprint).cmp(&(&b.host, &b.fingerprint)));
        clients
    }

    fn learn(&self, client: &Client, standing: status::Standing) -> bool {
        let mut known = self.known();
        if let Some(known) = known.get_mut(client) {
            if known.standing == standing {
                known.connections += 1;
            }
            return false;
        }
        if known.len() >= REMEMBERED {
            known.pop_lru();
        }
        known.put(client.clone(), Known::now(standing));
        true
    }

    fn known(&self) -> MutexGuard<'_, LruCache<Client, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_outweighs_later_failures_and_a_refusal_stays() {
        let learned = Learned::default();
        let client = |fingerprint| Client { host: "api.openai.com".to_owned(), fingerprint };
        learned.trusts(&client(1));
        assert!(!learned.refused(&client(1), Refusal::Unexplained));
        assert!(!learned.refuses(&client(1)));
        assert!(learned.refused(&client(2), Refusal::Unexplained));
        assert!(learned.refuses(&client(2)));
        let told: Vec<_> = learned
            .clients()
            .into_iter()
            .map(|client| (client.fingerprint, client.standing, client.connections))
            .collect();
        assert_eq!(
            told,
            [
                ("0000000000000001".to_owned(), status::Standing::Trusts, 1),
                // The refused one, and the one that passed through because of it.
                ("0000000000000002".to_owned(), status::Standing::Refuses, 2)
            ]
        );
    }

    #[test]
    fn a_neighbour_that_looks_alike_is_not_locked_out_for_good() {
        let learned = Learned::default();
        let client = Client { host: "api.openai.com".to_owned(), fingerprint: 1 };
        learned.trusts(&client);
        for _ in 0..100 {
            assert!(!learned.refused(&client, Refusal::Unexplained), "it may have left for any reason");
        }
        for _ in 1..PLAIN_REFUSALS {
            assert!(!learned.refused(&client, Refusal::Certificate));
            learned.trusts(&client);
            assert!(!learned.refuses(&client));
        }
        assert!(learned.refused(&client, Refusal::Certificate), "this is news");
        assert!(learned.refuses(&client));
    }

    #[test]
    fn past_the_bound_the_one_that_was_not_seen_for_longest_is_forgotten() {
        let learned = Learned::default();
        let client = |fingerprint| Client { host: "api.openai.com".to_owned(), fingerprint };
        for fingerprint in 0..REMEMBERED as u64 {
            learned.refused(&client(fingerprint), Refusal::Certificate);
        }
        assert!(learned.refuses(&client(0)), "seen again");
        assert!(learned.refused(&client(u64::MAX), Refusal::Certificate), "this is news");
        assert!(learned.refuses(&client(0)) && learned.refuses(&client(u64::MAX)));
        assert!(learned.is_new(&client(1)));
        assert_eq!(learned.clients().len(), REMEMBERED);
    }

    #[test]
    fn random_values_are_told_from_real_ones() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x1301) && !is_grease(0x0a1a));
    }
}
