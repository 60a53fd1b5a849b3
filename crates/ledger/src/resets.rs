//! When a provider says that it answers again, from the head of a refusal. Per refused call.

use http::HeaderMap;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::Timestamp;

/// What lies further ahead is no time to wait for: 31 days, the longest over which a limit is counted.
const LONGEST: f64 = 31.0 * 24.0 * 3600.0;
/// Numbers from here on are no seconds to wait but seconds since 1970, and from there on milliseconds.
const UNIX: f64 = 1e9;
const UNIX_MILLIS: f64 = 1e11;

/// When a provider says that it answers again: by `retry-after-ms` or `retry-after`; else the last of the limits' own resets, without those of which something is left.
#[must_use]
pub fn resets(headers: &HeaderMap, at: Timestamp) -> Option<Timestamp> {
    let millis = text(headers, "retry-after-ms").and_then(|millis| millis.parse::<f64>().ok());
    let told = millis.map(|millis| millis / 1e3).or_else(|| wait(text(headers, "retry-after")?, at));
    let seconds = told.or_else(|| {
        let limits = headers.iter().filter_map(|(name, value)| {
            let name = name.as_str();
            let is_reset = name.starts_with("x-ratelimit-reset")
                || name.starts_with("anthropic-ratelimit-") && name.ends_with("-reset");
            if !is_reset || text(headers, &name.replace("reset", "remaining")).is_some_and(|left| left != "0")
            {
                return None;
            }
            wait(value.to_str().ok()?.trim(), at)
        });
        limits.max_by(f64::total_cmp)
    })?;
    (seconds > 0.0 && seconds <= LONGEST).then(|| Timestamp(at.0.saturating_add((seconds * 1e9) as u64)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Seconds from now on. Providers write a number, a Go duration (`6m0s`) or a date.
fn wait(text: &str, at: Timestamp) -> Option<f64> {
    let now = at.0 as f64 / 1e9;
    if let Ok(number) = text.parse::<f64>() {
        return Some(match number {
            UNIX_MILLIS.. => number / 1e3 - now,
            UNIX.. => number - now,
            _ => number,
        });
    }
    duration(text).or_else(|| {
        let date = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(text, &Rfc2822));
        Some(date.ok()?.unix_timestamp_nanos() as f64 / 1e9 - now)
    })
}

/// `1h2m3.5s`, `20ms`.
fn duration(mut text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    while !text.is_empty() {
        let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, rest) = text.split_at(unit);
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(end);
        let worth = match unit {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * worth;
        text = rest;
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use proptest::prelude::*;

    /// 2026-11-26T02:00:00Z.
    const NOW: u64 = 1_795_658_400;

    /// Milliseconds until it resets.
    fn after(headers: &[(&str, &str)]) -> Option<u64> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let at = Timestamp(NOW * 1_000_000_000);
        Some((resets(&headers, at)?.since(at) + 500_000) / 1_000_000)
    }

    #[test]
    fn every_way_to_say_it_is_read() {
        for (name, value, millis) in [
            ("retry-after", "20", 20_000),
            ("retry-after", "Thu, 26 Nov 2026 02:00:30 GMT", 30_000),
            ("retry-after-ms", "1500", 1500),
            ("x-ratelimit-reset-requests", "6m0s", 360_000),
            ("x-ratelimit-reset-tokens", "7.66s", 7660),
            ("x-ratelimit-reset-tokens", "20ms", 20),
            ("x-ratelimit-reset-requests-day", "33011.5", 33_011_500),
            ("x-ratelimit-reset", "1795658460000", 60_000),
            ("x-ratelimit-reset", "1795658460", 60_000),
            ("anthropic-ratelimit-requests-reset", "2026-11-26T02:00:12Z", 12_000),
        ] {
            assert_eq!(after(&[(name, value)]), Some(millis), "{name}: {value}");
        }
    }

    #[test]
    fn what_the_provider_asks_for_counts_before_its_limits_and_limits_with_something_left_do_not() {
        let (requests, tokens) = (("x-ratelimit-reset-requests", "9s"), ("x-ratelimit-reset-tokens", "60s"));
        assert_eq!(after(&[requests, tokens, ("retry-after", "3")]), Some(3000));
        assert_eq!(after(&[requests, tokens]), Some(60_000));
        assert_eq!(after(&[requests, tokens, ("x-ratelimit-remaining-tokens", "17")]), Some(9000));
        assert_eq!(after(&[tokens, ("x-ratelimit-remaining-tokens", "17")]), None);
    }

    #[test]
    fn what_is_past_or_far_or_no_time_is_none() {
        for value in
            ["0", "-5", "soon", "NaN", "inf", "1e300", "999999999", "5x", "Wed, 25 Nov 2026 02:00:00 GMT"]
        {
            assert_eq!(after(&[("retry-after", value)]), None, "{value}");
        }
    }

    proptest! {
        /// Whatever a head says, the time lies ahead and within bounds.
        #[test]
        fn any_text_gives_a_time_ahead_or_none(value in "[ -~]{0,24}") {
            if let Some(millis) = after(&[("x-ratelimit-reset", &value)]) {
                prop_assert!(millis <= 31 * 24 * 3600 * 1000);
            }
        }
    }
}
