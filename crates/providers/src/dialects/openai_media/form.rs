//! What a request for images or audio says: JSON, or a form whose files are stepped over. Never holds more than a line.

use memchr::memchr;

use crate::dialects::openai_names;
use crate::framing::{JsonScan, Path};
use crate::{RequestFacts, RequestReader, Who};

const FACTS: &[Path] = &[&["model"], &["stream"], &["stream_format"], &["user"], &["n"]];
/// A line longer than this is none of a form's own.
const LONGEST: usize = 256;

/// The reader.
#[derive(Default)]
pub(super) enum MediaRequest {
    /// Nothing has been seen.
    #[default]
    Undecided,
    Json(Box<JsonScan>),
    Form(Box<Form>),
}

/// A form, read line by line. The lines of a file are mostly too long to be any.
#[derive(Default)]
pub(super) struct Form {
    line: Vec<u8>,
    too_long: bool,
    field: Field,
    facts: RequestFacts,
}

/// Where in a part the next line stands.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Field {
    #[default]
    None,
    /// In its headers.
    Named(Name),
    /// Its value comes.
    Value(Name),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Model,
    Stream,
    User,
}

impl RequestReader for MediaRequest {
    fn chunk(&mut self, bytes: &[u8]) {
        if matches!(self, MediaRequest::Undecided) {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return,
                Some(b'-') => *self = MediaRequest::Form(Box::default()),
                Some(_) => *self = MediaRequest::Json(Box::new(JsonScan::new(FACTS))),
            }
        }
        match self {
            MediaRequest::Undecided => {}
            MediaRequest::Json(scan) => scan.push(bytes),
            MediaRequest::Form(form) => form.push(bytes),
        }
    }

    fn finish(&mut self) -> RequestFacts {
        match self {
            MediaRequest::Undecided => RequestFacts::default(),
            MediaRequest::Json(scan) => RequestFacts {
                model: scan.read(&["model"]),
                // Speech has a word of its own for it.
                stream: scan.read(&["stream"]).unwrap_or(false)
                    || scan.read::<&str>(&["stream_format"]) == Some("sse"),
                names: openai_names::read(scan),
                choices: scan.read(&["n"]).filter(|n| *n != 1),
                ..RequestFacts::default()
            },
            MediaRequest::Form(form) => form.facts.clone(),
        }
    }
}

impl Form {
    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            self.keep(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_long || self.line.len() + bytes.len() > LONGEST {
            self.too_long = true;
            self.line.clear();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.too_long) {
            self.line(line.strip_suffix(b"\r").unwrap_or(&line));
        } else if matches!(self.field, Field::Value(_)) {
            self.field = Field::None;
        }
        self.line = line;
        self.line.clear();
    }

    fn line(&mut self, line: &[u8]) {
        let text = std::str::from_utf8(line).unwrap_or_default();
        self.field = match self.field {
            Field::Named(name) if line.is_empty() => Field::Value(name),
            Field::Value(name) => {
                match name {
                    Name::Model => self.facts.model = Some(text.to_owned()),
                    Name::User => self.facts.names.offer(Who::User, Some(text.to_owned()), "user"),
                    Name::Stream => self.facts.stream = text.eq_ignore_ascii_case("true"),
                }
                Field::None
            }
            field => {
                let lower = text.to_ascii_lowercase();
                if !lower.starts_with("content-disposition:") || lower.contains("filename") {
                    field
                } else if lower.contains("name=\"model\"") {
                    Field::Named(Name::Model)
                } else if lower.contains("name=\"stream\"") {
                    Field::Named(Name::Stream)
                } else if lower.contains("name=\"user\"") {
                    Field::Named(Name::User)
                } else {
                    Field::None
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_around_its_files_however_it_is_cut() {
        let mut form =
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n".to_vec();
        form.extend([0xff; 5000]);
        form.extend(b"\nname=\"model\"\n\nno\r\n--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n");
        form.extend(b"--x\r\nContent-Disposition: form-data; name=\"stream\"\r\nContent-Type: text/plain\r\n\r\nTrue\r\n--x--\r\n");
        for size in [1, 7, 300, 100_000] {
            let mut reader = MediaRequest::default();
            for piece in form.chunks(size) {
                reader.chunk(piece);
            }
            let facts = reader.finish();
            assert_eq!((facts.model.as_deref(), facts.stream), (Some("whisper-1"), true), "{size}");
        }
    }

    #[test]
    fn speech_streams_by_a_word_of_its_own() {
        for (word, stream) in [("sse", true), ("audio", false)] {
            let mut reader = MediaRequest::default();
            reader.chunk(format!(r#"{{"model":"gpt-4o-mini-tts","stream_format":"{word}"}}"#).as_bytes());
            assert_eq!(reader.finish().stream, stream, "{word}");
        }
    }
}
