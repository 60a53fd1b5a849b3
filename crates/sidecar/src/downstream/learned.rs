//! Which clients accept our certificates, found out by their handshakes. One that refused goes unobserved from then on,
//! so that it loses one connection in the pod's life, not each. Per handshake: one look-up, no lock (one thread).

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use rustls::server::ClientHello;

/// Clients times hosts; past it nothing more is learned, and an unknown client is served.
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
}

/// Values that some stacks draw at random (RFC 8701).
const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Trusts,
    Refuses,
}

/// What was learned so far.
#[derive(Default)]
pub(crate) struct Learned(RefCell<HashMap<Client, Standing>>);

impl Learned {
    /// Whether a client is known to refuse us.
    pub(crate) fn refuses(&self, client: &Client) -> bool {
        self.0.borrow().get(client) == Some(&Standing::Refuses)
    }

    /// A handshake succeeded.
    pub(crate) fn trusts(&self, client: &Client) {
        self.learn(client, Standing::Trusts);
    }

    /// A handshake was refused. One that succeeded before had another reason to fail this time. True when this is news.
    pub(crate) fn refused(&self, client: &Client) -> bool {
        self.learn(client, Standing::Refuses)
    }

    fn learn(&self, client: &Client, standing: Standing) -> bool {
        let mut known = self.0.borrow_mut();
        if known.contains_key(client) || known.len() >= REMEMBERED {
            return false;
        }
        known.insert(client.clone(), standing);
        true
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
        assert!(!learned.refused(&client(1)));
        assert!(!learned.refuses(&client(1)));
        assert!(learned.refused(&client(2)));
        assert!(learned.refuses(&client(2)));
    }

    #[test]
    fn random_values_are_told_from_real_ones() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x1301) && !is_grease(0x0a1a));
    }
}
