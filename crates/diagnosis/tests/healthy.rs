//! Traffic that is well, in simulated time: records with 1 % of random errors and long tails, of which nothing may be said.

use outrigger_ledger::CallRecord;
use outrigger_providers::FailureClass;

use crate::support::{Answer, App, SECOND, error};

const CALLS: u64 = 1000;
const SEEDS: u64 = 6;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// The records of an app that calls so often, in the order in which its calls end.
fn traffic(app: &mut App, pace: u64, dice: &mut Dice) -> Vec<CallRecord> {
    let server = error("server_error");
    let mut records: Vec<CallRecord> = (0..CALLS)
        .map(|_| {
            app.at += pace;
            // Of two hundred calls three take long, and one very long.
            let seconds = match dice.below(200) {
                0 => 8 + dice.below(20),
                1..4 => 3 + dice.below(5),
                _ => dice.below(3),
            };
            app.took = seconds * SECOND + dice.below(SECOND);
            let answer = match dice.below(500) {
                0 => Answer::Error(500, &server),
                1 => Answer::Error(503, "<html>"),
                2 => Answer::Error(429, r#"{"error":{"code":"rate_limit_exceeded"}}"#),
                3 => Answer::Cut,
                4 => Answer::Lost(FailureClass::Connect),
                5..250 => Answer::Stream(seconds),
                _ => Answer::Good,
            };
            app.record(&answer)
        })
        .collect();
    records.sort_by_key(|record| record.times.ended);
    records
}

#[test]
fn of_one_failure_in_a_hundred_and_long_tails_nothing_is_said_at_any_pace() {
    for pace in [20 * SECOND, SECOND / 300] {
        for seed in 1..=SEEDS {
            let (mut app, mut dice) = (App::new(), Dice(seed * 7919));
            let records = traffic(&mut app, pace, &mut dice);
            let failed = records.iter().filter(|record| record.cause.is_some()).count();
            assert!((3..=25).contains(&failed), "there was noise: {failed}");
            for record in &records {
                let mut changes = app.diagnosis.call(record);
                changes.extend(app.diagnosis.time(record.times.ended));
                assert_eq!(changes, [], "pace {pace}, seed {seed}");
            }
        }
    }
}
