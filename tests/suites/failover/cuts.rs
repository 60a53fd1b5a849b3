//! Streams that die: at every frame, in every way. Before the first content the user notices nothing; after it the SDK raises;
//! a truncated answer is never presented as a complete one.

use outrigger_simulator::{Answer, Config, Cut, Rule};

use super::{ASKED, Sdk, Seen, TEXT, before, document, folder, keys_stayed_at_home, right, simulator};

/// Every call asks the primary once: nothing is tried again, and it is never left alone.
const RULE: &str = "  - name: cut
    match: { provider: openai }
    breaker: { consecutive: 100, minCalls: 10000 }
    failover: { to: [second] }
";

/// Events of the whole stream: the role, a word each, the reason to end, the usage, the last word.
fn events() -> usize {
    1 + TEXT.split_whitespace().count() + 3
}

/// The first event with content.
const FIRST_CONTENT: usize = 1;

/// A simulator whose n-th stream dies after n - 1 events.
fn dying(how: impl Fn(usize) -> Answer) -> Vec<Rule> {
    let nth = |at: usize| u64::try_from(at + 1).expect("few events");
    (0..=events())
        .map(|at| Rule {
            model: Some(ASKED.to_owned()),
            nth: Some(nth(at)),
            answer: how(at),
            ..Rule::default()
        })
        .collect()
}

fn streams(how: impl Fn(usize) -> Answer + Copy, complete_from: usize) {
    for sdk in Sdk::ALL {
        let simulator = simulator(dying(how), Config::default());
        let folder = folder(&document(RULE));
        let calls = vec!["chat_stream"; events() + 1];
        let (seen, ended) = sdk.run(before(&simulator, folder.path()), &calls);
        for (at, seen) in seen.iter().enumerate() {
            let right = if at <= FIRST_CONTENT || at >= complete_from {
                seen.is_right()
            } else {
                matches!(seen, Seen::Error { .. })
            };
            assert!(right, "{sdk:?}, {at} of {} events: {seen:?}\n{}", events(), ended.errors);
        }
        keys_stayed_at_home(&simulator, "cut streams");
    }
}

#[test]
fn a_stream_that_breaks_off_is_whole_or_an_error() {
    streams(|at| Answer { cut_after: Some(at), cut: Cut::Broken, ..right() }, events() + 1);
}

#[test]
fn a_stream_that_ends_without_its_end_is_whole_or_an_error() {
    // Its reason to end says that all of its content has come.
    streams(|at| Answer { cut_after: Some(at), cut: Cut::Clean, ..right() }, events() - 2);
}

#[test]
fn a_frame_that_is_no_event_never_makes_an_answer_look_complete() {
    for sdk in Sdk::ALL {
        let simulator =
            simulator(dying(|at| Answer { garbage_after: Some(at), ..right() }), Config::default());
        let folder = folder(&document(RULE));
        let (seen, ended) = sdk.run(before(&simulator, folder.path()), &vec!["chat_stream"; events() + 1]);
        for seen in &seen {
            assert!(
                seen.is_right() || matches!(seen, Seen::Error { .. }),
                "{sdk:?}: {seen:?}\n{}",
                ended.errors
            );
        }
    }
}
