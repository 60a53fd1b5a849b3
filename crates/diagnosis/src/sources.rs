//! Where a key may come from: names of variables and secrets, as those tell them who started the app. Never a value.

use std::collections::BTreeMap;

use outrigger_ledger::KeyHint;
use outrigger_providers::services;

/// How many places are offered.
const OFFERED: usize = 3;
/// Longer names are not told.
const LONGEST: usize = 253;

/// A variable of a container, and what fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The container's name.
    pub container: String,
    /// The variable's name.
    pub variable: String,
    /// What fills it.
    pub filled_by: FilledBy,
}

/// What fills a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilledBy {
    /// The Secret's name and that of the entry in it.
    Secret(String, String),
    /// The ConfigMap's name and that of the entry in it.
    ConfigMap(String, String),
    /// A value that is written in the pod.
    Pod,
    /// Not one variable: this Secret brings in as many as it has entries, by names that nobody knows.
    WholeSecret(String),
}

/// What is known of the places that keys come from.
#[derive(Debug, Clone, Default)]
pub enum KeySources {
    /// Nothing: what is usual is told.
    #[default]
    Unknown,
    /// The app's environment: names of variables by the fingerprint of what they hold.
    Environment(BTreeMap<String, Vec<String>>),
    /// What the injector recorded.
    Injected(Vec<Injected>),
}

impl KeySources {
    /// Of the variables that a program is started with, names and values; of the values only fingerprints are kept.
    pub fn of_environment<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> KeySources {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in variables {
            // SDKs cut white space off; and what is sent as a whole header holds the key behind its scheme.
            let value = value.trim();
            let value = value.strip_prefix("Bearer ").unwrap_or(value);
            if !value.is_empty() && is_name(name) {
                names.entry(KeyHint::fingerprint_of(value)).or_default().push(name.to_owned());
            }
        }
        KeySources::Environment(names)
    }

    /// Of what an injector recorded; what cannot be a name is left out.
    pub fn of_injector(recorded: impl IntoIterator<Item = Injected>) -> KeySources {
        let named = recorded.into_iter().filter(|one| {
            let filled_by = match &one.filled_by {
                FilledBy::Secret(name, key) | FilledBy::ConfigMap(name, key) => is_name(name) && is_name(key),
                FilledBy::Pod => true,
                FilledBy::WholeSecret(name) => is_name(name),
            };
            filled_by && is_name(&one.container) && is_name(&one.variable)
        });
        KeySources::Injected(named.collect())
    }

    /// Where the provider's key was probably taken from, as a part of a sentence.
    pub(crate) fn place(&self, provider: &str, key: &KeyHint) -> String {
        let usual = usual(provider);
        match self {
            KeySources::Environment(_) => match self.holding(provider, key) {
                Some(names) => format!("{names} of the calling process (a guess: it holds this key)"),
                None => format!(
                    "the file, or whatever it is, that the calling process takes it from (a guess: no variable that it was started \
                     with holds this key; {usual} is usual)"
                ),
            },
            KeySources::Injected(recorded) => {
                let whole = |one: &&Injected| matches!(one.filled_by, FilledBy::WholeSecret(_));
                let named = recorded.iter().filter(|one| !whole(one) && is_of(&one.variable, provider));
                let mut likely: Vec<String> = named.take(OFFERED).map(shown).collect();
                if likely.is_empty() {
                    likely = recorded.iter().filter(whole).take(OFFERED).map(shown).collect();
                }
                if likely.is_empty() {
                    format!("{usual} of the calling process")
                } else {
                    format!("{} (a guess by names)", likely.join(", or "))
                }
            }
            KeySources::Unknown => format!("{usual} of the calling process"),
        }
    }

    /// The variables of the app's environment that hold the key, those first that are usual for the provider.
    pub(crate) fn holding(&self, provider: &str, key: &KeyHint) -> Option<String> {
        let KeySources::Environment(names) = self else { return None };
        let mut names: Vec<&str> = names.get(&key.fingerprint)?.iter().map(String::as_str).collect();
        names.sort_by_key(|name| (!is_of(name, provider), *name));
        names.truncate(OFFERED);
        Some(names.join(" or "))
    }
}

fn shown(one: &Injected) -> String {
    let Injected { container, variable, filled_by } = one;
    match filled_by {
        FilledBy::Secret(name, key) => {
            format!("{variable} of container {container}, filled by {key} of Secret {name}")
        }
        FilledBy::ConfigMap(name, key) => {
            format!("{variable} of container {container}, filled by {key} of ConfigMap {name}")
        }
        FilledBy::Pod => format!("{variable} of container {container}, written in the pod"),
        FilledBy::WholeSecret(name) => {
            format!("a variable of container {container} that Secret {name} brings in")
        }
    }
}

/// Whether it can be a name and stand in a line. What else a pod or a process may call its own nobody would find again.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The variable that usually holds the key.
pub(crate) fn usual(provider: &str) -> &'static str {
    of_row(provider).unwrap_or("the variable with the key")
}

fn of_row(provider: &str) -> Option<&'static str> {
    let service = services::ALL.into_iter().find(|service| service.id == provider)?;
    Some(service.key_variable).filter(|variable| !variable.is_empty())
}

/// Whether a variable is called as is usual for the provider's key, with something before or behind it or not, and is not
/// more like another provider's.
fn is_of(variable: &str, provider: &str) -> bool {
    let likeness =
        |usual: &str| usual.split(" or ").filter(|name| contains(variable, name)).map(str::len).max();
    let most = services::ALL.into_iter().filter_map(|service| likeness(service.key_variable)).max();
    most.is_some() && of_row(provider).and_then(likeness) == most
}

/// Whether a name begins or ends with another, at an underscore.
fn contains(name: &str, part: &str) -> bool {
    let before = name.strip_suffix(part).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
    let behind = name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    !part.is_empty() && (before || behind)
}
