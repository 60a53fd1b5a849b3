//! What an app sees while its sidecar is dead, hung or restarting, where variables lead its calls: by base URLs, as a restricted namespace has
//! it, or by a proxy.

use nix::sys::signal::Signal;
use outrigger_contract::annotations;
use serde_json::{Value, json};

use crate::crew::{AT_ONCE, Call, Crew, reader, two};
use crate::harbour::{HARBOUR, Harbour};
use crate::table;

/// So many calls begin while one waits for longer than anything takes that nothing holds up.
const WAITING: usize = 45;

/// A crew in a namespace of this Pod Security, where nothing may redirect.
fn secured(harbour: &Harbour, name: &str, level: &str, annotations: Value, model: &str) -> Crew {
    let namespace = harbour.namespace(name, json!({"pod-security.kubernetes.io/enforce": level}));
    let mut object = two(&namespace, model, &reader());
    let template = &mut object["spec"]["template"];
    template["metadata"]["annotations"] = annotations;
    template["spec"]["securityContext"] =
        json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}});
    for container in template["spec"]["containers"].as_array_mut().expect("a list") {
        container["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    }
    Crew::of(harbour, namespace, &object)
}

/// What calls saw that began from a moment on, and whether all is well after them.
fn new_calls(calls: &[Call], from: f64) -> &'static str {
    let later = || calls.iter().filter(|call| call.began >= from);
    let failed = later().filter(|call| call.error.is_some()).count();
    let waited = later().filter(|call| call.took() > AT_ONCE).count();
    let last = later().next_back().expect("calls");
    assert!(last.error.is_none() && last.took() < AT_ONCE, "{last:?}");
    match (failed, waited) {
        (0, 0) => "none fails",
        (0, _) => "wait",
        (_, 0) => {
            // Once it is back nothing fails any more.
            let first_failed = later().find(|call| call.error.is_some()).map_or(from, |call| call.began);
            let back = later().filter(|call| call.error.is_none() && call.began > first_failed);
            let back = back.map(|call| call.began).fold(f64::INFINITY, f64::min);
            let again: Vec<_> = later().filter(|call| call.began > back && call.error.is_some()).collect();
            assert!(again.is_empty(), "{again:?}");
            "fail at once until it is back"
        }
        _ => panic!("{:?}", later().collect::<Vec<_>>()),
    }
}

fn hung_restarting_dead(harbour: &Harbour, crew: &mut Crew, mode: &str) {
    crew.watched_since(harbour, 0.0);
    crew.reads(harbour);
    let stopped = crew.signal(harbour, Signal::SIGSTOP);
    crew.asks(harbour, stopped, WAITING);
    let continued = crew.signal(harbour, Signal::SIGCONT);
    assert_eq!(crew.has_read(harbour), "end whole");
    crew.watched_since(harbour, continued);
    table::says(mode, "hung", new_calls(&crew.calls, stopped), "wait; end whole if it goes on");

    for (signal, state) in [(Signal::SIGTERM, "restarting"), (Signal::SIGKILL, "dead")] {
        crew.reads(harbour);
        let ended = crew.signal(harbour, signal);
        let under_way = crew.has_read(harbour);
        // What it has taken in began before.
        crew.watched_since(harbour, ended + 1.0);
        table::says(mode, state, new_calls(&crew.calls, ended), under_way);
    }
}

#[test]
fn calls_that_base_urls_lead_depend_on_the_sidecar() {
    let harbour = &*HARBOUR;
    let mut crew = secured(harbour, "dock", "restricted", json!({}), "gpt-4o-2024-08-06");
    hung_restarting_dead(harbour, &mut crew, "base URL");
}

#[test]
fn calls_that_a_proxy_leads_depend_on_the_sidecar() {
    let harbour = &*HARBOUR;
    let mut crew =
        secured(harbour, "canal", "baseline", json!({annotations::MODE: "proxy"}), "gpt-4o-2024-11-20");
    hung_restarting_dead(harbour, &mut crew, "proxy");
}
