//! Bodies that are held so that they can be sent again: together they take no more memory than they may, however many come at once.

use std::time::{Duration, Instant};

use outrigger_simulator::{Answer as Said, Received, Rule, Script};
use outrigger_tests::DEADLINE;

use crate::acting::{App, Pod};

/// Requests under way at a time, each just short enough to be held.
const AT_ONCE: usize = 40;
const LONG: usize = 4 * 1024 * 1024 - 64 * 1024;
/// What may be held together, KiB.
const CAP: u64 = 32 * 1024;
/// By how much two runs of the same load may differ, KiB: the allocator's own affairs, and a body that is put into one piece.
const APART: u64 = 24 * 1024;

const RULES: &str = "version: 1\nmode: act\nbackups:\n  \
                     eu: { provider: openai, host: eu.api.openai.com, model: gpt-5-nano, credential: { file: key } }\nrules:\n  \
                     - { name: chat, match: {}, retry: {}, failover: { to: [eu] } }\n";

/// Streams whose requests are long, all of them under way at once. By how much the sidecar grew, KiB.
fn grows(what: &str, rules: &str, more: &[(&'static str, &'static str)]) -> u64 {
    let gated = Said { gated: true, ..Said::default() };
    let mut pod = Pod::new(Script(vec![Rule { answer: gated, ..Rule::default() }]));
    pod.mount(rules.as_bytes());
    let sidecar = pod.start(None, more);
    let before = sidecar.resident();
    let mut peak = before;
    std::thread::scope(|scope| {
        let base_url = sidecar.base_url();
        let apps: Vec<_> =
            (0..AT_ONCE).map(|_| scope.spawn(move || App::of(base_url).stream(LONG))).collect();
        let until = Instant::now() + DEADLINE;
        let all =
            |received: &[Received]| received.iter().filter(|one| one.body.len() >= LONG).count() == AT_ONCE;
        while !pod.simulator.wait_for(Duration::from_millis(5), all) {
            peak = peak.max(sidecar.resident());
            assert!(Instant::now() < until, "they do not arrive");
        }
        peak = peak.max(sidecar.resident());
        pod.simulator.release(100_000);
        for app in apps {
            let answer = app.join().expect("its call is answered");
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    });
    println!(
        "{AT_ONCE} requests of {} KiB at once, {what}: {before} KiB before, {peak} KiB at most, {} KiB afterwards",
        LONG / 1024,
        sidecar.resident()
    );
    let _ended = sidecar.end();
    peak - before
}

#[test]
fn many_long_bodies_at_once_take_no_more_than_the_cap() {
    // What connections, their buffers and the bytes on the way take of themselves.
    let passing = grows("none held", "version: 1\n", &[("OUTRIGGER_INCLUDE_USAGE", "false")]);
    let held = grows("under a rule", RULES, &[]);
    assert!(held > passing, "none was held");
    assert!(held < passing + CAP + APART, "{passing} KiB without, {held} KiB with a rule");
}
