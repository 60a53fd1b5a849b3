//! The ids of tool calls in an answer, picked out as it passes. Per frame: one search for a short text; no allocation but
//! for an id that is found.

use memchr::memmem::Finder;
use memchr::memrchr;
use outrigger_providers::{Dialect, ToolCallMark, id_hash};

/// Ids that are kept of one answer.
const MOST: usize = 32;
/// The id stands within so many bytes of its mark.
const NEAR: usize = 256;
/// Longest id.
const ID: usize = 128;
/// No mark is longer.
const MARK: usize = 24;

/// Searches an answer, cut anywhere, for the marks of its format.
pub(crate) struct Emitted {
    mark: Option<(Finder<'static>, ToolCallMark)>,
    /// The end of what was searched: a mark may be cut.
    end: [u8; MARK],
    kept: usize,
    place: Place,
    /// The id that is being read.
    id: Vec<u8>,
    ids: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Place {
    /// Before a mark.
    Searching,
    /// Behind one, with so many bytes left in which the id must stand.
    Near { left: usize, next: Next },
}

#[derive(Clone, Copy)]
enum Next {
    /// So much of the key has been seen.
    Key(usize),
    Colon,
    Quote,
    Id,
}

impl Emitted {
    pub(crate) fn of(dialect: &'static dyn Dialect) -> Emitted {
        let mark = dialect.tool_call_mark().filter(|mark| mark.mark.len() <= MARK);
        Emitted {
            mark: mark.map(|mark| (Finder::new(mark.mark), mark)),
            end: [0; MARK],
            kept: 0,
            place: Place::Searching,
            id: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// The hashes of the ids, in their order.
    pub(crate) fn ids(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.ids)
    }

    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        if self.mark.is_none() {
            return;
        }
        while !bytes.is_empty() && self.ids.len() < MOST {
            let used = match self.place {
                Place::Searching => self.search(bytes),
                Place::Near { left, next } => {
                    self.place = self.near(bytes[0], left, next);
                    1
                }
            };
            bytes = &bytes[used..];
        }
    }

    fn search(&mut self, bytes: &[u8]) -> usize {
        let Some((finder, mark)) = &self.mark else { return bytes.len() };
        let first =
            Place::Near { left: NEAR, next: if mark.key.is_some() { Next::Key(0) } else { Next::Colon } };
        let length = mark.mark.len();
        // A mark that begins in what came before ends within its length from here.
        let mut seam = [0; MARK * 2];
        let before = self.kept;
        let ahead = bytes.len().min(length - 1);
        if before > 0 {
            seam[..before].copy_from_slice(&self.end[..before]);
            seam[before..before + ahead].copy_from_slice(&bytes[..ahead]);
            if let Some(at) = finder.find(&seam[..before + ahead]) {
                (self.place, self.kept) = (first, 0);
                return at + length - before;
            }
        }
        if let Some(at) = finder.find(bytes) {
            (self.place, self.kept) = (first, 0);
            return at + length;
        }
        // Only the beginning of a mark is kept: it has one quote, its first byte.
        let last = if before > 0 && bytes.len() < length { &seam[..before + ahead] } else { bytes };
        let last = &last[last.len().saturating_sub(length - 1)..];
        let begun = memrchr(b'"', last).map_or(&last[..0], |quote| &last[quote..]);
        let begun = if mark.mark.as_bytes().starts_with(begun) { begun } else { &last[..0] };
        self.kept = begun.len();
        self.end[..self.kept].copy_from_slice(begun);
        bytes.len()
    }

    fn near(&mut self, byte: u8, left: usize, next: Next) -> Place {
        let Some(left) = left.checked_sub(1) else { return Place::Searching };
        let key = self.mark.as_ref().and_then(|(_, mark)| mark.key).unwrap_or_default().as_bytes();
        let again = if key.is_empty() { None } else { Some(Next::Key(usize::from(byte == b'"'))) };
        let next = match next {
            Next::Key(seen) => match key.get(seen) {
                Some(wanted) if *wanted == byte && seen + 1 == key.len() => Some(Next::Colon),
                Some(wanted) if *wanted == byte => Some(Next::Key(seen + 1)),
                _ => again,
            },
            Next::Colon | Next::Quote if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => Some(next),
            Next::Colon if byte == b':' => Some(Next::Quote),
            Next::Quote if byte == b'"' => {
                self.id.clear();
                Some(Next::Id)
            }
            Next::Id if byte == b'"' => {
                if !self.id.is_empty() {
                    self.ids.push(id_hash(&self.id));
                }
                None
            }
            Next::Id if self.id.len() < ID => {
                self.id.push(byte);
                Some(Next::Id)
            }
            Next::Id => None,
            Next::Colon | Next::Quote => again,
        };
        next.map_or(Place::Searching, |next| Place::Near { left, next })
    }
}

#[cfg(test)]
mod tests {
    use outrigger_providers::dialects;
    use proptest::prelude::*;

    use super::*;

    fn ids(dialect: &str, pieces: &[&[u8]]) -> Vec<u64> {
        let dialect = dialects::ALL.into_iter().find(|one| one.name() == dialect).unwrap();
        let mut emitted = Emitted::of(dialect);
        for piece in pieces {
            emitted.take(piece);
        }
        emitted.ids()
    }

    const ANSWERS: [(&str, &str, &[&str]); 8] = [
        (
            "openai_chat",
            r#"data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"\"tool_calls\"","tool_calls":[{"index":0,"id":"call_1","type":"function"}]}}]}"#,
            &["call_1"],
        ),
        (
            "openai_chat",
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
            &[],
        ),
        (
            "openai_responses",
            r#"{"type":"function_call","id":"fc_1","call_id": "call_1"}, {"call_id" :"call_2"}"#,
            &["call_1", "call_2"],
        ),
        (
            "anthropic_messages",
            r#"{"message":{"id":"msg_1"}} {"content_block":{"type":"tool_use","id":"toolu_1","name":"id","input":{"text":"\"id\":\"x\""}}}"#,
            &["msg_1", "toolu_1"],
        ),
        ("bedrock_converse", r#"{"start":{"toolUse":{"name":"a","toolUseId":"tooluse_1"}}}"#, &["tooluse_1"]),
        ("gemini", r#"{"functionCall":{"name":"a","args":{"x":"id"},"id":"f1"}}"#, &["f1"]),
        ("cohere", r#"{"delta":{"message":{"tool_calls":{"id":"t1","type":"function"}}}}"#, &["t1"]),
        ("ollama", r#"{"message":{"tool_calls":[{"id":"x"}]}}"#, &[]),
    ];

    #[test]
    fn ids_are_found_however_an_answer_is_cut() {
        for (dialect, answer, expected) in ANSWERS {
            let expected: Vec<u64> = expected.iter().map(|id| id_hash(id.as_bytes())).collect();
            let bytes = answer.as_bytes();
            for cut in 0..=bytes.len() {
                assert_eq!(ids(dialect, &[&bytes[..cut], &bytes[cut..]]), expected, "{answer} cut at {cut}");
            }
            assert_eq!(ids(dialect, &bytes.chunks(1).collect::<Vec<_>>()), expected, "{answer}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many = r#"{"call_id":"x"}"#.repeat(MOST * 2);
        assert_eq!(ids("openai_responses", &[many.as_bytes()]).len(), MOST);
        let long = format!(r#""call_id":"{}","call_id":"y""#, "x".repeat(1000));
        assert_eq!(ids("openai_responses", &[long.as_bytes()]), [id_hash(b"y")]);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(
            parts in prop::collection::vec(prop_oneof![
                Just("\"tool_calls\"".to_owned()), Just("\"id\"".to_owned()), Just(":".to_owned()), Just("\"".to_owned()),
                "[a-z\" ]{0,9}"], 0..40),
            size in 1usize..30,
        ) {
            let bytes = parts.concat().into_bytes();
            prop_assert_eq!(ids("openai_chat", &[&bytes]), ids("openai_chat", &bytes.chunks(size).collect::<Vec<_>>()));
        }
    }
}
