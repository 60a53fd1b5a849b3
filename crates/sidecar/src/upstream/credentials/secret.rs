//! A secret that no log can show, overwritten when it is dropped.

use std::fmt;

use outrigger_ledger::KeyHint;
use outrigger_providers::Credential;
use zeroize::Zeroizing;

/// A key, a token, or the text of a file with one.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) const fn new(text: Zeroizing<String>) -> Secret {
        Secret(text)
    }

    /// The secret itself: for a header or a signature, nothing else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = KeyHint::of(&Credential { header: "", secret: &self.0 });
        write!(f, "Secret(fingerprint {})", hint.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_fingerprint_alone() {
        // First digits as `printf %s KEY | sha256sum` prints them.
        let secret = Secret::new(Zeroizing::new("0123456789abcdefwxyz".to_owned()));
        assert_eq!(format!("{secret:?}"), "Secret(fingerprint 4a007d3c)");
    }
}
