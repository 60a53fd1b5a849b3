//! How a call ended and what of its usage is known. Per call.

use http::StatusCode;
use outrigger_pricing::{Meter, TokenUsage};
use outrigger_providers::{FailureClass, Reading, RequestFacts, StreamEnd};

use crate::call::End;
use crate::call::about::{About, Head, Seen};
use crate::cause::is_good;
use crate::guard::FAULT;
use crate::identity::tidy;
use crate::{Accounted, Cause, Outcome, Provenance, cause};

/// The conventions' finish word where one was expected but never came.
pub(crate) const NEVER_CAME: &str = "error";

/// The outcome, its cause, and the tokens.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) cause: Option<Cause>,
    pub(super) tokens: Accounted,
    pub(super) finish_reasons: Vec<String>,
}

impl Verdict {
    /// What can be said without looking at anything but the end.
    pub(super) fn withheld(end: &End) -> Verdict {
        Verdict {
            outcome: if matches!(end, End::Cancelled) { Outcome::Cancelled } else { Outcome::Unknown },
            cause: None,
            tokens: unknown(FAULT),
            finish_reasons: Vec::new(),
        }
    }
}

impl About {
    pub(super) fn verdict(&self, seen: &Seen<'_>) -> Verdict {
        let reading = &seen.reading;
        let (outcome, cause, tokens) = match (seen.head, &seen.end) {
            (None, End::Failed { class, text, status }) => {
                let cause = cause::on_the_way(self.service, *class, text, Some(*status));
                // Where nothing of the request left nothing was asked, so nothing was used.
                let tokens = match (seen.transport.request_bytes, class) {
                    (0, _) | (_, FailureClass::Dns | FailureClass::Tls) => nothing_used(),
                    _ => unknown("the request was sent, but no answer came"),
                };
                (Outcome::Failed, Some(cause), tokens)
            }
            (None, End::Cancelled) => {
                (Outcome::Cancelled, None, unknown("the app hung up before an answer came"))
            }
            (None, _) => (Outcome::Unknown, None, unknown("the call was not followed to its end")),
            (Some(head), end) => self.answered(head, end, reading, &seen.facts),
        };
        let mut finish_reasons: Vec<String> = reading
            .finish_reasons
            .iter()
            // A choice that never ended has an empty one.
            .map(|word| {
                tidy(self.recognised.dialect.finish_word(word).to_owned())
                    .unwrap_or_else(|| NEVER_CAME.to_owned())
            })
            .collect();
        if finish_reasons.is_empty() && matches!(outcome, Outcome::Failed | Outcome::Cancelled) {
            finish_reasons.push(NEVER_CAME.to_owned());
        }
        Verdict { outcome, cause, tokens, finish_reasons }
    }

    fn answered(
        &self,
        head: &Head,
        end: &End,
        reading: &Reading,
        facts: &RequestFacts,
    ) -> (Outcome, Option<Cause>, Accounted) {
        // What is said over a WebSocket is said as in a stream.
        let status = if is_good(head.status) { StatusCode::OK } else { head.status };
        let failure = self.recognised.dialect.classify(status, &head.headers, reading);
        let told = failure.map(|failure| {
            cause::told(&cause::Told {
                service: self.service,
                status: head.status,
                failure,
                message: reading.failure_message.as_deref(),
                model: reading.model.as_deref().or(self.asked(facts)),
                key: self.key.as_ref(),
                resets: head.resets,
            })
        });
        if !is_good(head.status) {
            // An error response bills nothing.
            return (Outcome::Failed, told, nothing_used());
        }
        let mut tokens = account(end, reading, facts, self.not_asked);
        if self.hung_up.is_some() {
            if tokens.provenance == Provenance::Exact {
                tokens.provenance = Provenance::ProviderLate;
            }
            return (Outcome::Cancelled, None, tokens);
        }
        let (outcome, cause) = match (told, end) {
            (Some(told), _) => (Outcome::Failed, Some(told)),
            (None, End::Abandoned) => (Outcome::Unknown, None),
            // Once the terminal event has passed the app may hang up as it likes, and many do.
            (None, _) if is_whole(reading) => match reading.end {
                StreamEnd::Cancelled => (Outcome::Cancelled, None),
                StreamEnd::Open | StreamEnd::Complete => (Outcome::Answered, None),
            },
            // A deadline of a rule passed in the middle.
            (None, End::Failed { class, text, .. }) => {
                let status = Some(head.status.as_u16());
                (Outcome::Failed, Some(cause::on_the_way(self.service, *class, text, status)))
            }
            (None, End::Cut) => {
                (Outcome::Failed, Some(cause::cut(self.service, head.status, cause::Cut::Broken)))
            }
            (None, End::Cancelled) => (Outcome::Cancelled, None),
            (None, End::Complete) if reading.stumbled.is_some() => (Outcome::Unknown, None),
            (None, End::Complete) => {
                (Outcome::Failed, Some(cause::cut(self.service, head.status, cause::Cut::Incomplete)))
            }
        };
        (outcome, cause, tokens)
    }
}

/// Whether all of the answer was seen and understood.
fn is_whole(reading: &Reading) -> bool {
    reading.end != StreamEnd::Open && reading.stumbled.is_none()
}

fn account(end: &End, reading: &Reading, facts: &RequestFacts, not_asked: Option<&'static str>) -> Accounted {
    if let Some(stumbled) = reading.stumbled {
        return unknown(stumbled);
    }
    if let Some(fault) = reading.usage_fault {
        return Accounted {
            usage: reading.usage,
            provenance: Provenance::Unknown,
            prompt: None,
            answer: None,
            reason: Some(fault),
        };
    }
    // Some servers tell the usage so far with every event: it is final only when the answer is.
    if reading.usage_final && is_whole(reading) {
        return Accounted {
            usage: reading.usage,
            provenance: Provenance::Exact,
            prompt: None,
            answer: None,
            reason: None,
        };
    }
    let reason = match end {
        End::Cancelled if !is_whole(reading) => "the app hung up before the usage was reported",
        End::Cut | End::Failed { .. } if !is_whole(reading) => {
            "the answer broke off before its usage was reported"
        }
        End::Abandoned => "the call was not followed to its end",
        _ if is_whole(reading) && facts.include_usage == Some(false) => {
            not_asked.unwrap_or("the app did not ask for the usage (stream_options.include_usage)")
        }
        End::Complete if !is_whole(reading) => "the stream ended without its terminal event",
        _ => "the provider reported no usage",
    };
    // What was reported of the prompt stays: an Anthropic stream has told its input by its first event. The answer may
    // have grown unseen.
    let mut usage = reading.usage;
    for meter in Meter::ALL.into_iter().filter(|meter| !meter.is_prompt()) {
        usage.set(meter, None);
    }
    Accounted { usage, provenance: Provenance::Unknown, prompt: None, answer: None, reason: Some(reason) }
}

const fn unknown(reason: &'static str) -> Accounted {
    Accounted {
        usage: TokenUsage::UNKNOWN,
        provenance: Provenance::Unknown,
        prompt: None,
        answer: None,
        reason: Some(reason),
    }
}

const fn nothing_used() -> Accounted {
    Accounted {
        usage: TokenUsage::ZERO,
        provenance: Provenance::Exact,
        prompt: None,
        answer: None,
        reason: None,
    }
}
