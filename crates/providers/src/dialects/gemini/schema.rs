//! Gemini's own kind of schema, a part of OpenAPI's, as JSON Schema: kinds in capitals, `nullable`, an order of its own.

use serde_json::Value;

/// Kinds in its spelling.
const KINDS: [&str; 7] = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];

/// Keywords in the other spelling that the server takes.
const SNAKES: [(&str, &str); 9] = [
    ("any_of", "anyOf"),
    ("min_items", "minItems"),
    ("max_items", "maxItems"),
    ("min_length", "minLength"),
    ("max_length", "maxLength"),
    ("min_properties", "minProperties"),
    ("max_properties", "maxProperties"),
    ("additional_properties", "additionalProperties"),
    ("property_ordering", "propertyOrdering"),
];

/// Says it in JSON Schema; one that is said so already stays.
pub(crate) fn from_openapi(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    for (snake, camel) in SNAKES {
        if let Some(value) = members.remove(snake) {
            members.entry(camel).or_insert(value);
        }
    }
    members.remove("propertyOrdering");
    let nullable = members.remove("nullable").is_some_and(|it| it == true);
    if let Some(Value::String(kind)) = members.get_mut("type") {
        if KINDS.contains(&kind.as_str()) {
            *kind = kind.to_ascii_lowercase();
        }
        if nullable {
            members["type"] = serde_json::json!([members["type"].clone(), "null"]);
        }
    }
    // Counts are texts there.
    for name in ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"] {
        if let Some(count) =
            members.get(name).and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok())
        {
            members.insert(name.to_owned(), count.into());
        }
    }
    for name in ["properties", "$defs", "definitions"] {
        if let Some(Value::Object(inner)) = members.get_mut(name) {
            inner.values_mut().for_each(from_openapi);
        }
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = members.get_mut(name) {
            from_openapi(inner);
        }
    }
    for name in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(inner)) = members.get_mut(name) {
            inner.iter_mut().for_each(from_openapi);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn its_own_kind_of_schema_becomes_json_schema() {
        let mut schema = json!({"type": "OBJECT", "propertyOrdering": ["b", "a"], "properties": {
            "a": {"type": "STRING", "nullable": true},
            "b": {"type": "ARRAY", "maxItems": "3", "items": {"type": "INTEGER"}}}});
        from_openapi(&mut schema);
        let expected = json!({"type": "object", "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"type": "array", "maxItems": 3, "items": {"type": "integer"}}}});
        assert_eq!(schema, expected);
        from_openapi(&mut schema);
        assert_eq!(schema, expected);
    }

    #[test]
    fn its_keywords_are_read_in_both_spellings_and_members_keep_their_names() {
        let mut schema = json!({"type": "OBJECT", "property_ordering": ["max_items"], "properties": {
            "max_items": {"type": "ARRAY", "max_items": "3", "items": {"any_of": [{"type": "STRING"}]}}}});
        from_openapi(&mut schema);
        let expected = json!({"type": "object", "properties": {
            "max_items": {"type": "array", "maxItems": 3, "items": {"anyOf": [{"type": "string"}]}}}});
        assert_eq!(schema, expected);
    }
}
