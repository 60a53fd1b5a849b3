//! Reads what a record's JSON says that a price depends on: the way back from `call_json`, and from the same record as an
//! OTLP log. Once per command.

use outrigger_pricing::{Atto, Charge, Meter, PriceBook, Region, Tier, TokenUsage};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Provenance;

/// A call as far as its price depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldCall {
    /// Its id, where the record has one.
    pub id: Option<String>,
    /// Provider id.
    pub provider: String,
    /// The host that was asked, where the record has one.
    pub host: Option<String>,
    /// The model that was priced: the one behind a deployment, else the one that answered, else the one asked for.
    pub model: String,
    /// When it began, seconds since 1970.
    pub at: i64,
    /// The tier it was priced in.
    pub tier: Tier,
    /// The region class it was priced in.
    pub region: Region,
    /// Its counts.
    pub usage: TokenUsage,
    /// Why they are not exact, if they are not.
    pub doubt: Option<String>,
    /// Whether what is not exact in them is estimated, all of it.
    pub estimated: bool,
    /// What the record says it cost.
    pub recorded: Option<Atto>,
    /// Hash of the book that the record was priced with.
    pub price_book: Option<String>,
}

/// Why a text is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToldError {
    /// No JSON.
    #[error("not JSON ({0}); give one record as `--output json` prints it, or as an OTLP log record in JSON")]
    NotJson(String),
    /// Several records.
    #[error("{0} records, not one; pick one of them, such as with `jq '.[0]'`")]
    Several(usize),
    /// Something is missing or of another kind.
    #[error("`{key}` {fault}; is this a record of a call, as `--output json` prints it?")]
    Member {
        /// Where.
        key: &'static str,
        /// What is wrong.
        fault: String,
    },
}

fn member(key: &'static str, fault: impl Into<String>) -> ToldError {
    ToldError::Member { key, fault: fault.into() }
}

impl ToldCall {
    /// Reads a record.
    ///
    /// # Errors
    /// The text is no JSON, no record, or several.
    pub fn read(text: &str) -> Result<ToldCall, ToldError> {
        let value = serde_json::from_str(text)
            .map_err(|fault: serde_json::Error| ToldError::NotJson(fault.to_string()))?;
        let record = only(&value)?;
        match (record.get("attributes"), record.contains_key("outrigger.call.id")) {
            (Some(Value::Array(list)), _) => ToldCall::from_log(&flat(list)),
            (Some(Value::Object(map)), _) => ToldCall::from_log(map),
            (_, true) => ToldCall::from_log(record),
            _ => ToldCall::from_call(record),
        }
    }

    /// The form of `call_json`.
    fn from_call(record: &Map<String, Value>) -> Result<ToldCall, ToldError> {
        let tokens = record.get("tokens").and_then(Value::as_object).ok_or(member("tokens", "is missing"))?;
        let meters =
            tokens.get("meters").and_then(Value::as_object).ok_or(member("tokens.meters", "is missing"))?;
        let told = meters.iter().map(|(word, known)| count(word, known.get("count").unwrap_or(&Value::Null)));
        let usage = TokenUsage::from_told(told.collect::<Result<Vec<_>, _>>()?);
        let started = record.get("times").and_then(|times| times.get("started")).and_then(Value::as_str);
        let started = started.ok_or(member("times.started", "is missing"))?;
        let at = OffsetDateTime::parse(started, &Rfc3339)
            .map_err(|_| member("times.started", format!("is `{started}`, no instant of RFC 3339")))?;
        ToldCall {
            id: text(record, "id"),
            provider: text(record, "provider").ok_or(member("provider", "is missing"))?,
            host: record.get("attempts").and_then(|attempts| {
                let serving = record.get("route").and_then(|route| route.get("serving")?.as_u64());
                let at = usize::try_from(serving.unwrap_or(1)).ok()?.checked_sub(1)?;
                attempts.get(at)?.get("host")?.as_str().map(str::to_owned)
            }),
            model: text(record, "deployed_model")
                .or_else(|| text(record, "model"))
                .ok_or(member("model", "is missing: without it there is no price"))?,
            at: at.unix_timestamp(),
            tier: text(record, "tier").map_or(Tier::Standard, |word| Tier::from_word(&word)),
            region: Region::Global,
            usage,
            doubt: text(tokens, "reason"),
            estimated: text(tokens, "provenance").is_some_and(|word| word == Provenance::Estimated.as_str()),
            recorded: None,
            price_book: text(record, "price_book"),
        }
        .placed(text(record, "region"), text(record, "cost"))
    }

    /// The attributes of the log record.
    fn from_log(log: &Map<String, Value>) -> Result<ToldCall, ToldError> {
        let told = log.iter().filter_map(|(key, value)| {
            let word = key.strip_prefix("outrigger.usage.")?;
            Meter::from_word(word).map(|_| count(word, value))
        });
        let usage = TokenUsage::from_told(told.collect::<Result<Vec<_>, _>>()?);
        let started = log.get("outrigger.time.started").and_then(whole);
        let started = started.ok_or(member("outrigger.time.started", "is missing"))?;
        let model = ["outrigger.cost.model", "gen_ai.response.model", "gen_ai.request.model"];
        let model = model.into_iter().find_map(|key| text(log, key));
        ToldCall {
            id: text(log, "outrigger.call.id"),
            provider: text(log, "gen_ai.provider.name")
                .ok_or(member("gen_ai.provider.name", "is missing"))?,
            host: text(log, "server.address"),
            model: model
                .ok_or(member("gen_ai.response.model", "is missing: without it there is no price"))?,
            at: i64::try_from(started / 1_000_000_000).unwrap_or(i64::MAX),
            tier: text(log, "outrigger.cost.tier").map_or(Tier::Standard, |word| Tier::from_word(&word)),
            region: Region::Global,
            usage,
            doubt: text(log, "outrigger.usage.reason"),
            estimated: text(log, "outrigger.usage.provenance")
                .is_some_and(|word| word == Provenance::Estimated.as_str()),
            recorded: None,
            price_book: text(log, "outrigger.price_book.hash"),
        }
        .placed(text(log, "outrigger.cost.region"), text(log, "outrigger.cost.usd"))
    }

    fn placed(mut self, region: Option<String>, cost: Option<String>) -> Result<ToldCall, ToldError> {
        if let Some(word) = region {
            let known = Region::from_word(&word);
            self.region = known
                .ok_or_else(|| member("region", format!("is `{word}`, which this version does not know")))?;
        }
        if let Some(text) = cost {
            let amount =
                Atto::parse(&text).map_err(|fault| member("cost", format!("is `{text}`, {fault}")))?;
            self.recorded = Some(amount);
        }
        Ok(self)
    }

    /// What is to be priced.
    #[must_use]
    pub fn charge<'a>(&'a self, book: &'a PriceBook) -> Charge<'a> {
        let provider = book.seller(&self.provider, self.host.as_deref().unwrap_or(""));
        let standard = Charge::standard(provider, &self.model, self.at, &self.usage);
        Charge { tier: self.tier, region: self.region, ..standard }
    }
}

/// The one record in a JSON value: an object, a list of one, or the file of a collector.
fn only(value: &Value) -> Result<&Map<String, Value>, ToldError> {
    let records: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) if map.contains_key("resourceLogs") => {
            let children = |value: &'_ Value, key: &str| {
                value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
            };
            let logs: usize = children(value, "resourceLogs")
                .iter()
                .flat_map(|one| children(one, "scopeLogs"))
                .map(|one| children(&one, "logRecords").len())
                .sum();
            let first = value.pointer("/resourceLogs/0/scopeLogs/0/logRecords/0");
            if logs > 1 {
                return Err(ToldError::Several(logs));
            }
            first.into_iter().collect()
        }
        one => vec![one],
    };
    match records.as_slice() {
        [one] => one.as_object().ok_or(member("record", "is no object")),
        [] => Err(ToldError::Several(0)),
        several => Err(ToldError::Several(several.len())),
    }
}

/// OTLP's list of keys and typed values as a plain object.
fn flat(list: &[Value]) -> Map<String, Value> {
    let pair = |one: &Value| {
        let key = one.get("key")?.as_str()?.to_owned();
        let typed = one.get("value")?.as_object()?;
        Some((key, typed.values().next()?.clone()))
    };
    list.iter().filter_map(pair).collect()
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// A whole number, or its text: OTLP writes 64 bits as text.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn count(word: &str, value: &Value) -> Result<(Meter, Option<u64>), ToldError> {
    let meter = Meter::from_word(word)
        .ok_or_else(|| member("tokens.meters", format!("has `{word}`, which this version does not know")))?;
    if value.is_null() {
        return Ok((meter, None));
    }
    let count = whole(value)
        .ok_or_else(|| member("tokens.meters", format!("counts {value} for `{word}`, no whole number")))?;
    Ok((meter, Some(count)))
}
