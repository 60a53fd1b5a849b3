//! Values with `*` in them, one or several: what the conditions on names share.

use schemars::{Schema, json_schema};
use serde_json::Value;

use crate::glob::Glob;
use crate::read::Reader;
use crate::yaml::Node;

/// Patterns of which one must hold.
#[derive(Debug)]
pub(super) struct Patterns(Vec<Glob>);

impl Patterns {
    pub(super) fn schema() -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        ]})
    }

    pub(super) fn parse(node: &Node, reader: &mut Reader, wanted: &str, lower: bool) -> Option<Patterns> {
        let read = |node: &Node, reader: &mut Reader| {
            let text = reader.text(node, wanted)?;
            Some(Glob::new(&if lower { text.to_ascii_lowercase() } else { text.to_owned() }))
        };
        reader.one_or_more(node, read).map(Patterns)
    }

    pub(super) fn hold(&self, text: &str) -> bool {
        self.0.iter().any(|glob| glob.holds(text))
    }

    pub(super) fn globs(&self) -> &[Glob] {
        &self.0
    }

    pub(super) fn written(&self) -> Value {
        match &*self.0 {
            [one] => one.as_str().into(),
            several => several.iter().map(Glob::as_str).collect(),
        }
    }

    /// `gpt-*` or `gpt-*, o3`.
    pub(super) fn told(&self) -> String {
        self.0.iter().map(Glob::as_str).collect::<Vec<_>>().join(", ")
    }
}
