//! A primary that fails and comes back.

use std::time::{Duration, Instant};

use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::DEADLINE;
use outrigger_tests::process::Program;

use super::table::Row;
use super::{HOSTS, Sdk, TEXT, asked, before, document, folder, primary, refs, right, simulator};

const RULE: &str = "  - name: storm
    match: { provider: openai }
    breaker: { consecutive: 3, probeEvery: 1s }
    failover: { to: [second] }
";

const RECOVERS: &str = "primary recovers";

/// What `for_ever` asks at each word: in one piece, and in a stream.
const AT_A_TIME: usize = 2;

/// Asks twice, and how often the primary and the backup were asked for that.
fn call(program: &mut Program, simulator: &Simulator) -> [usize; 2] {
    let count = || HOSTS.map(|host| asked(simulator, host));
    let before = count();
    program.say("");
    for _ in 0..AT_A_TIME {
        let line = program.output_line(|line| line.contains("\"call\""));
        assert!(line.contains(TEXT), "{line}\n{}", program.errors_so_far());
    }
    let after = count();
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn traffic_returns_to_a_primary_that_has_recovered_and_a_period_is_told_once() {
    std::thread::scope(|scope| {
        for sdk in Sdk::ALL {
            scope.spawn(move || returns_before(sdk));
        }
    });
}

fn returns_before(sdk: Sdk) {
    let error = Answer { error: Some(ErrorKind::ServerError), ..right() };
    let simulator = simulator([primary(error)], Config::default());
    let folder = folder(&document(RULE));
    let program = sdk.program(&["for_ever"]);
    let mut running = before(&simulator, folder.path()).start(&refs(&program));
    for _ in 0..4 {
        call(&mut running.program, &simulator);
    }
    let all = HOSTS.map(|host| asked(&simulator, host));
    assert!(all[0] < 4 * AT_A_TIME && all[1] == 4 * AT_A_TIME, "a place that fails is left alone: {all:?}");

    simulator.follow(Script(vec![Rule { answer: right(), ..Rule::default() }]));
    let since = Instant::now();
    let (mut returned, mut moved_since, mut in_a_row) = (None, 0, 0);
    while in_a_row < 10 {
        assert!(since.elapsed() < Duration::from_secs(30), "no traffic returns within 30 s");
        let [primary, backup] = call(&mut running.program, &simulator);
        if primary > 0 {
            returned.get_or_insert(since.elapsed());
        }
        if returned.is_some() {
            moved_since += backup;
        }
        in_a_row = if backup == 0 { in_a_row + 1 } else { 0 };
    }
    assert!(moved_since > 0, "all of it returned at once, after {returned:?}");

    // It is told once no call has been moved for a while, by the call that finds so.
    let told = |program: &Program, words: &str| {
        program.errors_so_far().lines().filter(|line| line.contains(words)).count()
    };
    while told(&running.program, "failover is over") == 0 {
        assert!(since.elapsed() < DEADLINE, "{}", running.program.errors_so_far());
        call(&mut running.program, &simulator);
    }
    assert_eq!(told(&running.program, "failover begins"), 1);
    assert!(running.program.end().status.success());
}

/// The rows of the table that this stands for.
pub(super) fn rows() -> Vec<Row> {
    vec![Row::right(RECOVERS)]
}
