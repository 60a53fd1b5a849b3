//! OpenAI's rules for schemas that an answer is held to: every member is named and required, and there are no others.

use serde_json::Value;

/// Keywords that strict schemas do not have.
const OTHER: [&str; 18] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "contains",
    "prefixItems",
    "uniqueItems",
    "unevaluatedProperties",
];

/// Whether a schema keeps to the rules, as far as they are about its shape.
pub(crate) fn is_strict(schema: &Value) -> bool {
    schema["type"] == "object" && schema.get("anyOf").is_none() && keeps(schema)
}

fn keeps(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else { return false };
    if OTHER.iter().any(|word| members.contains_key(*word)) {
        return false;
    }
    let is_object = schema["type"] == "object"
        || schema["type"].as_array().is_some_and(|types| types.contains(&"object".into()))
        || members.contains_key("properties");
    if is_object {
        let none = serde_json::Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let all = properties.keys().all(|name| required.iter().any(|it| it == name.as_str()));
        if schema["additionalProperties"] != Value::Bool(false) || !all {
            return false;
        }
    }
    let each = |name: &str| schema[name].as_object().into_iter().flat_map(|it| it.values());
    let inner = each("properties").chain(each("$defs")).chain(each("definitions"));
    let inner = inner.chain(schema["anyOf"].as_array().into_iter().flatten()).chain(members.get("items"));
    inner.into_iter().all(keeps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_strict_where_everything_is_named_and_required() {
        let strict = json!({"type": "object", "additionalProperties": false, "required": ["a", "b"], "properties": {
            "a": {"type": "string"},
            "b": {"type": "array", "items": {"$ref": "#/$defs/c"}}},
            "$defs": {"c": {"type": "object", "properties": {}, "additionalProperties": false}}});
        assert!(is_strict(&strict));
        let mut optional = strict.clone();
        optional["required"] = json!(["a"]);
        let mut open = strict.clone();
        open["$defs"]["c"]["additionalProperties"] = json!(true);
        let mut one = strict.clone();
        one["properties"]["a"] = json!({"oneOf": [{"type": "string"}]});
        for other in [optional, open, one, json!({"type": "array", "items": strict}), json!(true)] {
            assert!(!is_strict(&other), "{other}");
        }
    }
}
