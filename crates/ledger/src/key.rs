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
    /// The provider whose keys alone look so, by its id.
    pub made_for: Option<&'static str>,
}

/// How keys begin that no other provider makes.
const BEGINNINGS: [(&str, &str); 12] = [
    ("sk-ant-", "anthropic"),
    ("sk-or-", "openrouter"),
    ("sk-proj-", "openai"),
    ("sk-svcacct-", "openai"),
    ("sk-admin-", "openai"),
    ("gsk_", "groq"),
    ("AIza", "gemini"),
    ("xai-", "xai"),
    ("pplx-", "perplexity"),
    ("csk-", "cerebras"),
    ("fw_", "fireworks"),
    ("tgp_v1_", "together"),
];

impl KeyHint {
    /// The fingerprint that this secret has as a key. No way leads from it back to the secret.
    #[must_use]
    pub fn fingerprint_of(secret: &str) -> String {
        hex(&Sha256::digest(secret.as_bytes())[..4])
    }

    /// What may be said of this one.
    #[must_use]
    pub fn of(credential: &Credential<'_>) -> KeyHint {
        let secret = credential.secret;
        let count = secret.chars().count();
        let ending = (count >= LONG).then(|| secret.chars().skip(count - ENDING).collect());
        let made_for = BEGINNINGS.iter().find(|(start, _)| secret.starts_with(start)).map(|(_, id)| *id);
        KeyHint { fingerprint: Self::fingerprint_of(secret), ending, made_for }
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

    #[test]
    fn a_key_tells_by_its_beginning_whose_it_is_where_that_is_certain() {
        fn made_for(secret: &str) -> Option<&'static str> {
            KeyHint::of(&Credential { header: "authorization", secret }).made_for
        }
        for (start, id) in BEGINNINGS {
            assert_eq!(made_for(&format!("{start}0123456789")), Some(id));
            assert!(
                outrigger_providers::KEY_SHAPES.iter().any(|shape| start.starts_with(shape.begins)),
                "{start}"
            );
            assert!(outrigger_providers::services::ALL.iter().any(|service| service.id == id), "{id}");
        }
        assert_eq!(made_for("sk-0123456789abcdef"), None, "several providers make such");
    }
}
