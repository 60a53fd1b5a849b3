//! How names of users, sessions and steps are found and kept, as the operator sets it. Once at the start.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use http::HeaderName;
use outrigger_contract::environment;
use outrigger_exporter::LeftOut;
use outrigger_ledger::{Hashing, IdentityRules, Propagators, Source, hashing_key};
use outrigger_providers::Who;
use serde::Deserialize;

use crate::settings::in_part::{Look, told};
use crate::{Settings, StartError};

/// A salt shorter than this could be found by trying.
const SHORTEST_SALT: usize = 16;

/// File in the private directory with a salt of our own.
const OWN_SALT: &str = "identity.salt";

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
        order.push(source(word, &order)?);
    }
    let headers = settings.identity_headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
    let in_cluster = std::env::var_os(environment::IN_CLUSTER).is_some();
    let propagators = propagators(propagators_asked(settings).as_deref())?;
    Ok(IdentityRules::new(order, headers, hashing(settings, in_cluster)?).reading(propagators))
}

/// Leaves out what [`rules`] would refuse, and tells it. Nobody is named, or in clear, who would not have been as it was meant.
pub(crate) fn leave_out_unusable(settings: &mut Settings, look: Look) -> Vec<LeftOut> {
    const LEFT: &str = "Until then it is left out";
    const HASHED: &str =
        "Until then names are hashed with a salt of this pod's own, so they differ from pod to pod";
    let (mut left_out, mut order) = (Vec::new(), Vec::new());
    settings.identity_order.retain(|word| match source(word, &order) {
        Ok(source) => {
            order.push(source);
            true
        }
        Err(fault) => {
            left_out.push(told("identity_order", &fault, LEFT));
            false
        }
    });
    settings.identity_headers.retain(|text| {
        header(text).map_err(|fault| left_out.push(told("identity_headers", &fault, LEFT))).is_ok()
    });
    if let Some(asked) = propagators_asked(settings)
        && let Err(fault) = propagators(Some(&asked))
    {
        let known: Vec<&str> = asked.split(',').filter(|word| word.parse::<Propagators>().is_ok()).collect();
        settings.in_part.propagators =
            Some(if known.is_empty() { "none".to_owned() } else { known.join(",") });
        left_out.push(told(environment::PROPAGATORS, &fault, LEFT));
    }
    let hashes = match settings.identity_hash {
        Some(asked) => asked != IdentityHash::None,
        None => std::env::var_os(environment::IN_CLUSTER).is_some(),
    };
    let unread = match &settings.identity_salt_file {
        Some(path) if hashes && look == Look::All => {
            salt_of(path).err().map(|fault| ("identity_salt_file", fault))
        }
        None if hashes && settings.identity_hash.is_some() && !settings.in_part.own_salt => {
            Some(("identity_hash", no_salt()))
        }
        _ => None,
    };
    if let Some((key, fault)) = unread {
        settings.identity_salt_file = None;
        settings.in_part.own_salt = true;
        left_out.push(told(key, &fault, HASHED));
    }
    left_out
}

/// A kind of place that is asked for once.
fn source(word: &str, earlier: &[Source]) -> Result<Source, StartError> {
    let known = || Source::ALL.map(Source::as_str).join(", ");
    let source = Source::from_word(word)
        .ok_or_else(|| wrong(format!("`{word}` in `identity_order` is none of {}", known())))?;
    if earlier.contains(&source) {
        return Err(wrong(format!("`{word}` stands twice in `identity_order`")));
    }
    Ok(source)
}

fn propagators_asked(settings: &Settings) -> Option<String> {
    settings.in_part.propagators.clone().or_else(|| std::env::var(environment::PROPAGATORS).ok())
}

/// Which headers lead a call to the app's trace, and whether baggage names anybody.
fn propagators(given: Option<&str>) -> Result<Propagators, StartError> {
    let Some(list) = given.map(str::trim).filter(|list| !list.is_empty()) else {
        return Ok(Propagators::default());
    };
    list.parse().map_err(|word: String| {
        wrong(format!(
            "{}={list:?}: `{word}` is no propagator that is spoken here; write tracecontext, baggage, b3, b3multi or none",
            environment::PROPAGATORS
        ))
    })
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

/// Where nobody chose, people are hashed in a cluster, where many read the telemetry, and shown on a machine of one's own.
fn hashing(settings: &Settings, in_cluster: bool) -> Result<Hashing, StartError> {
    let unset = if in_cluster { IdentityHash::Personal } else { IdentityHash::None };
    let with_salt: fn(_) -> Hashing = match settings.identity_hash.unwrap_or(unset) {
        IdentityHash::None => return Ok(Hashing::None),
        IdentityHash::Personal => Hashing::Personal,
        IdentityHash::All => Hashing::All,
    };
    let salt = match (&settings.identity_salt_file, settings.identity_hash) {
        (Some(path), _) => salt_of(path)?,
        (None, None) => {
            tracing::info!(
                "users, sessions and tenants that look like an e-mail address or a phone number are kept as hashes, with a salt of \
                 this pod's own; for the same hashes in every pod set `identity_salt_file`, to keep them as they are \
                 `identity_hash: none`"
            );
            own_salt(settings)
        }
        (None, Some(_)) if settings.in_part.own_salt => own_salt(settings),
        (None, Some(_)) => return Err(no_salt()),
    };
    Ok(with_salt(hashing_key(&salt)))
}

fn no_salt() -> StartError {
    wrong(
        "`identity_hash` needs `identity_salt_file`, a file with at least 16 bytes of your own: without a salt anybody could find a \
         name by trying"
            .to_owned(),
    )
}

fn salt_of(path: &Path) -> Result<Vec<u8>, StartError> {
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
    Ok(salt.to_vec())
}

/// A salt that nobody knows: the one of an earlier start in this pod, or a fresh one. Whoever wants the same hashes in every
/// pod gives a salt.
fn own_salt(settings: &Settings) -> Vec<u8> {
    let path = settings.ca_dir.as_ref().map(|directory| directory.join(OWN_SALT));
    let kept = path.as_ref().and_then(|path| std::fs::read(path).ok());
    if let Some(salt) = kept.filter(|salt| salt.len() >= SHORTEST_SALT) {
        return salt;
    }
    let mut salt = vec![0; 32];
    if let Err(error) = getrandom::fill(&mut salt) {
        tracing::error!(%error, "no randomness for a salt: hashes of names could be found by trying");
    }
    if let Some(path) = path
        && let Err(error) = write_private(&path, &salt)
    {
        tracing::info!(%error, "the salt is kept in memory alone: a restart gives other hashes");
    }
    salt
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
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
        let mut settings = Settings { identity_hash: Some(IdentityHash::All), ..Settings::default() };
        assert!(fault(&settings).contains("needs `identity_salt_file`"));
        settings.identity_salt_file = Some(path.clone());
        assert!(fault(&settings).contains("cannot read"));
        std::fs::write(&path, "too short\n\n\n\n\n\n\n\n\n").unwrap();
        assert!(fault(&settings).contains("9 bytes"));
        std::fs::write(&path, "long enough for it\n").unwrap();
        let rules = format!("{:?}", rules(&settings).unwrap());
        assert!(rules.contains("All") && !rules.contains("long enough"), "{rules}");
    }

    #[test]
    fn an_unknown_propagator_is_named_with_those_that_are_known() {
        assert_eq!(propagators(None).unwrap(), Propagators::default());
        assert_eq!(propagators(Some(" ")).unwrap(), Propagators::default());
        assert!(propagators(Some("b3")).unwrap().b3);
        let error = propagators(Some("tracecontext,xray")).unwrap_err().to_string();
        assert!(error.contains("OTEL_PROPAGATORS=\"tracecontext,xray\": `xray`"), "{error}");
        assert!(error.contains("b3multi"), "{error}");
    }

    #[test]
    fn in_a_cluster_people_are_hashed_unless_somebody_chose_otherwise() {
        let word = |settings: &Settings, in_cluster| {
            let shown = format!("{:?}", hashing(settings, in_cluster).unwrap());
            shown.split(['(', ' ']).next().unwrap().to_owned()
        };
        let unset = Settings::default();
        assert_eq!(word(&unset, true), "Personal");
        assert_eq!(word(&unset, false), "None");
        let raw = Settings { identity_hash: Some(IdentityHash::None), ..Settings::default() };
        assert_eq!(word(&raw, true), "None");
    }

    #[test]
    fn a_salt_of_our_own_outlives_a_restart_and_is_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings { ca_dir: Some(directory.path().join("ca")), ..Settings::default() };
        let salt = own_salt(&settings);
        assert_eq!(own_salt(&settings), salt);
        let file = std::fs::metadata(directory.path().join("ca").join(OWN_SALT)).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600);
        assert_ne!(own_salt(&Settings::default()), salt);
        assert!(salt.len() >= SHORTEST_SALT && salt.iter().any(|byte| *byte != 0));
    }
}
