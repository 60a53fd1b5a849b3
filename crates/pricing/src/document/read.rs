//! From text to a [`Document`], all faults at once with their places. Unknown keys are faults: a mistyped `valid_form` must
//! not price a call for ever.

use std::collections::BTreeMap;
use std::fmt;

use super::node::Node;
use super::{Document, Fallback, Origin, Pointer, Provider, SCHEMA, day_of, instant};

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `providers.openai.models.gpt-5.cards[2].lines.input`, or the line and column of broken JSON.
    pub path: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub mend: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.text, self.mend)
    }
}

/// Why a book was refused: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
pub struct BookError {
    /// At least one.
    pub faults: Vec<Fault>,
}

impl Document {
    /// Reads the snapshot's form: every row has a source of the head's list and the day it was checked.
    ///
    /// # Errors
    /// Every fault of shape, value and provenance.
    pub fn parse(text: &str) -> Result<Document, BookError> {
        read(text, true)
    }

    /// Reads an operator's own prices: the same form, where sources and days may be left out.
    ///
    /// # Errors
    /// Every fault of shape and value.
    pub fn parse_override(text: &str) -> Result<Document, BookError> {
        read(text, false)
    }
}

fn read(text: &str, strict: bool) -> Result<Document, BookError> {
    let node = serde_json::from_str(text).map_err(|fault| BookError {
        faults: vec![Fault {
            path: format!("line {}, column {}", fault.line(), fault.column()),
            text: format!("not JSON ({fault})"),
            mend: "correct the text there",
        }],
    })?;
    let mut reader = Reader { faults: Vec::new(), path: Vec::new(), strict, sources: BTreeMap::new() };
    let document = reader.document(&node);
    if reader.faults.is_empty() {
        crate::book::check(&document, strict).map(|()| document)
    } else {
        Err(BookError { faults: reader.faults })
    }
}

/// The members of an object that is being read.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(&'a [(String, Node)]);

impl<'a> Members<'a> {
    pub(super) fn get(self, key: &str) -> Option<&'a Node> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }
}

/// Where the reading is, and what it found.
pub(super) struct Reader {
    pub(super) faults: Vec<Fault>,
    path: Vec<String>,
    pub(super) strict: bool,
    sources: BTreeMap<String, String>,
}

impl Reader {
    pub(super) fn fault(&mut self, text: impl Into<String>, mend: &'static str) {
        let path = if self.path.is_empty() { "the book".to_owned() } else { self.path.join(".") };
        self.faults.push(Fault { path: path.replace(".[", "["), text: text.into(), mend });
    }

    /// Reads something one step further in.
    pub(super) fn at<T>(&mut self, step: impl Into<String>, read: impl FnOnce(&mut Reader) -> T) -> T {
        self.path.push(step.into());
        let value = read(self);
        self.path.pop();
        value
    }

    /// An object with these keys and no others.
    pub(super) fn members<'a>(&mut self, node: &'a Node, known: &[&str]) -> Members<'a> {
        let Node::Map(members) = node else {
            self.fault(format!("{} where an object belongs", node.kind()), "write it as {…}");
            return Members(&[]);
        };
        for (at, (key, _)) in members.iter().enumerate() {
            if !known.is_empty() && !known.contains(&key.as_str()) {
                self.at(key.clone(), |reader| {
                    reader.fault(format!("`{key}` is not known here"), "correct the key, or take it out");
                });
            }
            if members.iter().take(at).any(|(earlier, _)| earlier == key) {
                self.at(key.clone(), |reader| reader.fault("it stands twice", "keep one"));
            }
        }
        Members(members)
    }

    /// The members of an object with keys of its own.
    pub(super) fn entries<'a>(&mut self, node: &'a Node) -> &'a [(String, Node)] {
        self.members(node, &[]).0
    }

    pub(super) fn list<T>(
        &mut self,
        members: Members<'_>,
        key: &str,
        mut read: impl FnMut(&mut Reader, &Node) -> T,
    ) -> Vec<T> {
        let Some(node) = members.get(key) else { return Vec::new() };
        self.at(key, |reader| {
            let Node::List(items) = node else {
                reader.fault(format!("{} where a list belongs", node.kind()), "write it as […]");
                return Vec::new();
            };
            let step = |at: usize, item: &Node| match name_of(item) {
                Some(name) => name.to_owned(),
                None => format!("[{at}]"),
            };
            items
                .iter()
                .enumerate()
                .map(|(at, item)| reader.at(step(at, item), |reader| read(reader, item)))
                .collect()
        })
    }

    pub(super) fn text(&mut self, node: &Node) -> String {
        match node {
            Node::Text(text) if !text.is_empty() => text.clone(),
            Node::Text(_) => {
                self.fault("it is empty", "write something, or take it out");
                String::new()
            }
            Node::Whole(_) | Node::Number => {
                self.fault(
                    "a number where a text belongs",
                    "put it in quotation marks: a bare number has usually been a float somewhere",
                );
                String::new()
            }
            _ => {
                self.fault(format!("{} where a text belongs", node.kind()), "put it in quotation marks");
                String::new()
            }
        }
    }

    pub(super) fn texts(&mut self, members: Members<'_>, key: &str) -> Vec<String> {
        self.list(members, key, |reader, node| reader.text(node))
    }

    pub(super) fn optional_text(&mut self, members: Members<'_>, key: &str) -> Option<String> {
        members.get(key).map(|node| self.at(key, |reader| reader.text(node)))
    }

    pub(super) fn required_text(&mut self, members: Members<'_>, key: &'static str) -> String {
        self.optional_text(members, key).unwrap_or_else(|| {
            self.fault(format!("it has no `{key}`"), "add it");
            String::new()
        })
    }

    pub(super) fn optional_whole(&mut self, members: Members<'_>, key: &str) -> Option<u64> {
        let node = members.get(key)?;
        self.at(key, |reader| {
            if let Node::Whole(value) = node {
                return Some(*value);
            }
            reader
                .fault(format!("{} where a whole number belongs", node.kind()), "write it in digits, from 0");
            None
        })
    }

    pub(super) fn required_whole(&mut self, members: Members<'_>, key: &'static str) -> u64 {
        if members.get(key).is_none() {
            self.fault(format!("it has no `{key}`"), "add it");
        }
        self.optional_whole(members, key).unwrap_or(0)
    }

    pub(super) fn truth(&mut self, node: &Node) -> bool {
        if let Node::Bool(value) = node {
            return *value;
        }
        self.fault(format!("{} where true or false belongs", node.kind()), "write true or false");
        false
    }

    /// A pair of instants, the first before the second.
    pub(super) fn span(&mut self, members: Members<'_>) -> (Option<String>, Option<String>) {
        let mut read = |key| {
            let text = self.optional_text(members, key)?;
            let second = instant(&text);
            if second.is_none() {
                self.at(key, |reader| {
                    reader.fault(
                        format!("`{text}` is not an instant"),
                        "write it as YYYY-MM-DD or YYYY-MM-DDTHH:MMZ",
                    );
                });
            }
            Some((text, second))
        };
        let (from, until) = (read("valid_from"), read("valid_until"));
        if let (Some((_, Some(from))), Some((_, Some(until)))) = (&from, &until)
            && from >= until
        {
            self.fault(
                "it ends before it begins",
                "write valid_until as the first instant at which it no longer applies",
            );
        }
        (from.map(|(text, _)| text), until.map(|(text, _)| text))
    }

    /// A day, or nothing.
    pub(super) fn day(&mut self, members: Members<'_>, key: &str) -> Option<String> {
        let text = self.optional_text(members, key)?;
        if day_of(&text).is_none() {
            self.at(key, |reader| reader.fault(format!("`{text}` is not a day"), "write it as YYYY-MM-DD"));
        }
        Some(text)
    }

    /// Where a row comes from.
    pub(super) fn origin(&mut self, members: Members<'_>) -> Origin {
        let origin = Origin {
            source: self.texts(members, "source"),
            checked_on: self.day(members, "checked_on").unwrap_or_default(),
        };
        if self.strict && origin.source.is_empty() {
            self.fault("it has no source", "name at least one of the book's sources in `source`");
        }
        if self.strict && origin.checked_on.is_empty() {
            self.fault("nobody checked it", "write the day on which the source showed it in `checked_on`");
        }
        let known = |name: &String| !self.strict || self.sources.contains_key(name);
        if let Some(unknown) = origin.source.iter().find(|name| !known(name)).cloned() {
            self.fault(
                format!("the source `{unknown}` is not among the book's sources"),
                "add it to `sources` at the head of the book, or correct the name",
            );
        }
        origin
    }

    fn document(&mut self, node: &Node) -> Document {
        let keys = ["schema", "currency", "version", "date", "license", "sources", "providers"];
        let members = self.members(node, &keys);
        let schema = self.required_whole(members, "schema");
        if schema != SCHEMA {
            self.at("schema", |reader| {
                reader.fault(format!("schema {schema} is not known"), "this version reads schema 2");
            });
        }
        let currency = self.required_text(members, "currency");
        if currency != "USD" {
            self.at("currency", |reader| {
                reader.fault(
                    format!("currency `{currency}` is not supported"),
                    "give prices in US dollars and write USD",
                );
            });
        }
        let date = self.day(members, "date").unwrap_or_default();
        let (version, license) =
            (self.optional_text(members, "version"), self.optional_text(members, "license"));
        if self.strict && (date.is_empty() || version.is_none() || license.is_none()) {
            self.fault("the head lacks `version`, `date` or `license`", "say which prices these are");
        }
        if let Some(node) = members.get("sources") {
            self.at("sources", |reader| {
                for (name, node) in reader.entries(node) {
                    let says = reader.at(name.clone(), |reader| reader.text(node));
                    reader.sources.insert(name.clone(), says);
                }
            });
        }
        let providers = self.list(members, "providers", Reader::provider);
        Document {
            version: version.unwrap_or_default(),
            date,
            license: license.unwrap_or_default(),
            sources: self.sources.clone(),
            providers,
        }
    }

    fn provider(&mut self, node: &Node) -> Provider {
        let keys = ["id", "hosts", "aliases", "fallbacks", "pointers", "factors", "models"];
        let members = self.members(node, &keys);
        Provider {
            id: self.required_text(members, "id"),
            hosts: self.texts(members, "hosts"),
            aliases: self.texts(members, "aliases"),
            fallbacks: self.list(members, "fallbacks", Reader::fallback),
            pointers: self.list(members, "pointers", Reader::pointer),
            factors: self.list(members, "factors", |reader, node| reader.factor(node, true)),
            models: self.list(members, "models", Reader::model),
        }
    }

    fn fallback(&mut self, node: &Node) -> Fallback {
        let members = self.members(node, &["provider", "same_prices", "source", "checked_on"]);
        let same = members.get("same_prices");
        Fallback {
            provider: self.required_text(members, "provider"),
            same_prices: same.is_some_and(|node| self.at("same_prices", |reader| reader.truth(node))),
            origin: self.origin(members),
        }
    }

    fn pointer(&mut self, node: &Node) -> Pointer {
        let keys = ["name", "valid_from", "valid_until", "model", "source", "checked_on"];
        let members = self.members(node, &keys);
        let (valid_from, valid_until) = self.span(members);
        Pointer {
            name: self.required_text(members, "name"),
            valid_from,
            valid_until,
            model: self.required_text(members, "model"),
            origin: self.origin(members),
        }
    }
}

/// The id of a list's item, if it has one: a better place than its number.
fn name_of(node: &Node) -> Option<&str> {
    let Node::Map(members) = node else { return None };
    members.iter().find_map(|(key, node)| match node {
        Node::Text(id) if key == "id" => Some(id.as_str()),
        _ => None,
    })
}
