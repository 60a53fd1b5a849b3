//! Tells when calls to a place begin to be moved, and when that is over: one line each, however many calls. Per moved call, and per
//! call to a place from which some were moved.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use outrigger_providers::FailureClass;
use tokio::time::Instant;

use super::Place;

/// No call was moved for so long: it is over.
const OVER: Duration = Duration::from_secs(10);
/// Places of which that is told at a time.
const PLACES: usize = 256;

/// A time in which calls are moved.
#[derive(Debug)]
struct Period {
    began: Instant,
    last: Instant,
    moved: u64,
}

/// Those that last.
#[derive(Debug, Default)]
pub(crate) struct Periods(RefCell<HashMap<Place, Period>>);

impl Periods {
    /// A call to a place was answered by a backup; why, if it was asked at all.
    pub(crate) fn moved(&self, place: &Place, rule: &str, backup: &Arc<str>, class: Option<FailureClass>) {
        let now = Instant::now();
        let mut periods = self.0.borrow_mut();
        if let Some(period) = periods.get_mut(place) {
            (period.last, period.moved) = (now, period.moved + 1);
            return;
        }
        if periods.len() >= PLACES {
            return;
        }
        tracing::warn!(
            %place, rule, backup = &**backup, class = class.map_or("left_alone", FailureClass::as_str),
            "failover begins: calls to this place go to a backup"
        );
        periods.insert(place.clone(), Period { began: now, last: now, moved: 1 });
    }

    /// A call was answered where the app addressed it.
    pub(crate) fn answered(&self, place: &Place) {
        let mut periods = self.0.borrow_mut();
        // Most of the time there are none.
        if periods.is_empty() {
            return;
        }
        let now = Instant::now();
        if periods.get(place).is_some_and(|period| now.duration_since(period.last) >= OVER)
            && let Some(period) = periods.remove(place)
        {
            let seconds = period.last.duration_since(period.began).as_secs();
            tracing::info!(%place, calls = period.moved, seconds, "failover is over: this place answers again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_period_is_over_when_the_place_has_answered_for_a_while() {
        let periods = Periods::default();
        let place = Place { host: "api.openai.com".into(), model: Some("gpt-5.1".into()) };
        let move_one = || periods.moved(&place, "chat", &"eu".into(), Some(FailureClass::ServerError));
        let open = || periods.0.borrow().get(&place).map(|period| period.moved);
        move_one();
        periods.answered(&place);
        tokio::time::advance(OVER / 2).await;
        move_one();
        assert_eq!(open(), Some(2), "half of the calls fail: that is one period");
        tokio::time::advance(OVER / 2).await;
        periods.answered(&place);
        assert_eq!(open(), Some(2));
        tokio::time::advance(OVER / 2).await;
        periods.answered(&place);
        assert_eq!(open(), None);
    }
}
