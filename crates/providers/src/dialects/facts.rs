//! The reader that all JSON request bodies share: a scan for the fields that its dialect names.

use crate::framing::{JsonScan, Path};
use crate::thread::ThreadScan;
use crate::{Names, RequestFacts, RequestReader, Thread, Who};

/// Scans a request body; the dialect turns what was found into facts.
pub(crate) struct FactsReader {
    scan: JsonScan,
    read: fn(&JsonScan) -> RequestFacts,
    history: History,
}

/// Whether the body is also read for its history, whose values then are not scanned for facts. A scanner that has seen all of
/// it is given back: an answer may stream for long.
enum History {
    Unread,
    Scanning(Box<ThreadScan>),
    Read(Thread),
}

impl FactsReader {
    pub(crate) fn boxed(
        paths: &'static [Path],
        read: fn(&JsonScan) -> RequestFacts,
    ) -> Box<dyn RequestReader> {
        Box::new(FactsReader { scan: JsonScan::new(paths), read, history: History::Unread })
    }

    /// The reader of a format whose requests repeat the conversation.
    pub(crate) fn with_history(
        paths: &'static [Path],
        read: fn(&JsonScan) -> RequestFacts,
    ) -> Box<dyn RequestReader> {
        let history = History::Scanning(Box::new(ThreadScan::new()));
        Box::new(FactsReader { scan: JsonScan::new(paths), read, history })
    }
}

impl RequestReader for FactsReader {
    fn chunk(&mut self, bytes: &[u8]) {
        let FactsReader { scan, history, .. } = self;
        match history {
            History::Scanning(walk) => {
                walk.push(bytes, &mut |rest| scan.push(rest));
                if walk.is_over() {
                    *history = History::Read(walk.thread());
                }
            }
            History::Unread | History::Read(_) => scan.push(bytes),
        }
    }

    fn finish(&mut self) -> RequestFacts {
        let mut facts = (self.read)(&self.scan);
        if let History::Read(thread) = &self.history {
            facts.thread = thread.clone();
        }
        facts
    }
}

/// The requested output type by the conventions, from a format's `type` field.
pub(crate) fn output_type(scan: &JsonScan, path: &[&str]) -> Option<&'static str> {
    match scan.read::<&str>(path)? {
        "json_object" | "json_schema" => Some("json"),
        "text" => Some("text"),
        _ => None,
    }
}

/// Texts that stand in a list, or one of them alone.
pub(crate) fn one_or_more(scan: &JsonScan, path: &[&str]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    match scan.read::<OneOrMore>(path) {
        Some(OneOrMore::One(text)) => vec![text],
        Some(OneOrMore::More(texts)) => texts,
        None => Vec::new(),
    }
}

/// A name that is either a string or an object with an `id`.
pub(crate) fn name_or_id(scan: &JsonScan, path: &[&str]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum NameOrId {
        Name(String),
        Object { id: String },
    }
    scan.read::<NameOrId>(path).map(|either| match either {
        NameOrId::Name(name) => name,
        NameOrId::Object { id } => id,
    })
}

/// Who and what a body names: the plain members first, in this order, then the tags of the objects.
pub(crate) fn names(scan: &JsonScan, plain: &[(Who, Path)], tags: &[Path]) -> Names {
    let mut names = Names::default();
    for (who, path) in plain {
        names.offer(*who, scan.read(path), path.join("."));
    }
    for path in tags {
        if let Some(object) = scan.value(path) {
            names.offer_tags(object, &path.join("."));
        }
    }
    names
}
