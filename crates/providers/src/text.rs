//! Counts the texts of a body as it passes, for calls whose usage is never reported: characters by kind, nothing else. Per
//! read: no allocation; what is not text is stepped over by `memchr`; of much text a sixteenth stands for the rest.

use memchr::{memchr, memchr2};
use outrigger_pricing::estimate::{Classifier, TextCount};

/// Bytes before a colon that are looked at for a member's name: longer names are none of ours.
const LOOK_BACK: usize = 40;
/// Texts of a body are counted byte for byte until they have so many together …
const EXACTLY: u64 = 4 * 1024;
/// … and from there on so many bytes …
const SAMPLE: u64 = 128;
/// … of every so many.
const STRIDE: u64 = 2048;
/// Here it is decided whether a text is one: what has had no break by then is base64 of something else. At least one sample
/// of it has been seen.
const DECIDED: u64 = STRIDE;

/// The members of an answer in whose place a format puts text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTexts {
    /// Names of members whose texts are billed as they are shown: answers, refusals, arguments of tools.
    pub shown: &'static [&'static str],
    /// Whether a model that reasons shows that it did, in these members. Otherwise what it reasoned is unseen.
    pub reasoning: &'static [&'static str],
}

impl AnswerTexts {
    /// A format whose texts are not known to us.
    pub const NONE: AnswerTexts = AnswerTexts { shown: &[], reasoning: &[] };
}

/// Counts the texts of one body, cut anywhere. Whatever is no JSON (names of events, frames around messages) is passed over.
#[derive(Debug)]
pub struct TextScan {
    /// The members that count; none: every string does.
    wanted: Option<AnswerTexts>,
    /// A bit for each character that ends one of their names.
    ends: u128,
    state: State,
    /// The end of what was read before, for a name that was cut.
    before: [u8; LOOK_BACK],
    held: usize,
    classifier: Classifier,
    /// As it was where the text began.
    at_start: Classifier,
    /// Bytes of the text so far, and of all texts.
    length: u64,
    total: u64,
    media: u64,
    media_characters: u64,
    reasoned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of the texts that count.
    Between,
    /// Behind the colon of a member that counts.
    Named,
    /// Behind the colon of a member that shows reasoning, and behind its opening quote.
    Reasoning { quoted: bool },
    /// Inside a text.
    Inside,
    /// Behind a backslash.
    Escaped,
    /// So many digits of `\u` are still to come; the first was so.
    Unicode { left: u8, wide: bool },
    /// Inside base64.
    Media,
    /// Behind a backslash in base64.
    MediaEscaped,
}

impl TextScan {
    /// Counts every string of a request: its frame's words stand for what its frame costs.
    #[must_use]
    pub fn of_request() -> TextScan {
        TextScan::new(None)
    }

    /// Counts these members of an answer.
    #[must_use]
    pub fn of_answer(texts: AnswerTexts) -> TextScan {
        TextScan::new(Some(texts))
    }

    fn new(wanted: Option<AnswerTexts>) -> TextScan {
        let names = wanted.iter().flat_map(|texts| texts.shown.iter().chain(texts.reasoning));
        let ends =
            names.filter_map(|name| name.as_bytes().last()).fold(0, |ends, end| ends | 1 << (end & 0x7f));
        TextScan {
            wanted,
            ends,
            state: State::Between,
            before: [0; LOOK_BACK],
            held: 0,
            classifier: Classifier::default(),
            at_start: Classifier::default(),
            length: 0,
            total: 0,
            media: 0,
            media_characters: 0,
            reasoned: false,
        }
    }

    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        // A name begins behind the text before it.
        let (wanted, mut at, mut name_from) = (self.wanted, 0, 0);
        if wanted.is_some_and(|texts| texts.shown.is_empty()) {
            return;
        }
        while at < bytes.len() {
            let state = self.state;
            at += match (state, wanted) {
                (State::Between, None) => self.find_string(&bytes[at..]),
                (State::Between, Some(texts)) => self.find_member(bytes, at, name_from, &texts),
                (State::Named, _) => self.after_colon(bytes[at]),
                (State::Reasoning { quoted }, _) => self.reasoning(bytes[at], quoted),
                (State::Inside, _) => self.inside(&bytes[at..]),
                (State::Escaped, _) => self.escaped(bytes[at]),
                (State::Unicode { left, wide }, _) => self.unicode(bytes[at], left, wide),
                (State::Media, _) => self.in_media(&bytes[at..]),
                (State::MediaEscaped, _) => {
                    self.media_characters += 1;
                    self.state = State::Media;
                    1
                }
            };
            if self.state == State::Between && matches!(state, State::Inside | State::Media) {
                name_from = at;
            }
        }
        if wanted.is_some() {
            self.hold(&bytes[name_from..]);
        }
    }

    /// What has been counted, a text that is not over included.
    #[must_use]
    pub fn count(&self) -> TextCount {
        let mut count =
            TextCount { media: self.media, media_characters: self.media_characters, ..TextCount::default() };
        self.classifier.add_to(&mut count);
        count
    }

    /// Whether a model showed that it reasoned.
    #[must_use]
    pub const fn has_reasoned(&self) -> bool {
        self.reasoned
    }

    fn find_string(&mut self, bytes: &[u8]) -> usize {
        match memchr(b'"', bytes) {
            Some(quote) => {
                self.begin();
                quote + 1
            }
            None => bytes.len(),
        }
    }

    /// A colon behind a name that counts. Inside other texts no such colon can be: their quotes are escaped.
    fn find_member(&mut self, bytes: &[u8], from: usize, name_from: usize, texts: &AnswerTexts) -> usize {
        let mut next = from;
        let at = loop {
            let Some(colon) = memchr(b':', &bytes[next..]) else { return bytes.len() - from };
            let at = next + colon;
            next = at + 1;
            // Most names end otherwise than those that count.
            match bytes[..at] {
                [.., end, b'"'] if self.ends >> (end & 0x7f) & 1 == 0 => {}
                [.., _, b'"' | b' ' | b'\t' | b'\r' | b'\n'] | [] | [_] => break at,
                _ => {}
            }
        };
        let mut joined = [0; LOOK_BACK * 2];
        let name = if at >= LOOK_BACK || self.held == 0 {
            &bytes[at.saturating_sub(LOOK_BACK).max(name_from)..at]
        } else {
            let length = self.held + at;
            joined[..self.held].copy_from_slice(&self.before[..self.held]);
            joined[self.held..length].copy_from_slice(&bytes[..at]);
            &joined[length.saturating_sub(LOOK_BACK)..length]
        };
        if ends_with_any(name, texts.shown) {
            self.state = State::Named;
        } else if !self.reasoned && ends_with_any(name, texts.reasoning) {
            self.state = State::Reasoning { quoted: false };
        }
        next - from
    }

    fn after_colon(&mut self, byte: u8) -> usize {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => self.begin(),
            // No text: an object that holds some, a number, null.
            _ => {
                self.state = State::Between;
                return 0;
            }
        }
        1
    }

    /// That there is such a member says little: it may be null, or empty.
    fn reasoning(&mut self, byte: u8, quoted: bool) -> usize {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' if !quoted => return 1,
            b'"' if !quoted => {
                self.state = State::Reasoning { quoted: true };
                return 1;
            }
            other => self.reasoned = quoted && other != b'"',
        }
        self.state = State::Between;
        0
    }

    fn begin(&mut self) {
        self.state = State::Inside;
        self.at_start = self.classifier;
        self.length = 0;
    }

    fn inside(&mut self, bytes: &[u8]) -> usize {
        let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let undecided = usize::try_from(DECIDED.saturating_sub(self.length)).unwrap_or(usize::MAX);
        if undecided > 0 && end > undecided {
            self.text(&bytes[..undecided]);
            return undecided;
        }
        if undecided == 0 && self.length == DECIDED && self.classifier.is_unbroken_since(&self.at_start) {
            // It was none of the text's words.
            self.classifier = self.at_start;
            self.media += 1;
            self.media_characters += self.length;
            self.state = State::Media;
            return 0;
        }
        self.text(&bytes[..end]);
        match bytes.get(end) {
            Some(b'"') => self.end(),
            Some(_) => self.state = State::Escaped,
            None => return end,
        }
        end + 1
    }

    fn end(&mut self) {
        self.classifier.end();
        self.state = State::Between;
        self.held = 0;
    }

    /// Counts a part of a text: all of it, or once there was much a sample.
    fn text(&mut self, mut part: &[u8]) {
        while !part.is_empty() {
            let exact = EXACTLY.saturating_sub(self.total);
            let (length, times) = match exact {
                1.. => (exact, 1),
                0 => {
                    let place = (self.total - EXACTLY) % STRIDE;
                    match place {
                        ..SAMPLE => (SAMPLE - place, STRIDE / SAMPLE),
                        _ => (STRIDE - place, 0),
                    }
                }
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(part.len());
            if times > 0 {
                self.classifier.push_as(&part[..length], times);
            }
            self.length += length as u64;
            self.total += length as u64;
            part = &part[length..];
        }
    }

    fn escaped(&mut self, byte: u8) -> usize {
        self.state = match byte {
            b'u' => State::Unicode { left: 4, wide: false },
            b'n' | b'r' => {
                self.text(b"\n");
                State::Inside
            }
            b't' => {
                self.text(b"\t");
                State::Inside
            }
            b'b' | b'f' => {
                self.text(&[8]);
                State::Inside
            }
            other => {
                self.text(&[other]);
                State::Inside
            }
        };
        1
    }

    /// Four digits stand for one character; a surrogate is half of a wide one, and counts as one all the same.
    fn unicode(&mut self, digit: u8, left: u8, wide: bool) -> usize {
        // `\u0…` to `\u07ff` are two bytes in UTF-8, or one; what is larger has three.
        let wide = match (left, digit) {
            (4, b'0') => false,
            (4, _) => true,
            (3, b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F') => true,
            _ => wide,
        };
        if left > 1 {
            self.state = State::Unicode { left: left - 1, wide };
        } else {
            self.text(if wide { &[0xe3] } else { &[0xc3] });
            self.state = State::Inside;
        }
        1
    }

    fn in_media(&mut self, bytes: &[u8]) -> usize {
        let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        self.media_characters += end as u64;
        match bytes.get(end) {
            Some(b'"') => self.end(),
            Some(_) => self.state = State::MediaEscaped,
            None => return end,
        }
        end + 1
    }

    /// Keeps the end of what was read.
    fn hold(&mut self, bytes: &[u8]) {
        let new = bytes.len().min(LOOK_BACK);
        let old = self.held.min(LOOK_BACK - new);
        self.before.copy_within(self.held - old..self.held, 0);
        self.before[old..old + new].copy_from_slice(&bytes[bytes.len() - new..]);
        self.held = old + new;
    }
}

/// Whether the bytes end with one of these names in quotes, blanks apart.
fn ends_with_any(bytes: &[u8], names: &[&str]) -> bool {
    let Some(quoted) = bytes.trim_ascii_end().strip_suffix(b"\"") else { return false };
    names
        .iter()
        .any(|name| quoted.strip_suffix(name.as_bytes()).is_some_and(|rest| rest.last() == Some(&b'"')))
}
