//! Names: of rules and backups, of hosts and providers, of what credentials come from.

use std::borrow::Cow;
use std::fmt;

use outrigger_providers::{Service, services, translate};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::leaf;
use crate::read::{Reader, Written};
use crate::yaml::Node;

/// A name that a person gives: a rule's or a backup's. It becomes a metric's label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub String);

leaf!(Label, "Label", {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"});

impl Label {
    pub(crate) fn is_one(text: &str) -> bool {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-')
    }

    pub(crate) const MEND: &str = "use lower-case letters, digits and `-` inside, 63 at most";
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Written for Label {
    fn read(node: &Node, reader: &mut Reader) -> Option<Label> {
        let text = reader.text(node, "a name")?;
        if !Label::is_one(text) {
            return reader.wrong(format!("`{}` is not a name", crate::yaml::shortened(text)), Label::MEND);
        }
        Some(Label(text.to_owned()))
    }
}

/// Any text of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

leaf!(Text, "Text", {"type": "string", "minLength": 1});

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Written for Text {
    fn read(node: &Node, reader: &mut Reader) -> Option<Text> {
        reader.text(node, "a text").map(|text| Text(text.to_owned()))
    }
}

/// A name that becomes part of a path or a host: a deployment, a region, a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment(pub String);

leaf!(Segment, "Segment", {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]*$"});

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Written for Segment {
    fn read(node: &Node, reader: &mut Reader) -> Option<Segment> {
        let text = reader.text(node, "a name")?;
        let may = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if !text.bytes().all(may) || !text.as_bytes()[0].is_ascii_alphanumeric() || text.contains("..") {
            let mend = "use letters, digits and `.`, `_`, `:`, `-` inside: it becomes part of an address";
            return reader.wrong(format!("`{}` is not such a name", crate::yaml::shortened(text)), mend);
        }
        Some(Segment(text.to_owned()))
    }
}

/// A host, lower case, without scheme and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(pub String);

leaf!(Host, "Host", {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$", "maxLength": 253});

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Written for Host {
    fn read(node: &Node, reader: &mut Reader) -> Option<Host> {
        let text = reader.text(node, "a host name")?;
        let shown = crate::yaml::shortened(text);
        if text.contains("://") || text.contains('/') {
            return reader
                .wrong(format!("`{shown}` is an address"), "write the host alone, without scheme and path");
        }
        if text.contains(':') {
            return reader.wrong(
                format!("`{shown}` has a port"),
                "write the host alone; backups are reached at port 443",
            );
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let numbers = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if text.len() > 253 || !text.contains('.') || !text.split('.').all(label) || numbers {
            return reader.wrong(
                format!("`{shown}` is not a host name"),
                "write a full name such as `shop-eu.openai.azure.com`: its certificate is verified by it",
            );
        }
        Some(Host(text.to_ascii_lowercase()))
    }
}

/// A provider, by the id that records and metrics use.
#[derive(Clone, Copy)]
pub struct Provider(pub &'static Service);

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Provider) -> bool {
        self.0.id == other.0.id
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

impl Provider {
    pub(crate) fn of(word: &str) -> Option<Provider> {
        services::by_word(word).ok().map(Provider)
    }

    /// Ids of all, and what is taken for them.
    pub(crate) fn words() -> Vec<&'static str> {
        services::words().collect()
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.id)
    }
}

impl JsonSchema for Provider {
    fn schema_name() -> Cow<'static, str> {
        "Provider".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": Provider::words()})
    }
}

impl Written for Provider {
    fn read(node: &Node, reader: &mut Reader) -> Option<Provider> {
        reader.word(node, "a provider", &Provider::words(), Provider::of)
    }
}

/// A wire format of conversations, by its name in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(pub &'static str);

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl JsonSchema for Format {
    fn schema_name() -> Cow<'static, str> {
        "Format".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = translate::all_formats().collect();
        json_schema!({"type": "string", "enum": words})
    }
}

impl Written for Format {
    fn read(node: &Node, reader: &mut Reader) -> Option<Format> {
        let words: Vec<&str> = translate::all_formats().collect();
        reader.word(node, "a wire format of conversations", &words, |word| {
            translate::all_formats().find(|name| *name == word).map(Format)
        })
    }
}

/// A file below the folder of mounted credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile(pub String);

leaf!(SecretFile, "SecretFile", {"type": "string", "pattern": "^[^/\\\\]", "examples": ["azure/api-key"]});

impl fmt::Display for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Written for SecretFile {
    fn read(node: &Node, reader: &mut Reader) -> Option<SecretFile> {
        let text = reader.text(node, "a file")?;
        let bad = |part: &str| part.is_empty() || part == "." || part == "..";
        if text.starts_with('/') || text.contains('\\') || text.split('/').any(bad) {
            return reader.wrong(
                format!("`{}` leaves the folder of mounted credentials", crate::yaml::shortened(text)),
                "write a path below it, such as `azure/api-key`",
            );
        }
        Some(SecretFile(text.to_owned()))
    }
}

/// Name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable(pub String);

leaf!(Variable, "Variable", {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"});

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Written for Variable {
    fn read(node: &Node, reader: &mut Reader) -> Option<Variable> {
        let text = reader.text(node, "the name of a variable")?;
        let may = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !text.bytes().all(may) || text.as_bytes()[0].is_ascii_digit() {
            // It may be the secret itself: it is not repeated.
            return reader.wrong(
                "this is not the name of a variable",
                "write its name, such as `AZURE_OPENAI_API_KEY`, never the key itself",
            );
        }
        Some(Variable(text.to_owned()))
    }
}
