//! Where the reading is, and what it found wrong so far.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::fault::{Fault, Position, Severity};
use crate::yaml::{Key, Kind, LONGEST_TEXT, Node, Scalar, is_ambiguous, shortened};

const LEFT_OUT: &str = "this Outrigger is older than the document and leaves it out";

/// One step of a path.
pub(crate) enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

/// Reads a tree.
pub(crate) struct Reader {
    pub(crate) faults: Vec<Fault>,
    /// Where each path stands, for the checks that follow.
    pub(crate) places: HashMap<String, Position>,
    /// The document says that it is of a newer minor version: keys that are not known are left out, not refused.
    pub(crate) lenient: bool,
    path: String,
    at: Position,
    /// Paths of what was left out.
    pub(crate) left_out: Vec<String>,
}

impl Reader {
    pub(crate) fn new(faults: Vec<Fault>, root: &Node) -> Reader {
        let at = root.at;
        let places = HashMap::from([(String::new(), at)]);
        Reader { faults, places, lenient: false, path: String::new(), at, left_out: Vec::new() }
    }

    /// Reads a part, one step further down.
    pub(crate) fn within<T>(
        &mut self,
        step: Step<'_>,
        at: Position,
        node: &Node,
        read: impl FnOnce(&mut Reader) -> T,
    ) -> T {
        // A value is pointed at itself; what has parts of its own by the key it begins with.
        let at = if matches!(node.kind, Kind::Scalar(_)) { node.at } else { at };
        let (length, outer) = (self.path.len(), self.at);
        // Writing to a String cannot fail.
        let _written = match step {
            Step::Item(index) => write!(self.path, "[{index}]"),
            Step::Member(name) if self.path.is_empty() => write!(self.path, "{name}"),
            Step::Member(name) => write!(self.path, ".{name}"),
        };
        self.places.insert(self.path.clone(), at);
        self.at = at;
        let value = read(self);
        self.path.truncate(length);
        self.at = outer;
        value
    }

    /// Notes what is wrong here.
    pub(crate) fn wrong<T>(&mut self, text: impl Into<String>, mend: impl Into<String>) -> Option<T> {
        self.faults.push(Fault::new(Severity::Error, self.at, &*self.path, text, mend));
        None
    }

    /// The members of a map, each to be asked for by its name and the rest to be refused.
    pub(crate) fn members<'a>(&mut self, node: &'a Node) -> Option<Members<'a>> {
        match &node.kind {
            Kind::Map(members) => Some(Members { node, members }),
            _ => self.wrong(format!("{} stands where a map must", node.is()), "write `key: value` pairs"),
        }
    }

    pub(crate) fn list<'a>(&mut self, node: &'a Node) -> Option<&'a [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            Kind::Scalar(scalar) if !scalar.is_nothing() => self.wrong(
                "a text stands where a list must",
                format!("put it in brackets: `[{}]`", shortened(&scalar.text)),
            ),
            _ => self.wrong(format!("{} stands where a list must", node.is()), "begin each item with `- `"),
        }
    }

    /// One value, or a list of them.
    pub(crate) fn one_or_more<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&Node, &mut Reader) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => {
                self.wrong("the list is empty", "name one at least, or leave the key out")
            }
            Kind::List(items) => {
                let values: Vec<Option<T>> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.within(Step::Item(index), item.at, item, |reader| read(item, reader))
                    })
                    .collect();
                values.into_iter().collect()
            }
            _ => Some(vec![read(node, self)?]),
        }
    }

    pub(crate) fn scalar<'a>(&mut self, node: &'a Node, wanted: &str) -> Option<&'a Scalar> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.is_nothing() => {
                self.wrong("the key has no value", format!("write {wanted}, or leave the key out"))
            }
            Kind::Scalar(scalar) => Some(scalar),
            _ => self.wrong(format!("{} stands where {wanted} must", node.is()), format!("write {wanted}")),
        }
    }

    /// A text. Without quotes it must be one to every reader of YAML.
    pub(crate) fn text<'a>(&mut self, node: &'a Node, wanted: &str) -> Option<&'a str> {
        let scalar = self.scalar(node, wanted)?;
        if scalar.plain && is_ambiguous(&scalar.text) {
            return self.wrong(
                format!("`{}` without quotes is true or false to many readers of YAML", scalar.text),
                format!("write \"{}\" in quotes", scalar.text),
            );
        }
        if scalar.text.is_empty() {
            return self.wrong("the text is empty", format!("write {wanted}"));
        }
        if scalar.text.len() > LONGEST_TEXT || scalar.text.chars().any(char::is_control) {
            return self
                .wrong("the text has a line break or control character in it", format!("write {wanted}"));
        }
        Some(&scalar.text)
    }

    /// A member whose value is one of a set of words.
    pub(crate) fn word<T>(
        &mut self,
        node: &Node,
        wanted: &str,
        words: &[&str],
        of: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = &*self.scalar(node, wanted)?.text;
        if let Some(value) = of(text) {
            return Some(value);
        }
        let mend = nearest(text, words.iter().copied()).map_or_else(
            || format!("write one of {}", words.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        self.wrong(format!("`{}` is not {wanted}", shortened(text)), mend)
    }

    /// A key that nobody asked for.
    fn unknown(&mut self, key: &Key, known: &[&str]) {
        let path =
            if self.path.is_empty() { key.text.to_string() } else { format!("{}.{}", self.path, key.text) };
        let text = format!("there is no key `{}` here", shortened(&key.text));
        if self.lenient {
            self.faults.push(Fault::new(Severity::Warning, key.at, shortened(&path), text, LEFT_OUT));
            self.left_out.push(path);
            return;
        }
        let path = shortened(&path);
        let near = nearest(&key.text, known.iter().copied());
        let mend = near.map_or_else(
            || {
                let known = known.join(", ");
                if known.is_empty() { "remove it".to_owned() } else { format!("the keys here are {known}") }
            },
            |near| format!("did you mean `{near}`?"),
        );
        self.faults.push(Fault::new(Severity::Error, key.at, path, text, mend));
    }

    /// Notes that what is written here is of a newer version.
    pub(crate) fn leave_out(&mut self, text: &str) {
        self.faults.push(Fault::new(Severity::Warning, self.at, &*self.path, text, LEFT_OUT));
        self.left_out.push(self.path.clone());
    }
}

/// The members of a map.
pub(crate) struct Members<'a> {
    node: &'a Node,
    members: &'a [(Key, Node)],
}

impl<'a> Members<'a> {
    /// Reads a member if it is written.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        reader: &mut Reader,
        read: impl FnOnce(&Node, &mut Reader) -> Option<T>,
    ) -> Option<T> {
        let (key, node) = self.node.member(name)?;
        reader.within(Step::Member(name), key.at, node, |reader| read(node, reader))
    }

    /// Reads a member that must be there.
    pub(crate) fn require<T>(
        &self,
        name: &str,
        reader: &mut Reader,
        read: impl FnOnce(&Node, &mut Reader) -> Option<T>,
    ) -> Option<T> {
        if self.node.member(name).is_none() {
            return reader.wrong(format!("`{name}` is missing"), format!("add `{name}: …`"));
        }
        self.read(name, reader, read)
    }

    /// Notes every key that is none of these.
    pub(crate) fn refuse_others(&self, known: &[&str], reader: &mut Reader) {
        for (key, _) in self.members {
            if !known.contains(&&*key.text) {
                reader.unknown(key, known);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a (Key, Node)> {
        self.members.iter()
    }
}

/// What a word was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below it nothing alike is meant.
    const ALIKE: f64 = 0.78;
    let flat = |word: &str| word.replace(['-', '_', ' '], "").to_lowercase();
    let meant = flat(word);
    let likeness = |known: &str| {
        let known = flat(known);
        let begins =
            known.len() > 3 && (meant.starts_with(&known) || (meant.len() > 3 && known.starts_with(&meant)));
        // `aws.bedrock`, `gcp.vertex_ai`: conventions put the company before what is meant.
        let holds = word.split(['.', '-', '_', ' ']).any(|part| part.eq_ignore_ascii_case(&known));
        let told = if begins { 0.9 } else { f64::from(u8::from(holds)) * 0.85 };
        strsim::jaro_winkler(&meant, &known).max(told)
    };
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}
