//! Ids of a call and its place in a trace (W3C Trace Context, level 1).

use std::fmt;
use std::hash::Hasher as _;

use http::HeaderMap;
use twox_hash::XxHash3_64;

use crate::propagators::{Parent, Propagators};

/// Id of one call: the same sixteen bytes in record, span and log. Random; printed as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(pub [u8; 16]);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl CallId {
    /// The id of the call's span.
    #[must_use]
    pub fn span_id(self) -> [u8; 8] {
        self.derived("span")
    }

    /// An id that follows from this one, so that the same record always gives the same ids.
    pub(crate) fn derived<const N: usize>(self, what: &str) -> [u8; N] {
        let mut id = [0; N];
        for (number, part) in (0..).zip(id.chunks_mut(size_of::<u64>())) {
            let mut hasher = XxHash3_64::with_seed(number);
            hasher.write(&self.0);
            hasher.write(what.as_bytes());
            // All zeroes is no id; a hash that is so is as unlikely as a collision.
            let hash = hasher.finish().max(1).to_be_bytes();
            part.copy_from_slice(&hash[size_of::<u64>() - part.len()..]);
        }
        id
    }
}

/// A call's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The app's trace id, or a new one.
    pub trace_id: [u8; 16],
    /// This call's span id.
    pub span_id: [u8; 8],
    /// The app's span, if it sent `traceparent`.
    pub parent_span_id: Option<[u8; 8]>,
    /// Trace flags as the app sent them; `0x01` (sampled) without a parent.
    pub flags: u8,
}

impl SpanContext {
    /// The place of a retry: under the app's span, where it named one; else in the trace of the attempt before it, under the
    /// span of the first. A span that was sent cannot be changed, so the first cannot become the whole of the call later.
    pub(crate) fn after(self, before: &SpanContext, first: CallId) -> SpanContext {
        if self.parent_span_id.is_some() {
            return self;
        }
        SpanContext {
            trace_id: before.trace_id,
            span_id: self.span_id,
            parent_span_id: Some(first.span_id()),
            flags: before.flags,
        }
    }

    /// A place under the app's span, where a header that is read names one that is valid; else at the root of a new trace.
    pub(crate) fn for_call(id: CallId, headers: &HeaderMap, propagators: Propagators) -> SpanContext {
        let span_id = id.span_id();
        match propagators.parent(headers) {
            Parent::Span { trace_id, span_id: parent, flags } => {
                SpanContext { trace_id, span_id, parent_span_id: Some(parent), flags }
            }
            Parent::None { flags } => SpanContext { trace_id: id.0, span_id, parent_span_id: None, flags },
        }
    }
}

pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = text.as_bytes();
    if bytes.len() != N * 2 || !bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; N];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]].map(char::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn place(traceparent: Option<&str>) -> SpanContext {
        let headers = traceparent
            .map(|text| ("traceparent".parse().unwrap(), text.parse().unwrap()))
            .into_iter()
            .collect();
        SpanContext::for_call(CallId([7; 16]), &headers, Propagators::default())
    }

    #[test]
    fn a_valid_parent_is_taken_with_its_flags() {
        let child = place(Some(PARENT));
        assert_eq!(hex(&child.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(child.parent_span_id.map(|id| hex(&id)).as_deref(), Some("00f067aa0ba902b7"));
        assert_eq!(child.flags, 0);
        assert_eq!(place(Some(&format!("01{}-more", &PARENT[2..]))).trace_id, child.trace_id);
    }

    #[test]
    fn an_invalid_parent_starts_a_new_trace() {
        let root = place(None);
        assert_eq!((root.trace_id, root.parent_span_id, root.flags), ([7; 16], None, 1));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(place(Some(bad)), root, "{bad}");
        }
    }
}
