//! The shape of `prices.json`. Unknown keys are errors: a mistyped `valid_form` must not price a call for ever.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::Meter;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Version of this shape.
    pub(super) schema: u32,
    /// Version of the content.
    pub(super) version: String,
    /// The day up to which the prices are known, `YYYY-MM-DD`.
    pub(super) date: String,
    /// `USD`.
    pub(super) currency: String,
    /// What the content may be used for.
    pub(super) license: String,
    /// Where rows may come from: short name, then what it stands for.
    pub(super) sources: BTreeMap<String, String>,
    /// Sorted by id.
    pub(super) providers: Vec<Provider>,
}

/// One provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    /// As [`crate::Charge::provider`] names it.
    pub(super) id: String,
    /// Sorted by id.
    pub(super) models: Vec<Model>,
}

/// One model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    /// The undated name; `ft:BASE` for fine-tunes of BASE.
    pub(super) id: String,
    /// Further exact names, sorted.
    #[serde(default, rename = "match")]
    pub(super) also: Vec<String>,
    /// What a call with data residency costs more.
    pub(super) residency: Option<Residency>,
    /// Sorted by tier, then start, then threshold.
    pub(super) cards: Vec<Card>,
}

/// A factor on every token line of a call that was served with data residency.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Residency {
    /// Numerator.
    pub(super) num: u64,
    /// Denominator.
    pub(super) den: u64,
    /// Names of [`File::sources`].
    pub(super) source: Vec<String>,
    /// The last day on which a source showed it.
    pub(super) checked_on: String,
}

/// The prices that apply together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Card {
    /// The tier that was served.
    pub(super) tier: String,
    /// First day (UTC); absent: ever since.
    pub(super) valid_from: Option<String>,
    /// First day on which it no longer applies; absent: until further notice.
    pub(super) valid_until: Option<String>,
    /// Absent: prompts of any length.
    pub(super) prompt: Option<Prompt>,
    /// US dollars, as decimal text, per million tokens (web searches: per thousand).
    pub(super) lines: Lines,
    /// Names of [`File::sources`].
    pub(super) source: Vec<String>,
    /// The last day on which a source showed these prices.
    pub(super) checked_on: String,
}

/// Lengths of the whole prompt, cached parts included. The card prices every token of the call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Prompt {
    /// Up to so many tokens.
    Le(u64),
    /// More than so many tokens.
    Gt(u64),
}

/// Meter and price, in the order of the file: a meter that stands twice is seen, not overwritten.
#[derive(Debug)]
pub(super) struct Lines(pub(super) Vec<(Meter, String)>);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lines, D::Error> {
        struct Pairs;

        impl<'de> de::Visitor<'de> for Pairs {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("prices by meter, such as {\"input\": \"2.5\", \"output\": \"10\"}")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Lines, A::Error> {
                let mut pairs = Vec::with_capacity(Meter::ALL.len());
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Lines(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}
