//! Picks a few values out of a JSON text cut anywhere, and holds nothing else: prompts, answers and base64 payloads are
//! stepped over. Per frame: no allocation but for a value that is picked; memory is bounded whatever the text is.

use memchr::memchr2;

/// Where a wanted value stands: object keys from the top, `*` for every element of an array.
pub type Path = &'static [&'static str];

/// A picked value longer than this is dropped, and the drop is noted.
const LONGEST: usize = 16 * 1024;
/// At most this many values are picked (a path with `*` may match many times).
const MOST: usize = 64;
/// Longest key that can match.
const KEY: usize = 48;
/// Paths are no deeper than this.
const LEVELS: usize = 8;

/// The scanner. Feed it with [`push`](JsonScan::push), ask it with [`value`](JsonScan::value).
#[derive(Debug)]
pub struct JsonScan {
    paths: &'static [Path],
    state: State,
    /// Number of open containers that are followed; their kind, and which paths led into them.
    level: usize,
    open: [Level; LEVELS],
    /// Paths that match up to the value that comes next.
    matching: u64,
    key: [u8; KEY],
    key_length: usize,
    picked: Vec<(usize, Vec<u8>)>,
    dropped: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    object: bool,
    matching: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value begins here.
    Value,
    /// A value or the end of an array.
    FirstElement,
    /// A key, or the end of an object.
    KeyOrEnd,
    Key {
        escaped: bool,
    },
    Colon,
    /// A comma, or the end of the container.
    CommaOrEnd,
    /// Inside a value that is stepped over or picked.
    Inside {
        pick: bool,
        depth: u32,
        form: Form,
    },
    Done,
    Malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Between the tokens of a container.
    Between,
    Text {
        escaped: bool,
    },
    /// A number or a literal: ends before its delimiter.
    Bare,
}

impl JsonScan {
    /// A scanner for these paths (at most 64, at most eight steps each).
    #[must_use]
    pub const fn new(paths: &'static [Path]) -> JsonScan {
        let all = if paths.len() >= 64 { u64::MAX } else { (1 << paths.len()) - 1 };
        JsonScan {
            paths,
            state: State::Value,
            level: 0,
            open: [Level { object: false, matching: 0 }; LEVELS],
            matching: all,
            key: [0; KEY],
            key_length: 0,
            picked: Vec::new(),
            dropped: false,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = match self.state {
                State::Malformed => return,
                State::Done => self.after(bytes[0]),
                State::Key { escaped } => self.in_key(bytes, escaped),
                State::Inside { pick, depth, form } => self.inside(bytes, pick, depth, form),
                _ => self.between(bytes[0]),
            };
            bytes = &bytes[used..];
        }
    }

    /// Whether the text was one whole value.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the text is not JSON.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.state == State::Malformed
    }

    /// Whether a wanted value was too long, or there were too many.
    #[must_use]
    pub const fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// The raw JSON text of the last value at a path.
    #[must_use]
    pub fn value(&self, path: &[&str]) -> Option<&[u8]> {
        self.values(path).last()
    }

    /// The raw JSON texts of all values at a path, in order.
    pub fn values<'a>(&'a self, path: &[&str]) -> impl Iterator<Item = &'a [u8]> {
        let wanted = self.paths.iter().position(|known| *known == path);
        self.picked.iter().filter(move |(at, _)| Some(*at) == wanted).map(|(_, raw)| raw.as_slice())
    }

    /// A value read as `T`; `None` where it is absent, `null` or of another type.
    #[must_use]
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self, path: &[&str]) -> Option<T> {
        serde_json::from_slice(self.value(path)?).ok()
    }

    fn between(&mut self, byte: u8) -> usize {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return 1;
        }
        match (self.state, byte) {
            (State::FirstElement, b']') | (State::KeyOrEnd, b'}') => self.close(),
            (State::CommaOrEnd, b']' | b'}') => self.close(),
            (State::Value | State::FirstElement, _) => return self.begin(byte),
            (State::KeyOrEnd, b'"') => {
                self.key_length = 0;
                self.state = State::Key { escaped: false };
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrEnd, b',') => {
                let level = self.open[self.level - 1];
                if level.object {
                    self.state = State::KeyOrEnd;
                } else {
                    self.enter_element(level);
                    self.state = State::Value;
                }
            }
            _ => self.state = State::Malformed,
        }
        1
    }

    /// Nothing but blanks may follow the text.
    fn after(&mut self, byte: u8) -> usize {
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            self.state = State::Malformed;
        }
        1
    }

    fn in_key(&mut self, bytes: &[u8], escaped: bool) -> usize {
        let byte = bytes[0];
        match (escaped, byte) {
            (false, b'"') => {
                let level = self.open[self.level - 1];
                // A key that was cut off at the end of its space matches nothing.
                let key = self.key.get(..self.key_length);
                self.matching = self.narrowed(level.matching, |step| Some(step.as_bytes()) == key);
                self.state = State::Colon;
            }
            _ => {
                if let Some(slot) = self.key.get_mut(self.key_length) {
                    *slot = byte;
                }
                self.key_length = self.key_length.saturating_add(1);
                self.state = State::Key { escaped: !escaped && byte == b'\\' };
            }
        }
        1
    }

    /// The paths of `matching` whose step at the present level fits.
    fn narrowed(&self, matching: u64, fits: impl Fn(&str) -> bool) -> u64 {
        let mut narrowed = 0;
        for (at, path) in self.paths.iter().enumerate().take(64) {
            if matching & (1 << at) != 0 && path.get(self.level - 1).is_some_and(|step| fits(step)) {
                narrowed |= 1 << at;
            }
        }
        narrowed
    }

    fn enter_element(&mut self, level: Level) {
        self.matching = self.narrowed(level.matching, |step| step == "*");
    }

    /// A value begins with this byte.
    fn begin(&mut self, byte: u8) -> usize {
        let complete = self
            .paths
            .iter()
            .enumerate()
            .take(64)
            .find(|(at, path)| self.matching & (1 << at) != 0 && path.len() == self.level)
            .map(|(at, _)| at);
        let container = matches!(byte, b'{' | b'[');
        if complete.is_none() && container && self.matching != 0 && self.level < LEVELS {
            let level = Level { object: byte == b'{', matching: self.matching };
            self.open[self.level] = level;
            self.level += 1;
            if level.object {
                self.state = State::KeyOrEnd;
            } else {
                self.enter_element(level);
                self.state = State::FirstElement;
            }
            return 1;
        }
        if self.level == 0 && !container {
            // A bare word or number at the top is no body of any API.
            self.state = State::Malformed;
            return 1;
        }
        let pick = match complete {
            Some(at) if self.picked.len() < MOST => {
                self.picked.push((at, Vec::new()));
                true
            }
            Some(_) => {
                self.dropped = true;
                false
            }
            None => false,
        };
        let (depth, form) = match byte {
            b'{' | b'[' => (1, Form::Between),
            b'"' => (0, Form::Text { escaped: false }),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => (0, Form::Bare),
            _ => {
                self.state = State::Malformed;
                return 1;
            }
        };
        self.keep(pick, &[byte]);
        self.state = State::Inside { pick, depth, form };
        1
    }

    fn inside(&mut self, bytes: &[u8], pick: bool, depth: u32, form: Form) -> usize {
        let (used, next) = match form {
            Form::Text { escaped: true } => (1, Some((depth, Form::Text { escaped: false }))),
            Form::Text { escaped: false } => match memchr2(b'"', b'\\', bytes) {
                None => (bytes.len(), Some((depth, form))),
                Some(at) if bytes[at] == b'\\' => (at + 1, Some((depth, Form::Text { escaped: true }))),
                Some(at) => (at + 1, (depth > 0).then_some((depth, Form::Between))),
            },
            Form::Bare => {
                let end = bytes
                    .iter()
                    .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
                match end {
                    None => (bytes.len(), Some((depth, form))),
                    Some(at) => (at, None),
                }
            }
            Form::Between => {
                let mark = bytes.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'));
                match mark {
                    None => (bytes.len(), Some((depth, form))),
                    Some(at) => {
                        let next = match bytes[at] {
                            b'"' => Some((depth, Form::Text { escaped: false })),
                            b'{' | b'[' => Some((depth.saturating_add(1), form)),
                            _ => (depth > 1).then(|| (depth - 1, form)),
                        };
                        (at + 1, next)
                    }
                }
            }
        };
        let pick = self.keep(pick, &bytes[..used]);
        match next {
            Some((depth, form)) => self.state = State::Inside { pick, depth, form },
            None => self.end_value(),
        }
        used
    }

    /// Keeps bytes of a picked value, as long as it is not too long.
    fn keep(&mut self, pick: bool, bytes: &[u8]) -> bool {
        if !pick {
            return false;
        }
        let Some((_, raw)) = self.picked.last_mut() else { return false };
        if raw.len() + bytes.len() > LONGEST {
            self.picked.pop();
            self.dropped = true;
            return false;
        }
        raw.extend_from_slice(bytes);
        true
    }

    fn close(&mut self) {
        self.level -= 1;
        self.end_value();
    }

    fn end_value(&mut self) {
        self.state = if self.level == 0 { State::Done } else { State::CommaOrEnd };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const PATHS: &[Path] = &[
        &["model"],
        &["stream"],
        &["usage"],
        &["choices", "*", "finish_reason"],
        &["text", "format", "type"],
        &["n"],
    ];

    fn scan(pieces: &[&[u8]]) -> JsonScan {
        let mut scan = JsonScan::new(PATHS);
        for piece in pieces {
            scan.push(piece);
        }
        scan
    }

    fn sample() -> Value {
        json!({
            "messages": [{"content": "a \"model\": \\ \u{e9} {[", "parts": [1, {"model": "no"}]}],
            "model": "gpt-\"6\"", "stream": true, "n": -1.5e3,
            "usage": {"a": {"b": [1, 2, "}"]}, "c": null},
            "choices": [{"finish_reason": "stop", "x": []}, {"finish_reason": null}],
            "text": {"format": {"schema": {"type": "no"}, "type": "json_schema"}},
        })
    }

    fn check(scan: &JsonScan) {
        assert!(scan.is_whole() && !scan.is_malformed());
        assert_eq!(scan.read::<String>(&["model"]).unwrap(), "gpt-\"6\"");
        assert_eq!(scan.read::<bool>(&["stream"]), Some(true));
        assert_eq!(scan.read::<f64>(&["n"]), Some(-1500.0));
        assert_eq!(scan.read::<Value>(&["usage"]).unwrap(), sample()["usage"]);
        assert_eq!(scan.read::<&str>(&["text", "format", "type"]), Some("json_schema"));
        let finish: Vec<_> = scan.values(&["choices", "*", "finish_reason"]).collect();
        assert_eq!(finish, [&b"\"stop\""[..], b"null"]);
    }

    #[test]
    fn picks_the_same_values_however_the_text_is_cut() {
        for text in [sample().to_string(), format!("\n {:#}\n", sample())] {
            let bytes = text.as_bytes();
            for cut in 0..=bytes.len() {
                check(&scan(&[&bytes[..cut], &bytes[cut..]]));
            }
            check(&scan(&bytes.chunks(1).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn what_is_not_json_is_flagged_and_what_is_cut_is_not_whole() {
        for text in ["<html>", "{\"a\" 1}", "[1 2]", "{1:2}", "}", "not json at all", "{} x", "{}{}"] {
            assert!(scan(&[text.as_bytes()]).is_malformed(), "{text}");
        }
        let cut = scan(&[b"{\"model\":\"gpt\",\"usage\":{\"a\":1"]);
        assert!(!cut.is_whole() && !cut.is_malformed());
    }

    #[test]
    fn a_value_beyond_the_bound_is_dropped_and_noted() {
        let mut long = JsonScan::new(PATHS);
        long.push(b"{\"model\":\"");
        for _ in 0..1000 {
            long.push(&[b'x'; 1000]);
        }
        long.push(b"\",\"stream\":false}");
        assert!(long.has_dropped() && long.is_whole());
        assert_eq!(long.value(&["model"]), None);
        assert_eq!(long.read::<bool>(&["stream"]), Some(false));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), any::<u8>()], 0..200)
        ) {
            let whole = scan(&[&bytes]);
            let single = scan(&bytes.chunks(1).collect::<Vec<_>>());
            prop_assert_eq!(whole.is_malformed(), single.is_malformed());
            prop_assert_eq!(whole.picked, single.picked);
        }
    }
}
