//! How a call ended and what of its usage is known. Per call.

use outrigger_pricing::TokenUsage;
use outrigger_providers::{FailureClass, Reading, RequestFacts, StreamEnd};

use crate::call::{Call, End, Response};
use crate::{Accounted, Cause, Outcome, Provenance, cause};

/// The outcome, its cause, and the tokens.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) cause: Option<Cause>,
    pub(super) tokens: Accounted,
    pub(super) finish_reasons: Vec<String>,
}

impl Call {
    pub(super) fn verdict(&self, end: &End, reading: &Reading, facts: &RequestFacts) -> Verdict {
        let (outcome, cause, tokens) = match (&self.response, end) {
            (_, End::Failed { class, text, status }) => {
                let cause = cause::on_the_way(self.service, *class, text, Some(*status));
                // Where no connection came about nothing was asked, so nothing was used.
                let never_sent =
                    matches!(class, FailureClass::Dns | FailureClass::Connect | FailureClass::Tls);
                let tokens = if never_sent { nothing_used() } else { unknown("no answer came") };
                (Outcome::Failed, Some(cause), tokens)
            }
            (None, End::Cancelled) => {
                (Outcome::Cancelled, None, unknown("the app hung up before an answer came"))
            }
            (None, _) => (Outcome::Unknown, None, unknown("the call was not followed to its end")),
            (Some(response), end) => self.answered(response, end, reading, facts),
        };
        let mut finish_reasons: Vec<String> = reading
            .finish_reasons
            .iter()
            .map(|word| self.recognised.dialect.finish_word(word).to_owned())
            .collect();
        // The conventions ask for a word where one was expected but never came.
        if finish_reasons.is_empty() && matches!(outcome, Outcome::Failed | Outcome::Cancelled) {
            finish_reasons.push("error".to_owned());
        }
        Verdict { outcome, cause, tokens, finish_reasons }
    }

    fn answered(
        &self,
        response: &Response,
        end: &End,
        reading: &Reading,
        facts: &RequestFacts,
    ) -> (Outcome, Option<Cause>, Accounted) {
        let failure = self.recognised.dialect.classify(response.status, &response.headers, reading);
        let told = failure.map(|failure| {
            cause::told(&cause::Told {
                service: self.service,
                status: response.status,
                failure,
                message: reading.failure_message.as_deref(),
                model: reading.model.as_deref().or(facts.model.as_deref()),
                key: self.key.as_ref(),
            })
        });
        if !response.status.is_success() {
            // An error response bills nothing.
            return (Outcome::Failed, told, nothing_used());
        }
        let tokens = account(end, reading, facts);
        let complete = reading.end == StreamEnd::Complete;
        let (outcome, cause) = match (told, end) {
            (Some(told), _) => (Outcome::Failed, Some(told)),
            (None, End::Abandoned) => (Outcome::Unknown, None),
            // Once the terminal event has passed the app may hang up as it likes, and many do.
            (None, _) if complete => (Outcome::Answered, None),
            (None, End::Cut | End::Failed { .. }) => {
                (Outcome::Failed, Some(cause::cut(self.service, response.status, "the answer broke off")))
            }
            (None, End::Cancelled) => (Outcome::Cancelled, None),
            (None, End::Complete) if reading.stumbled.is_some() => (Outcome::Unknown, None),
            (None, End::Complete) => {
                let how = "the stream ended without its terminal event";
                (Outcome::Failed, Some(cause::cut(self.service, response.status, how)))
            }
        };
        (outcome, cause, tokens)
    }
}

fn account(end: &End, reading: &Reading, facts: &RequestFacts) -> Accounted {
    if let Some(stumbled) = reading.stumbled {
        return unknown(stumbled);
    }
    if let Some(fault) = reading.usage_fault {
        return Accounted { usage: reading.usage, provenance: Provenance::Unknown, reason: Some(fault) };
    }
    if reading.usage_final {
        return Accounted { usage: reading.usage, provenance: Provenance::Exact, reason: None };
    }
    let reason = match end {
        End::Cancelled => "the app hung up before the usage was reported",
        End::Cut => "the answer broke off before its usage was reported",
        End::Abandoned => "the call was not followed to its end",
        _ if facts.include_usage == Some(false) => {
            "the app did not ask for the usage (stream_options.include_usage)"
        }
        _ => "the provider reported no usage",
    };
    // What was reported up to then stays: an Anthropic stream has told its input by its first event.
    Accounted { usage: reading.usage, provenance: Provenance::Unknown, reason: Some(reason) }
}

const fn unknown(reason: &'static str) -> Accounted {
    Accounted { usage: TokenUsage::UNKNOWN, provenance: Provenance::Unknown, reason: Some(reason) }
}

const fn nothing_used() -> Accounted {
    Accounted { usage: TokenUsage::ZERO, provenance: Provenance::Exact, reason: None }
}
