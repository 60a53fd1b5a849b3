//! Single values: times, shares, factors, counts, names.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use outrigger_providers::{Service, services};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Reader, Written, nearest};
use crate::yaml::Node;

/// Serializes a leaf as it is written, and gives it a schema of its own.
macro_rules! leaf {
    ($name:ident, $title:literal, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        leaf!(schema $name, $title, $schema);
    };
    (schema $name:ident, $title:literal, $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    pub(crate) const fn milliseconds(milliseconds: u64) -> Time {
        Time(Duration::from_millis(milliseconds))
    }

    pub(crate) const fn seconds(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }
}

leaf!(Time, "Time", {"type": "string", "pattern": "^[1-9][0-9]*(ms|s|m|h)$", "examples": ["15s", "250ms"]});

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let (count, unit) = match milliseconds {
            whole if whole % 3_600_000 == 0 => (whole / 3_600_000, "h"),
            whole if whole % 60_000 == 0 => (whole / 60_000, "m"),
            whole if whole % 1000 == 0 => (whole / 1000, "s"),
            whole => (whole, "ms"),
        };
        write!(f, "{count}{unit}")
    }
}

impl Written for Time {
    fn read(node: &Node, reader: &mut Reader) -> Option<Time> {
        const MEND: &str = "write a whole number with its unit: `250ms`, `15s`, `2m`, `1h`";
        const LONGEST: u64 = 24 * 3600 * 1000;
        let text = reader.text(node, "a time such as `15s`")?;
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (count, unit) = text.split_at(digits);
        let Ok(count) = count.parse::<u64>() else {
            return reader.wrong(format!("`{text}` is not a time"), MEND);
        };
        let of_unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "" => {
                return reader
                    .wrong(format!("the time `{text}` has no unit"), format!("write `{text}s` for seconds"));
            }
            _ => return reader.wrong(format!("`{text}` is not a time"), MEND),
        };
        match count.checked_mul(of_unit) {
            Some(milliseconds @ 1..=LONGEST) => Some(Time::milliseconds(milliseconds)),
            _ => reader.wrong(format!("`{text}` is out of range"), "write a time from 1ms to 24h"),
        }
    }
}

/// A share of the whole, 1 % to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u8);

leaf!(Percent, "Percent", {"type": "string", "pattern": "^([1-9][0-9]?|100)%$", "examples": ["20%"]});

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Written for Percent {
    fn read(node: &Node, reader: &mut Reader) -> Option<Percent> {
        let text = reader.text(node, "a share such as `20%`")?;
        let Some(count) = text.strip_suffix('%') else {
            return reader.wrong(format!("`{text}` is not a share"), "write it with its sign: `20%`");
        };
        match count.parse::<u8>() {
            Ok(count @ 1..=100) if !text.starts_with(['0', '+']) => Some(Percent(count)),
            _ => reader.wrong(format!("`{text}` is out of range"), "write a whole share from 1% to 100%"),
        }
    }
}

/// So many times as much, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(pub u32);

leaf!(Factor, "Factor", {"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?x$", "examples": ["2x", "1.5x"]});

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole}x"),
            tenths if tenths % 10 == 0 => write!(f, "{whole}.{}x", tenths / 10),
            _ => write!(f, "{whole}.{rest:02}x"),
        }
    }
}

impl Written for Factor {
    fn read(node: &Node, reader: &mut Reader) -> Option<Factor> {
        const MEND: &str = "write a factor from 0.01x to 1000x: `2x`, `1.5x`";
        let text = reader.text(node, "a factor such as `2x`")?;
        let hundredths = text.strip_suffix('x').and_then(|number| {
            let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(whole) || !digits(rest) || rest.len() > 2 {
                return None;
            }
            let scale = if rest.len() == 1 { 10 } else { 1 };
            whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(rest.parse::<u32>().ok()? * scale)
        });
        match hundredths {
            Some(hundredths @ 1..=100_000) => Some(Factor(hundredths)),
            _ => reader.wrong(format!("`{text}` is not a factor"), MEND),
        }
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Count<const LEAST: u32, const MOST: u32>(pub u32);

impl<const LEAST: u32, const MOST: u32> JsonSchema for Count<LEAST, MOST> {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }
}

impl<const LEAST: u32, const MOST: u32> Written for Count<LEAST, MOST> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a whole number")?;
        match text.parse::<u32>() {
            Ok(count) if (LEAST..=MOST).contains(&count) && !text.starts_with('+') => Some(Count(count)),
            _ => reader.wrong(
                format!("`{text}` is not a whole number in range"),
                format!("write a whole number from {LEAST} to {MOST}"),
            ),
        }
    }
}

/// True or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Switch(pub bool);

leaf!(schema Switch, "Switch", {"type": "boolean"});

impl Written for Switch {
    fn read(node: &Node, reader: &mut Reader) -> Option<Switch> {
        let scalar = reader.scalar(node, "true or false")?;
        match (&*scalar.text, scalar.plain) {
            ("true", true) => Some(Switch(true)),
            ("false", true) => Some(Switch(false)),
            (text, true) if crate::yaml::is_ambiguous(text) => reader.wrong(
                format!("`{text}` is a text to some readers of YAML and a switch to others"),
                "write true or false",
            ),
            (text, _) => reader.wrong(
                format!("`{}` is not a switch", crate::yaml::shortened(text)),
                "write true or false, without quotes",
            ),
        }
    }
}

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
        services::ALL.into_iter().find(|service| service.id == word).map(Provider)
    }

    /// Ids of all.
    pub(crate) fn words() -> [&'static str; services::ALL.len()] {
        services::ALL.map(|service| service.id)
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

/// The document's version, `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Another one is another language.
    pub major: u32,
    /// A newer one only adds keys.
    pub minor: u32,
}

impl Version {
    /// What this version of Outrigger reads.
    pub const READ: Version = Version { major: 1, minor: 0 };
}

leaf!(schema Version, "Version", {"anyOf": [{"const": 1}, {"type": ["string", "number"], "pattern": "^1(\\.[0-9]+)?$"}], "examples": [1]});

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            0 => write!(f, "{}", self.major),
            minor => write!(f, "{}.{minor}", self.major),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.minor {
            0 => serializer.serialize_u32(self.major),
            _ => serializer.collect_str(self),
        }
    }
}

impl Written for Version {
    fn read(node: &Node, reader: &mut Reader) -> Option<Version> {
        let text = reader.text(node, "the version")?;
        let digits =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        let (Some(major), Some(minor)) = (digits(major), digits(minor)) else {
            return reader
                .wrong(format!("`{}` is not a version", crate::yaml::shortened(text)), "write `version: 1`");
        };
        if major != Version::READ.major {
            return reader.wrong(
                format!("version {major} is not read here"),
                format!("write `version: {}`, or run an Outrigger that reads version {major}", Version::READ),
            );
        }
        Some(Version { major, minor })
    }
}

/// What is nearest to a name among those that are written.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            if known.is_empty() {
                "declare it under `backups`".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            }
        }
    }
}
