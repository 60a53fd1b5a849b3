//! A native sidecar's life: it is there before the first call and after the last one.

use outrigger_tests::DEADLINE;
use serde_json::{Value, json};

use crate::harbour::{HARBOUR, Harbour, LONG, SLOW, app, pod};

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
    let model = "gpt-4.1-dawn";
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
    let model = "gpt-4.1-night";
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
fn an_open_stream_ends_whole_when_its_pod_is_deleted() {
    let harbour = &*HARBOUR;
    let dusk = harbour.namespace("dusk", json!({}));
    let command = [&app(SLOW, "1", "0")[..], &["stream"]].concat();
    let (pod, said) = harbour.start(&dusk, &pod(&dusk, "reader", &command));
    harbour.next(&said, &dusk, |said| said["begun"] == true);
    harbour.node.kubectl(&["delete", "pod", "-n", &dusk, &pod, "--wait=false"]);
    let read = harbour.next(&said, &dusk, |_| true);
    assert_eq!(read["text"], LONG, "{read}");
    let recorded = harbour.telemetry.wait_for(DEADLINE, |received| {
        received.resources.iter().any(|resource| resource["k8s.pod.name"] == pod.as_str())
    });
    assert!(recorded.is_some(), "the call is not recorded");
}
