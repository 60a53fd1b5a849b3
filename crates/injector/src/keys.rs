//! Where containers have their keys from: names of variables, Secrets and ConfigMaps, never a value. A verdict about a key names
//! them.

use outrigger_providers::services;
use serde_json::{Map, Value, json};

use crate::pod::{self, is_infrastructure, list, text};

/// More than a person would read, and a bound for the variable.
const MOST: usize = 64;
/// Keys whose variables do not end like the others.
const FURTHER: [&str; 4] = [
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_ACCESS_KEY_ID",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// As `outrigger_contract::environment::KEY_NAMES` has it; `None` where no container has one.
pub(crate) fn names(pod: &Value) -> Option<String> {
    let mut found = Map::new();
    let mut count = 0;
    for place in pod::places(pod).filter(|place| !is_infrastructure(place.name())) {
        let mut of_container = Map::new();
        let from = list(place.container, "envFrom").iter().map(|from| text(&from["secretRef"], "name"));
        let mut whole: Vec<&str> = from.filter(|secret| !secret.is_empty()).collect();
        whole.sort_unstable();
        whole.dedup();
        count += whole.len().saturating_sub(1);
        let mut places = whole.into_iter().map(|secret| json!({"secret": secret}));
        match (places.next(), places.next()) {
            (None, _) => None,
            (Some(one), None) => of_container.insert("*".to_owned(), one),
            (Some(one), more) => {
                of_container.insert("*".to_owned(), [one].into_iter().chain(more).chain(places).collect())
            }
        };
        for entry in list(place.container, "env") {
            let name = text(entry, "name");
            if is_key(name) {
                of_container.insert(name.to_owned(), source(entry));
            }
        }
        count += of_container.len();
        if !of_container.is_empty() && count <= MOST {
            found.insert(place.name().to_owned(), Value::Object(of_container));
        }
    }
    (!found.is_empty()).then(|| Value::Object(found).to_string())
}

fn is_key(name: &str) -> bool {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let known = || services::ALL.iter().any(|service| service.key_variable == name);
    is_plain && (name.ends_with("_API_KEY") || FURTHER.contains(&name) || known())
}

fn source(entry: &Value) -> Value {
    let from = &entry["valueFrom"];
    for (kind, word) in [("secretKeyRef", "secret"), ("configMapKeyRef", "configMap")] {
        if from[kind].is_object() {
            return json!({word: text(&from[kind], "name"), "key": text(&from[kind], "key")});
        }
    }
    json!("value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_and_values_are_not() {
        let pod = json!({"spec": {
            "initContainers": [{"name": "istio-proxy", "env": [{"name": "X_API_KEY", "value": "no"}]}],
            "containers": [
                {"name": "app", "envFrom": [{"secretRef": {"name": "all"}}, {"configMapRef": {"name": "c"}}, {"secretRef": {"name": "all"}}], "env": [
                    {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "openai", "key": "api-key"}}},
                    {"name": "MY_API_KEY", "value": "sk-planted"}, {"name": "PATH", "value": "/bin"},
                    {"name": "$(X)_API_KEY", "value": "x"}]},
                {"name": "two", "envFrom": [{"secretRef": {"name": "more"}}, {"secretRef": {"name": "all"}}]},
                {"name": "quiet"},
            ],
        }});
        let names: Value = serde_json::from_str(&names(&pod).unwrap()).unwrap();
        let expected = json!({"app": {
            "*": {"secret": "all"}, "MY_API_KEY": "value", "OPENAI_API_KEY": {"secret": "openai", "key": "api-key"},
        }, "two": {"*": [{"secret": "all"}, {"secret": "more"}]}});
        assert_eq!(names, expected);
        assert_eq!(super::names(&json!({"spec": {"containers": [{"name": "app"}]}})), None);
    }
}
