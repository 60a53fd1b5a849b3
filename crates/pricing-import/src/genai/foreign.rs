//! The data set's own form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct ForeignProvider {
    pub(super) id: String,
    pub(super) api_pattern: String,
    #[serde(default)]
    pub(super) fallback_model_providers: Vec<String>,
    pub(super) models: Vec<ForeignModel>,
}

#[derive(Deserialize)]
pub(super) struct ForeignModel {
    pub(super) id: String,
    #[serde(rename = "match")]
    pub(super) matches: ForeignClause,
    pub(super) context_window: Option<u64>,
    pub(super) prices: ForeignPrices,
    #[serde(default)]
    pub(super) price_variants: Vec<Variant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ForeignClause {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
    Or(Vec<ForeignClause>),
    And(Vec<ForeignClause>),
}

pub(super) type Rates = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Constraint {
    Date { start_date: String },
    Hours { start_time: String, end_time: String },
}

pub(super) struct Entry {
    pub(super) constraint: Option<Constraint>,
    pub(super) prices: Rates,
}

pub(super) struct ForeignPrices(pub(super) Vec<Entry>);

pub(super) struct Variant {
    pub(super) when: BTreeMap<String, String>,
    pub(super) constraint: Option<Constraint>,
    pub(super) prices: Rates,
}

/// Raw values do not pass through serde's untagged forms, so these are read from their own text.
impl<'de> Deserialize<'de> for ForeignPrices {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ForeignPrices, D::Error> {
        use serde::de::Error;

        #[derive(Deserialize)]
        struct Row {
            constraint: Option<Box<RawValue>>,
            prices: Rates,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get().trim_start().starts_with('{') {
            let prices = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
            return Ok(ForeignPrices(vec![Entry { constraint: None, prices }]));
        }
        let rows: Vec<Row> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let entries = rows.into_iter().map(|row| {
            let constraint = constraint(row.constraint.as_deref()).map_err(D::Error::custom)?;
            Ok(Entry { constraint, prices: row.prices })
        });
        entries.collect::<Result<_, _>>().map(ForeignPrices)
    }
}

impl<'de> Deserialize<'de> for Variant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Variant, D::Error> {
        use serde::de::Error;

        #[derive(Deserialize)]
        struct Row {
            when: BTreeMap<String, String>,
            constraint: Option<Box<RawValue>>,
            prices: Rates,
        }
        let row = Row::deserialize(deserializer)?;
        let constraint = constraint(row.constraint.as_deref()).map_err(D::Error::custom)?;
        Ok(Variant { when: row.when, constraint, prices: row.prices })
    }
}

fn constraint(raw: Option<&RawValue>) -> Result<Option<Constraint>, serde_json::Error> {
    raw.map(|raw| serde_json::from_str(raw.get())).transpose()
}
