//! What a person writes. A key that is not written stays unwritten here; its default counts from [`crate::Policy`] on.

mod backup;
mod rule;

pub use backup::{Backup, Credential};
pub use rule::{Backoff, Breaker, Deadlines, Failover, Retry, Rule};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use crate::matchers::Match;
pub use crate::read::leaves::{
    Count, Factor, Format, Host, Label, Percent, Provider, SecretFile, Segment, Switch, Text, Time, Variable,
    Version,
};
pub use crate::read::words::{Capabilities, CredentialKind, Exceeded, Mode, MovedClasses, RetriedClasses};
use crate::read::{Reader, Step, Written, leaves};
use crate::yaml::Node;

/// Names of the keys at the top.
const KEYS: [&str; 5] = ["version", "mode", "backups", "rules", "responseHeaders"];

/// Rules of a namespace, or of one program: what Outrigger may do for its LLM calls, and where else their prompts may go.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Document {
    /// The version of this language. A newer minor version (`1.3`) only adds keys: an older Outrigger reports the keys
    /// that it does not know and leaves them out; what only they restrict (a rule's `match`, its `failover`) it leaves out whole.
    pub version: Version,
    /// How far Outrigger goes; it can be changed while running.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("default" = Mode::Observe))]
    pub mode: Option<Mode>,
    /// The complete list of other places that a prompt may go to, by names that rules use.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub backups: BTreeMap<Label, Backup>,
    /// Read from the top; the first rule that matches a call decides it. A call that none matches is watched, never touched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Whether answers to calls that a rule touched carry `x-outrigger-*` headers: provider, model, attempts, call id.
    #[serde(rename = "responseHeaders", skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("default" = true))]
    pub response_headers: Option<Switch>,
}

impl Document {
    /// The mode that counts.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Observe)
    }

    /// The JSON of the document. It is YAML too, and reads as the same document.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// A document as far as it could be read, for the checks across it.
pub(crate) struct Draft {
    pub(crate) version: Version,
    pub(crate) mode: Option<Mode>,
    pub(crate) response_headers: Option<Switch>,
    /// In the order of the text; `None` where the backup is faulty.
    pub(crate) backups: Vec<(String, Option<Backup>)>,
    /// With the place in the list.
    pub(crate) rules: Vec<(usize, Rule)>,
}

impl Draft {
    /// Reads all that can be read; `None` where nothing can.
    pub(crate) fn read(root: &Node, reader: &mut Reader) -> Option<Draft> {
        let members = reader.members(root)?;
        let version = members.require("version", reader, leaves::Version::read);
        reader.lenient = version.is_some_and(|version| version.minor > Version::READ.minor);
        let mode = members.read("mode", reader, Mode::read);
        let response_headers = members.read("responseHeaders", reader, Switch::read);
        let backups = members.read("backups", reader, read_backups).unwrap_or_default();
        let rules = members.read("rules", reader, read_rules).unwrap_or_default();
        members.refuse_others(&KEYS, reader);
        Some(Draft { version: version.unwrap_or(Version::READ), mode, response_headers, backups, rules })
    }

    /// The document, where nothing was faulty.
    pub(crate) fn whole(&self) -> Document {
        let backups =
            self.backups.iter().filter_map(|(name, backup)| Some((Label(name.clone()), backup.clone()?)));
        Document {
            version: self.version,
            mode: self.mode,
            backups: backups.collect(),
            rules: self.rules.iter().map(|(_, rule)| rule.clone()).collect(),
            response_headers: self.response_headers,
        }
    }
}

fn read_backups(node: &Node, reader: &mut Reader) -> Option<Vec<(String, Option<Backup>)>> {
    let members = reader.members(node)?;
    let mut backups = Vec::new();
    for (key, node) in members.iter() {
        let backup = reader.within(Step::Member(&key.text), key.at, node, |reader| {
            if key.plain && crate::yaml::is_ambiguous(&key.text) {
                let text = format!(
                    "the name `{}` without quotes is true or false to many readers of YAML",
                    key.text
                );
                return reader.wrong(text, "take another name");
            }
            if !Label::is_one(&key.text) {
                return reader
                    .wrong(format!("`{}` is not a name", crate::yaml::shortened(&key.text)), Label::MEND);
            }
            Backup::read(node, reader)
        });
        backups.push((key.text.to_string(), backup));
    }
    Some(backups)
}

fn read_rules(node: &Node, reader: &mut Reader) -> Option<Vec<(usize, Rule)>> {
    let items = reader.list(node)?;
    let mut rules = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let rule = reader.within(Step::Item(index), item.at, item, |reader| Rule::read(item, reader));
        rules.extend(rule.map(|rule| (index, rule)));
    }
    Some(rules)
}
