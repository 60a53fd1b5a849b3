//! What a pod's own annotations ask for. Nonsense changes nothing and is said: the pod starts.

use outrigger_contract::annotations::{
    IGNORE_ENV_FROM, INJECT, MODE, PASSTHROUGH_HOSTS, PREFIX, RESOURCES, RULES, TRUST_JAVA,
};
use outrigger_contract::volumes;
use serde_json::Value;

use crate::annotations::{ALL, Known};
use crate::options::{Mode, Options};
use crate::resources::{Fault, Range, Resources};

/// More hosts than this are no list that a person wrote.
const MOST_HOSTS: usize = 256;

/// What holds for one pod, after its operator and its annotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) mode: Mode,
    /// The ConfigMap with the rules.
    pub(crate) rules: String,
    pub(crate) passthrough_hosts: Vec<String>,
    pub(crate) trust_java: bool,
    pub(crate) resources: Resources,
    /// Whether `envFrom` is known to bring in nothing that is set.
    pub(crate) ignore_env_from: bool,
    /// Annotations that are not followed, as sentences.
    pub(crate) warnings: Vec<String>,
}

/// Reads a pod's annotations over what its operator decided.
pub(crate) fn read(pod: &Value, options: &Options) -> Wishes {
    let mut wishes = Wishes {
        mode: options.mode,
        rules: volumes::RULES.to_owned(),
        passthrough_hosts: Vec::new(),
        trust_java: false,
        resources: options.resources.clone(),
        ignore_env_from: false,
        warnings: Vec::new(),
    };
    for host in &options.passthrough_hosts {
        wishes.add_host(host);
    }
    let annotations = pod["metadata"]["annotations"].as_object();
    for (name, value) in annotations.into_iter().flatten().filter(|(name, _)| name.starts_with(PREFIX)) {
        let value = value.as_str().unwrap_or_default();
        match ALL.iter().find(|known| known.name == name) {
            None => wishes.warnings.push(unknown(name)),
            Some(known) if known.written_back => {}
            Some(known) => {
                if let Err(why) = wishes.take(known.name, value.trim(), options) {
                    wishes.warnings.push(refused(known, value, &why));
                }
            }
        }
    }
    let labels = pod["metadata"]["labels"].as_object();
    for (name, value) in labels.into_iter().flatten().filter(|(name, _)| name.starts_with(PREFIX)) {
        let value = value.as_str().unwrap_or_default();
        if name != INJECT {
            let mend = if ALL.iter().any(|known| known.name == name) {
                "it is an annotation"
            } else {
                "nothing reads it"
            };
            wishes.warnings.push(format!("label {name} is not followed: {mend}"));
        } else if value != "enabled" && value != "disabled" {
            wishes.warnings.push(format!(
                "label {INJECT} is `{}`, which is not followed: write `enabled` or `disabled`",
                shortened(value)
            ));
        }
    }
    wishes
}

impl Wishes {
    /// Takes one annotation; `Err` says why not.
    fn take(&mut self, name: &str, value: &str, options: &Options) -> Result<(), String> {
        match name {
            MODE => {
                let mode = Mode::parse(value).ok_or_else(String::new)?;
                if mode == Mode::Transparent && options.mode != Mode::Transparent {
                    return Err(format!(
                        "this namespace does not allow it, so the mode is `{}`",
                        options.mode.as_str()
                    ));
                }
                self.mode = mode;
            }
            RULES => {
                if !is_name(value) {
                    return Err(String::new());
                }
                value.clone_into(&mut self.rules);
            }
            PASSTHROUGH_HOSTS => {
                let hosts = value.split(',').map(str::trim).filter(|host| !host.is_empty());
                hosts.clone().for_each(|host| self.add_host(host));
                if let Some(wrong) = hosts.clone().find(|host| !is_host(host)) {
                    return Err(format!("`{}` is not a host name, and the others count", shortened(wrong)));
                }
            }
            TRUST_JAVA => self.trust_java = truth(value)?,
            IGNORE_ENV_FROM => self.ignore_env_from = truth(value)?,
            RESOURCES => self.resources = resources(value, &options.resources)?,
            _ => {}
        }
        Ok(())
    }

    /// What is no host name would keep the sidecar from starting.
    fn add_host(&mut self, host: &str) {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if is_host(&host)
            && self.passthrough_hosts.len() < MOST_HOSTS
            && !self.passthrough_hosts.contains(&host)
        {
            self.passthrough_hosts.push(host);
        }
    }
}

fn truth(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| String::new())
}

fn resources(text: &str, base: &Resources) -> Result<Resources, String> {
    let mut asked = base.clone();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, amount) =
            part.split_once('=').map(|(key, amount)| (key.trim(), amount.trim())).ok_or_else(String::new)?;
        match key {
            "cpu" => amount.clone_into(&mut asked.cpu),
            "memory" => amount.clone_into(&mut asked.memory),
            "memory-limit" => amount.clone_into(&mut asked.memory_limit),
            "cpu-limit" => asked.cpu_limit = Some(amount.to_owned()),
            _ => return Err(format!("`{}` is not known", shortened(key))),
        }
    }
    match asked.fault() {
        None => Ok(asked),
        Some(Fault::NoQuantity { amount, .. }) => Err(format!("`{}` is not a quantity", shortened(amount))),
        Some(Fault::OutOfRange { name, amount, range }) => {
            let (name, Range { least, most }) = (name.replace('_', "-"), range);
            Err(format!("{name} {amount} is not from {least} to {most}"))
        }
        Some(Fault::AboveLimit { name, amount, limit }) => {
            Err(format!("{name} {amount} is more than its limit {limit}"))
        }
    }
}

/// A name that a ConfigMap can have.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let inside =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !label.is_empty() && inside && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A name that a host can have; no address, no wildcard.
pub(crate) fn is_host(text: &str) -> bool {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    is_name(&text) && text.parse::<std::net::IpAddr>().is_err()
}

fn refused(known: &Known, value: &str, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { format!("{why}; ") };
    format!(
        "annotation {} is `{}`, which is not followed: {why}write {}",
        known.name,
        shortened(value),
        known.values
    )
}

fn unknown(name: &str) -> String {
    if name == INJECT {
        return format!("annotation {INJECT} is not followed: it is a label");
    }
    let asked = ALL.iter().filter(|known| !known.written_back);
    let near = asked.clone().map(|known| (strsim::damerau_levenshtein(known.name, name), known.name)).min();
    match near.filter(|(distance, _)| *distance <= 2) {
        Some((_, near)) => format!("annotation {name} is not known: is {near} meant?"),
        None => {
            let names: Vec<&str> = asked.filter_map(|known| known.name.strip_prefix(PREFIX)).collect();
            format!("annotation {} is not known: there are {PREFIX}{{{}}}", shortened(name), names.join(","))
        }
    }
}

/// What a person wrote, short enough to be said again.
fn shortened(text: &str) -> String {
    let short: String = text.chars().take(40).map(|one| if one.is_control() { ' ' } else { one }).collect();
    if short.chars().count() < text.chars().count() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wishes(annotations: &[(&str, &str)], mode: Mode) -> Wishes {
        let annotations: serde_json::Map<String, Value> =
            annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), json!(value))).collect();
        read(&json!({"metadata": {"annotations": annotations}}), &Options { mode, ..Options::default() })
    }

    #[test]
    fn annotations_choose_features() {
        let asked = wishes(
            &[
                ("mode", "proxy"),
                ("rules", "team-rules"),
                ("passthrough-hosts", "API.openai.com., gateway.example"),
                ("trust-java", "true"),
                ("resources", "cpu=20m, memory=32Mi,memory-limit=256Mi,cpu-limit=1"),
                ("ignore-env-from", "true"),
                ("status", "anything"),
            ],
            Mode::Transparent,
        );
        let expected = Wishes {
            mode: Mode::Proxy,
            rules: "team-rules".to_owned(),
            passthrough_hosts: vec!["api.openai.com".to_owned(), "gateway.example".to_owned()],
            trust_java: true,
            resources: Resources {
                cpu: "20m".to_owned(),
                memory: "32Mi".to_owned(),
                memory_limit: "256Mi".to_owned(),
                cpu_limit: Some("1".to_owned()),
            },
            ignore_env_from: true,
            warnings: Vec::new(),
        };
        assert_eq!(asked, expected);
    }

    #[test]
    fn nonsense_is_said_with_the_allowed_values_and_changes_nothing() {
        for (name, value, part) in [
            ("mode", "transparant", "`transparent`, `base-url` or `proxy`"),
            ("mode", "transparent", "does not allow it"),
            ("rules", "Team/Rules", "ConfigMap"),
            ("passthrough-hosts", "https://api.openai.com", "host name"),
            ("passthrough-hosts", "*.openai.com", "host name"),
            ("passthrough-hosts", "10.0.0.1", "host name"),
            ("trust-java", "yes", "`true` or `false`"),
            ("resources", "cpu=much", "`much` is not a quantity"),
            ("resources", "memory=1Gi", "more than its limit 128Mi"),
            ("resources", "cpu=2,cpu-limit=1", "more than its limit 1"),
            ("resources", "memory=24,memory-limit=128", "memory 24 is not from 1Mi to 16Gi"),
            ("resources", "memory-limit=128", "memory-limit 128 is not from 16Mi to 16Gi"),
            ("resources", "cpu=1E", "cpu 1E is not from 1m to 16"),
            ("resources", "cpu-limit=1m", "cpu-limit 1m is not from 50m to 16; write `cpu`"),
            ("resources", "gpu=1", "`gpu` is not known"),
            ("resources", "10m", "`cpu=20m,memory-limit=256Mi`"),
            ("trust-jva", "true", "is outrigger.dev/trust-java meant?"),
            ("image", "evil:latest", "there are outrigger.dev/{mode,rules,"),
            ("inject", "enabled", "it is a label"),
        ] {
            let asked = wishes(&[(name, value)], Mode::BaseUrl);
            let [warning] = &asked.warnings[..] else { panic!("{name}={value}: {:?}", asked.warnings) };
            assert!(warning.contains(name) && warning.contains(part), "{warning}");
            assert_eq!(Wishes { warnings: Vec::new(), ..asked }, wishes(&[], Mode::BaseUrl));
        }
    }

    #[test]
    fn a_label_of_ours_with_nonsense_is_said() {
        for (label, value, part) in [
            ("inject", "true", "`enabled` or `disabled`"),
            ("mode", "proxy", "an annotation"),
            ("x", "y", "nothing reads"),
        ] {
            let pod = json!({"metadata": {"labels": {format!("{PREFIX}{label}"): value}}});
            let warnings = read(&pod, &Options::default()).warnings;
            assert!(warnings.len() == 1 && warnings[0].contains(part), "{warnings:?}");
        }
    }
}
