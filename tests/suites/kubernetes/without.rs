//! What an app sees while its sidecar is dead, hung or restarting, where its connections are redirected.

use nix::sys::signal::Signal;
use outrigger_contract::{annotations, containers, redirection, volumes};
use outrigger_tests::DEADLINE;
use serde_json::json;

use crate::crew::{AT_ONCE, Call, Crew, now, two};
use crate::failover::{RULES, rules};
use crate::harbour::{HARBOUR, Harbour, status};
use crate::table;

/// A call that waited for a sidecar that stays hung would take some fifty seconds, for which a machine holds up none.
const HELD_UP: f64 = 15.0;

/// When the switch's time after a moment is over.
fn lapsed(moment: f64) -> f64 {
    moment + redirection::ALIVE_FOR.as_secs_f64()
}

/// Once that time is over all calls have their answer, by themselves, within so many seconds.
fn later_ones_go_on(crew: &mut Crew, harbour: &Harbour, moment: f64, within: f64) {
    let is_later = |call: &&Call| call.began >= lapsed(moment);
    crew.until(harbour, "a call after the switch's time", |calls| calls.iter().any(|call| is_later(&call)));
    let later = crew.calls.iter().filter(is_later);
    let bad: Vec<&Call> = later.filter(|call| call.error.is_some() || call.took() > within).collect();
    assert!(bad.is_empty(), "{moment}: these fail or wait: {bad:?}");
}

/// What calls saw that began within the switch's time after a moment. All later ones go on.
fn new_calls(crew: &mut Crew, harbour: &Harbour, moment: f64) -> &'static str {
    later_ones_go_on(crew, harbour, moment, AT_ONCE);
    let within = |call: &&Call| call.began >= moment && call.began < lapsed(moment);
    let failed = || crew.calls.iter().filter(within).filter(|call| call.error.is_some());
    let waited = crew.calls.iter().filter(within).filter(|call| call.took() > AT_ONCE);
    match (failed().count(), waited.count()) {
        (0, 0) => "none fails",
        (0, _) => "wait, for 3 s; later ones go on directly",
        (_, 0) => "fail at once, for at most 3 s; later ones go on directly",
        _ => panic!("{:?}", failed().collect::<Vec<_>>()),
    }
}

#[test]
fn an_app_does_without_a_killed_sidecar_and_is_watched_again() {
    let harbour = &*HARBOUR;
    let mut crew = Crew::board(harbour, "reef", "gpt-4.1-mini");
    let authority = |crew: &Crew| {
        let of = ["exec", "-n", &crew.namespace, &crew.pod, "-c", "app", "--"];
        harbour.node.kubectl(&[&of[..], &["cat", "/var/run/outrigger/trust/ca.pem"]].concat())
    };
    let before = authority(&crew);
    assert!(before.contains("BEGIN CERTIFICATE"), "{before}");
    crew.watched_since(harbour, 0.0);
    // The second time the kubelet waits before it starts it again.
    for _ in 0..2 {
        crew.reads(harbour);
        let killed = crew.signal(harbour, Signal::SIGKILL);
        let under_way = crew.has_read(harbour);
        crew.watched_since(harbour, killed);
        table::says("transparent", "dead", new_calls(&mut crew, harbour, killed), under_way);
    }
    assert_eq!(authority(&crew), before, "its restarts made another authority");
}

#[test]
fn an_app_does_without_a_hung_sidecar_and_sees_nothing_of_one_that_restarts() {
    let harbour = &*HARBOUR;
    let mut crew = Crew::board(harbour, "shoal", "gpt-4.1-shoal");
    crew.watched_since(harbour, 0.0);
    crew.reads(harbour);
    let stopped = crew.signal(harbour, Signal::SIGSTOP);
    let later = |call: &&Call| call.began > lapsed(stopped);
    crew.until(harbour, "calls go on", |calls| calls.iter().filter(later).count() > 20);
    let continued = crew.signal(harbour, Signal::SIGCONT);
    let under_way = crew.has_read(harbour);
    crew.watched_since(harbour, continued);
    assert_eq!(under_way, "end whole");
    table::says(
        "transparent",
        "hung",
        new_calls(&mut crew, harbour, stopped),
        "wait; end whole if it goes on",
    );

    crew.reads(harbour);
    let ended = crew.signal(harbour, Signal::SIGTERM);
    let under_way = crew.has_read(harbour);
    // What the first of the two has taken in began before.
    crew.watched_since(harbour, ended + 1.0);
    let failed = crew.failed_since(ended);
    assert!(failed.is_empty(), "{ended}: {failed:?}");
    table::says("transparent", "restarting", new_calls(&mut crew, harbour, ended), under_way);
}

#[test]
fn a_sidecar_that_stays_hung_is_started_again() {
    let harbour = &*HARBOUR;
    let mut crew = Crew::board(harbour, "sands", "gpt-4.1-sands");
    crew.watched_since(harbour, 0.0);
    let stopped = crew.signal(harbour, Signal::SIGSTOP);
    // Its liveness probe gives it a minute, and the kubelet the pod's grace.
    harbour.node.until_pods(&crew.namespace, "the kubelet ends it", 3 * DEADLINE, || {
        let pod = harbour.node.get(&["pod", "-n", &crew.namespace, &crew.pod]);
        let sidecar = status(&pod, "initContainerStatuses", containers::SIDECAR);
        (sidecar["restartCount"] == 1 && sidecar["ready"] == true).then_some(())
    });
    let back = now();
    crew.watched_since(harbour, back);
    later_ones_go_on(&mut crew, harbour, stopped, HELD_UP);
}

#[test]
fn a_sidecar_that_runs_out_of_memory_takes_nobody_with_it() {
    let harbour = &*HARBOUR;
    let ebb = harbour.namespace("ebb", json!({}));
    // Under a rule that may move it a call is held until its request has ended.
    harbour.node.apply(&[rules(&ebb, volumes::RULES, false, RULES)]);
    let whale = ["python3", "/srv/pulse.py", "gpt-4.1-nano-2025-04-14", "12", "0", "3000000"];
    let mut object = two(&ebb, "gpt-4o-mini-2024-07-18", &whale);
    object["spec"]["template"]["metadata"]["annotations"] =
        json!({annotations::RESOURCES: "memory=16Mi,memory-limit=20Mi"});
    let mut crew = Crew::of(harbour, ebb, &object);
    let ended = harbour.node.until_pods(&crew.namespace, "the sidecar runs out of memory", DEADLINE, || {
        let pod = harbour.node.get(&["pod", "-n", &crew.namespace, &crew.pod]);
        let sidecar = status(&pod, "initContainerStatuses", containers::SIDECAR);
        let ended = [&sidecar["lastState"], &sidecar["state"]].map(|state| &state["terminated"]);
        ended.into_iter().find(|ended| ended["reason"] == "OOMKilled").cloned()
    });
    assert_eq!(ended["exitCode"], 137, "{ended}");
    let seen = now();
    crew.watched_since(harbour, seen);
    // Those within the switch's time may fail: it was killed a moment before this was seen.
    let dead = new_calls(&mut crew, harbour, seen);
    assert!(!dead.starts_with("wait"), "{dead}");
    let pod = harbour.node.get(&["pod", "-n", &crew.namespace, &crew.pod]);
    for name in ["app", "reader"] {
        let container = status(&pod, "containerStatuses", name);
        assert_eq!(
            (&container["restartCount"], &container["ready"]),
            (&json!(0), &json!(true)),
            "{container}"
        );
    }
}
