//! The way back: an `outrigger.call` record as whoever receives it reads it. Whatever came between, a value of another kind than the
//! record's own is an error that names it, and what a newer version adds is passed over.

mod fields;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use outrigger_ledger::{CallId, Seam, Times, Timestamp, Transport};
use outrigger_pricing::{Atto, Meter, TokenUsage};
use outrigger_providers::Who;

use super::keys;
use fields::Fields;

/// Why a log record cannot be read as a call's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Another event.
    #[error("this is the event `{0}`, not `outrigger.call`")]
    Other(String),
    /// A field is missing or holds something else.
    #[error("the record's `{key}` {fault}; was it changed on its way?")]
    Field {
        /// Which.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// One call as its record tells it. Words (outcome, tier …) stand as they were written: a newer version may have more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedCall {
    /// Version of the form, see [`VERSION`](crate::SCHEMA_VERSION).
    pub version: u64,
    /// Its id.
    pub id: CallId,
    /// Trace of its span, sampled or not.
    pub trace_id: [u8; 16],
    /// Id of its span.
    pub span_id: [u8; 8],
    /// How the connection came.
    pub mode: String,
    /// What made the app's own span, where that is known.
    pub instrumented: Option<String>,
    /// `gen_ai.provider.name`.
    pub provider: String,
    /// Wire format.
    pub dialect: String,
    /// What was asked for.
    pub operation: String,
    /// The model asked for.
    pub requested_model: Option<String>,
    /// The model that answered.
    pub served_model: Option<String>,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// How it ended.
    pub outcome: String,
    /// Why it failed.
    pub cause: Option<ExportedCause>,
    /// The verdicts that it shows.
    pub verdicts: Vec<String>,
    /// Whether a fault of Outrigger's own kept something from being seen.
    pub fault: bool,
    /// One per choice.
    pub finish_reasons: Vec<String>,
    /// The response's id.
    pub response_id: Option<String>,
    /// The provider's request id.
    pub request_id: Option<String>,
    /// User, session, step, agent and tenant, each with where it was found.
    pub names: BTreeMap<Who, ExportedName>,
    /// The conversation, where it is a real one.
    pub conversation: Option<String>,
    /// Fingerprint of the key and, of long ones, its ending.
    pub key: Option<(String, Option<String>)>,
    /// Fingerprint of system prompt and tools.
    pub prompt: Option<String>,
    /// The tier asked for and the one served, in the provider's words.
    pub tiers: [Option<String>; 2],
    /// Tokens.
    pub tokens: ExportedTokens,
    /// Dollars.
    pub cost: ExportedCost,
    /// Times.
    pub times: Times,
    /// Sizes.
    pub transport: Transport,
    /// Every HTTP request made for it, in order.
    pub attempts: Vec<ExportedAttempt>,
    /// What a rule had to do with it.
    pub routed: Option<ExportedRoute>,
    /// The logical call that it is an attempt of; before it stands the attempt that it retries.
    pub logical: ExportedPlace,
    /// Its chain; before it stands the call that it goes on from.
    pub chain: Option<ExportedPlace>,
}

/// What a rule had to do with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedRoute {
    /// The rule that decided it.
    pub rule: String,
    /// Number of the attempt whose answer the app got.
    pub serving: u64,
    /// The backup that answered, and provider and model that the app asked for.
    pub moved: Option<(String, String, Option<String>)>,
    /// Backups that were left out, with the reasons.
    pub passed_over: Vec<String>,
    /// What of the request was said less well elsewhere.
    pub losses: Vec<String>,
    /// What of the answer has no place in the app's format.
    pub left_out: Vec<String>,
    /// Deadlines that passed and are only reported.
    pub exceeded: Vec<String>,
    /// Why it could be neither tried again nor moved.
    pub hindrance: Option<String>,
    /// Whether a retry was left out since the rule's share of them was used up.
    pub retry_denied: bool,
    /// Whether the app got a failure that the rule would have kept from it.
    pub exhausted: bool,
    /// Where another place went on with the answer.
    pub seam: Option<Seam>,
    /// Why none could have, though the rule allows it.
    pub not_continued: Option<String>,
}

/// A call's place among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedPlace {
    /// The id of the first of them.
    pub id: CallId,
    /// Its number among them.
    pub number: u64,
    /// The one before it.
    pub before: Option<ExportedBefore>,
}

/// The call before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedBefore {
    /// Its id.
    pub call: CallId,
    /// How that is known.
    pub by: String,
    /// How surely, where that is said.
    pub confidence: Option<String>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedCause {
    /// Its kind.
    pub class: String,
    /// `error.type`; absent where the call has a cause and has not failed.
    pub error_type: Option<String>,
    /// HTTP status, if a response came.
    pub status: Option<u64>,
    /// Plain words.
    pub message: String,
}

/// A name and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedName {
    /// The name, or its hash.
    pub text: String,
    /// Where it was found, and whether it is hashed.
    pub by: String,
}

/// Tokens with how they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedTokens {
    /// Disjoint counts.
    pub usage: TokenUsage,
    /// How they are known.
    pub provenance: String,
    /// Why not exactly.
    pub reason: Option<String>,
    /// Least and most of an estimated prompt.
    pub prompt: Option<(u64, u64)>,
    /// Least and most of an estimated answer.
    pub answer: Option<(u64, u64)>,
}

/// Dollars with how they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedCost {
    /// The sum; `None` if unpriced.
    pub total: Option<Atto>,
    /// How far it can be trusted.
    pub status: String,
    /// Why not exactly.
    pub reasons: Vec<String>,
    /// What the provider says.
    pub reported: Option<Atto>,
    /// Least and most of an estimated one.
    pub between: Option<(Atto, Atto)>,
    /// The bill.
    pub lines: Vec<ExportedLine>,
    /// SHA-256 of the price book.
    pub price_book: String,
    /// The model behind a deployment.
    pub model: Option<String>,
    /// The tier and the region class that it was priced in.
    pub priced_in: (String, String),
}

/// A line of the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedLine {
    /// What was counted.
    pub meter: Meter,
    /// How many are billed.
    pub quantity: u64,
    /// Price of `per` of them: a decimal, or a fraction such as `1/12`.
    pub rate: String,
    /// What the rate is per.
    pub per: u64,
    /// Discounts and uplifts, a fraction.
    pub factor: Option<String>,
    /// What it comes to.
    pub amount: Atto,
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedAttempt {
    /// From 1.
    pub number: u64,
    /// Id of its span.
    pub span_id: [u8; 8],
    /// Provider that was asked.
    pub provider: String,
    /// HTTP method.
    pub method: String,
    /// Name that was dialled.
    pub host: String,
    /// Port that was dialled.
    pub port: u64,
    /// Path without its query.
    pub path: String,
    /// The query, as far as it is shown.
    pub query: Option<String>,
    /// Model that was asked for.
    pub model: Option<String>,
    /// The rules' backup that was asked.
    pub backup: Option<String>,
    /// Address of the peer.
    pub peer: Option<String>,
    /// `1.1` or `2`.
    pub http_version: String,
    /// Status, if a response came.
    pub status: Option<u64>,
    /// Its kind of failure.
    pub class: Option<String>,
    /// What an HTTP client saw, if it failed.
    pub error_type: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When its body ended.
    pub ended: Timestamp,
    /// What it used, where its answer is not the call's.
    pub used: Option<ExportedUse>,
}

/// What an attempt used whose answer the app did not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedUse {
    /// Tokens of the prompt.
    pub input: Option<u64>,
    /// Tokens of the answer.
    pub output: Option<u64>,
    /// How they are known.
    pub provenance: String,
    /// Dollars, beside those of the call.
    pub cost: Option<Atto>,
    /// How far they can be trusted.
    pub cost_status: String,
}

impl ExportedCall {
    /// Reads a record.
    ///
    /// # Errors
    /// Another event, or a field that is missing or of another kind.
    pub fn read(record: &LogRecord) -> Result<ExportedCall, ReadError> {
        if record.event_name != outrigger_contract::telemetry::CALL_EVENT {
            return Err(ReadError::Other(record.event_name.clone()));
        }
        let of = Fields::of(&record.attributes);
        let text = |key| Ok(of.text(key)?.map(str::to_owned));
        let required = |key| of.required(key, of.text(key)?).map(str::to_owned);
        Ok(ExportedCall {
            version: of.required(keys::SCHEMA_VERSION, of.count(keys::SCHEMA_VERSION)?)?,
            id: of.required(keys::CALL_ID, of.id(keys::CALL_ID)?)?,
            trace_id: fields::bytes("trace_id", &record.trace_id)?,
            span_id: fields::bytes("span_id", &record.span_id)?,
            mode: required(keys::MODE)?,
            instrumented: text(keys::INSTRUMENTED)?,
            provider: required(keys::PROVIDER)?,
            dialect: required(keys::DIALECT)?,
            operation: required(keys::OPERATION)?,
            requested_model: text(keys::REQUEST_MODEL)?,
            served_model: text(keys::RESPONSE_MODEL)?,
            stream: of.truth(keys::STREAM)?,
            outcome: required(keys::OUTCOME)?,
            cause: cause(&of)?,
            verdicts: of.texts(keys::VERDICTS)?,
            fault: of.truth(keys::FAULT)?,
            finish_reasons: of.texts(keys::FINISH_REASONS)?,
            response_id: text(keys::RESPONSE_ID)?,
            request_id: text(keys::REQUEST_ID)?,
            names: names(&of)?,
            conversation: text(keys::CONVERSATION)?,
            key: text(keys::KEY_FINGERPRINT)?.zip(Some(text(keys::KEY_ENDING)?)),
            prompt: text(keys::PROMPT)?,
            tiers: [text(keys::REQUESTED_TIER)?, text(keys::SERVED_TIER)?],
            tokens: tokens(&of)?,
            cost: cost(&of)?,
            times: Times {
                started: of.required(keys::STARTED, of.time(keys::STARTED)?)?,
                responded: of.time(keys::RESPONDED)?,
                first_content: of.time(keys::FIRST_CONTENT)?,
                ended: of.required(keys::ENDED, of.time(keys::ENDED)?)?,
            },
            transport: Transport {
                request_bytes: of.count(keys::REQUEST_BYTES)?.unwrap_or(0),
                response_bytes: of.count(keys::RESPONSE_BYTES)?.unwrap_or(0),
            },
            attempts: of.objects(keys::ATTEMPTS, attempt)?,
            routed: route(&of)?,
            logical: logical(&of)?,
            chain: chain(&of)?,
        })
    }
}

fn cause(of: &Fields<'_>) -> Result<Option<ExportedCause>, ReadError> {
    let Some(class) = of.text(keys::CAUSE_CLASS)? else { return Ok(None) };
    Ok(Some(ExportedCause {
        class: class.to_owned(),
        error_type: of.text(keys::ERROR_TYPE)?.map(str::to_owned),
        status: of.count(keys::CAUSE_STATUS)?,
        message: of.required(keys::CAUSE_MESSAGE, of.text(keys::CAUSE_MESSAGE)?)?.to_owned(),
    }))
}

fn names(of: &Fields<'_>) -> Result<BTreeMap<Who, ExportedName>, ReadError> {
    let mut names = BTreeMap::new();
    for who in Who::ALL {
        let key = match who {
            Who::User => keys::USER,
            Who::Session => keys::SESSION,
            Who::Step => keys::STEP,
            Who::Agent => keys::AGENT,
            Who::Tenant => keys::TENANT,
        };
        let Some(text) = of.text(key)? else { continue };
        let by = of.required(keys::named_by(who), of.text(keys::named_by(who))?)?;
        names.insert(who, ExportedName { text: text.to_owned(), by: by.to_owned() });
    }
    Ok(names)
}

fn tokens(of: &Fields<'_>) -> Result<ExportedTokens, ReadError> {
    let mut told = Vec::new();
    for meter in Meter::ALL {
        if let Some(count) = of.count(keys::usage(meter))? {
            told.push((meter, Some(count)));
        }
    }
    Ok(ExportedTokens {
        usage: TokenUsage::from_told(told),
        provenance: of.required(keys::USAGE_PROVENANCE, of.text(keys::USAGE_PROVENANCE)?)?.to_owned(),
        reason: of.text(keys::USAGE_REASON)?.map(str::to_owned),
        prompt: of.count(keys::ESTIMATE_INPUT_LOW)?.zip(of.count(keys::ESTIMATE_INPUT_HIGH)?),
        answer: of.count(keys::ESTIMATE_OUTPUT_LOW)?.zip(of.count(keys::ESTIMATE_OUTPUT_HIGH)?),
    })
}

fn cost(of: &Fields<'_>) -> Result<ExportedCost, ReadError> {
    let required = |key| of.required(key, of.text(key)?).map(str::to_owned);
    Ok(ExportedCost {
        total: of.money(keys::COST)?,
        status: required(keys::COST_STATUS)?,
        reasons: of.texts(keys::COST_REASONS)?,
        reported: of.money(keys::COST_REPORTED)?,
        between: of.money(keys::ESTIMATE_COST_LOW)?.zip(of.money(keys::ESTIMATE_COST_HIGH)?),
        lines: of.objects(keys::COST_LINES, line)?,
        price_book: required(keys::PRICE_BOOK)?,
        model: of.text(keys::COST_MODEL)?.map(str::to_owned),
        priced_in: (required(keys::COST_TIER)?, required(keys::COST_REGION)?),
    })
}

fn line(of: &Fields<'_>) -> Result<ExportedLine, ReadError> {
    let meter = of.required("meter", of.text("meter")?)?;
    Ok(ExportedLine {
        meter: Meter::from_word(meter)
            .ok_or_else(|| fields::fault("meter", "is no meter that this version knows"))?,
        quantity: of.required("quantity", of.count("quantity")?)?,
        rate: of.required("rate", of.text("rate")?)?.to_owned(),
        per: of.required("per", of.count("per")?)?,
        factor: of.text("factor")?.map(str::to_owned),
        amount: of.required("amount", of.money("amount")?)?,
    })
}

fn attempt(of: &Fields<'_>) -> Result<ExportedAttempt, ReadError> {
    let text = |key| Ok(of.text(key)?.map(str::to_owned));
    let required = |key| of.required(key, of.text(key)?).map(str::to_owned);
    Ok(ExportedAttempt {
        number: of.required("number", of.count("number")?)?,
        span_id: of.required("span_id", of.hex("span_id")?)?,
        provider: required("provider")?,
        method: required("method")?,
        host: required("host")?,
        port: of.required("port", of.count("port")?)?,
        path: required("path")?,
        query: text("query")?,
        model: text("model")?,
        backup: text("backup")?,
        peer: text("peer")?,
        http_version: required("http_version")?,
        status: of.count("status")?,
        class: text("class")?,
        error_type: text("error_type")?,
        started: of.required("started", of.time("started")?)?,
        ended: of.required("ended", of.time("ended")?)?,
        used: used(of)?,
    })
}

fn used(of: &Fields<'_>) -> Result<Option<ExportedUse>, ReadError> {
    let Some(provenance) = of.text("usage_provenance")? else { return Ok(None) };
    Ok(Some(ExportedUse {
        input: of.count("input_tokens")?,
        output: of.count("output_tokens")?,
        provenance: provenance.to_owned(),
        cost: of.money("cost")?,
        cost_status: of.required("cost_status", of.text("cost_status")?)?.to_owned(),
    }))
}

fn route(of: &Fields<'_>) -> Result<Option<ExportedRoute>, ReadError> {
    let Some(rule) = of.text(keys::ROUTE_RULE)? else { return Ok(None) };
    let moved = match of.text(keys::ROUTE_BACKUP)? {
        Some(backup) => {
            let provider = of.required(keys::REQUESTED_PROVIDER, of.text(keys::REQUESTED_PROVIDER)?)?;
            let model = of.text(keys::REQUESTED_MODEL)?.map(str::to_owned);
            Some((backup.to_owned(), provider.to_owned(), model))
        }
        None => None,
    };
    Ok(Some(ExportedRoute {
        rule: rule.to_owned(),
        serving: of.required(keys::ROUTE_SERVING, of.count(keys::ROUTE_SERVING)?)?,
        moved,
        passed_over: of.texts(keys::ROUTE_PASSED_OVER)?,
        losses: of.texts(keys::ROUTE_LOSSES)?,
        left_out: of.texts(keys::ROUTE_LEFT_OUT)?,
        exceeded: of.texts(keys::ROUTE_EXCEEDED)?,
        hindrance: of.text(keys::ROUTE_HINDRANCE)?.map(str::to_owned),
        retry_denied: of.truth(keys::ROUTE_RETRY_DENIED)?,
        exhausted: of.truth(keys::ROUTE_EXHAUSTED)?,
        seam: seam(of)?,
        not_continued: of.text(keys::ROUTE_NOT_CONTINUED)?.map(str::to_owned),
    }))
}

fn seam(of: &Fields<'_>) -> Result<Option<Seam>, ReadError> {
    let Some(after) = of.count(keys::ROUTE_SEAM_AFTER)? else { return Ok(None) };
    let overlap = of.required(keys::ROUTE_SEAM_OVERLAP, of.count(keys::ROUTE_SEAM_OVERLAP)?)?;
    let at = of.required(keys::ROUTE_SEAM_TIME, of.time(keys::ROUTE_SEAM_TIME)?)?;
    Ok(Some(Seam { at, after, overlap }))
}

fn logical(of: &Fields<'_>) -> Result<ExportedPlace, ReadError> {
    let before = match of.id(keys::RETRY_OF)? {
        Some(call) => {
            let by = of.required(keys::JOINED_BY, of.text(keys::JOINED_BY)?)?.to_owned();
            Some(ExportedBefore { call, by, confidence: None })
        }
        None => None,
    };
    Ok(ExportedPlace {
        id: of.required(keys::LOGICAL_ID, of.id(keys::LOGICAL_ID)?)?,
        number: of.required(keys::LOGICAL_ATTEMPT, of.count(keys::LOGICAL_ATTEMPT)?)?,
        before,
    })
}

fn chain(of: &Fields<'_>) -> Result<Option<ExportedPlace>, ReadError> {
    let Some(id) = of.id(keys::CHAIN_ID)? else { return Ok(None) };
    let before = match of.id(keys::CHAIN_PARENT)? {
        Some(call) => Some(ExportedBefore {
            call,
            by: of.required(keys::CHAINED_BY, of.text(keys::CHAINED_BY)?)?.to_owned(),
            confidence: of.text(keys::CHAIN_CONFIDENCE)?.map(str::to_owned),
        }),
        None => None,
    };
    Ok(Some(ExportedPlace {
        id,
        number: of.required(keys::CHAIN_NUMBER, of.count(keys::CHAIN_NUMBER)?)?,
        before,
    }))
}

#[cfg(test)]
mod tests;
