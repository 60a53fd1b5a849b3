//! The members of an object, taken out one by one: what is left over has no word of ours and is kept.

use serde_json::{Map, Value};

use super::fault::{Fault, Within};

/// Members not yet taken. `null` counts as missing everywhere: servers write it for what is not there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn of(value: Value) -> Result<Fields, Fault> {
        match value {
            Value::Object(members) => Ok(Fields(members)),
            _ => Err(Fault::new("is no object")),
        }
    }

    /// A text that stays where it is.
    pub(crate) fn peek(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text that stays where it is, one object deeper.
    pub(crate) fn nested(&self, object: &str, name: &str) -> &str {
        self.0.get(object).and_then(|object| object[name].as_str()).unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::new("is no text")).within(name),
        }
    }

    pub(crate) fn needed_text(&mut self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or(Fault::new("is missing")).within(name)
    }

    /// A text that is there and not empty.
    pub(crate) fn said(&mut self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_u64().ok_or(Fault::new("is no count")).within(name).map(Some)
    }

    pub(crate) fn int(&mut self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_i64().ok_or(Fault::new("is no whole number")).within(name).map(Some)
    }

    pub(crate) fn float(&mut self, name: &str) -> Result<Option<f64>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_f64().ok_or(Fault::new("is no number")).within(name).map(Some)
    }

    pub(crate) fn truth(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_bool().ok_or(Fault::new("is neither true nor false")).within(name).map(Some)
    }

    /// A list, empty where it is missing.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>, Fault> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(Fault::new("is no list")).within(name),
        }
    }

    /// Each element of a list, read by `read`; a fault says which.
    pub(crate) fn each<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(Value) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let list = self.list(name)?.into_iter().enumerate();
        list.map(|(number, value)| read(value).at(number)).collect::<Result<_, _>>().within(name)
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields>, Fault> {
        self.take(name).map(Fields::of).transpose().within(name)
    }

    /// What is left of an object that was taken out and read, if anything is.
    pub(crate) fn keep_rest(&mut self, name: &str, rest: Map<String, Value>) {
        if !rest.is_empty() {
            self.keep(name, Value::Object(rest));
        }
    }

    /// Puts back what could not be given a word.
    pub(crate) fn keep(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// What nobody took.
    pub(crate) fn rest(mut self) -> Map<String, Value> {
        self.0.retain(|_, value| !value.is_null());
        self.0
    }

    pub(crate) fn whole(self) -> Value {
        Value::Object(self.0)
    }
}

/// One text, or a list of them.
pub(crate) fn one_or_more(value: Value) -> Result<Vec<String>, Fault> {
    let text = |value| match value {
        Value::String(text) => Ok(text),
        _ => Err(Fault::new("is no text")),
    };
    match value {
        Value::Array(list) => {
            list.into_iter().enumerate().map(|(number, value)| text(value).at(number)).collect()
        }
        one => Ok(vec![text(one)?]),
    }
}
