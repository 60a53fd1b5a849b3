//! The reader that all JSON request bodies share: a scan for the fields that its dialect names.

use crate::framing::{JsonScan, Path};
use crate::{Names, RequestFacts, RequestReader, Who};

/// Scans a request body; the dialect turns what was found into facts.
pub(crate) struct FactsReader {
    scan: JsonScan,
    read: fn(&JsonScan) -> RequestFacts,
}

impl FactsReader {
    pub(crate) fn boxed(
        paths: &'static [Path],
        read: fn(&JsonScan) -> RequestFacts,
    ) -> Box<dyn RequestReader> {
        Box::new(FactsReader { scan: JsonScan::new(paths), read })
    }
}

impl RequestReader for FactsReader {
    fn chunk(&mut self, bytes: &[u8]) {
        self.scan.push(bytes);
    }

    fn finish(&mut self) -> RequestFacts {
        (self.read)(&self.scan)
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
