//! Which place is believed before which, and which names are kept as hashes only. Made once, read per request.

use http::HeaderName;
use outrigger_providers::Who;
use ring::hmac;

use crate::Propagators;
use crate::ids::hex;

/// The kind of place a name stood in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A header of Outrigger's own, or one that the operator named.
    Header,
    /// A header of another product: a gateway, an observability service, the provider.
    Product,
    /// A member of the body that the provider has for it.
    Body,
    /// A header of a coding agent.
    Agent,
    /// An entry of the W3C baggage.
    Baggage,
    /// The key of the prompt cache: often a conversation, sometimes a whole app.
    CacheKey,
    /// The trace that the app's `traceparent` names.
    Trace,
}

impl Source {
    /// All of them, in the order of belief unless another is set: what was said on purpose before what was said for another
    /// purpose.
    pub const ALL: [Source; 7] = [
        Source::Header,
        Source::Product,
        Source::Body,
        Source::Agent,
        Source::Baggage,
        Source::CacheKey,
        Source::Trace,
    ];

    /// The word used in records and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Header => "header",
            Source::Product => "product",
            Source::Body => "body",
            Source::Agent => "agent",
            Source::Baggage => "baggage",
            Source::CacheKey => "cache_key",
            Source::Trace => "trace",
        }
    }

    /// What a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|source| source.as_str() == word)
    }
}

/// Which names are kept as keyed hashes (HMAC-SHA256, the first 16 bytes in hex) instead of what they are. Steps and agents are
/// the programmer's words and stay.
#[derive(Debug, Clone, Default)]
pub enum Hashing {
    /// None.
    #[default]
    None,
    /// Users, sessions and tenants that look like an e-mail address or a phone number.
    Personal(hmac::Key),
    /// Every user, session and tenant.
    All(hmac::Key),
}

/// A key for [`Hashing`] from a salt. The same salt gives the same hashes, in every pod and after every start.
#[must_use]
pub fn hashing_key(salt: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, salt)
}

/// What is believed, and what is kept.
#[derive(Debug, Clone)]
pub struct IdentityRules {
    order: Vec<Source>,
    headers: Vec<(Who, HeaderName)>,
    hashing: Hashing,
    propagators: Propagators,
}

impl Default for IdentityRules {
    /// Every source in the order of [`Source::ALL`], no headers beside the known ones, nothing hashed.
    fn default() -> IdentityRules {
        IdentityRules::new(Source::ALL.to_vec(), Vec::new(), Hashing::None)
    }
}

impl IdentityRules {
    /// Rules. Sources that `order` leaves out are not read; `headers` are the operator's own.
    #[must_use]
    pub fn new(order: Vec<Source>, headers: Vec<(Who, HeaderName)>, hashing: Hashing) -> IdentityRules {
        IdentityRules { order, headers, hashing, propagators: Propagators::default() }
    }

    /// The same, with these headers for traces and baggage.
    #[must_use]
    pub fn reading(self, propagators: Propagators) -> IdentityRules {
        IdentityRules { propagators, ..self }
    }

    /// Which headers say where a call belongs, and whether baggage is read.
    #[must_use]
    pub const fn propagators(&self) -> Propagators {
        self.propagators
    }

    pub(super) fn rank(&self, source: Source) -> Option<usize> {
        self.order.iter().position(|known| *known == source)
    }

    pub(super) fn headers(&self) -> &[(Who, HeaderName)] {
        &self.headers
    }

    /// A name as it may be kept, and whether that is a hash. A trace's id names nobody.
    pub(super) fn shown(&self, who: Who, source: Source, text: String) -> (String, bool) {
        let key = match &self.hashing {
            Hashing::All(key) => key,
            Hashing::Personal(key) if is_personal(&text) => key,
            Hashing::None | Hashing::Personal(_) => return (text, false),
        };
        if source == Source::Trace || matches!(who, Who::Step | Who::Agent) {
            return (text, false);
        }
        let tag = hmac::sign(key, text.as_bytes());
        (hex(&tag.as_ref()[..16]), true)
    }
}

/// Whether a text looks like an e-mail address or a phone number.
fn is_personal(text: &str) -> bool {
    is_address(text) || is_phone(text)
}

fn is_address(text: &str) -> bool {
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.trim_matches('.').contains('.') && !text.contains(char::is_whitespace)
    })
}

/// International, or written in groups: an id that is a number only is none.
fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let others = |byte: u8| matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+');
    let written = text.strip_prefix("tel:").unwrap_or(text);
    (7..=15).contains(&digits)
        && written.bytes().all(|byte| byte.is_ascii_digit() || others(byte))
        && (written.starts_with('+') || written.starts_with('0') || written.bytes().any(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_phone_numbers_are_told_from_ids() {
        for text in [
            "zoe@example.org",
            "mailto:a.b@mail.example.org",
            "+49 431 880-0",
            "(0431) 8800-12",
            "tel:+494318800",
        ] {
            assert!(is_personal(text), "{text}");
        }
        for text in
            ["u_81", "20261125", "@zoe", "zoe@", "zoe@host", "user zoe@example.org said", "conv_1.2-3", "1-2"]
        {
            assert!(!is_personal(text), "{text}");
        }
    }

    #[test]
    fn only_people_are_hashed_and_the_same_salt_gives_the_same_hash() {
        let rules = |hashing| IdentityRules::new(Source::ALL.to_vec(), Vec::new(), hashing);
        let salt = || hashing_key(b"0123456789abcdef");
        let shown = |rules: &IdentityRules, who, text: &str| rules.shown(who, Source::Body, text.to_owned());
        let all = rules(Hashing::All(salt()));
        // As `printf %s u_81 | openssl dgst -sha256 -hmac 0123456789abcdef` prints it.
        assert_eq!(shown(&all, Who::User, "u_81"), (EXPECTED.to_owned(), true));
        assert_eq!(shown(&all, Who::Step, "plan"), ("plan".to_owned(), false));
        assert_eq!(all.shown(Who::Session, Source::Trace, "4bf9".to_owned()), ("4bf9".to_owned(), false));
        let personal = rules(Hashing::Personal(salt()));
        assert_eq!(shown(&personal, Who::User, "u_81"), ("u_81".to_owned(), false));
        assert!(shown(&personal, Who::User, "zoe@example.org").1);
        assert_ne!(
            shown(&personal, Who::User, "zoe@example.org"),
            shown(&rules(Hashing::All(hashing_key(b"another salt, as long"))), Who::User, "zoe@example.org")
        );
    }

    const EXPECTED: &str = "ad31d2e73b1465684bddf3b108ed652b";
}
