//! The plain words of a verdict: its cause, what it is concluded from, and what to do. No secret, no content.

use outrigger_ledger::{CallRecord, KeyHint, SilentStream, Timestamp};
use outrigger_pricing::PriceBook;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::sign::made_for_another;
use crate::sources::{KeySources, usual};
use crate::trend::Share;
use crate::{Kind, Verdict};

/// How near a name must be to be offered in place of one that does not exist (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.8;
/// How many names are offered.
const OFFERED: usize = 3;

/// Cause and next step.
pub(crate) fn of(
    kind: Kind,
    record: &CallRecord,
    other: Option<&KeyHint>,
    sources: &KeySources,
    book: &PriceBook,
) -> (String, String) {
    let provider = record.provider;
    let model = record.facts.model.as_deref().unwrap_or("the model asked for");
    let key = record.key.as_ref().map_or_else(|| "the key".to_owned(), ToString::to_string);
    let variable = usual(provider);
    let place = || match &record.key {
        Some(key) => sources.place(provider, key),
        None => format!("{variable} of the calling process"),
    };
    let works = other.map(|other| format!("; {other} works")).unwrap_or_default();
    let host = record.serving().map_or(provider, |attempt| attempt.host.as_str());
    match kind {
        Kind::MistypedKey => (
            format!("{provider} refuses {key}, which has never worked here: it is mistyped, or of another account"),
            format!("compare the key in {} with the one at the provider{works}", place()),
        ),
        Kind::RevokedKey => (
            format!("{provider} refuses {key}, which worked before: it was revoked, or it has expired"),
            format!("put a new key into {}{works}", place()),
        ),
        Kind::KeyOfAnotherProvider => {
            let maker = made_for_another(record).unwrap_or("another provider");
            let held = record.key.as_ref().and_then(|key| sources.holding(provider, key));
            let held = held.map(|names| format!("; {names} holds the one that was sent")).unwrap_or_default();
            (
                format!("{provider} refuses {key}, which is a key of {maker} by its beginning"),
                format!("put a key of {provider} into {variable} of the calling process{held}{works}"),
            )
        }
        Kind::MissingKey => (
            format!("requests to {provider} carry no key"),
            format!("set {variable} for the calling process"),
        ),
        Kind::Permission => (
            format!("{provider} does not allow {key} what is asked of {model}"),
            format!("give the key the right at the provider, or use another{works}"),
        ),
        Kind::ModelNotFound => {
            let near = nearest(provider, model, book);
            let offer = match near.as_slice() {
                [] => "check the model's name and that the account may use it".to_owned(),
                near => format!(
                    "check the model's name: {} exists; else see that the account may use it",
                    near.join(" or ")
                ),
            };
            let elsewhere = where_else(record).unwrap_or_default();
            (format!("{provider} does not know {model}"), format!("{offer}{elsewhere}"))
        }
        Kind::QuotaExhausted => (
            format!("credit or a spending limit of the account behind {key} at {provider} is used up"),
            format!("raise it at the provider{}{works}", until(record).map_or("; waiting does not help".to_owned(), |until| format!(", or wait {until}"))),
        ),
        Kind::RateLimited => (
            format!("{provider} limits the rate of {model}"),
            format!(
                "make fewer calls at a time, or ask the provider for a higher limit; it passes by itself{}",
                until(record).map(|until| format!(", it says {until}")).unwrap_or_default()
            ),
        ),
        Kind::PartialOutage => (
            format!("{provider} has a partial outage: some calls fail on its side"),
            "retries help some of them; see the provider's status page, or lead calls to another provider".to_owned(),
        ),
        Kind::Outage => (
            format!("{provider} has an outage: calls fail on its side"),
            "see the provider's status page, or lead calls to another provider".to_owned(),
        ),
        Kind::Unreachable => (
            format!("{host} cannot be reached from here"),
            "check name resolution, network policies, firewall and proxy settings on the way there".to_owned(),
        ),
        Kind::WrongHost => (
            format!("the name {host} is not found and was never reached here, while others are: it is mistyped, or its region or resource does not exist"),
            "compare the base URL, the region and the resource's name in the app's settings with the provider's".to_owned(),
        ),
        Kind::OwnNetwork => (
            "no provider can be reached from here, so the fault is this side's own network".to_owned(),
            "check name resolution, network policies, firewall and proxy settings of this pod or machine".to_owned(),
        ),
        Kind::ProviderTls => (
            format!("the certificate that {host} shows is not accepted"),
            "if a proxy of your own terminates TLS there, list its authority in extra_cas; else somebody is in between".to_owned(),
        ),
        Kind::BrokenStreams => (
            format!("answers of {provider} break off"),
            "retries help; see the provider's status page, and time limits of proxies on the way".to_owned(),
        ),
        Kind::StalledStreams => stalled(provider),
        Kind::AuthorityNotTrusted => untrusted(provider),
        Kind::SlowFirstToken => (
            format!("{model} at {provider} takes much longer to its first token than it used to"),
            "see the provider's status page; shorter prompts, another tier or another model help".to_owned(),
        ),
        Kind::SlowCalls => (
            format!("calls of {model} at {provider} take longer than 30 s"),
            "limit max_tokens or the reasoning level, stream the answer, or use a faster model".to_owned(),
        ),
        Kind::Truncated => (
            format!("answers of {model} at {provider} end at their limit of tokens and are cut short"),
            "raise max_tokens; reasoning counts towards it".to_owned(),
        ),
        Kind::ContextOverflow => (
            format!("prompts are longer than the window of {model}{}", window(provider, record, book)),
            "shorten the history or the documents, or use a model with a larger window".to_owned(),
        ),
        Kind::TooLarge => (
            format!("request bodies are larger than {provider} takes"),
            "send less at once, or upload files and refer to them".to_owned(),
        ),
        Kind::InvalidRequests => (
            format!("{provider} rejects the form of the requests for {model}"),
            "read the provider's message in the call's record, and change the app".to_owned(),
        ),
        Kind::ContentRefused => (
            format!("{model} at {provider} refuses the content"),
            "look at what the prompts ask for; another try will not help".to_owned(),
        ),
    }
}

/// When the provider says that it answers again.
fn until(record: &CallRecord) -> Option<String> {
    let resets = record.cause.as_ref()?.resets?;
    // A part of a second counts: who comes too early is refused again.
    let seconds = resets.since(record.times.ended).div_ceil(1_000_000_000);
    let at = OffsetDateTime::from_unix_timestamp(record.times.ended.unix_seconds()).ok()?
        + time::Duration::seconds(i64::try_from(seconds).ok()?);
    Some(format!("until {} ({seconds} s)", at.format(&Rfc3339).ok()?))
}

/// Where else a model may be that is not found: such hosts know only those of a region or a customer.
fn where_else(record: &CallRecord) -> Option<String> {
    let host = &record.serving()?.host;
    let of = match record.provider {
        "bedrock" | "vertex" => "region",
        "azure" => "resource",
        _ => return None,
    };
    Some(format!("; or it is in another {of} than that of {host}"))
}

/// Streams of a provider that are open and silent.
pub(crate) fn silent(stream: &SilentStream, streams: u64, now: Timestamp) -> Verdict {
    let provider = stream.provider;
    let (cause, next_step) = stalled(provider);
    let seconds = now.since(stream.since) / 1_000_000_000;
    Verdict {
        kind: Kind::StalledStreams,
        provider: Some(provider),
        model: None,
        key: None,
        since: stream.since,
        last: now,
        calls: streams,
        resets: None,
        cause,
        evidence: format!(
            "of call {} nothing has come for {seconds} s ({streams} such streams)",
            stream.call
        ),
        next_step,
    }
}

/// A program that refuses our certificate.
pub(crate) fn untrusted(provider: &str) -> (String, String) {
    (
        format!("a program does not trust Outrigger's certificate authority, so its calls to {provider} are not seen"),
        "give it the trust files, or list the host under passthrough_hosts; doctor names the program's runtime and its variable"
            .to_owned(),
    )
}

fn stalled(provider: &str) -> (String, String) {
    (
        format!("streams of {provider} have stopped in their middle and are still open"),
        "the app waits as long as its SDK's time-out says; set that shorter, and see the provider's status page".to_owned(),
    )
}

/// One call as evidence.
pub(crate) fn one(record: &CallRecord) -> String {
    format!("call {} {}", record.id, how(record))
}

/// Several calls as evidence.
pub(crate) fn several(record: &CallRecord, share: Share) -> String {
    format!("{} of the last {} calls, the latest {} {}", share.bad, share.calls, record.id, how(record))
}

/// How a call ended, in words that no caller can choose.
fn how(record: &CallRecord) -> String {
    let seconds = record.times.ended.since(record.times.started) as f64 / 1e9;
    match &record.cause {
        Some(cause) => match cause.status {
            Some(status) if status.to_string() != cause.error_type => {
                format!("failed with {status} {}", cause.error_type)
            }
            Some(status) => format!("failed with {status}"),
            None => format!("failed with {}", cause.error_type),
        },
        None => match record.finish_reasons.first() {
            Some(word) => format!("ended by {word} after {seconds:.1} s"),
            None => format!("ended after {seconds:.1} s"),
        },
    }
}

/// Names of models that exist and resemble this one, the most alike first.
fn nearest(provider: &str, model: &str, book: &PriceBook) -> Vec<String> {
    let mut near: Vec<(f64, &str)> = book
        .models(provider)
        .map(|name| (strsim::jaro_winkler(name, model), name))
        .filter(|(likeness, name)| *likeness >= NEAR && *name != model)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// The window of a model, where the book knows it.
fn window(provider: &str, record: &CallRecord, book: &PriceBook) -> String {
    let at = record.times.started.unix_seconds();
    let facts = record.facts.model.as_deref().and_then(|model| book.facts(provider, model, at));
    facts
        .and_then(|facts| facts.context_window)
        .map(|tokens| format!(" ({tokens} tokens)"))
        .unwrap_or_default()
}
