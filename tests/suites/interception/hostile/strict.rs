//! A reader of HTTP/1 requests that forgives nothing (RFC 9112): what it does not take has no certain end or meaning. Written
//! over whole bytes, so that it shares no idea with the sidecar's own.

use std::ops::ControlFlow::{self, Break, Continue};

/// A request, understood in the one possible way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// What must arrive unchanged: everything but the headers of one hop.
    pub(super) fn essence(&self) -> impl PartialEq + std::fmt::Debug {
        let hop = [
            "connection",
            "transfer-encoding",
            "content-length",
            "keep-alive",
            "te",
            "upgrade",
            "trailer",
            "expect",
        ];
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| !hop.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        headers.sort_unstable();
        (&self.method, &self.target, headers, &self.body)
    }
}

/// What follows the last whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// A request that may go on.
    Half,
    /// Something that is none.
    Wrong,
}

type Stop<T> = ControlFlow<Rest, T>;

/// Every whole request from the beginning, where each ends, and what follows.
pub(super) fn requests(bytes: &[u8]) -> (Vec<(Request, usize)>, Rest) {
    let mut reader = Reader { bytes, at: 0 };
    let mut found = Vec::new();
    loop {
        while reader.rest().starts_with(b"\r\n") {
            reader.at += 2;
        }
        if reader.rest().is_empty() {
            return (found, Rest::Nothing);
        }
        match reader.request() {
            Continue(request) => found.push((request, reader.at)),
            Break(rest) => return (found, rest),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn some<T>(value: Option<T>) -> Stop<T> {
    value.map_or(Break(Rest::Wrong), Continue)
}

fn must(holds: bool) -> Stop<()> {
    if holds { Continue(()) } else { Break(Rest::Wrong) }
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn line(&mut self) -> Stop<&'a [u8]> {
        let rest = self.rest();
        let Some(end) = rest.iter().position(|byte| b"\r\n".contains(byte)) else { return Break(Rest::Half) };
        must(rest[end] == b'\r')?;
        match rest.get(end + 1) {
            None => Break(Rest::Half),
            Some(next) => {
                must(*next == b'\n')?;
                self.at += end + 2;
                Continue(&rest[..end])
            }
        }
    }

    fn take(&mut self, count: usize) -> Stop<&'a [u8]> {
        match self.rest().get(..count) {
            None => Break(Rest::Half),
            Some(taken) => {
                self.at += count;
                Continue(taken)
            }
        }
    }

    fn request(&mut self) -> Stop<Request> {
        let words: Vec<_> = self.line()?.split(|byte| *byte == b' ').collect();
        let [method, target, version] = words[..] else { return Break(Rest::Wrong) };
        must(!method.is_empty() && method.iter().all(is_token))?;
        must(!target.is_empty() && target.iter().all(|byte| (0x21..0x7f).contains(byte)))?;
        must(version == b"HTTP/1.1" || version == b"HTTP/1.0")?;
        let headers = self.headers()?;
        let all = |wanted: &str| {
            headers
                .iter()
                .filter(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_slice())
                .collect::<Vec<_>>()
        };
        let body = match (&all("transfer-encoding")[..], &all("content-length")[..]) {
            ([], []) => Vec::new(),
            ([], lengths) => {
                must(
                    lengths.iter().all(|length| !length.is_empty() && length.iter().all(u8::is_ascii_digit)),
                )?;
                let lengths: Vec<usize> = some(lengths.iter().map(|one| text(one).parse().ok()).collect())?;
                must(lengths.iter().all(|length| *length == lengths[0]))?;
                self.take(lengths[0])?.to_vec()
            }
            ([coding], []) => {
                must(version == b"HTTP/1.1" && coding.eq_ignore_ascii_case(b"chunked"))?;
                self.chunks()?
            }
            _ => return Break(Rest::Wrong),
        };
        Continue(Request { method: text(method), target: text(target), headers, body })
    }

    fn headers(&mut self) -> Stop<Vec<(String, Vec<u8>)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Continue(headers);
            }
            let colon = some(line.iter().position(|byte| *byte == b':'))?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            must(!name.is_empty() && name.iter().all(is_token))?;
            must(value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f)))?;
            headers.push((text(name).to_ascii_lowercase(), value.to_vec()));
        }
    }

    fn chunks(&mut self) -> Stop<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let extension = &line[digits..];
            must((1..16).contains(&digits))?;
            must(extension.is_empty() || extension.trim_ascii_start().starts_with(b";"))?;
            let size = some(usize::from_str_radix(&text(&line[..digits]), 16).ok())?;
            if size == 0 {
                self.headers()?;
                return Continue(body);
            }
            body.extend(self.take(size)?);
            match self.rest() {
                [] | [b'\r'] => return Break(Rest::Half),
                rest => must(rest.starts_with(b"\r\n"))?,
            }
            self.at += 2;
        }
    }
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
