//! What a rule asks of a call: one file per condition, one line per file in [`ALL`]. Per call: no allocation.

mod headers;
mod host;
mod model;
mod operation;
mod patterns;
mod provider;
mod service;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::Call;
use crate::glob::Glob;
use crate::read::{Reader, Written};
use crate::yaml::Node;

/// A kind of condition.
pub(crate) struct Matcher {
    /// Its key in `match`.
    pub(crate) key: &'static str,
    /// What it holds for, for schema and reference.
    pub(crate) document: &'static str,
    /// The schema of its value, without a description.
    pub(crate) schema: fn() -> Schema,
    /// Reads its value.
    pub(crate) parse: fn(&Node, &mut Reader) -> Option<Arc<dyn Condition>>,
}

/// Every kind, the cheapest to ask first.
pub(crate) static ALL: [&Matcher; 6] = [
    &provider::MATCHER,
    &operation::MATCHER,
    &service::MATCHER,
    &host::MATCHER,
    &model::MATCHER,
    &headers::MATCHER,
];

/// One condition of one rule.
pub(crate) trait Condition: fmt::Debug + Send + Sync {
    /// Whether it holds for a call.
    fn holds(&self, call: &Call<'_>) -> bool;
    /// Why it does not hold, in plain words; asked only where it does not.
    fn explain(&self, call: &Call<'_>) -> String;
    /// Its value as it is written.
    fn written(&self) -> Value;
    /// The ids of the providers that it holds for, where it is about that.
    fn providers(&self) -> Option<Vec<&'static str>> {
        None
    }
    /// The names of models that it holds for, where it is about that.
    fn models(&self) -> Option<&[Glob]> {
        None
    }
    /// The operations that it holds for, where it is about that.
    fn operations(&self) -> Option<Vec<outrigger_providers::Operation>> {
        None
    }
}

/// The conditions of a rule; all must hold.
#[derive(Debug, Clone, Default)]
pub struct Match {
    /// By the kind's key, in the order of [`ALL`].
    conditions: Vec<(&'static str, Arc<dyn Condition>)>,
}

impl Match {
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Arc<dyn Condition>> {
        self.conditions.iter().map(|(_, condition)| condition)
    }

    /// Whether it holds for every call.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether it holds only for calls that another one holds for too, as far as equal conditions show it.
    pub(crate) fn is_within(&self, other: &Match) -> bool {
        other.conditions.iter().all(|(key, wide)| {
            self.conditions.iter().any(|(mine, narrow)| mine == key && narrow.written() == wide.written())
        })
    }

    fn value(&self) -> Value {
        let members = self.conditions.iter().map(|(key, condition)| ((*key).to_owned(), condition.written()));
        Value::Object(members.collect::<Map<_, _>>())
    }
}

impl PartialEq for Match {
    fn eq(&self, other: &Match) -> bool {
        self.value() == other.value()
    }
}

impl Serialize for Match {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.conditions.len()))?;
        for (key, condition) in &self.conditions {
            map.serialize_entry(key, &condition.written())?;
        }
        map.end()
    }
}

impl JsonSchema for Match {
    fn schema_name() -> Cow<'static, str> {
        "Match".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties = ALL.iter().map(|matcher| {
            let mut schema = (matcher.schema)();
            schema.insert("description".to_owned(), matcher.document.into());
            (matcher.key.to_owned(), schema.to_value())
        });
        let properties: Map<String, Value> = properties.collect();
        json_schema!({"type": "object", "additionalProperties": false, "properties": properties})
    }
}

impl Written for Match {
    fn read(node: &Node, reader: &mut Reader) -> Option<Match> {
        let members = reader.members(node)?;
        let mut conditions = Vec::new();
        for matcher in ALL {
            let condition = members.read(matcher.key, reader, matcher.parse);
            conditions.extend(condition.map(|condition| (matcher.key, condition)));
        }
        members.refuse_others(&ALL.map(|matcher| matcher.key), reader);
        Some(Match { conditions })
    }
}

/// What a call has, for messages.
fn has(what: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("its {what} is {}", crate::yaml::shortened(value)),
        None => format!("it names no {what}"),
    }
}
