//! The version of the language.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::leaf;
use crate::read::{Reader, Written};
use crate::yaml::Node;

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
