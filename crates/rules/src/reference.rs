//! The schema for editors and the reference for people, both made of the types that read a document.

use std::fmt::Write as _;

use outrigger_providers::FailureClass;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::document::Document;
use crate::examples::Examples;
use crate::read::words::{Allowed, moved, retried};

/// JSON Schema (2020-12) of a document.
#[must_use]
pub fn schema() -> Value {
    of::<Document>("Outrigger rules, version 1")
}

/// JSON Schema of a table of examples.
#[must_use]
pub fn examples_schema() -> Value {
    of::<Examples>("Examples for Outrigger rules")
}

fn of<T: schemars::JsonSchema>(title: &str) -> Value {
    let settings =
        SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    unwrapped(schema.to_value())
}

/// Descriptions as one line each: how the source breaks them means nothing.
fn unwrapped(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| match value {
                    Value::String(text) if key == "description" => (key, joined(&text).into()),
                    value => (key, unwrapped(value)),
                })
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(unwrapped).collect(),
        other => other,
    }
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every key of a document and of a table of examples, and every failure class, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    section(&mut out, "The document", &schema());
    classes(&mut out);
    section(&mut out, "A table of examples", &examples_schema());
    out
}

/// A table of one map's keys, then those of the maps in it.
fn section(out: &mut String, name: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    // Writing to a String cannot fail.
    let _written = write!(out, "### {name}\n\n");
    if let Some(about) = schema["description"].as_str() {
        let _written = write!(out, "{about}\n\n");
    }
    out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    let required = |key: &str| {
        schema["required"].as_array().is_some_and(|required| required.iter().any(|name| name == key))
    };
    let mut inner = Vec::new();
    for (key, value) in properties {
        let default = match &value["default"] {
            Value::Null if required(key) => "required".to_owned(),
            Value::Null => String::new(),
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let about = value["description"].as_str().unwrap_or_default();
        let _written =
            writeln!(out, "| `{key}` | {} | {default} | {} |", kind(value), about.replace('|', "\\|"));
        let below = |suffix: &str| match name.strip_prefix('`') {
            Some(path) => format!("`{}.{key}{suffix}`", path.trim_end_matches('`')),
            None => format!("`{key}{suffix}`"),
        };
        inner.extend(match () {
            () if value["properties"].is_object() => Some((below(""), value)),
            () if value["items"]["properties"].is_object() => Some((below("[]"), &value["items"])),
            () => member(value).map(|member| (below(".NAME"), member)),
        });
    }
    out.push('\n');
    for (name, schema) in inner {
        section(out, &name, schema);
    }
}

/// The map that stands under every name of a map.
fn member(value: &Value) -> Option<&Value> {
    let by_pattern = value["patternProperties"].as_object().and_then(|patterns| patterns.values().next());
    by_pattern.or_else(|| value.get("additionalProperties")).filter(|member| member["properties"].is_object())
}

/// What a value is.
fn kind(value: &Value) -> String {
    let words = |list: &Value| {
        let words = list.as_array()?.iter().map(|word| match word {
            Value::Object(member) => member.get("const")?.as_str().map(|word| format!("`{word}`")),
            Value::String(word) => Some(format!("`{word}`")),
            _ => None,
        });
        words.collect::<Option<Vec<_>>>().map(|words| words.join(", "))
    };
    if value.get("not").is_some() {
        return "nothing yet".to_owned();
    }
    if let Some(words) = words(&value["oneOf"]).or_else(|| words(&value["enum"])) {
        return words;
    }
    if let Some(choices) = value["anyOf"].as_array() {
        // A value, or a list of such.
        return match choices.iter().find(|choice| choice["type"] == "array") {
            Some(_) => format!("{}, or a list", choices.first().map(kind).unwrap_or_default()),
            None => value["examples"][0].to_string(),
        };
    }
    match value["type"].as_str() {
        Some("array") => format!("list of {}", kind(&value["items"])),
        Some("object") => "map".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("integer") => format!("{} to {}", value["minimum"], value["maximum"]),
        _ => match value["examples"].as_array() {
            Some(examples) => {
                let examples: Vec<String> =
                    examples.iter().filter_map(Value::as_str).map(|example| format!("`{example}`")).collect();
                format!("such as {}", examples.join(", "))
            }
            None => "text".to_owned(),
        },
    }
}

fn classes(out: &mut String) {
    out.push_str("### Failure classes\n\nThe same words stand in records, spans, metrics and logs.\n\n");
    out.push_str("| class | `retry.when` | `failover.when` |\n|---|---|---|\n");
    let told = |allowed: Allowed| match allowed {
        Allowed::ByDefault => "by default".to_owned(),
        Allowed::WhenNamed => "where it is named".to_owned(),
        Allowed::Never(why) => format!("never: {why}"),
    };
    for class in FailureClass::ALL {
        let (retried, moved) = (told(retried(class)), told(moved(class)));
        let _written = writeln!(out, "| `{}` | {retried} | {moved} |", class.as_str());
    }
    out.push('\n');
}
