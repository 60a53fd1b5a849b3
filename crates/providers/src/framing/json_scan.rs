//! Picks a few values out of a JSON text cut anywhere, and holds nothing else: prompts, answers and base64 payloads are
//! stepped over. Per frame: no allocation but for a value that is picked; memory is bounded whatever the text is. Every
//! path has room of its own, so that what comes often never takes the place of what comes last.

#[cfg(test)]
mod tests;

use memchr::memchr2;

/// Where a wanted value stands: object keys from the top, `*` for every element of an array.
pub type Path = &'static [&'static str];

/// Bytes that the values of one path may have together; what goes beyond is dropped, and the drop is noted.
const LONGEST: usize = 16 * 1024;
/// At most this many values of a path with `*` are picked.
const MOST: usize = 1024;
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
    /// What was picked, path by path; made with the first pick.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    object: bool,
    /// Of an array: which element comes next.
    element: u32,
    matching: u64,
}

/// The values of one path, one behind the other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Slot {
    bytes: Vec<u8>,
    values: Vec<Value>,
    dropped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    /// Where it ends in the slot's bytes.
    end: u32,
    /// The element of the outermost array that it stands in.
    element: u32,
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
        /// The path that it is picked for.
        pick: Option<u8>,
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
            open: [Level { object: false, element: 0, matching: 0 }; LEVELS],
            matching: all,
            key: [0; KEY],
            key_length: 0,
            slots: Vec::new(),
        }
    }

    /// Begins anew with another text; the room that was made is kept.
    pub fn reset(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        *self = JsonScan { slots, ..JsonScan::new(self.paths) };
        for slot in &mut self.slots {
            slot.clear();
            slot.dropped = false;
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

    /// Whether a value at this path was too long, or there were too many.
    #[must_use]
    pub fn has_dropped(&self, path: &[&str]) -> bool {
        self.slot(path).is_some_and(|slot| slot.dropped)
    }

    /// The raw JSON text of the last value at a path.
    #[must_use]
    pub fn value(&self, path: &[&str]) -> Option<&[u8]> {
        self.values(path).last()
    }

    /// The raw JSON texts of all values at a path, in order.
    pub fn values<'a>(&'a self, path: &[&str]) -> impl Iterator<Item = &'a [u8]> {
        self.elements(path).map(|(_, raw)| raw)
    }

    /// The values at a path with `*`, each with the number of the outermost array's element that it stands in.
    pub fn elements<'a>(&'a self, path: &[&str]) -> impl Iterator<Item = (u32, &'a [u8])> {
        let slot = self.slot(path);
        let mut from = 0;
        slot.into_iter().flat_map(|slot| slot.values.iter().map(move |value| (slot, value))).map(
            move |(slot, value)| {
                let end = value.end as usize;
                (value.element, &slot.bytes[std::mem::replace(&mut from, end)..end])
            },
        )
    }

    /// A value read as `T`; `None` where it is absent, `null` or of another type.
    #[must_use]
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self, path: &[&str]) -> Option<T> {
        // What is `null` is none without the words of an error.
        serde_json::from_slice(self.value(path).filter(|raw| *raw != b"null")?).ok()
    }

    /// Bytes that are held, whatever the text was: at most 16 KiB and 1,024 values for each path.
    #[must_use]
    pub fn held(&self) -> usize {
        self.slots.iter().map(|slot| slot.bytes.len() + size_of_val(&slot.values[..])).sum()
    }

    fn slot(&self, path: &[&str]) -> Option<&Slot> {
        // Of many paths few are in a text: what is empty needs no comparison.
        let mut slots = self.slots.iter().zip(self.paths);
        slots.find(|(slot, known)| slot.is_used() && **known == path).map(|(slot, _)| slot)
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
                let level = &mut self.open[self.level - 1];
                level.element = level.element.saturating_add(1);
                let Level { object, matching, .. } = *level;
                if object {
                    self.state = State::KeyOrEnd;
                } else {
                    self.matching = self.elements_of(matching);
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

    fn in_key(&mut self, bytes: &[u8], mut escaped: bool) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'"' && !escaped {
                // A key that was cut off at the end of its space matches nothing.
                let key = self.key.get(..self.key_length);
                let matching = self.open[self.level - 1].matching;
                self.matching = self.narrowed(matching, |step| Some(step.as_bytes()) == key);
                self.state = State::Colon;
                return at + 1;
            }
            if let Some(slot) = self.key.get_mut(self.key_length) {
                *slot = *byte;
            }
            self.key_length = self.key_length.saturating_add(1);
            escaped = !escaped && *byte == b'\\';
        }
        self.state = State::Key { escaped };
        bytes.len()
    }

    /// The paths of `matching` whose step at the present level fits.
    fn narrowed(&self, matching: u64, fits: impl Fn(&str) -> bool) -> u64 {
        let (mut narrowed, mut left) = (0, matching);
        while left != 0 {
            let at = left.trailing_zeros();
            left &= left - 1;
            let path = self.paths.get(at as usize);
            if path.and_then(|path| path.get(self.level - 1)).is_some_and(|step| fits(step)) {
                narrowed |= 1 << at;
            }
        }
        narrowed
    }

    fn elements_of(&self, matching: u64) -> u64 {
        self.narrowed(matching, |step| step == "*")
    }

    /// A value begins with this byte.
    fn begin(&mut self, byte: u8) -> usize {
        let complete = self.complete();
        let container = matches!(byte, b'{' | b'[');
        if complete.is_none() && container && self.matching != 0 && self.level < LEVELS {
            let level = Level { object: byte == b'{', element: 0, matching: self.matching };
            self.open[self.level] = level;
            self.level += 1;
            if level.object {
                self.state = State::KeyOrEnd;
            } else {
                self.matching = self.elements_of(level.matching);
                self.state = State::FirstElement;
            }
            return 1;
        }
        if self.level == 0 && !container {
            // A bare word or number at the top is no body of any API.
            self.state = State::Malformed;
            return 1;
        }
        let (depth, form) = match byte {
            b'{' | b'[' => (1, Form::Between),
            b'"' => (0, Form::Text { escaped: false }),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => (0, Form::Bare),
            _ => {
                self.state = State::Malformed;
                return 1;
            }
        };
        let pick = complete.filter(|at| self.pick(*at));
        let pick = self.keep(pick, &[byte]);
        self.state = State::Inside { pick, depth, form };
        1
    }

    /// The path that ends at the value that comes next.
    fn complete(&self) -> Option<u8> {
        let mut left = self.matching;
        while left != 0 {
            let at = left.trailing_zeros();
            left &= left - 1;
            if self.paths.get(at as usize).is_some_and(|path| path.len() == self.level) {
                return u8::try_from(at).ok();
            }
        }
        None
    }

    /// Makes room for a value of this path. Returns whether there is any.
    fn pick(&mut self, at: u8) -> bool {
        if self.slots.is_empty() {
            self.slots.resize_with(self.paths.len(), Slot::default);
        }
        let element =
            self.open[..self.level].iter().find(|level| !level.object).map_or(0, |level| level.element);
        let Some(slot) = self.slots.get_mut(usize::from(at)) else { return false };
        if !self.paths[usize::from(at)].contains(&"*") {
            // A member that is there twice: the last counts, as everywhere.
            slot.clear();
        } else if slot.values.len() >= MOST {
            slot.dropped = true;
            return false;
        }
        slot.values.push(Value { end: slot.end(), element });
        true
    }

    fn inside(&mut self, bytes: &[u8], pick: Option<u8>, depth: u32, form: Form) -> usize {
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
    fn keep(&mut self, pick: Option<u8>, bytes: &[u8]) -> Option<u8> {
        let slot = self.slots.get_mut(usize::from(pick?))?;
        if slot.bytes.len() + bytes.len() > LONGEST {
            slot.drop_last();
            return None;
        }
        slot.bytes.extend_from_slice(bytes);
        let end = slot.end();
        slot.values.last_mut()?.end = end;
        pick
    }

    fn close(&mut self) {
        self.level -= 1;
        self.end_value();
    }

    fn end_value(&mut self) {
        self.state = if self.level == 0 { State::Done } else { State::CommaOrEnd };
    }
}

impl Slot {
    fn is_used(&self) -> bool {
        self.dropped || !self.values.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
    }

    /// Where the last value ends. There are never more bytes than a few thousand.
    fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn drop_last(&mut self) {
        self.dropped = true;
        self.values.pop();
        self.bytes.truncate(self.values.last().map_or(0, |value| value.end as usize));
    }
}
