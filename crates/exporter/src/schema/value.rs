//! Attributes in OTLP's protobuf, written as they are named; what is unknown is left out.
//!
//! Written by hand instead of through the generated messages, which want a `String` per key: a call has some ninety
//! keys, and their allocations were half of what encoding it cost (measured: 17 µs then, 9 µs now). The tests read
//! everything back with the generated messages.

use crate::settings::LONGEST_VALUE;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use serde_json::Value;

/// Fields of `KeyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// Fields of `AnyValue`.
const TEXT: u32 = 1;
const TRUTH: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const OBJECT: u32 = 6;
/// The one field of `ArrayValue` and of `KeyValueList`.
const VALUES: u32 = 1;

/// Attributes of one message, appended to its bytes. Each key is set once.
pub(super) struct Attributes<'a> {
    out: &'a mut Vec<u8>,
    field: u32,
    bounds: Bounds,
    dropped: u32,
}

/// How much attributes may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of a text, or of all texts of a list; what is beyond is cut off between two characters.
    pub(super) longest: usize,
    /// Attributes that may still come; what is beyond is left out.
    pub(super) left: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { longest: LONGEST_VALUE, left: usize::MAX }
    }
}

impl<'a> Attributes<'a> {
    /// Attributes that are field number `field` of the message in `out`.
    pub(super) fn new(out: &'a mut Vec<u8>, field: u32, bounds: Bounds) -> Attributes<'a> {
        Attributes { out, field, bounds, dropped: 0 }
    }

    /// How many had no room.
    pub(super) const fn dropped(&self) -> u32 {
        self.dropped
    }

    pub(super) fn text(&mut self, key: &str, value: impl AsRef<str>) {
        let value = cut(value.as_ref(), self.bounds.longest);
        self.put(key, delimited_len(value.len()), |out| delimited(out, TEXT, value.as_bytes()));
    }

    pub(super) fn text_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A count; OTLP's integers are signed, so one past their range stands at its edge.
    pub(super) fn count(&mut self, key: &str, value: u64) {
        self.int(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(super) fn count_if(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.count(key, value);
        }
    }

    pub(super) fn int_if(&mut self, key: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.int(key, value);
        }
    }

    pub(super) fn double_if(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.put(key, 1 + 8, |out| {
                encode_key(DOUBLE, WireType::SixtyFourBit, out);
                out.extend_from_slice(&value.to_le_bytes());
            });
        }
    }

    pub(super) fn truth(&mut self, key: &str, value: bool) {
        self.put(key, 1 + 1, |out| {
            encode_key(TRUTH, WireType::Varint, out);
            out.push(value.into());
        });
    }

    pub(super) fn texts<'t>(&mut self, key: &str, values: impl IntoIterator<Item = &'t str>) {
        let (mut array, mut room) = (Vec::new(), self.bounds.longest);
        for value in values {
            let whole = value.len();
            let value = cut(value, room);
            if value.is_empty() && whole > 0 {
                break;
            }
            room -= value.len();
            encode_key(VALUES, WireType::LengthDelimited, &mut array);
            encode_varint(delimited_len(value.len()) as u64, &mut array);
            delimited(&mut array, TEXT, value.as_bytes());
        }
        self.put(key, delimited_len(array.len()), |out| delimited(out, ARRAY, &array));
    }

    /// A list of objects, the fields of each written by `write`.
    pub(super) fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Attributes<'_>, T),
    ) {
        let (mut array, mut fields) = (Vec::new(), Vec::new());
        for item in items {
            fields.clear();
            write(
                &mut Attributes::new(&mut fields, VALUES, Bounds { left: usize::MAX, ..self.bounds }),
                item,
            );
            encode_key(VALUES, WireType::LengthDelimited, &mut array);
            encode_varint(delimited_len(fields.len()) as u64, &mut array);
            delimited(&mut array, OBJECT, &fields);
        }
        self.put(key, delimited_len(array.len()), |out| delimited(out, ARRAY, &array));
    }

    /// JSON as OTLP's own structure; what lies deeper than readers follow is text.
    pub(super) fn structure(&mut self, key: &str, value: &Value) {
        let mut bytes = Vec::new();
        any(value, DEPTH, &mut bytes);
        self.put(key, bytes.len(), |out| out.extend_from_slice(&bytes));
    }

    #[expect(clippy::cast_sign_loss, reason = "protobuf writes a negative integer as its two's complement")]
    fn int(&mut self, key: &str, value: i64) {
        let value = value as u64;
        self.put(key, 1 + encoded_len_varint(value), |out| {
            encode_key(INT, WireType::Varint, out);
            encode_varint(value, out);
        });
    }

    /// Writes one `KeyValue` whose `AnyValue` takes `length` bytes.
    fn put(&mut self, key: &str, length: usize, value: impl FnOnce(&mut Vec<u8>)) {
        let Some(left) = self.bounds.left.checked_sub(1) else {
            self.dropped += 1;
            return;
        };
        self.bounds.left = left;
        encode_key(self.field, WireType::LengthDelimited, self.out);
        encode_varint((delimited_len(key.len()) + delimited_len(length)) as u64, self.out);
        delimited(self.out, KEY, key.as_bytes());
        encode_key(VALUE, WireType::LengthDelimited, self.out);
        encode_varint(length as u64, self.out);
        value(self.out);
    }
}

/// Levels of a structure. Common decoders stop at a hundred messages inside one another, and an object takes three.
const DEPTH: usize = 16;

/// Writes an `AnyValue`.
#[expect(clippy::cast_sign_loss, reason = "protobuf writes a negative integer as its two's complement")]
fn any(value: &Value, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::String(text) => delimited(out, TEXT, text.as_bytes()),
        Value::Bool(truth) => {
            encode_key(TRUTH, WireType::Varint, out);
            out.push((*truth).into());
        }
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => {
                encode_key(INT, WireType::Varint, out);
                encode_varint(int as u64, out);
            }
            (None, double) => {
                encode_key(DOUBLE, WireType::SixtyFourBit, out);
                out.extend_from_slice(&double.unwrap_or_default().to_le_bytes());
            }
        },
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            delimited(out, TEXT, value.to_string().as_bytes());
        }
        Value::Array(items) => {
            let (mut array, mut bytes) = (Vec::new(), Vec::new());
            for item in items {
                bytes.clear();
                any(item, depth - 1, &mut bytes);
                delimited(&mut array, VALUES, &bytes);
            }
            delimited(out, ARRAY, &array);
        }
        Value::Object(members) => {
            let (mut object, mut bytes, mut member) = (Vec::new(), Vec::new(), Vec::new());
            for (name, value) in members {
                bytes.clear();
                any(value, depth - 1, &mut bytes);
                member.clear();
                delimited(&mut member, KEY, name.as_bytes());
                delimited(&mut member, VALUE, &bytes);
                delimited(&mut object, VALUES, &member);
            }
            delimited(out, OBJECT, &object);
        }
    }
}

/// Appends a field that is a text or a message.
pub(super) fn delimited(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// How long such a field is, with a number below 16.
fn delimited_len(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

/// As much of a text as fits, whole characters only.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    text.get(..text.floor_char_boundary(longest)).unwrap_or_default()
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Seconds from nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a duration in seconds is a double in OTLP; 2^53 ns are 104 days"
)]
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
