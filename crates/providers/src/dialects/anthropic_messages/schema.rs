//! A schema as Anthropic holds answers to it. Limits that it does not enforce are told in the description, as its own SDKs do it.

use serde_json::{Map, Value};

/// A schema by Anthropic's rules.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// The schema.
    pub(crate) schema: Value,
    /// Whether an answer after it may break the schema that was asked for.
    pub(crate) changed: bool,
}

/// Keywords that are taken as they are.
const KEPT: [&str; 9] =
    ["type", "enum", "const", "required", "title", "description", "default", "$ref", "format"];
/// Keywords that limit a value and are told in words.
const TOLD: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];
/// Keywords that say nothing of a value.
const MUTE: [&str; 6] = ["$schema", "$id", "$comment", "examples", "deprecated", "readOnly"];
/// Formats of a text that are enforced.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"];

/// A schema by Anthropic's rules.
///
/// # Errors
/// What in it cannot be said there, in plain words.
pub(crate) fn fitted(schema: &Value) -> Result<Fitted, &'static str> {
    let mut changed = false;
    let schema = fit(schema, &mut changed)?;
    Ok(Fitted { schema, changed })
}

fn fit(schema: &Value, changed: &mut bool) -> Result<Value, &'static str> {
    let Some(members) = schema.as_object() else { return Err("a schema that allows anything") };
    let mut fitted = Map::new();
    let mut told = Vec::new();
    for (name, value) in members {
        match name.as_str() {
            "format" if !value.as_str().is_some_and(|it| FORMATS.contains(&it) || it == "uuid") => {
                told.push(format!("{name}: {value}"));
            }
            "minItems" if value.as_u64().is_some_and(|least| least <= 1) => {
                fitted.insert(name.clone(), value.clone());
            }
            name if KEPT.contains(&name) => {
                fitted.insert(name.to_owned(), value.clone());
            }
            name if TOLD.contains(&name) => told.push(format!("{name}: {value}")),
            name if MUTE.contains(&name) => {}
            "properties" | "$defs" | "definitions" => {
                let Some(inner) = value.as_object() else { return Err("a schema that cannot be read") };
                let inner = inner.iter().map(|(name, value)| Ok((name.clone(), fit(value, changed)?)));
                fitted.insert(name.clone(), Value::Object(inner.collect::<Result<_, &'static str>>()?));
            }
            "items" => {
                fitted.insert(name.clone(), fit(value, changed)?);
            }
            "anyOf" | "allOf" | "oneOf" => {
                let Some(inner) = value.as_array() else { return Err("a schema that cannot be read") };
                let inner = inner.iter().map(|value| fit(value, changed)).collect::<Result<Vec<_>, _>>()?;
                // Several may then hold at once.
                *changed |= name == "oneOf";
                let name = if name == "oneOf" { "anyOf" } else { name.as_str() };
                fitted.insert(name.to_owned(), Value::Array(inner));
            }
            "additionalProperties" if *value == Value::Bool(false) => {}
            "additionalProperties" => return Err("a schema with members of any name"),
            _ => return Err("a schema with a keyword that is not taken"),
        }
    }
    if fitted.get("type").is_some_and(|it| *it == "object") {
        if !fitted.contains_key("properties")
            && !fitted.contains_key("anyOf")
            && members.get("additionalProperties").is_none()
        {
            return Err("a schema with members of any name");
        }
        fitted.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !told.is_empty() {
        *changed = true;
        let before = fitted.get("description").and_then(Value::as_str).unwrap_or_default();
        let between = if before.is_empty() { "" } else { "\n\n" };
        let text = format!("{before}{between}{{{}}}", told.join(", "));
        fitted.insert("description".to_owned(), text.into());
    }
    Ok(Value::Object(fitted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_enforced_is_told() {
        let asked = json!({"type": "object", "$schema": "x", "required": ["n"], "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "How many."},
            "kind": {"oneOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}}});
        let Fitted { schema, changed } = fitted(&asked).unwrap();
        assert!(changed);
        assert_eq!(
            schema,
            json!({"type": "object", "required": ["n"], "additionalProperties": false, "properties": {
                "n": {"type": "integer", "description": "How many.\n\n{minimum: 1}"},
                "kind": {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}}})
        );
        let kept =
            json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}});
        let again = fitted(&kept).unwrap();
        assert!(!again.changed && again.schema == kept);
    }

    #[test]
    fn what_cannot_be_said_is_named() {
        for (asked, what) in [
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), "members of any name"),
            (json!({"type": "object"}), "members of any name"),
            (json!({"type": "object", "properties": {"a": {"not": {}}}}), "keyword"),
            (json!({"type": "array", "items": true}), "allows anything"),
        ] {
            let refused = fitted(&asked).unwrap_err();
            assert!(refused.contains(what), "{asked}: {refused}");
        }
    }
}
