//! Apps whose calls are followed one by one while their sidecar comes to harm.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Received;
use outrigger_tests::process::Program;
use serde_json::{Value, json};

use crate::harbour::{Harbour, LONG, SLOW, app, deployment, send};

/// How long a call may take that nothing holds up, in seconds; one that fails at once fails within it. The provider's
/// machine is busy.
pub(crate) const AT_ONCE: f64 = 4.0;

/// An app that asks ten times a second, each time anew, beside one that reads slow streams.
pub(crate) struct Crew {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    asking: Program,
    reading: Program,
    /// Calls that have ended.
    pub(crate) calls: Vec<Call>,
}

/// One of them: seconds since 1970, and what went wrong.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) began: f64,
    pub(crate) ended: f64,
    /// For how many seconds of it the app had no processor: the machine held it up, no sidecar.
    stalled: f64,
    pub(crate) error: Option<String>,
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64()
}

impl Crew {
    /// One in a namespace of its own, redirected.
    pub(crate) fn board(harbour: &Harbour, name: &str, model: &str) -> Crew {
        let namespace = harbour.namespace(name, json!({}));
        Crew::of(harbour, namespace.clone(), &two(&namespace, model, &reader()))
    }

    /// The one that a Deployment of [`two`] makes.
    pub(crate) fn of(harbour: &Harbour, namespace: String, object: &Value) -> Crew {
        let (pod, asking) = harbour.start(&namespace, object);
        let both = "--for=jsonpath={.status.containerStatuses[1].started}=true";
        harbour.node.wait(&namespace, &[both, "pod", &pod]);
        let reading = harbour.node.logs(&namespace, &pod, "reader");
        Crew { namespace, pod, asking, reading, calls: Vec::new() }
    }

    /// Takes in calls as they end, until they are as wanted.
    pub(crate) fn until(&mut self, harbour: &Harbour, what: &str, enough: impl Fn(&[Call]) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !enough(&self.calls) {
            assert!(Instant::now() < until, "{what}: it never came\n{}", harbour.node.told(&self.namespace));
            while self.hears(harbour).is_some() {}
        }
    }

    /// Waits until so many calls have begun since a moment, whether they end or not.
    pub(crate) fn asks(&mut self, harbour: &Harbour, since: f64, count: usize) {
        let mut begun = 0;
        while begun < count {
            begun += usize::from(self.hears(harbour).is_some_and(|began| began > since));
        }
    }

    /// Takes in the next that the app says: a call that has ended, or when one begins.
    fn hears(&mut self, harbour: &Harbour) -> Option<f64> {
        let said = harbour.next(&self.asking, &self.namespace, |_| true);
        let at = |key: &str| said[key].as_f64().expect("a time");
        if said["ended"].is_null() {
            return Some(at("began"));
        }
        let error = said["error"].as_str().map(|error| format!("{error}: {}", said["told"]));
        self.calls.push(Call { began: at("began"), ended: at("ended"), stalled: at("stalled"), error });
        None
    }

    /// Waits until a call is recorded that began after a moment, and one that began later still has ended.
    pub(crate) fn watched_since(&mut self, harbour: &Harbour, moment: f64) {
        let pod = self.pod.clone();
        let recorded = |received: &Received| is_recorded(received, &pod, moment);
        let now_and_then = |_: &[Call]| harbour.telemetry.wait_for(Duration::ZERO, recorded).is_some();
        self.until(harbour, "it is watched again", now_and_then);
        let seen = now();
        self.until(harbour, "a call after that", |calls| calls.iter().any(|call| call.began > seen));
    }

    /// Waits until a stream has begun.
    pub(crate) fn reads(&self, harbour: &Harbour) {
        let asked = now();
        let begun = |said: &Value| said["begun"] == true && said["at"].as_f64() > Some(asked);
        harbour.next(&self.reading, &self.namespace, begun);
    }

    /// How the stream that is under way ends.
    pub(crate) fn has_read(&self, harbour: &Harbour) -> &'static str {
        let read = harbour.next(&self.reading, &self.namespace, |_| true);
        match (read["text"] == LONG, read["error"].is_string()) {
            (true, _) => "end whole",
            (_, true) => "end in an error",
            _ => panic!("{read}"),
        }
    }

    /// Sends the sidecar a signal; returns when.
    pub(crate) fn signal(&self, harbour: &Harbour, signal: Signal) -> f64 {
        let sidecar = harbour.process(&self.namespace, &self.pod, "outrigger-sidecar");
        let sent = now();
        send(signal, sidecar);
        sent
    }

    /// Calls that failed after a moment, whenever they began.
    pub(crate) fn failed_since(&self, moment: f64) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.error.is_some() && call.ended >= moment).collect()
    }
}

/// The command line of one that reads slow streams, each on a connection of its own.
pub(crate) fn reader() -> Vec<&'static str> {
    [&app(SLOW, "0", "0.5")[..], &["stream", "fresh"]].concat()
}

/// A Deployment of one that asks a model, with a second container.
pub(crate) fn two(namespace: &str, model: &str, second: &[&str]) -> Value {
    let mut object = deployment(namespace, "diver", &["python3", "/srv/pulse.py", model, "0", "0.1"]);
    let all = &mut object["spec"]["template"]["spec"]["containers"];
    let mut reader = all[0].clone();
    reader["name"] = "reader".into();
    reader["command"] = json!(second);
    *all = json!([all[0], reader]);
    object
}

impl Call {
    /// Seconds in which its app could have gone on.
    pub(crate) fn took(&self) -> f64 {
        self.ended - self.began - self.stalled
    }
}

/// Whether a call of a pod is recorded that began after a moment.
pub(crate) fn is_recorded(received: &Received, pod: &str, moment: f64) -> bool {
    let mut all = received.records.iter().zip(&received.resources);
    all.any(|(record, of)| {
        of["k8s.pod.name"] == pod && Duration::from_nanos(record.times.started.0).as_secs_f64() > moment
    })
}
