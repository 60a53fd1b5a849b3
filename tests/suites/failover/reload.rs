//! Rules that change in the middle of a stream: the stream keeps those that it began with.

use outrigger_simulator::{Answer, Config};
use outrigger_tests::DEADLINE;

use super::table::Row;
use super::{Sdk, Seen, before, document, folder, primary, put, refs, right, simulator};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    failover: { to: [second] }
";

/// A stream that waits in its middle while another document takes the place of its rules.
fn changed(next: &str, said: &str) {
    for sdk in Sdk::ALL {
        let simulator = simulator([primary(Answer { gated: true, ..right() })], Config::default());
        let folder = folder(&document(RULE));
        let program = sdk.program(&["chat_stream"]);
        let running =
            before(&simulator, folder.path()).variable("OUTRIGGER_LOG", "info").start(&refs(&program));
        simulator.release(4);
        assert!(simulator.wait_for(DEADLINE, |received| {
            received.iter().any(|one| one.sent.windows(9).any(|part| part == b"\"content\""))
        }));
        put(folder.path(), next);
        let line = running.program.error_line(DEADLINE, |line| line.contains(said));
        assert!(line.is_some(), "{sdk:?}, {said}: {}", running.program.errors_so_far());
        simulator.release(100);
        let ended = running.program.end();
        let seen: Vec<Seen> = ended.json_lines().iter().map(Seen::of).collect();
        assert!(seen.len() == 1 && seen.iter().all(Seen::is_right), "{sdk:?}: {seen:?}\n{}", ended.errors);
    }
}

#[test]
fn a_stream_outlives_its_rules() {
    changed(&document(&RULE.replace("storm", "calm")), "calm");
}

#[test]
fn a_stream_outlives_its_mode() {
    changed(&document(RULE).replace("mode: act", "mode: passthrough"), "mode=\"passthrough\"");
    changed(&document(RULE).replace("mode: act", "mode: observe"), "mode=\"observe\"");
}

#[test]
fn a_document_that_is_refused_changes_nothing() {
    changed(&document(&RULE.replace("failover", "failovr")), "failovr");
}

/// The rows of the table that these stand for.
pub(super) fn rows() -> Vec<Row> {
    let names = ["rules reloaded in mid-stream", "mode switched in mid-stream", "broken rules in mid-stream"];
    names.map(|name| Row::of_stream(name, "right answer")).into()
}
