//! A primary that fails and comes back.

use outrigger_simulator::{Answer, Config, ErrorKind, Script};
use outrigger_tests::DEADLINE;

use super::{HOSTS, Sdk, before, document, folder, primary, refs, right, simulator};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    breaker: { consecutive: 3, probeEvery: 1s }
    failover: { to: [second] }
";

#[test]
fn traffic_returns_to_a_primary_that_has_recovered_and_a_period_is_told_once() {
    let error = Answer { error: Some(ErrorKind::ServerError), ..right() };
    let simulator = simulator([primary(error)], Config::default());
    let folder = folder(&document(RULE));
    // It calls, waits for a line, and calls again, until nothing more is said to it.
    let program = Sdk::Python.program(&["for_ever"]);
    let mut running = before(&simulator, folder.path()).start(&refs(&program));
    let asked = |host: &str| simulator.received().iter().filter(|one| one.authority == host).count();
    let mut call = || {
        running.program.say("");
        let line = running.program.output_line(|line| line.contains("\"call\""));
        assert!(line.contains(super::TEXT), "{line}");
    };
    for _ in 0..8 {
        call();
    }
    let (primary, backup) = (asked(HOSTS[0]), asked(HOSTS[1]));
    assert!(primary <= 4 && backup == 8, "a place that fails is left alone: {primary} and {backup}");

    simulator.follow(Script(vec![outrigger_simulator::Rule { answer: right(), ..Default::default() }]));
    let since = std::time::Instant::now();
    // All of ten calls in a row: it has come back, and not for a probe alone.
    let mut in_a_row = 0;
    while in_a_row < 10 {
        assert!(since.elapsed() < DEADLINE / 2, "no traffic returns within 30 s");
        let before = asked(HOSTS[1]);
        call();
        in_a_row = if asked(HOSTS[1]) == before { in_a_row + 1 } else { 0 };
    }
    let ended = running.program.end();
    let told = |words: &str| ended.errors.lines().filter(|line| line.contains(words)).count();
    assert_eq!((told("failover begins"), told("failover is over")), (1, 1), "{}", ended.errors);
}
