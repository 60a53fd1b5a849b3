//! Where the app's keys come from, by name, as the injector tells it. Read once, at start.

use std::collections::BTreeMap;

use outrigger_contract::environment::KEY_NAMES;
use outrigger_diagnosis::{FilledBy, Injected, KeySources};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// So many are kept; the injector writes fewer.
const KEPT: usize = 256;

/// A place, as the contract has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Place {
    Secret {
        secret: String,
        key: String,
    },
    WholeSecret {
        secret: String,
    },
    ConfigMap {
        #[serde(rename = "configMap")]
        config_map: String,
        key: String,
    },
    Pod(String),
    /// Of an injector that is newer than this.
    Unknown(IgnoredAny),
}

/// Several Secrets may be brought in whole.
#[derive(Deserialize)]
#[serde(untagged)]
enum Places {
    More(Vec<Place>),
    One(Place),
}

/// What the variables of the sidecar tell. What cannot be understood is said, and what is usual is told instead.
pub fn read(get: impl Fn(&str) -> Option<String>) -> KeySources {
    let Some(text) = get(KEY_NAMES).filter(|text| !text.trim().is_empty()) else {
        return KeySources::Unknown;
    };
    match parse(&text) {
        Ok(sources) => sources,
        Err(fault) => {
            tracing::warn!("{fault}");
            KeySources::Unknown
        }
    }
}

fn parse(text: &str) -> Result<KeySources, String> {
    // Not in the parser's words, which repeat what it read: where names are awaited there may be a secret.
    let containers: BTreeMap<String, BTreeMap<String, Places>> = serde_json::from_str(text).map_err(|error| {
        format!(
            "{KEY_NAMES} cannot be understood from line {}, column {} on; the injector writes it, as JSON: containers, their variables, \
             and what fills these; verdicts on keys name the usual variables",
            error.line(),
            error.column()
        )
    })?;
    let named = containers.into_iter().flat_map(|(container, variables)| {
        variables.into_iter().flat_map(move |(variable, places)| {
            let places = match places {
                Places::More(places) => places,
                Places::One(place) => vec![place],
            };
            let container = container.clone();
            places.into_iter().filter_map(filled_by).map(move |filled_by| Injected {
                container: container.clone(),
                variable: variable.clone(),
                filled_by,
            })
        })
    });
    Ok(KeySources::of_injector(named.take(KEPT)))
}

fn filled_by(place: Place) -> Option<FilledBy> {
    match place {
        Place::Secret { secret, key } => Some(FilledBy::Secret(secret, key)),
        Place::WholeSecret { secret } => Some(FilledBy::WholeSecret(secret)),
        Place::ConfigMap { config_map, key } => Some(FilledBy::ConfigMap(config_map, key)),
        Place::Pod(word) => (word == "value").then_some(FilledBy::Pod),
        Place::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_read_and_what_cannot_be_a_name_is_left_out() {
        let text = r#"{"app": {"*": [{"secret": "more"}, {"secret": "most"}], "GROQ_API_KEY": "value", "XAI_API_KEY": {"configMap": "c", "key": "xai"},
            "OPENAI_API_KEY": {"secret": "llm-keys", "key": "openai"}, "TWO\nLINES": "value", "LATER": {"vault": 1}, "ODD": "sk-x"},
            "": {"NOWHERE": "value"}, "second": {"*": {"secret": "one"}}}"#;
        let KeySources::Injected(read) = read(|name| (name == KEY_NAMES).then(|| text.to_owned())) else {
            panic!("it is understood");
        };
        let (app, second): (Vec<_>, Vec<_>) = read.into_iter().partition(|one| one.container == "app");
        let whole = FilledBy::WholeSecret("one".to_owned());
        let (container, variable) = ("second".to_owned(), "*".to_owned());
        assert_eq!(second, [Injected { container, variable, filled_by: whole }]);
        let told: Vec<_> = app.into_iter().map(|one| (one.variable, one.filled_by)).collect();
        let secret = FilledBy::Secret("llm-keys".to_owned(), "openai".to_owned());
        let expected = [
            ("*", FilledBy::WholeSecret("more".to_owned())),
            ("*", FilledBy::WholeSecret("most".to_owned())),
            ("GROQ_API_KEY", FilledBy::Pod),
            ("OPENAI_API_KEY", secret),
            ("XAI_API_KEY", FilledBy::ConfigMap("c".to_owned(), "xai".to_owned())),
        ];
        assert_eq!(told, expected.map(|(name, filled_by)| (name.to_owned(), filled_by)));
    }

    #[test]
    fn what_is_no_such_list_costs_nothing_and_is_not_repeated() {
        for text in ["sk-0123456789", r#"["sk-0123456789"]"#, r#"{"app": "sk-0123456789"}"#, "[]"] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(KEY_NAMES) && !fault.contains("0123456789"), "{fault}");
            assert!(matches!(read(|_| Some(text.to_owned())), KeySources::Unknown));
        }
        assert!(matches!(read(|_| None), KeySources::Unknown));
    }
}
