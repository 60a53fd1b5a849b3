//! How names of users, sessions and steps are found and kept, as the operator sets it. Once at the start.

use http::HeaderName;
use outrigger_ledger::{Hashing, IdentityRules, Source, hashing_key};
use outrigger_providers::Who;
use serde::Deserialize;

use crate::{Settings, StartError};

/// A salt shorter than this could be found by trying.
const SHORTEST_SALT: usize = 16;

/// Which names are kept as hashes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityHash {
    /// None.
    #[default]
    None,
    /// Users, sessions and tenants that look like an e-mail address or a phone number.
    Personal,
    /// Every user, session and tenant.
    All,
}

/// The rules that the settings ask for.
pub(crate) fn rules(settings: &Settings) -> Result<IdentityRules, StartError> {
    let mut order = Vec::new();
    for word in &settings.identity_order {
        let known = || Source::ALL.map(Source::as_str).join(", ");
        let source = Source::from_word(word)
            .ok_or_else(|| wrong(format!("`{word}` in `identity_order` is none of {}", known())))?;
        if order.contains(&source) {
            return Err(wrong(format!("`{word}` stands twice in `identity_order`")));
        }
        order.push(source);
    }
    let headers = settings.identity_headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
    Ok(IdentityRules::new(order, headers, hashing(settings)?))
}

fn header(text: &str) -> Result<(Who, HeaderName), StartError> {
    let read = || {
        let (who, name) = text.split_once('=')?;
        Some((Who::from_word(who.trim())?, name.trim().parse().ok()?))
    };
    read().ok_or_else(|| {
        let words = Who::ALL.map(Who::as_str).join(", ");
        wrong(format!(
            "`{text}` in `identity_headers` is not WHO=HEADER, such as user=x-end-user; WHO is one of {words}"
        ))
    })
}

fn hashing(settings: &Settings) -> Result<Hashing, StartError> {
    let with_salt: fn(_) -> Hashing = match settings.identity_hash {
        IdentityHash::None => return Ok(Hashing::None),
        IdentityHash::Personal => Hashing::Personal,
        IdentityHash::All => Hashing::All,
    };
    let path = settings.identity_salt_file.as_deref().ok_or_else(|| {
        wrong(
            "`identity_hash` needs `identity_salt_file`, a file with at least 16 bytes of your own: without a salt anybody could \
             find a name by trying"
                .to_owned(),
        )
    })?;
    let salt = std::fs::read(path)
        .map_err(|error| wrong(format!("cannot read `identity_salt_file` {}: {error}", path.display())))?;
    // What an editor adds at the end is not meant.
    let salt = salt.trim_ascii_end();
    if salt.len() < SHORTEST_SALT {
        return Err(wrong(format!(
            "`identity_salt_file` {} has {} bytes; make it at least {SHORTEST_SALT}, such as with `openssl rand -hex 32`",
            path.display(),
            salt.len()
        )));
    }
    Ok(with_salt(hashing_key(salt)))
}

const fn wrong(text: String) -> StartError {
    StartError::Settings(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(settings: &Settings) -> String {
        rules(settings).unwrap_err().to_string()
    }

    #[test]
    fn what_is_set_wrongly_is_named_with_its_mend() {
        rules(&Settings::default()).unwrap();
        let order = |words: &[&str]| Settings {
            identity_order: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Settings::default()
        };
        assert!(fault(&order(&["header", "cookie"])).contains("`cookie`"));
        assert!(fault(&order(&["body", "body"])).contains("twice"));
        rules(&order(&["body"])).unwrap();
        for text in ["x-end-user", "person=x-end-user", "user=x end user"] {
            let settings = Settings { identity_headers: vec![text.to_owned()], ..Settings::default() };
            assert!(fault(&settings).contains(text));
        }
    }

    #[test]
    fn hashing_needs_a_salt_that_cannot_be_guessed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("salt");
        let mut settings = Settings { identity_hash: IdentityHash::All, ..Settings::default() };
        assert!(fault(&settings).contains("needs `identity_salt_file`"));
        settings.identity_salt_file = Some(path.clone());
        assert!(fault(&settings).contains("cannot read"));
        std::fs::write(&path, "too short\n\n\n\n\n\n\n\n\n").unwrap();
        assert!(fault(&settings).contains("9 bytes"));
        std::fs::write(&path, "long enough for it\n").unwrap();
        let rules = format!("{:?}", rules(&settings).unwrap());
        assert!(rules.contains("All") && !rules.contains("long enough"), "{rules}");
    }
}
