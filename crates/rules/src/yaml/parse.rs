//! From text to tree.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use super::node::{Key, Kind, Node, Scalar, shortened};
use crate::fault::{Fault, Position, Severity};

/// Bytes of one text of a document. Nothing that a rule needs is near it.
pub(crate) const LONGEST_TEXT: usize = 4096;
/// Lists and maps within each other.
const DEEPEST: usize = 32;
/// Parts in all, those included that aliases repeat.
const MOST_NODES: usize = 20_000;

/// Bytes as text.
pub(crate) fn readable(bytes: &[u8]) -> Result<&str, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|fault| {
        let before = String::from_utf8_lossy(&bytes[..fault.valid_up_to()]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let at = Position { line: line as u32, column: column as u32 };
        broken(at, "the text is not UTF-8 here", "save the file as UTF-8")
    })
}

/// The tree of a text, with the faults that leave a tree (a key that stands twice). `place` maps positions to those of the
/// file; `longest` is the most bytes of one text.
///
/// # Errors
/// The one fault past which nothing can be read.
pub(crate) fn parse(
    text: &str,
    longest: usize,
    place: &dyn Fn(Position) -> Position,
) -> Result<(Node, Vec<Fault>), Fault> {
    let mut tree = Tree {
        longest,
        place,
        open: Vec::new(),
        root: None,
        documents: 0,
        nodes: 0,
        anchors: HashMap::new(),
        faults: Vec::new(),
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|fault| tree.unreadable(text, &fault))?;
        tree.take(event, (tree.place)(position(span.start)))?;
    }
    let empty = || {
        let at = (tree.place)(Position { line: 1, column: 1 });
        broken(at, "the document is empty", "write at least `version: 1`, or remove the file to only observe")
    };
    tree.root
        .filter(|root| !matches!(&root.kind, Kind::Scalar(scalar) if scalar.is_nothing()))
        .map_or_else(|| Err(empty()), |root| Ok((root, tree.faults)))
}

/// Whether readers of YAML disagree on what a text without quotes is.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn broken(at: Position, text: impl Into<String>, mend: &str) -> Fault {
    Fault::new(Severity::Error, at, "", text, mend)
}

fn position(marker: Marker) -> Position {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position { line: count(marker.line().max(1)), column: count(marker.col()).saturating_add(1) }
}

/// A list or map whose end has not come yet.
struct Open {
    at: Position,
    anchor: usize,
    kind: Kind,
    /// Of a map: the key whose value is next.
    key: Option<Key>,
}

struct Tree<'a> {
    longest: usize,
    place: &'a dyn Fn(Position) -> Position,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    /// Parts by their anchor; one that still stands open is missing.
    anchors: HashMap<usize, (Node, usize)>,
    faults: Vec<Fault>,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(broken(
                        at,
                        "a second document begins here",
                        "keep one document in a file, without `---` inside",
                    ));
                }
                Ok(())
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(broken(at, "an alias stands inside what it repeats", "write the value out"));
                };
                let (node, size) = (Node { at, ..node.clone() }, *size);
                self.grow(size, at)?;
                self.put(node, 0, size)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.no_tag(tag.is_some(), at)?;
                if text.len() > self.longest {
                    return Err(broken(
                        at,
                        format!("a text of {} bytes; {} are the most", text.len(), self.longest),
                        "shorten it",
                    ));
                }
                self.grow(1, at)?;
                let scalar = Scalar {
                    text: Arc::from(&*text),
                    plain: style == ScalarStyle::Plain,
                    literal: style == ScalarStyle::Literal,
                };
                self.put(Node { at, kind: Kind::Scalar(scalar) }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(at, anchor, tag.is_some(), Kind::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => self.begin(at, anchor, tag.is_some(), Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { at, anchor, kind, .. }) => {
                    let node = Node { at, kind };
                    let size = if anchor == 0 { 0 } else { size(&node) };
                    self.put(node, anchor, size)
                }
                None => Ok(()),
            },
        }
    }

    fn begin(&mut self, at: Position, anchor: usize, tagged: bool, kind: Kind) -> Result<(), Fault> {
        self.no_tag(tagged, at)?;
        self.grow(1, at)?;
        if self.open.len() >= DEEPEST {
            return Err(broken(at, format!("more than {DEEPEST} levels within each other"), "nest less"));
        }
        self.open.push(Open { at, anchor, kind, key: None });
        Ok(())
    }

    fn grow(&mut self, by: usize, at: Position) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(by);
        if self.nodes > MOST_NODES {
            return Err(broken(
                at,
                format!("more than {MOST_NODES} values, those that aliases repeat included"),
                "write less, and use fewer aliases",
            ));
        }
        Ok(())
    }

    fn no_tag(&self, tagged: bool, at: Position) -> Result<(), Fault> {
        if tagged {
            return Err(broken(at, "tags (`!…`) are not read", "remove the tag, or put the text in quotes"));
        }
        Ok(())
    }

    /// Puts a part that is complete where it belongs.
    fn put(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Fault> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(members) => match open.key.take() {
                None => {
                    let Kind::Scalar(scalar) = node.kind else {
                        return Err(broken(
                            node.at,
                            "a list or map stands where a key must be",
                            "write a plain key, and quote `{{ … }}` of templates",
                        ));
                    };
                    if &*scalar.text == "<<" {
                        return Err(broken(
                            node.at,
                            "merge keys (`<<`) are not read",
                            "write the members out",
                        ));
                    }
                    open.key = Some(Key { at: node.at, text: scalar.text, plain: scalar.plain });
                }
                Some(key) => {
                    if let Some((first, _)) = members.iter().find(|(first, _)| first.text == key.text) {
                        self.faults.push(broken(
                            key.at,
                            format!(
                                "the key `{}` stands twice; it was first at line {}",
                                shortened(&key.text),
                                first.at.line
                            ),
                            "remove one of them",
                        ));
                    } else {
                        members.push((key, node));
                    }
                }
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }

    /// What the parser stumbled over, in words that help.
    fn unreadable(&self, text: &str, fault: &ScanError) -> Fault {
        let at = position(*fault.marker());
        let line = text.lines().nth(at.line as usize - 1).unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        if let Some(tab) = line[..indent].find('\t') {
            let at = Position { column: tab as u32 + 1, ..at };
            return broken(
                (self.place)(at),
                "a tab indents this line; YAML allows spaces only",
                "replace the tab by spaces",
            );
        }
        let begins = line.trim_start().trim_start_matches("- ");
        let value = begins.split_once(": ").map_or(begins, |(_, value)| value.trim_start());
        let mend = if fault.info().contains("anchor") || value.starts_with(['*', '&', '%', '@', '`', '!']) {
            "put a text that begins with * & % @ ! or ` in quotes"
        } else {
            "correct the text there or just before: indentation, a quote or bracket that is not closed, a text with `: ` in it that needs quotes"
        };
        broken((self.place)(at), format!("not YAML ({})", fault.info()), mend)
    }
}

/// Parts of a part, itself included.
fn size(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(items) => items.iter().map(size).sum(),
        Kind::Map(members) => members.iter().map(|(_, node)| 1 + size(node)).sum(),
    }
}
