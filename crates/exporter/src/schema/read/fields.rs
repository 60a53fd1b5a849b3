//! Attributes by name and kind.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use outrigger_ledger::{CallId, Timestamp};
use outrigger_pricing::Atto;

use super::ReadError;

pub(super) fn fault(key: &str, fault: &'static str) -> ReadError {
    ReadError::Field { key: key.to_owned(), fault }
}

/// An id of so many bytes.
pub(super) fn bytes<const N: usize>(key: &str, bytes: &[u8]) -> Result<[u8; N], ReadError> {
    bytes.try_into().map_err(|_| fault(key, "is no id"))
}

/// The attributes of a record or of an object in it.
pub(super) struct Fields<'a>(HashMap<&'a str, &'a Value>);

impl<'a> Fields<'a> {
    /// What has no value is not there; of a name that stands twice the last counts.
    pub(super) fn of(attributes: &'a [KeyValue]) -> Fields<'a> {
        let told =
            attributes.iter().filter_map(|field| Some((field.key.as_str(), value(field.value.as_ref()?)?)));
        Fields(told.collect())
    }

    #[expect(clippy::unused_self, reason = "it reads as a question to the fields, like the others")]
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, ReadError> {
        value.ok_or_else(|| fault(key, "is missing"))
    }

    fn get<T>(
        &self,
        key: &str,
        what: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        match self.0.get(key) {
            Some(value) => read(value).map(Some).ok_or_else(|| fault(key, what)),
            None => Ok(None),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ReadError> {
        self.get(key, "is no text", text)
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, ReadError> {
        self.get(key, "is no count", |value| match value {
            Value::IntValue(number) => u64::try_from(*number).ok(),
            _ => None,
        })
    }

    pub(super) fn time(&self, key: &str) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.count(key)?.map(Timestamp))
    }

    /// False where it is not there: it is written only if true.
    pub(super) fn truth(&self, key: &str) -> Result<bool, ReadError> {
        let truth = self.get(key, "is neither true nor false", |value| match value {
            Value::BoolValue(truth) => Some(*truth),
            _ => None,
        });
        Ok(truth?.unwrap_or(false))
    }

    pub(super) fn money(&self, key: &str) -> Result<Option<Atto>, ReadError> {
        self.get(key, "is no amount of dollars", |value| Atto::parse(text(value)?).ok())
    }

    pub(super) fn id(&self, key: &str) -> Result<Option<CallId>, ReadError> {
        Ok(self.hex(key)?.map(CallId))
    }

    pub(super) fn hex<const N: usize>(&self, key: &str) -> Result<Option<[u8; N]>, ReadError> {
        self.get(key, "is no id", |value| unhex(text(value)?))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, ReadError> {
        let texts = self.get(key, "is no list of texts", |given| {
            list(given)?.map(|one| text(value(one)?).map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        Ok(texts?.unwrap_or_default())
    }

    pub(super) fn objects<T>(
        &self,
        key: &str,
        read: impl Fn(&Fields<'_>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, ReadError> {
        let objects = self.get(key, "is no list of objects", |given| {
            list(given)?
                .map(|one| match value(one)? {
                    Value::KvlistValue(fields) => Some(Fields::of(&fields.values)),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
        });
        objects?.unwrap_or_default().iter().map(read).collect()
    }
}

fn value(any: &AnyValue) -> Option<&Value> {
    any.value.as_ref()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn list(value: &Value) -> Option<impl Iterator<Item = &AnyValue>> {
    match value {
        Value::ArrayValue(list) => Some(list.values.iter()),
        _ => None,
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}
