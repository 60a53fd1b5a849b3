//! Holds back what was said often of late, and says in its place how often it was. Per line of log; at most so many causes are
//! told apart.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// So many lines of one cause are said in a window; of more only their number.
const SAID: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Causes that are told apart. Beyond them all share one.
const CAUSES: usize = 512;
/// So much of a line is kept to name what was held back.
const NAMED: usize = 200;
/// The lines that name it; they are not held back themselves.
pub(super) const NUMBERS: &str = "outrigger::repeats";

/// Fields that make a cause of its own of the same words.
const TELLING: [&str; 8] = ["host", "provider", "verdict", "key", "signal", "endpoint", "reason", "place"];

/// What was said of late.
#[derive(Default)]
pub(super) struct Repeats {
    causes: Mutex<HashMap<u64, Cause>>,
    hasher: RandomState,
    bell: Notify,
}

struct Cause {
    since: Instant,
    said: u32,
    /// Lines held back.
    held: u64,
    /// Of the first of them.
    level: Level,
    named: String,
}

/// A number in place of lines.
struct Number {
    level: Level,
    held: u64,
    seconds: u64,
    named: String,
}

impl Repeats {
    pub(super) fn may_be_said(&self, event: &Event<'_>, now: Instant) -> bool {
        let mut telling = Telling(self.hasher.build_hasher());
        event.metadata().callsite().hash(&mut telling.0);
        event.record(&mut telling);
        let name = || {
            let mut words = Words(String::new());
            event.record(&mut words);
            words.0
        };
        self.admit(telling.0.finish(), *event.metadata().level(), name, now)
    }

    fn admit(&self, cause: u64, level: Level, name: impl FnOnce() -> String, now: Instant) -> bool {
        // One line at a time is written, whichever thread it comes from.
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        if causes.len() >= CAUSES && !causes.contains_key(&cause) {
            causes.retain(|_, known| known.held > 0 || now.duration_since(known.since) < WINDOW);
        }
        let cause = if causes.len() >= CAUSES && !causes.contains_key(&cause) { 0 } else { cause };
        let known = causes.entry(cause).or_insert_with(|| Cause::new(now, level));
        if known.held == 0 && now.duration_since(known.since) >= WINDOW {
            *known = Cause::new(now, level);
        }
        if known.said < SAID {
            known.said += 1;
            return true;
        }
        if known.held == 0 {
            known.named = name();
            self.bell.notify_one();
        }
        known.held += 1;
        false
    }

    /// Says the numbers as windows end.
    pub(super) async fn run(&self) {
        loop {
            self.bell.notified().await;
            while let Some(end) = self.next_end() {
                tokio::time::sleep_until(end).await;
                self.numbers(Some(Instant::now())).iter().for_each(say);
            }
        }
    }

    /// Says what is held back now.
    pub(super) fn say_all(&self) {
        self.numbers(None).iter().for_each(say);
    }

    fn next_end(&self) -> Option<Instant> {
        let causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.values().filter(|cause| cause.held > 0).map(|cause| cause.since + WINDOW).min()
    }

    /// What was held back in windows that are over by then, or in all. Each begins a new window.
    fn numbers(&self, by: Option<Instant>) -> Vec<Number> {
        let now = by.unwrap_or_else(Instant::now);
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let held = causes.values_mut().filter(|cause| cause.held > 0);
        let over = held.filter(|cause| by.is_none_or(|by| by.duration_since(cause.since) >= WINDOW));
        over.map(|cause| {
            let new = Cause::new(now, cause.level);
            let Cause { since, held, level, named, .. } = std::mem::replace(cause, new);
            Number { level, held, seconds: now.duration_since(since).as_secs(), named }
        })
        .collect()
    }
}

impl Cause {
    const fn new(since: Instant, level: Level) -> Cause {
        Cause { since, said: 0, held: 0, level, named: String::new() }
    }
}

fn say(number: &Number) {
    let Number { level, held, seconds, named } = number;
    // The level of a line is fixed where it stands.
    if *level == Level::ERROR {
        tracing::error!(target: NUMBERS, held, seconds, "and {held} more like: {named}");
    } else if *level == Level::WARN {
        tracing::warn!(target: NUMBERS, held, seconds, "and {held} more like: {named}");
    } else {
        tracing::info!(target: NUMBERS, held, seconds, "and {held} more like: {named}");
    }
}

/// Hashes what tells one cause from another.
struct Telling<H>(H);

impl<H: std::hash::Hasher> Visit for Telling<H> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if TELLING.contains(&field.name()) {
            field.name().hash(&mut self.0);
            value.hash(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if TELLING.contains(&field.name()) {
            field.name().hash(&mut self.0);
            // Hashing does not fail.
            let _never = write!(Hashing(&mut self.0), "{value:?}");
        }
    }
}

struct Hashing<'a, H>(&'a mut H);

impl<H: std::hash::Hasher> fmt::Write for Hashing<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A line's words, as many of them as name it.
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let mut text = format!("{value:?}");
            if text.len() > NAMED {
                text.truncate(text.floor_char_boundary(NAMED));
                text.push('…');
            }
            self.0 = text;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const NAME: fn() -> String = || "the name".to_owned();

    fn admitted(repeats: &Repeats, cause: u64, times: usize, now: Instant) -> usize {
        (0..times).filter(|_| repeats.admit(cause, Level::WARN, NAME, now)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_cause_is_said_so_often_and_then_only_counted() {
        let repeats = Repeats::default();
        let now = Instant::now();
        assert_eq!(admitted(&repeats, 1, 100, now), SAID as usize);
        assert_eq!(admitted(&repeats, 2, 5, now), 5, "another cause is another matter");
        assert!(repeats.numbers(Some(now + WINDOW - Duration::from_secs(1))).is_empty());
        let numbers = repeats.numbers(Some(now + WINDOW));
        let said: Vec<_> =
            numbers.iter().map(|number| (number.held, number.seconds, number.named.as_str())).collect();
        assert_eq!(said, [(90, 60, "the name")]);
        assert_eq!(admitted(&repeats, 1, 100, now + WINDOW), SAID as usize, "a new window");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_seldom_is_never_held_back() {
        let repeats = Repeats::default();
        let now = Instant::now();
        for minute in 0..100 {
            assert_eq!(admitted(&repeats, 1, 8, now + WINDOW * minute), 8);
        }
        assert!(repeats.numbers(None).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_causes_shares_one() {
        let repeats = Repeats::default();
        let now = Instant::now();
        let admitted: usize = (1..10_000).map(|cause| admitted(&repeats, cause, 1, now)).sum();
        assert_eq!(admitted, CAUSES + SAID as usize);
        assert!(repeats.causes.lock().unwrap().len() <= CAUSES + 1);
        assert!(repeats.admit(7_777_777, Level::WARN, NAME, now + WINDOW), "what is past makes room");
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_is_said_when_its_window_ends() {
        let repeats = Arc::new(Repeats::default());
        admitted(&repeats, 1, 100, Instant::now());
        let running = tokio::spawn({
            let repeats = Arc::clone(&repeats);
            async move { repeats.run().await }
        });
        tokio::time::sleep(WINDOW + Duration::from_secs(1)).await;
        assert!(repeats.next_end().is_none(), "it has been said");
        running.abort();
    }
}
