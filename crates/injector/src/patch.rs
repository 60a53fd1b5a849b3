//! A document, and the RFC 6902 operations that made it what it is. Each is applied at once, so the next one sees it.

use serde_json::{Map, Value, json};

/// A document under change.
pub(crate) struct Patcher {
    document: Value,
    operations: Vec<Value>,
}

impl Patcher {
    pub(crate) const fn new(document: Value) -> Patcher {
        Patcher { document, operations: Vec::new() }
    }

    pub(crate) const fn document(&self) -> &Value {
        &self.document
    }

    pub(crate) fn finish(self) -> (Value, Vec<Value>) {
        (self.document, self.operations)
    }

    /// Gives a member of an object another value, or its first. An equal one is left alone.
    pub(crate) fn set(&mut self, object: &str, key: &str, value: Value) {
        let Some(Value::Object(members)) = self.document.pointer_mut(object) else { return };
        if members.get(key) == Some(&value) {
            return;
        }
        let verb = if members.contains_key(key) { "replace" } else { "add" };
        self.operations
            .push(json!({"op": verb, "path": format!("{object}/{}", escaped(key)), "value": value}));
        members.insert(key.to_owned(), value);
    }

    /// Gives an object members. Where there is no object it is made, with them, by one operation.
    pub(crate) fn set_all(&mut self, parent: &str, object: &str, members: Map<String, Value>) {
        if members.is_empty() {
            return;
        }
        let pointer = format!("{parent}/{}", escaped(object));
        if self.document.pointer(&pointer).is_some_and(Value::is_object) {
            for (key, value) in members {
                self.set(&pointer, &key, value);
            }
        } else {
            self.set(parent, object, Value::Object(members));
        }
    }

    /// Puts items into a list before the one `at` this place. Where there is no list it is made, with them, by one operation.
    pub(crate) fn insert(&mut self, parent: &str, list: &str, at: usize, items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        let pointer = format!("{parent}/{}", escaped(list));
        let Some(Value::Array(there)) = self.document.pointer_mut(&pointer) else {
            return self.set(parent, list, Value::Array(items));
        };
        for (at, item) in (at.min(there.len())..).zip(items) {
            let place = if at == there.len() { "-".to_owned() } else { at.to_string() };
            self.operations.push(json!({"op": "add", "path": format!("{pointer}/{place}"), "value": item}));
            there.insert(at, item);
        }
    }
}

/// A key as it stands in a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made_by_one_operation_and_what_is_there_is_added_to() {
        let mut patcher = Patcher::new(json!({"a": null, "list": [1], "object": {"x": 1}}));
        patcher.insert("", "a", 0, vec![json!(1), json!(2)]);
        patcher.insert("", "list", 0, vec![json!(8), json!(9)]);
        patcher.insert("", "list", 3, vec![json!(2)]);
        let members = |value: Value| value.as_object().unwrap().clone();
        patcher.set_all("", "object", members(json!({"x": 1, "a/b~": "y"})));
        patcher.set_all("", "new", members(json!({"x": 1, "y": 2})));
        let (document, operations) = patcher.finish();
        let expected = json!({
            "a": [1, 2], "list": [8, 9, 1, 2], "object": {"x": 1, "a/b~": "y"}, "new": {"x": 1, "y": 2}
        });
        assert_eq!(document, expected);
        assert_eq!(
            Value::Array(operations),
            json!([
                {"op": "replace", "path": "/a", "value": [1, 2]},
                {"op": "add", "path": "/list/0", "value": 8},
                {"op": "add", "path": "/list/1", "value": 9},
                {"op": "add", "path": "/list/-", "value": 2},
                {"op": "add", "path": "/object/a~1b~0", "value": "y"},
                {"op": "add", "path": "/new", "value": {"x": 1, "y": 2}},
            ])
        );
    }
}
