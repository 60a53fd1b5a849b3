//! The order of a schema's members: models answer in it, so a schema that goes as it is goes in the app's own words. Per translated
//! request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// Members of a request in which schemas stand, in any format.
const ABOVE: [&str; 10] = [
    "tools",
    "response_format",
    "text",
    "output_config",
    "generationConfig",
    "generation_config",
    "toolConfig",
    "outputConfig",
    "functionDeclarations",
    "function_declarations",
];
/// Members that are schemas.
const SCHEMAS: [&str; 8] = [
    "parameters",
    "input_schema",
    "schema",
    "json",
    "parametersJsonSchema",
    "parameters_json_schema",
    "responseJsonSchema",
    "response_json_schema",
];
/// A request has no schema deeper in than this.
const DEEPEST: usize = 8;

/// Schemas of a request as the app wrote them.
#[derive(Default)]
pub(super) struct Schemas(Vec<Schema>);

struct Schema {
    value: Value,
    /// Where it stands as a text in other formats: as it would be written there.
    plain: String,
    written: String,
}

impl Schemas {
    /// Those of a body.
    pub(super) fn of(body: &[u8]) -> Schemas {
        let mut schemas = Schemas::default();
        let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
        for (name, value) in members {
            if ABOVE.contains(&&*name) {
                schemas.find(value, DEEPEST);
            }
        }
        schemas
    }

    fn find(&mut self, raw: &RawValue, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            list.into_iter().for_each(|value| self.find(value, depth));
        } else if let Ok(members) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(raw.get()) {
            for (name, value) in members {
                if SCHEMAS.contains(&&*name) && self.keep(value.get()) {
                    continue;
                }
                self.find(value, depth);
            }
        }
    }

    fn keep(&mut self, written: &str) -> bool {
        match serde_json::from_str(written) {
            Ok(value @ Value::Object(_)) => {
                let (plain, written) = (value.to_string(), written.to_owned());
                self.0.push(Schema { value, plain, written });
                true
            }
            // Converse has it as a text.
            Ok(Value::String(text)) => self.keep(&text),
            _ => false,
        }
    }

    /// The text of a body, its schemas in the app's words where they are still the same.
    pub(super) fn write(&self, body: &Value) -> String {
        let mut text = String::new();
        self.value(body, &mut text);
        text
    }

    fn value(&self, value: &Value, text: &mut String) {
        match value {
            Value::Object(_) if let Some(schema) = self.0.iter().find(|schema| schema.value == *value) => {
                text.push_str(&schema.written);
            }
            Value::String(plain) if let Some(schema) = self.0.iter().find(|it| it.plain == *plain) => {
                text.push_str(&Value::from(schema.written.as_str()).to_string());
            }
            Value::Object(members) => {
                text.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(&Value::from(name.as_str()).to_string());
                    text.push(':');
                    self.value(value, text);
                }
                text.push('}');
            }
            Value::Array(list) => {
                text.push('[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    self.value(value, text);
                }
                text.push(']');
            }
            other => text.push_str(&other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_keeps_its_order_also_as_a_text() {
        let schema = r#"{"type": "object", "properties": {"why": {"type":"string"}, "answer": {}}}"#;
        let body = format!(
            r#"{{"messages":[{{"schema":{{"z":1}}}}],"tools":[{{"function":{{"parameters":{schema}}}}}],"response_format":{{"json_schema":{{"schema":{{"b":1,"a":2}}}}}}}}"#
        );
        let schemas = Schemas::of(body.as_bytes());
        let value: Value = serde_json::from_str(schema).unwrap();
        let written =
            schemas.write(&json!({"x": [value, {"b": 1}], "y": json!({"a": 2, "b": 1}).to_string()}));
        assert_eq!(written, format!(r#"{{"x":[{schema},{{"b":1}}],"y":"{{\"b\":1,\"a\":2}}"}}"#));
        let text = format!(r#"{{"outputConfig":{{"textFormat":{{"schema":{}}}}}}}"#, Value::from(schema));
        assert_eq!(Schemas::of(text.as_bytes()).write(&json!({"s": value})), format!(r#"{{"s":{schema}}}"#));
    }

    proptest! {
        /// Whatever is written, it is read as what it was.
        #[test]
        fn a_body_is_the_same_but_for_its_order(text in "[ -~é\u{1}]{0,20}", number in any::<i64>(), list in prop::collection::vec(any::<bool>(), 0..3)) {
            let inner = json!({"type": "object", "b": text, "a": number});
            let body = json!({"tools": [{"input_schema": inner}], "k": {&*text: list, "n": null}, "s": inner.to_string(), "f": 0.5});
            let written = Schemas::of(body.to_string().as_bytes()).write(&body);
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), body);
        }
    }
}
