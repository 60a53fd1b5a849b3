//! OTLP attributes, put together one by one; what is unknown is left out.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

/// Attributes in the making. Each key is set once.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn with_capacity(capacity: usize) -> Attributes {
        Attributes(Vec::with_capacity(capacity))
    }

    pub(super) fn text(&mut self, key: &str, value: impl Into<String>) {
        self.put(key, Value::StringValue(value.into()));
    }

    pub(super) fn text_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A count; OTLP's integers are signed, so one past their range stands at its edge.
    pub(super) fn count(&mut self, key: &str, value: u64) {
        self.put(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    pub(super) fn count_if(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.count(key, value);
        }
    }

    pub(super) fn int_if(&mut self, key: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.put(key, Value::IntValue(value));
        }
    }

    pub(super) fn double(&mut self, key: &str, value: f64) {
        self.put(key, Value::DoubleValue(value));
    }

    pub(super) fn double_if(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.double(key, value);
        }
    }

    pub(super) fn truth(&mut self, key: &str, value: bool) {
        self.put(key, Value::BoolValue(value));
    }

    pub(super) fn texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a str>) {
        let values = values.into_iter().map(|value| any(Value::StringValue(value.to_owned()))).collect();
        self.put(key, Value::ArrayValue(ArrayValue { values }));
    }

    /// A list of objects.
    pub(super) fn objects(&mut self, key: &str, values: impl IntoIterator<Item = Attributes>) {
        let object = |fields: Attributes| any(Value::KvlistValue(KeyValueList { values: fields.0 }));
        self.put(key, Value::ArrayValue(ArrayValue { values: values.into_iter().map(object).collect() }));
    }

    pub(super) fn finish(self) -> Vec<KeyValue> {
        self.0
    }

    fn put(&mut self, key: &str, value: Value) {
        self.0.push(KeyValue { key: key.to_owned(), value: Some(any(value)), key_strindex: 0 });
    }
}

/// A text value.
pub(super) fn text(value: impl Into<String>) -> AnyValue {
    any(Value::StringValue(value.into()))
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Seconds from nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a duration in seconds is a double in OTLP; 2^53 ns are 104 days"
)]
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
