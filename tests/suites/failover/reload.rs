//! Rules that change in the middle of a stream: the stream keeps those that it began with.

use outrigger_simulator::{Answer, Config};
use outrigger_tests::DEADLINE;

use super::{Sdk, Seen, before, document, folder, primary, put, refs, right, simulator};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [second] }
";

/// A stream that waits in its middle while another document takes the place of its rules.
fn changed(next: &str, said: &str) {
    let simulator = simulator([primary(Answer { gated: true, ..right() })], Config::default());
    let folder = folder(&document(RULE));
    let program = Sdk::Python.program(&["chat_stream"]);
    let running = before(&simulator, folder.path()).start(&refs(&program));
    simulator.release(4);
    assert!(simulator.wait_for(DEADLINE, |received| received.iter().any(|one| !one.sent.is_empty())));
    put(folder.path(), next);
    let line = running.program.error_line(DEADLINE, |line| line.contains(said));
    assert!(line.is_some(), "{}", running.program.errors_so_far());
    simulator.release(100);
    let ended = running.program.end();
    let seen: Vec<Seen> = ended.json_lines().iter().map(Seen::of).collect();
    assert!(seen.len() == 1 && seen.iter().all(Seen::is_right), "{seen:?}\n{}", ended.errors);
}

#[test]
fn a_stream_outlives_its_rules() {
    changed(&document(&RULE.replace("storm", "calm")), "calm");
}

#[test]
fn a_stream_outlives_its_mode() {
    changed(&document(RULE).replace("mode: act", "mode: passthrough"), "passthrough");
    changed(&document(RULE).replace("mode: act", "mode: observe"), "mode=observe");
}

#[test]
fn a_document_that_is_refused_changes_nothing() {
    changed(&document(&RULE.replace("failover", "failovr")), "failovr");
}
