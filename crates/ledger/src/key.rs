//! A credential, told apart from others without being told.

use std::fmt;

use outrigger_providers::Credential;
use sha2::{Digest, Sha256};

use crate::ids::hex;

/// Keys shorter than this show no ending: it would be too much of them.
const LONG: usize = 20;
const ENDING: usize = 4;

/// What may be said of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyHint {
    /// The first eight hex digits of its SHA-256: the same key always has the same, in every pod.
    pub fingerprint: String,
    /// Its last four characters, if it has twenty or more.
    pub ending: Option<String>,
}

impl KeyHint {
    pub(crate) fn of(credential: &Credential<'_>) -> KeyHint {
        let secret = credential.secret;
        let digest = Sha256::digest(secret.as_bytes());
        let count = secret.chars().count();
        let ending = (count >= LONG).then(|| secret.chars().skip(count - ENDING).collect());
        KeyHint { fingerprint: hex(&digest[..4]), ending }
    }
}

impl fmt::Display for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Some(ending) => write!(f, "the key ending …{ending} (fingerprint {})", self.fingerprint),
            None => write!(f, "the key with fingerprint {}", self.fingerprint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(secret: &str) -> String {
        KeyHint::of(&Credential { header: "authorization", secret }).to_string()
    }

    #[test]
    fn only_long_keys_show_their_ending() {
        // First digits as `printf %s KEY | sha256sum` prints them.
        assert_eq!(hint("0123456789abcdefwxyz"), "the key ending …wxyz (fingerprint 4a007d3c)");
        assert_eq!(hint("0123456789abcdefwxy"), "the key with fingerprint 1b07c32d");
    }
}
