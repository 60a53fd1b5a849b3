//! Settings from an optional YAML file and the `OUTRIGGER_*` variables. Each key stands alone: one that cannot be read is left out and
//! told, the others count.

use std::path::Path;

use config::{ConfigError, Map, Source as _, Value, ValueKind};

use super::Settings;
use crate::StartError;

impl Settings {
    /// Reads them (`OUTRIGGER_CONNECT`, `OUTRIGGER_GRACE_SECONDS`, …). What cannot be read stands in `in_part`, with its fault; of a
    /// list it is the one item.
    ///
    /// # Errors
    /// [`StartError::Settings`]: the file as a whole cannot be read, so nobody knows what it asked for.
    pub fn read(file: Option<&Path>) -> Result<Settings, StartError> {
        let wrong = |error: ConfigError| StartError::Settings(error.to_string());
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            builder = builder.add_source(config::File::from(path).format(config::FileFormat::Yaml));
        }
        let found = builder.add_source(variables(std::env::vars())).build().and_then(|all| all.collect());
        let found = found.map_err(wrong)?;
        let found: Map<String, Value> =
            found.into_iter().map(|(key, value)| (key, without_nothing(value))).collect();
        if let Ok(settings) = settings(found.clone()) {
            return Ok(settings);
        }
        let (mut sound, mut faults) = (Map::new(), Vec::new());
        for (key, value) in found {
            let (value, wrong) = apart(&key, value);
            sound.extend(value.map(|value| (key.clone(), value)));
            faults.extend(wrong.into_iter().map(|fault| (key.clone(), fault)));
        }
        // Of a map, which has no order of its own.
        faults.sort();
        let nothing_left = |key: &str| !sound.contains_key(key);
        let faults: Vec<_> =
            faults.into_iter().map(|(key, fault)| (nothing_left(&key), key, fault)).collect();
        let mut settings = settings(sound).map_err(wrong)?;
        for (whole, key, fault) in faults {
            settings.leave_out(&key, fault, whole);
        }
        Ok(settings)
    }
}

fn settings(from: Map<String, Value>) -> Result<Settings, ConfigError> {
    Value::new(None, ValueKind::Table(from)).try_deserialize()
}

/// What can be used of a key's value, and what is wrong with the rest.
fn apart(key: &str, value: Value) -> (Option<Value>, Vec<String>) {
    let fault = |value: &Value| {
        let alone = Map::from_iter([(key.to_owned(), value.clone())]);
        settings(alone).err().map(|error| error.to_string())
    };
    let Some(wrong) = fault(&value) else { return (Some(value), Vec::new()) };
    let ValueKind::Array(items) = value.kind.clone() else { return (None, vec![wrong]) };
    let origin = value.origin().map(str::to_owned);
    let list = |items| Value::new(origin.as_ref(), ValueKind::Array(items));
    let (mut sound, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match fault(&list(vec![item.clone()])) {
            None => sound.push(item),
            Some(wrong) => faults.push(wrong),
        }
    }
    if faults.is_empty() || sound.is_empty() { (None, vec![wrong]) } else { (Some(list(sound)), faults) }
}

/// The settings that are lists; in a variable their items stand between commas.
const LISTS: [&str; 8] = [
    "UPSTREAMS",
    "HOSTS",
    "PASSTHROUGH_HOSTS",
    "EXTRA_CAS",
    "DEPLOYMENTS",
    "ALLOWED_PROVIDERS",
    "IDENTITY_ORDER",
    "IDENTITY_HEADERS",
];

/// Our variables. One that is empty is not set, unless it is a list: that is then empty.
fn variables(all: impl Iterator<Item = (String, String)>) -> config::Environment {
    let set = |(name, value): &(String, String)| {
        ours(name).is_some_and(|setting| !value.is_empty() || LISTS.contains(&setting))
    };
    let parsed = config::Environment::with_prefix(outrigger_contract::ENV_PREFIX)
        .prefix_separator("_")
        .list_separator(",")
        .try_parsing(true);
    let parsed = LISTS.iter().fold(parsed, |parsed, list| parsed.with_list_parse_key(&list.to_lowercase()));
    parsed.source(Some(all.filter(set).collect()))
}

/// Nothing between no commas is no item.
fn without_nothing(value: Value) -> Value {
    match value.kind {
        ValueKind::Array(items) if matches!(items.as_slice(), [one] if one.kind == ValueKind::String(String::new())) => {
            Value::new(None, ValueKind::Array(Vec::new()))
        }
        _ => value,
    }
}

/// Whether a variable is one of ours. Unknown ones are no error here, unlike in the file: other parts have theirs, and a
/// cluster sets `OUTRIGGER_…_SERVICE_HOST` for every Service whose name begins like ours.
pub(super) fn is_setting(name: &str) -> bool {
    ours(name).is_some()
}

/// The setting that a variable is for, in capitals.
fn ours(name: &str) -> Option<&str> {
    let settings = [
        "CONNECT",
        "BASE_URL",
        "TRANSPARENT_PORT",
        "METRICS",
        "HOSTS",
        "PASSTHROUGH_HOSTS",
        "MAX_INTERCEPTED",
        "CONNECT_TO_LOCAL",
        "UPSTREAMS",
        "EXTRA_CAS",
        "EXTRA_CAS_PEM",
        "UPSTREAM_PROXY",
        "TRUST_DIR",
        "CA_DIR",
        "FAILURE_POLICY",
        "ADMIN_SOCKET",
        "PRICES",
        "RULES",
        "CREDENTIALS",
        "ALLOWED_PROVIDERS",
        "DEPLOYMENTS",
        "IDENTITY_ORDER",
        "IDENTITY_HEADERS",
        "IDENTITY_HASH",
        "IDENTITY_SALT_FILE",
        "INCLUDE_USAGE",
        "HANG_UP",
        "HANG_UP_SECONDS",
        "HANG_UP_BYTES",
        "SPOOL_DIR",
        "SPOOL_BYTES",
        "SPOOL_AGE",
        "SPOOL_CONTENT",
        "LOG_CALLS",
        "GRACE_SECONDS",
    ];
    let rest = name.strip_prefix(outrigger_contract::ENV_PREFIX)?.strip_prefix('_')?;
    settings.contains(&rest).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set_and_an_empty_list_is_empty() {
        let read = |all: &[(&str, &str)]| {
            let all = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let found = variables(all).collect().unwrap();
            settings(found.into_iter().map(|(key, value)| (key, without_nothing(value))).collect()).unwrap()
        };
        let empty = read(&[
            ("OUTRIGGER_GRACE_SECONDS", ""),
            ("OUTRIGGER_ALLOWED_PROVIDERS", ""),
            ("OUTRIGGER_PORT", "tcp://10.0.0.1:443"),
        ]);
        assert_eq!((empty.grace_seconds, empty.allowed_providers), (30, Some(Vec::new())));
        let one =
            read(&[("OUTRIGGER_ALLOWED_PROVIDERS", "azure,openai"), ("OUTRIGGER_HANG_UP_SECONDS", "7")]);
        assert_eq!((one.allowed_providers.unwrap().len(), one.hang_up_seconds), (2, 7));
        assert_eq!(read(&[]).allowed_providers, None);
    }
}
