//! Half of all calls to a provider answer 500, and a rule with a backup is there: every call is answered, and the provider bears no more
//! than the rule's budget of retries.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use outrigger_simulator::{Answer as Said, ErrorKind, Rule, Script};
use outrigger_tests::sidecar::Sidecar;

use crate::acting::{App, MODEL, Pod};

const CALLS: usize = 10_000;
/// Before the outage: until every connection stands, and to compare with.
const FIRST: usize = 1_000;
const WELL: usize = 2_000;
const AT_ONCE: usize = 64;
/// What a rule allows where it says nothing: hundredths of its calls.
const BUDGET: usize = 20;
/// Retries that ten seconds have in any case.
const FLOOR: usize = 3;

fn half_fails() -> Script {
    let failed = Said { error: Some(ErrorKind::ServerError), ..Said::default() };
    Script(vec![Rule { model: Some(MODEL.to_owned()), every: Some(2), answer: failed, ..Rule::default() }])
}

fn document(breaker: &str) -> String {
    format!(
        "version: 1\nmode: act\nbackups:\n  \
         eu: {{ provider: openai, host: eu.api.openai.com, model: gpt-5-nano, credential: {{ file: key }} }}\nrules:\n  \
         - {{ name: chat, match: {{}}, {breaker}retry: {{}}, failover: {{ to: [eu] }} }}\n"
    )
}

/// So many calls, all of them answered; how long each took, the shortest first.
fn calls(sidecar: &Sidecar, count: usize) -> Vec<Duration> {
    let (begun, base_url) = (AtomicUsize::new(0), sidecar.base_url());
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let apps: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut app = App::of(base_url);
                    let mut times = Vec::new();
                    while begun.fetch_add(1, Relaxed) < count {
                        let at = Instant::now();
                        let answer = app.call("captain");
                        assert_eq!(answer.status, 200, "{answer:?}");
                        times.push(at.elapsed());
                    }
                    times
                })
            })
            .collect();
        apps.into_iter().flat_map(|app| app.join().expect("every call is answered")).collect()
    });
    times.sort_unstable();
    assert_eq!(times.len(), count);
    times
}

fn told(times: &[Duration]) -> String {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).expect("few calls");
    format!("{mean:.1?} in the mean, {:.1?} in the median, {:.1?} at the 99th percentile", at(0.5), at(0.99))
}

/// Ten thousand calls through the outage. How often the provider was asked.
fn outage(what: &str, breaker: &str) -> usize {
    let mut pod = Pod::new(Script::default());
    pod.mount(document(breaker).as_bytes());
    let sidecar = pod.start(None, &[]);
    calls(&sidecar, FIRST);
    let well = calls(&sidecar, WELL);
    pod.simulator.follow(half_fails());
    let times = calls(&sidecar, CALLS);
    let _ended = sidecar.end();
    let received = pod.simulator.received();
    let primary = received.iter().filter(|one| one.authority == "api.openai.com").count() - FIRST - WELL;
    let backup = received.len() - FIRST - WELL - primary;
    println!(
        "{what}: {CALLS} calls, {AT_ONCE} at once, all answered; {primary} requests at the provider, {backup} at the backup. A call took {}; \
         while all was well {}",
        told(&times),
        told(&well)
    );
    assert!(backup > 0, "nothing was moved");
    primary
}

#[test]
fn ten_thousand_calls_survive_a_partial_outage_within_the_budget() {
    // Those of before count among the calls of late.
    let most = CALLS + (CALLS + FIRST + WELL) * BUDGET / 100 + FLOOR;
    let primary = outage("by default", "");
    assert!(primary <= most, "{primary} requests for {CALLS} calls");
    // Without a breaker every call asks the provider first, so whatever is more was tried again.
    let primary = outage("without a breaker", "breaker: { opensAt: 100%, consecutive: 100 }, ");
    assert!(primary > CALLS && primary <= most, "{primary} requests for {CALLS} calls");
}
