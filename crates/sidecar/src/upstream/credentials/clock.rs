//! What time it is at a backup: signatures and tokens carry the time, and a node's clock may be off. Per answer of a backup.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Less may be the way and the second that a date is cut to, and nobody minds it.
const MEANT: i64 = 60;
/// More places than any rules name.
const MOST: usize = 256;

/// How far the clock here is off each place's own, in seconds.
#[derive(Default)]
pub(super) struct Clocks(RefCell<HashMap<String, i64>>);

impl Clocks {
    /// Seconds since 1970, as the place counts them.
    pub(super) fn now(&self, host: &str) -> i64 {
        here().saturating_add(self.0.borrow().get(host).copied().unwrap_or_default())
    }

    /// Compares the clock here with the date of an answer. Whether it turned out to be off.
    pub(super) fn compare(&self, host: &str, headers: &HeaderMap) -> bool {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(there) = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok()) else {
            return false;
        };
        let ahead = there.unix_timestamp().saturating_sub(here());
        let mut known = self.0.borrow_mut();
        if ahead.abs() < MEANT {
            known.remove(host);
            return false;
        }
        if known.len() >= MOST && !known.contains_key(host) {
            return false;
        }
        let news = known.insert(host.to_owned(), ahead).is_none();
        if news {
            tracing::warn!(
                host,
                seconds = ahead,
                "the clock here is off; what is signed for this host carries its time"
            );
        }
        news
    }
}

/// Seconds since 1970, as they are counted here.
pub(super) fn here() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(at: i64) -> HeaderMap {
        let date = OffsetDateTime::from_unix_timestamp(at).unwrap().format(&Rfc2822).unwrap();
        let date = date.replace("+0000", "GMT");
        HeaderMap::from_iter([(DATE, date.parse().unwrap())])
    }

    #[test]
    fn the_time_of_a_place_counts_there_until_the_clocks_agree_again() {
        let clocks = Clocks::default();
        let off = |host: &str| clocks.now(host) - here();
        clocks.compare("one", &dated(here() + 900));
        assert!((898..=901).contains(&off("one")) && off("other") == 0);
        clocks.compare("one", &HeaderMap::new());
        assert!(off("one") > 800);
        clocks.compare("one", &dated(here() + 5));
        assert_eq!(off("one"), 0);
        clocks.compare("one", &HeaderMap::from_iter([(DATE, "Thu, 26 Nov 2026".parse().unwrap())]));
        assert_eq!(off("one"), 0);
    }

    #[test]
    fn the_date_of_http_is_read() {
        let clocks = Clocks::default();
        clocks.compare(
            "one",
            &HeaderMap::from_iter([(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap())]),
        );
        assert!((clocks.now("one") - 784_111_777).abs() < 2);
    }
}
