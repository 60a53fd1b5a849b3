//! HAR 1.2 as it is found, not as it is specified: what an exporter leaves out, or writes as `null`, is absent.

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::HarError;

#[derive(Deserialize)]
struct Archive<'a> {
    #[serde(borrow)]
    log: Log<'a>,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow)]
    entries: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) started_date_time: Option<String>,
    /// Milliseconds from its start to its end.
    pub(super) time: Option<f64>,
    pub(super) request: Request,
    pub(super) response: Option<Response>,
    pub(super) timings: Option<Timings>,
    #[serde(rename = "serverIPAddress")]
    pub(super) server_ip_address: Option<String>,
    #[serde(rename = "_webSocketMessages")]
    pub(super) messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) http_version: Option<String>,
    #[serde(default)]
    pub(super) headers: Vec<Header>,
    pub(super) post_data: Option<Body>,
}

#[derive(Deserialize)]
pub(super) struct Response {
    /// 0 or less where none came.
    pub(super) status: i64,
    #[serde(default)]
    pub(super) headers: Vec<Header>,
    pub(super) content: Option<Body>,
    /// What a browser says of a request that failed.
    #[serde(rename = "_error")]
    pub(super) error: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Timings {
    /// Milliseconds from the first byte of the answer to its last; negative where unknown.
    pub(super) receive: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct Header {
    name: String,
    value: String,
}

/// A body, with its transfer and content codings taken away by most exporters.
#[derive(Deserialize)]
pub(super) struct Body {
    /// Bytes of the answer, decoded.
    pub(super) size: Option<i64>,
    text: Option<String>,
    encoding: Option<String>,
}

/// A message on a WebSocket.
#[derive(Deserialize)]
pub(super) struct Message {
    /// `send` or `receive`.
    #[serde(rename = "type")]
    pub(super) way: String,
    /// Seconds since 1970.
    pub(super) time: Option<f64>,
    pub(super) opcode: Option<u8>,
    data: String,
}

/// The entries of a recording; of those that are broken, what is wrong.
pub(super) fn entries(text: &str) -> Result<Vec<Result<Entry, serde_json::Error>>, HarError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let archive: Archive<'_> =
        serde_json::from_str(text).map_err(|fault| HarError::NotHar(fault.to_string()))?;
    Ok(archive.log.entries.into_iter().map(|entry| serde_json::from_str(entry.get())).collect())
}

/// The headers, without HTTP/2's pseudo-headers. What is no header is left out.
pub(super) fn headers(list: &[Header], body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for Header { name, value } in list {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    headers.remove(TRANSFER_ENCODING);
    // The header stays in the recording when the coding is gone.
    if !is_encoded(&headers, body) {
        headers.remove(CONTENT_ENCODING);
    }
    headers
}

/// Whether a body still has the coding that its headers name, as far as its first bytes tell. Brotli and deflate have no
/// mark of their own: a body that is no text is taken to be coded.
fn is_encoded(headers: &HeaderMap, body: &[u8]) -> bool {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        Some(b"gzip" | b"x-gzip") => body.starts_with(&[0x1f, 0x8b]),
        Some(b"zstd") => body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
        Some(b"br" | b"deflate") => std::str::from_utf8(body).is_err(),
        _ => false,
    }
}

impl Body {
    /// Its bytes; `None` where the recording has none.
    pub(super) fn bytes(&self) -> Option<Result<Vec<u8>, base64::DecodeError>> {
        let text = self.text.as_deref()?;
        Some(match self.encoding.as_deref() {
            Some(word) if word.eq_ignore_ascii_case("base64") => BASE64_STANDARD.decode(text),
            _ => Ok(text.as_bytes().to_vec()),
        })
    }
}

impl Message {
    /// Its payload: text as it is, what is binary in base64.
    pub(super) fn payload(&self) -> Vec<u8> {
        match self.opcode {
            Some(2) => BASE64_STANDARD.decode(&self.data).unwrap_or_default(),
            _ => self.data.as_bytes().to_vec(),
        }
    }
}
