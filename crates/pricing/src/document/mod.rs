//! The written form of a price book: what `prices.json` and an operator's own prices look like. Read once, compiled to
//! the form that prices calls.

mod dates;
mod node;
mod read;
mod read_model;
mod write;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Meter, Region, Tier};

pub use dates::day_of;
pub(crate) use dates::{date, instant};
pub use read::{BookError, Fault};

/// Version of the shape.
pub const SCHEMA: u64 = 2;

/// A whole book.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Version of the content.
    pub version: String,
    /// The day up to which the prices are known, `YYYY-MM-DD`.
    pub date: String,
    /// What the content may be used for.
    pub license: String,
    /// Where rows may come from: short name, then what it stands for.
    pub sources: BTreeMap<String, String>,
    /// Sorted by id.
    pub providers: Vec<Provider>,
}

/// Where a row comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Names of [`Document::sources`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<String>,
    /// The last day on which a source showed it, `YYYY-MM-DD`; empty where nobody said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checked_on: String,
}

/// One provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provider {
    /// Its name in the book.
    pub id: String,
    /// Hosts at which it is reached; a leading `*.` stands for any labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Other names of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Providers whose models it sells as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// Names that move from model to model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<Pointer>,
    /// Factors on the prices of several of its models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Sorted by id.
    pub models: Vec<Model>,
}

/// Another provider whose rows price a model that this one's rows lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fallback {
    /// The other provider.
    pub provider: String,
    /// Whether both publish the same prices; else such a cost is marked as borrowed.
    pub same_prices: bool,
    /// Where that is known from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What a moving name (`…-latest`) stood for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pointer {
    /// The name.
    pub name: String,
    /// First instant at which it stood for the model; absent: ever since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// First instant at which it did no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// The model's id.
    pub model: String,
    /// Where that is known from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// One model.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Model {
    /// The undated name; `ft:BASE` for fine-tunes of BASE.
    pub id: String,
    /// Other names it goes by.
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Clause>,
    /// What it costs.
    pub cards: Vec<Card>,
    /// Factors on its prices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// The least that is billed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub minimums: Vec<Minimum>,
    /// What is free within a period. Recorded, never taken off a call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
    /// What is known of the model beside its prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
}

/// A test of a model's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clause {
    /// The whole name.
    Equals(String),
    /// Its beginning.
    StartsWith(String),
    /// Its end.
    EndsWith(String),
    /// Any part of it.
    Contains(String),
    /// All of these hold.
    All(Vec<Clause>),
    /// This does not hold.
    Not(Box<Clause>),
}

/// How sure a price is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// The vendor publishes it.
    #[default]
    Published,
    /// The vendor said that it will apply; such plans have been cancelled.
    Announced,
    /// Seen on bills or in other compilations.
    Observed,
}

/// The prices that apply together.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Card {
    /// First instant (UTC), as `YYYY-MM-DD` or `YYYY-MM-DDTHH:MMZ`; absent: ever since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// First instant at which it no longer applies; absent: until further notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// How sure it is.
    #[serde(skip_serializing_if = "write::is_default")]
    pub status: Status,
    /// Which calls it is for.
    #[serde(skip_serializing_if = "write::is_default")]
    pub when: When,
    /// Lengths of the whole prompt, cached parts included. The card prices every token of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// By meter; `None` where the vendor publishes no price though the standard tier has one.
    pub lines: BTreeMap<Meter, Option<Price>>,
    /// Where it is known from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Which calls a card or a factor is for. A card's absent tier is the standard one, a factor's is any; an absent region,
/// route, variant or schedule is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// Written as `processing: batch`, `tier: …` or `speed: fast`.
    pub tier: Option<Tier>,
    /// Region class.
    pub region: Option<Region>,
    /// A broker's way to the model.
    pub route: Option<String>,
    /// A feature's variant.
    pub variant: Option<String>,
    /// Hours of the week.
    pub schedule: Option<Schedule>,
}

/// Hours of the week, in a fixed offset from UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// 1 is Monday, 7 is Sunday.
    pub weekdays: Vec<u8>,
    /// `UTC` or `+08:00`.
    pub timezone: String,
    /// `HH:MM`, the first minute.
    pub from: String,
    /// `HH:MM`, the first minute after; `24:00` is midnight.
    pub to: String,
}

impl Schedule {
    /// A bit per weekday, minutes east of UTC, first and last minute of the day; sound schedules only.
    pub(crate) fn form(&self) -> [u16; 4] {
        let days = self.weekdays.iter().fold(0, |days, day| days | 1_u16 << (day.clamp(&1, &7) - 1));
        let east = dates::offset(&self.timezone).unwrap_or(0);
        let minute = |text: &str| dates::minute(text).unwrap_or(0);
        [days, u16::from_le_bytes(east.to_le_bytes()), minute(&self.from), minute(&self.to)]
    }

    /// Whether some minute of the week is in both.
    pub(crate) fn meets(&self, other: &Schedule) -> bool {
        const WEEK: i64 = 7 * 24 * 60;
        let minutes = |schedule: &Schedule| {
            let [days, east, from, to] = schedule.form();
            let east = i64::from(i16::from_le_bytes(east.to_le_bytes()));
            (0..7_i64)
                .filter(move |day| days & (1 << day) != 0)
                .flat_map(move |day| {
                    (i64::from(from)..i64::from(to)).map(move |minute| day * 24 * 60 + minute)
                })
                .map(move |minute| (minute - east).rem_euclid(WEEK))
                .collect::<std::collections::BTreeSet<_>>()
        };
        !minutes(self).is_disjoint(&minutes(other))
    }
}

/// How a prompt's length is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Op {
    /// More than.
    Gt,
    /// At least.
    Ge,
    /// At most.
    Le,
    /// Less than.
    Lt,
}

/// Lengths of prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// How the length is compared.
    pub op: Op,
    /// With how many tokens.
    pub tokens: u64,
}

/// A price as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Decimal text, or `n/d`.
    pub amount: String,
    /// What it is for; absent: what is usual for the meter.
    pub per: Option<u64>,
}

/// A factor on prices.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Factor {
    /// First instant; absent: ever since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// First instant at which it no longer applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Which calls it is for.
    #[serde(skip_serializing_if = "write::is_default")]
    pub when: When,
    /// Of a provider's factor: ids of the models it is for; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Meters it is for; empty: all tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applies_to: Vec<Meter>,
    /// Numerator.
    pub num: u64,
    /// Denominator.
    pub den: u64,
    /// Where it is known from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// The least that is billed where anything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Minimum {
    /// Of this meter.
    pub meter: Meter,
    /// So many.
    pub quantity: u64,
    /// Where that is known from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What is free within a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowance {
    /// Of this meter.
    pub meter: Meter,
    /// So many.
    pub quantity: u64,
    /// `day` or `month`.
    pub period: String,
    /// Models of one group share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_group: Option<String>,
    /// Where that is known from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What is known of a model beside its prices. What is absent is unknown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Tokens of prompt and answer together, or of the prompt where the answer has a limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_limit: Option<u64>,
    /// The smallest prompt prefix that is cached, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_cacheable: Option<u64>,
    /// Family of its tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// The day on which it is retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires: Option<String>,
    /// What it can do, by the words of [`crate::Capability`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capabilities: BTreeMap<String, bool>,
    /// Where that is known from.
    #[serde(flatten)]
    pub origin: Origin,
}
