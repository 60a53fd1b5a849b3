//! What an app sees while its sidecar is dead, hung or restarting, where its connections are redirected.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use outrigger_contract::{annotations, containers, redirection, volumes};
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Received;
use outrigger_tests::process::Program;
use serde_json::{Value, json};

use crate::failover::{RULES, rules};
use crate::harbour::{HARBOUR, Harbour, LONG, SLOW, app, deployment, send};
use crate::table;

/// How long a call may take that nothing holds up, in seconds; one that fails at once fails within it. The machine is busy.
const AT_ONCE: f64 = 3.0;

/// An app that asks ten times a second, each time anew, beside one that reads slow streams.
struct Crew {
    namespace: String,
    pod: String,
    asking: Program,
    reading: Program,
    /// Calls that have ended.
    calls: Vec<Call>,
}

/// One of them: seconds since 1970, and what went wrong.
#[derive(Debug)]
struct Call {
    began: f64,
    ended: f64,
    error: Option<String>,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64()
}

impl Crew {
    fn board(harbour: &Harbour, name: &str, model: &str) -> Crew {
        let namespace = harbour.namespace(name, json!({}));
        let reader = [&app(SLOW, "0", "0.5")[..], &["stream", "fresh"]].concat();
        Crew::of(harbour, namespace.clone(), &two(&namespace, model, &reader))
    }

    fn of(harbour: &Harbour, namespace: String, object: &Value) -> Crew {
        let (pod, asking) = harbour.start(&namespace, object);
        let both = "--for=jsonpath={.status.containerStatuses[1].started}=true";
        harbour.node.wait(&namespace, &[both, "pod", &pod]);
        let reading = harbour.node.logs(&namespace, &pod, "reader");
        Crew { namespace, pod, asking, reading, calls: Vec::new() }
    }

    /// Takes in calls as they end, until they are as wanted.
    fn until(&mut self, harbour: &Harbour, what: &str, enough: impl Fn(&[Call]) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !enough(&self.calls) {
            assert!(Instant::now() < until, "{what}: it never came\n{}", harbour.node.told(&self.namespace));
            let said = harbour.next(&self.asking, &self.namespace, |_| true);
            let at = |key: &str| said[key].as_f64().expect("a time");
            let error = said["error"].as_str().map(|error| format!("{error}: {}", said["told"]));
            self.calls.push(Call { began: at("began"), ended: at("ended"), error });
        }
    }

    /// Waits until a call is recorded that began after a moment, and one that began later still has ended.
    fn watched_since(&mut self, harbour: &Harbour, moment: f64) {
        let pod = self.pod.clone();
        let recorded = |received: &Received| {
            let mine = received.records.iter().zip(&received.resources);
            let mut mine = mine.filter(|(_, resource)| resource["k8s.pod.name"] == pod.as_str());
            mine.any(|(record, _)| seconds(record.times.started) > moment)
        };
        let now_and_then = |_: &[Call]| harbour.telemetry.wait_for(Duration::ZERO, recorded).is_some();
        self.until(harbour, "it is watched again", now_and_then);
        let seen = now();
        self.until(harbour, "a call after that", |calls| calls.iter().any(|call| call.began > seen));
    }

    /// Waits until a stream has begun.
    fn reads(&self, harbour: &Harbour) {
        let asked = now();
        let begun = |said: &Value| said["begun"] == true && said["at"].as_f64() > Some(asked);
        harbour.next(&self.reading, &self.namespace, begun);
    }

    /// How the stream that is under way ends.
    fn has_read(&self, harbour: &Harbour) -> &'static str {
        let read = harbour.next(&self.reading, &self.namespace, |_| true);
        match (read["text"] == LONG, read["error"].is_string()) {
            (true, _) => "end whole",
            (_, true) => "end in an error",
            _ => panic!("{read}"),
        }
    }

    fn signal(&self, harbour: &Harbour, signal: Signal) -> f64 {
        let sidecar = harbour.process(&self.namespace, &self.pod, "outrigger-sidecar");
        let sent = now();
        send(signal, sidecar);
        sent
    }

    /// Calls that failed after a moment, whenever they began.
    fn failed_since(&self, moment: f64) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.error.is_some() && call.ended >= moment).collect()
    }

    /// What calls saw that began within the switch's time after a moment. All later ones have their answer, by themselves.
    fn new_calls_since(&self, moment: f64) -> &'static str {
        let lapse = redirection::ALIVE_FOR.as_secs_f64();
        let later = self.calls.iter().filter(|call| call.began >= moment + lapse);
        let bad: Vec<&Call> = later.filter(|call| call.error.is_some() || call.took() > AT_ONCE).collect();
        assert!(bad.is_empty(), "{lapse} s after {moment} these fail or wait: {bad:?}");
        let within = |call: &&Call| call.began >= moment && call.began < moment + lapse;
        let failed = || self.calls.iter().filter(within).filter(|call| call.error.is_some());
        let waited = self.calls.iter().filter(within).filter(|call| call.took() > AT_ONCE);
        match (failed().count(), waited.count()) {
            (0, 0) => "none fails",
            (0, _) => "wait, for 3 s; later ones go on directly",
            (_, 0) => "fail at once, for at most 3 s; later ones go on directly",
            _ => panic!("{:?}", failed().collect::<Vec<_>>()),
        }
    }
}

/// A Deployment of one that asks a model, with a second container.
fn two(namespace: &str, model: &str, second: &[&str]) -> Value {
    let mut object = deployment(namespace, "diver", &["python3", "/srv/pulse.py", model, "0", "0.1"]);
    let all = &mut object["spec"]["template"]["spec"]["containers"];
    let mut reader = all[0].clone();
    reader["name"] = "reader".into();
    reader["command"] = json!(second);
    *all = json!([all[0], reader]);
    object
}

impl Call {
    fn took(&self) -> f64 {
        self.ended - self.began
    }
}

fn seconds(at: outrigger_ledger::Timestamp) -> f64 {
    Duration::from_nanos(at.0).as_secs_f64()
}

/// A container's state, as the kubelet tells it.
fn status<'a>(pod: &'a Value, of: &str, name: &str) -> &'a Value {
    let all = pod["status"][of].as_array().into_iter().flatten();
    let mut those = all.filter(|one| one["name"] == name);
    those.next().unwrap_or(&Value::Null)
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
        table::says("transparent", "dead", crew.new_calls_since(killed), under_way);
    }
    assert_eq!(authority(&crew), before, "its restarts made another authority");
}

#[test]
fn an_app_does_without_a_hung_sidecar_and_sees_nothing_of_one_that_restarts() {
    let harbour = &*HARBOUR;
    let mut crew = Crew::board(harbour, "shoal", "gpt-4.1-mini-2025-04-14");
    crew.watched_since(harbour, 0.0);
    crew.reads(harbour);
    let stopped = crew.signal(harbour, Signal::SIGSTOP);
    let lapsed = stopped + redirection::ALIVE_FOR.as_secs_f64();
    crew.until(harbour, "calls go on", |calls| calls.iter().filter(|call| call.began > lapsed).count() > 20);
    let continued = crew.signal(harbour, Signal::SIGCONT);
    let under_way = crew.has_read(harbour);
    crew.watched_since(harbour, continued);
    assert_eq!(under_way, "end whole");
    table::says("transparent", "hung", crew.new_calls_since(stopped), "wait; end whole if it goes on");

    crew.reads(harbour);
    let ended = crew.signal(harbour, Signal::SIGTERM);
    let under_way = crew.has_read(harbour);
    // What the first of the two has taken in began before.
    crew.watched_since(harbour, ended + 1.0);
    let failed = crew.failed_since(ended);
    assert!(failed.is_empty(), "{ended}: {failed:?}");
    table::says("transparent", "restarting", crew.new_calls_since(ended), under_way);
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
    let ended = harbour.node.until("the sidecar runs out of memory", DEADLINE, || {
        let pod = harbour.node.get(&["pod", "-n", &crew.namespace, &crew.pod]);
        let sidecar = status(&pod, "initContainerStatuses", containers::SIDECAR);
        let ended = [&sidecar["lastState"], &sidecar["state"]].map(|state| &state["terminated"]);
        ended.into_iter().find(|ended| ended["reason"] == "OOMKilled").cloned()
    });
    assert_eq!(ended["exitCode"], 137, "{ended}");
    let seen = now();
    crew.watched_since(harbour, seen);
    // Those within the switch's time may fail: it was killed a moment before this was seen.
    let dead = crew.new_calls_since(seen);
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
