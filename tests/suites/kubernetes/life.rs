//! A native sidecar's life: it is there before the first call and after the last one, and an app does without it.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outrigger_tests::DEADLINE;
use serde_json::{Value, json};

use crate::harbour::{HARBOUR, Harbour, app, deployment, pod};

/// How long calls may fail for when the sidecar is killed: until the redirection lapses, and an app's own time.
const ALONE: f64 = 5.0;

/// Calls for a model: as the provider saw them, and as they were recorded.
fn seen(harbour: &Harbour, model: &str) -> (usize, usize) {
    let asks = |body: &[u8]| serde_json::from_slice::<Value>(body).is_ok_and(|body| body["model"] == model);
    let arrived = harbour.providers.received().iter().filter(|one| asks(&one.body)).count();
    let recorded = harbour
        .telemetry
        .received()
        .calls
        .iter()
        .filter(|call| call["gen_ai.request.model"] == model)
        .count();
    (arrived, recorded)
}

fn recorded(harbour: &Harbour, model: &str, calls: usize) {
    let come = harbour.telemetry.wait_for(DEADLINE, |received| {
        received.calls.iter().filter(|call| call["gen_ai.request.model"] == model).count() >= calls
    });
    assert!(come.is_some(), "of {} calls {} are recorded", seen(harbour, model).0, seen(harbour, model).1);
}

#[test]
fn no_call_escapes_before_the_sidecar_and_the_last_one_is_answered() {
    let harbour = &*HARBOUR;
    let dawn = harbour.namespace("dawn", json!({}));
    let model = "gpt-4o-mini";
    let mut early = pod(&dawn, "early", &["python3", "/srv/pod.py", model, "1", "0", "stay"]);
    // An init container of the user's calls too.
    let mut first = early["spec"]["containers"][0].clone();
    first["name"] = "before".into();
    first["command"] = json!(app(model, "1", "0"));
    early["spec"]["initContainers"] = json!([first]);
    let (pod, said) = harbour.start(&dawn, &early);
    harbour.next(&said, &dawn, |said| said["text"].is_string());
    harbour.node.kubectl(&["delete", "pod", "-n", &dawn, &pod, "--wait=false"]);
    let last = harbour.next(&said, &dawn, |said| said["last"] == true);
    assert!(last["text"].is_string(), "{last}");
    recorded(harbour, model, 3);
    assert_eq!(seen(harbour, model), (3, 3));
    harbour.node.wait(&dawn, &["--for=delete", "pod", &pod]);
}

#[test]
fn a_job_and_a_cron_job_end_with_their_work() {
    let harbour = &*HARBOUR;
    let night = harbour.namespace("night", json!({}));
    let model = "gpt-4.1-nano";
    let mut spec = pod(&night, "bill", &app(model, "1", "0"))["spec"].clone();
    spec["restartPolicy"] = "Never".into();
    let here = harbour.admission();
    let job = json!({"template": {"metadata": {"labels": {"app": "bill"}}, "spec": spec}});
    harbour.node.apply(&[
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": night}, "spec": job}),
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": night},
            "spec": {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": job}},
        }),
    ]);
    harbour.node.kubectl(&["create", "job", "-n", &night, "--from=cronjob/nightly", "nightly-29932117"]);
    for job in ["once", "nightly-29932117"] {
        harbour
            .node
            .wait(&night, &["--for=create", "pod", "-l", &format!("batch.kubernetes.io/job-name={job}")]);
    }
    drop(here);
    harbour.node.wait(&night, &["--for=condition=Complete", "job/once", "job/nightly-29932117"]);
    recorded(harbour, model, 2);
    let received = harbour.telemetry.received();
    let of = |key: &str, value: &str| {
        received.resources.iter().any(|resource| resource.get(key) == Some(&value.into()))
    };
    assert!(of("k8s.job.name", "once") && of("k8s.cronjob.name", "nightly"));
}

#[test]
fn an_app_does_without_a_killed_sidecar_and_is_watched_again() {
    let harbour = &*HARBOUR;
    let reef = harbour.namespace("reef", json!({}));
    let model = "gpt-4.1-mini";
    let (pod, said) = harbour
        .start(&reef, &deployment(&reef, "diver", &[&app(model, "0", "0.1")[..], &["fresh"]].concat()));
    let authority = || {
        harbour.node.kubectl(&[
            "exec",
            "-n",
            &reef,
            &pod,
            "-c",
            "app",
            "--",
            "cat",
            "/var/run/outrigger/trust/ca.pem",
        ])
    };
    let before = authority();
    assert!(before.contains("BEGIN CERTIFICATE"), "{before}");
    let mut good = harbour.next(&said, &reef, |said| said["text"].is_string());
    let mut longest = 0.0_f64;
    let mut next_good = |good: &mut Value| {
        let next = harbour.next(&said, &reef, |said| said["text"].is_string());
        longest =
            longest.max(next["at"].as_f64().unwrap_or_default() - good["at"].as_f64().unwrap_or_default());
        *good = next;
    };
    recorded(harbour, model, 1);
    // The second time the kubelet waits before it starts it again.
    for _ in 0..2 {
        let sidecar = harbour.process(&reef, &pod, "outrigger-sidecar");
        kill(Pid::from_raw(i32::try_from(sidecar).expect("a process id")), Signal::SIGKILL).expect("it runs");
        let (_, known) = seen(harbour, model);
        // Calls of after its return are recorded again. Until then the app asks on.
        let until = Instant::now() + DEADLINE;
        while seen(harbour, model).1 < known + 5 {
            assert!(Instant::now() < until, "it is not watched again\n{}", harbour.node.told(&reef));
            next_good(&mut good);
        }
    }
    let (arrived, recorded) = seen(harbour, model);
    assert!(
        arrived > recorded + 5,
        "none of {arrived} calls went past the dead sidecar; {recorded} are recorded"
    );
    assert!(longest < ALONE, "no call was answered for {longest} s");
    assert_eq!(authority(), before, "its restarts made another authority");
}
