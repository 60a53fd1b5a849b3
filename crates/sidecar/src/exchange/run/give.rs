//! What the app gets of a call that a rule decides: an answer, or what is left where all have failed. Per call.

use std::rc::Rc;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use outrigger_ledger::End;
use outrigger_providers::FailureClass;
use outrigger_rules::Rule;

use super::{Run, Turn};
use crate::exchange::attempt::What;
use crate::exchange::body::RelayedBody;
use crate::exchange::relay::{Came, Keeper, relay};
use crate::exchange::{answer, failed, unreached};
use crate::failover::Admitted;
use crate::upstream::DialError;

/// Keeps SDKs from trying again what has been tried to the end.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Some SDKs sleep for as long as they are told to; seconds.
const LONGEST_RETRY_AFTER: f64 = 60.0;

impl Run<'_> {
    /// An answer on its way to the app.
    pub(super) fn give(
        mut self,
        turn: &Turn,
        came: Box<Came>,
        leave: Option<Admitted>,
    ) -> Response<RelayedBody> {
        let periods = &self.connection.shared.failovers.periods;
        let service = match turn {
            Turn::Addressed => {
                periods.answered(&self.addressed);
                self.wanted.route.service
            }
            Turn::Backup(target) => {
                // One that is led there says nothing of the place that the app addressed.
                if !self.follows {
                    periods.moved(&self.addressed, &self.rule.name, &target.name, self.failed);
                }
                self.remember(target, &came);
                target.provider
            }
        };
        let going_on = self.going_on(&came);
        let keeper = Keeper { going_on, ..self.keeper(leave) };
        let mut response = relay(self.connection, service, Some(Rc::clone(self.watch)), *came, Some(keeper));
        if self.attempts > 1 || matches!(turn, Turn::Backup(_)) {
            self.tell(turn, response.headers_mut());
        }
        response
    }

    /// All have failed: the app gets what it would have got where it addressed the call.
    pub(super) fn give_up(mut self) -> Response<RelayedBody> {
        let again = self.attempts > 1;
        let exhausted = again || self.kept.as_ref().is_some_and(|(_, class)| self.keeps_from_the_app(*class));
        self.watch.show(|call| call.give(exhausted));
        let (watch, recognised) = (Rc::clone(self.watch), self.wanted.recognised);
        let mut response = match self.kept.take() {
            // Nothing of it has been shown, so the app is told with a status that it knows as an error.
            Some((What::Answer(came), class)) if again && came.sent.response.status().is_success() => {
                let host = &self.wanted.route.target.host;
                let text = format!("{host} began to answer and failed before the first content");
                let status = recognised.dialect.error_status(class);
                failed(recognised, Some(watch), DialError { class, text }, status)
            }
            Some((What::Answer(came), _)) if again && is_page(came.sent.response.headers()) => {
                let (status, headers) = (came.sent.response.status(), came.sent.response.headers());
                watch.show(|call| call.response_head(status, headers, watch.clock.now()));
                watch.finish(End::Complete);
                let (status, host) = (status.as_u16(), &self.wanted.route.target.host);
                let text = format!("{host} answered {status} with a page that is no answer of its API");
                answer::error(recognised.dialect, status, FailureClass::Edge, &text)
            }
            Some((What::Answer(came), _)) => {
                relay(self.connection, self.wanted.route.service, Some(watch), *came, Some(self.keeper(None)))
            }
            Some((What::Nothing(error), _)) => unreached(recognised, Some(watch), error),
            None => answer::error(recognised.dialect, 502, FailureClass::Other, "no place was asked"),
        };
        if exhausted {
            let status = response.status();
            calm(status, response.headers_mut());
        }
        if again {
            self.tell(&Turn::Addressed, response.headers_mut());
        }
        response
    }

    /// Whether the rule does something about such a failure.
    fn keeps_from_the_app(&self, class: FailureClass) -> bool {
        let Rule { retry, failover, .. } = self.rule;
        retry.is_some_and(|retry| retry.when.contains(class))
            || failover.as_ref().is_some_and(|failover| failover.when.contains(class))
    }

    fn keeper(&self, leave: Option<Admitted>) -> Keeper<'_> {
        Keeper {
            rule: self.rule,
            begun: self.begun,
            dialect: self.wanted.recognised.dialect,
            leave,
            going_on: None,
        }
    }

    /// Headers of our own: who answered, and how many were asked.
    fn tell(&self, turn: &Turn, headers: &mut HeaderMap) {
        if !self.policy.response_headers {
            return;
        }
        let (provider, model) = match turn {
            Turn::Addressed => (self.wanted.route.service.id, self.addressed.model.clone()),
            Turn::Backup(target) => {
                let model = target.model.clone().or(self.addressed.model.clone());
                (target.provider.id, model)
            }
        };
        let said = [
            (answer::PROVIDER_HEADER, Some(provider.to_owned())),
            (answer::MODEL_HEADER, model.map(|model| model.to_string())),
            (answer::ATTEMPTS_HEADER, Some(self.attempts.to_string())),
            (answer::CALL_HEADER, Some(self.watch.id.to_string())),
        ];
        for (name, text) in said {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether an error is no answer of an API but a page, as front ends send it.
fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| !kind.as_bytes().windows(4).any(|part| part == b"json"))
}

/// Keeps an SDK from repeating what has been tried to the end, and from sleeping for long.
pub(super) fn calm(status: StatusCode, headers: &mut HeaderMap) {
    let hammered =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
    if hammered || status.is_server_error() {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    if headers.contains_key(RETRY_AFTER) && seconds.is_none_or(|seconds| seconds > LONGEST_RETRY_AFTER) {
        headers.insert(RETRY_AFTER, HeaderValue::from(LONGEST_RETRY_AFTER as u64));
        headers.remove(RETRY_AFTER_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdks_are_calmed_where_they_would_hammer() {
        let calmed = |status: u16, after: &'static str| {
            let mut headers = HeaderMap::new();
            if !after.is_empty() {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
                headers.insert(RETRY_AFTER_MS, HeaderValue::from_static("99000"));
            }
            calm(StatusCode::from_u16(status).unwrap(), &mut headers);
            let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            (text(SHOULD_RETRY).is_some(), text(RETRY_AFTER), text(RETRY_AFTER_MS).is_some())
        };
        assert_eq!(calmed(529, ""), (true, None, false));
        assert_eq!(calmed(429, "20"), (true, Some("20".to_owned()), true));
        let sixty = Some("60".to_owned());
        assert_eq!(calmed(503, "3600"), (true, sixty.clone(), false));
        assert_eq!(calmed(503, "Thu, 26 Nov 2026 02:00:30 GMT"), (true, sixty, false));
        assert_eq!(calmed(400, ""), (false, None, false));
    }
}
