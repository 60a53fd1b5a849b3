//! How long the app waits: what it announces, and what the rule gives the whole call. Per call.

use std::time::Duration;

use http::{HeaderMap, HeaderName, request};
use outrigger_rules::Rule;
use tokio::time::Instant;

/// Headers in which SDKs announce their time-out, in seconds.
static ANNOUNCED: [HeaderName; 3] = [
    HeaderName::from_static("x-stainless-timeout"),
    HeaderName::from_static("x-stainless-read-timeout"),
    HeaderName::from_static("x-server-timeout"),
];
/// The longest wait for an app of which nothing is known: some SDKs give up after a minute.
const UNKNOWN: Duration = Duration::from_secs(30);
/// What announces more means never.
const LONGEST: f64 = 86_400.0;

/// When nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience(Option<Instant>);

impl Patience {
    /// That of an app which sent this head at `begun`, and of a rule.
    pub(crate) fn of(head: &request::Parts, rule: &Rule, begun: Instant) -> Patience {
        Patience::new(&head.headers, rule.deadlines.total.acting(), begun)
    }

    /// The same, where the rule ends the call after `total`.
    pub(crate) fn new(headers: &HeaderMap, total: Option<Duration>, begun: Instant) -> Patience {
        let least = announced(headers).into_iter().chain(total).min();
        Patience(least.and_then(|least| begun.checked_add(least)))
    }

    /// Whether there is time for another attempt at all.
    pub(crate) fn is_over(self, now: Instant) -> bool {
        self.0.is_some_and(|until| now >= until)
    }

    /// Whether so much of it may be waited away: half belongs to the answer.
    pub(crate) fn bears(self, wait: Duration, now: Instant) -> bool {
        match self.0 {
            Some(until) => wait < until.saturating_duration_since(now) / 2,
            None => wait <= UNKNOWN,
        }
    }
}

/// The shortest that is announced. Some SDKs write a word where nothing is set.
fn announced(headers: &HeaderMap) -> Option<Duration> {
    let told = ANNOUNCED.iter().flat_map(|name| headers.get_all(name));
    let seconds = told.filter_map(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let meant = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST);
    meant.min_by(f64::total_cmp).map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_shortest_announcement_counts_and_words_do_not() {
        let said = [
            ("x-stainless-timeout", "NOT_GIVEN"),
            ("x-stainless-read-timeout", "90"),
            ("x-server-timeout", "20.5"),
        ];
        assert_eq!(announced(&headers(&said)), Some(Duration::from_millis(20_500)));
        for silent in ["NOT_GIVEN", "0", "-1", "inf", "NaN", "1e9", ""] {
            assert_eq!(announced(&headers(&[("x-stainless-timeout", silent)])), None, "{silent}");
        }
    }

    #[test]
    fn half_of_what_is_left_may_be_waited_away() {
        let begun = Instant::now();
        let ten = Duration::from_secs(10);
        let app = Patience::new(&headers(&[("x-stainless-timeout", "20")]), None, begun);
        assert!(app.bears(Duration::from_secs(9), begun) && !app.bears(ten, begun));
        assert!(!app.bears(Duration::from_secs(5), begun + ten));
        assert!(!app.is_over(begun + ten) && app.is_over(begun + 2 * ten));
        let rule = Patience::new(&headers(&[("x-stainless-timeout", "600")]), Some(ten), begun);
        assert!(rule.is_over(begun + ten), "what the rule gives the call counts too");
    }

    #[test]
    fn of_an_app_that_says_nothing_a_wait_is_short_and_it_is_never_over() {
        let begun = Instant::now();
        let unknown = Patience::new(&HeaderMap::new(), None, begun);
        assert!(unknown.bears(UNKNOWN, begun) && !unknown.bears(UNKNOWN + Duration::from_secs(1), begun));
        assert!(!unknown.is_over(begun + Duration::from_secs(3600)));
    }
}
