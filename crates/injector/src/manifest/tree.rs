//! YAML as a tree that can be written again: what is written without quotes stays as it is written, since readers of YAML
//! disagree on what it is (`0644` is 420 to kubectl and 644 to others).

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::Value;

use super::ManifestError;

/// Lists and maps within each other.
const DEEPEST: usize = 128;
/// Parts of one document that aliases repeat; those that are written are bounded by the text.
const MOST_REPEATED: usize = 100_000;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Scalar { text: String, is_plain: bool },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// One document.
#[derive(Debug)]
pub(super) struct Tree {
    /// Nothing where the document is empty.
    pub(super) root: Option<Node>,
    /// What would be lost if it were written again.
    pub(super) loss: Option<ManifestError>,
}

impl Tree {
    /// Reads a document whose first line is the text's `first`.
    pub(super) fn read(document: &str, first: usize) -> Result<Tree, ManifestError> {
        let mut reader = Reader {
            first,
            open: Vec::new(),
            anchors: HashMap::new(),
            repeated: 0,
            tree: Tree { root: None, loss: None },
        };
        for event in Parser::new_from_str(document.strip_prefix('\u{feff}').unwrap_or(document)) {
            let (event, span) = event.map_err(|fault| {
                reader.fault(*fault.marker(), &format!("this is no YAML: {}", fault.info()))
            })?;
            reader.take(event, span.start)?;
        }
        Ok(reader.tree)
    }
}

/// A list or map whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    /// Of a map: the key whose value is next.
    key: Option<Node>,
}

struct Reader {
    first: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    repeated: usize,
    tree: Tree,
}

impl Reader {
    fn fault(&self, at: Marker, what: &str) -> ManifestError {
        ManifestError { line: self.first + at.line().max(1) - 1, what: what.to_owned() }
    }

    fn loss(&mut self, at: Marker, what: &str) {
        let fault = self.fault(at, what);
        self.tree.loss.get_or_insert(fault);
    }

    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), ManifestError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text =
                    tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                self.no_tag(tag.is_some() && !is_text, at);
                let is_plain = style == ScalarStyle::Plain && !is_text;
                self.put(Node::Scalar { text: text.into_owned(), is_plain }, anchor, at);
                Ok(())
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    self.repeated += node.size();
                    if self.repeated > MOST_REPEATED {
                        return Err(self.fault(at, "aliases repeat too many values; write fewer of them"));
                    }
                    self.put(node, 0, at);
                    Ok(())
                }
                None => Err(self.fault(at, "an alias stands inside what it repeats; write the value out")),
            },
            Event::SequenceStart(anchor, tag) => {
                self.begin(Node::List(Vec::new()), anchor, tag.is_some(), at)
            }
            Event::MappingStart(anchor, tag) => self.begin(Node::Map(Vec::new()), anchor, tag.is_some(), at),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, .. }) = self.open.pop() {
                    self.put(node, anchor, at);
                }
                Ok(())
            }
            Event::DocumentStart(_) if self.tree.root.is_some() => {
                Err(self.fault(at, "a document begins here without a `---` before it; write one"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, node: Node, anchor: usize, is_tagged: bool, at: Marker) -> Result<(), ManifestError> {
        self.no_tag(is_tagged, at);
        if self.open.len() >= DEEPEST {
            return Err(self.fault(at, "too many levels within each other; nest less"));
        }
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    fn no_tag(&mut self, is_tagged: bool, at: Marker) {
        if is_tagged {
            self.loss(at, "a tag cannot be written again; write the value out");
        }
    }

    fn put(&mut self, node: Node, anchor: usize, at: Marker) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.tree.root = Some(node),
            Some(Open { node: Node::List(items), .. }) => items.push(node),
            Some(Open { node: Node::Map(members), key, .. }) => match key.take() {
                Some(key) => members.push((key, node)),
                None => {
                    let lossy =
                        !matches!(&node, Node::Scalar { text, is_plain } if !is_plain || text != "<<");
                    *key = Some(node);
                    if lossy {
                        self.loss(at, "a merge, or a key that is no text, cannot be written again; write the members out");
                    }
                }
            },
            Some(Open { node: Node::Scalar { .. }, .. }) => {}
        }
    }
}

impl Node {
    fn size(&self) -> usize {
        match self {
            Node::Scalar { .. } => 1,
            Node::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Node::Map(members) => 1 + members.iter().map(|(_, value)| 1 + value.size()).sum::<usize>(),
        }
    }

    /// As kubectl reads it.
    pub(super) fn json(&self) -> Value {
        match self {
            Node::Scalar { text, is_plain: false } => Value::from(text.as_str()),
            Node::Scalar { text, is_plain: true } => plain(text),
            Node::List(items) => items.iter().map(Node::json).collect::<Vec<_>>().into(),
            Node::Map(members) => {
                let member = |(key, value): &(Node, Node)| match key {
                    Node::Scalar { text, .. } => Some((text.clone(), value.json())),
                    _ => None,
                };
                Value::Object(members.iter().filter_map(member).collect())
            }
        }
    }

    /// A new part, its name before the rest.
    fn of(value: &Value) -> Node {
        match value {
            Value::String(text) => Node::Scalar { text: text.clone(), is_plain: false },
            Value::Array(items) => Node::List(items.iter().map(Node::of).collect()),
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(key, _)| *key != "name");
                let member = |(key, value): (&String, &Value)| {
                    (Node::Scalar { text: key.clone(), is_plain: false }, Node::of(value))
                };
                Node::Map(members.into_iter().map(member).collect())
            }
            plain => Node::Scalar { text: plain.to_string(), is_plain: true },
        }
    }

    /// Does one operation of a patch, whose paths begin at this pointer.
    pub(super) fn apply(&mut self, at: &str, operation: &Value) {
        let pointer = format!("{at}{}", operation["path"].as_str().unwrap_or_default());
        let Some((parent, last)) = pointer.rsplit_once('/') else { return };
        let value = Node::of(&operation["value"]);
        let last = unescaped(last);
        match self.find(parent) {
            Some(Node::Map(members)) => match members.iter_mut().find(|(key, _)| key.is(&last)) {
                Some((_, old)) => *old = value,
                None => members.push((Node::Scalar { text: last, is_plain: false }, value)),
            },
            Some(Node::List(items)) => {
                let index = last.parse().unwrap_or(items.len()).min(items.len());
                items.insert(index, value);
            }
            _ => {}
        }
    }

    fn find(&mut self, pointer: &str) -> Option<&mut Node> {
        pointer.split('/').skip(1).try_fold(self, |node, part| match node {
            Node::Map(members) => {
                let part = unescaped(part);
                members.iter_mut().find(|(key, _)| key.is(&part)).map(|(_, value)| value)
            }
            Node::List(items) => items.get_mut(part.parse::<usize>().ok()?),
            Node::Scalar { .. } => None,
        })
    }

    fn is(&self, name: &str) -> bool {
        matches!(self, Node::Scalar { text, .. } if text == name)
    }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// What a text without quotes is to kubectl.
fn plain(text: &str) -> Value {
    let is_one_of = |words: &[&str]| {
        words.iter().any(|word| {
            let capital = || word[..1].to_uppercase() + &word[1..];
            text == *word || text == word.to_uppercase() || text == capital()
        })
    };
    if text.is_empty() || text == "~" || is_one_of(&["null"]) {
        return Value::Null;
    }
    if is_one_of(&["true", "yes", "on"]) {
        return Value::Bool(true);
    }
    if is_one_of(&["false", "no", "off"]) {
        return Value::Bool(false);
    }
    number(text).unwrap_or_else(|| Value::from(text))
}

fn number(text: &str) -> Option<Value> {
    let (is_negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let radix = |prefix: &str, radix| {
        digits.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok())
    };
    let integer =
        radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)).or_else(|| radix("0", 8));
    if let Some(integer) = integer.or_else(|| digits.parse().ok()) {
        return Some(Value::from(if is_negative { -integer } else { integer }));
    }
    let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let decimal = text.parse::<f64>().ok().filter(|_| is_decimal)?;
    serde_json::Number::from_f64(decimal).map(Value::Number)
}
