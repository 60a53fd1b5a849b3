//! The webhook's certificate is replaced while pods are made.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outrigger_tests::DEADLINE;
use outrigger_tests::api::Api;
use outrigger_tests::http::get;
use outrigger_tests::process::Program;
use serde_json::{Value, json};

use super::is_injected;
use crate::harbour::{HARBOUR, Harbour, pod};
use crate::installed::RELEASE;

const SECRET: &str = "outrigger-injector-certificate";
/// From one pod to the next.
const BETWEEN: Duration = Duration::from_millis(50);

/// By each replica that stays, how many certificates it has taken up.
fn taken_up(harbour: &Harbour) -> Vec<u64> {
    let line = "outrigger_injector_certificates_total{result=\"loaded\"} ";
    let pods = harbour.node.get(&["pods", "-n", RELEASE, "-l", "app.kubernetes.io/name=outrigger-injector"]);
    let pods = pods["items"].as_array().expect("pods").clone();
    let staying = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let address = |pod: &Value| format!("{}:19005", pod["status"]["podIP"].as_str().unwrap_or_default());
    let count = |pod: &Value| {
        let (_, page) = get(address(pod).parse().expect("an address"), "/metrics").expect("it listens");
        page.lines().find_map(|found| found.strip_prefix(line)?.parse().ok()).expect("its count")
    };
    staying.map(count).collect()
}

/// How many authorities the API server trusts.
fn authorities(harbour: &Harbour) -> usize {
    let configuration = harbour.node.get(&["mutatingwebhookconfiguration", "outrigger"]);
    let coded = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().expect("an authority");
    let bundle = String::from_utf8(STANDARD.decode(coded).expect("base64")).expect("PEM");
    bundle.matches("BEGIN CERTIFICATE").count()
}

#[test]
fn no_pod_is_missed_while_the_certificate_is_replaced() {
    let harbour = &*HARBOUR;
    let tide = harbour.namespace("tide", json!({}));
    let api = Api::of(&harbour.node);
    let one = pod(&tide, "one", &["true"]);
    let path = format!("/api/v1/namespaces/{tide}/pods");
    let (end, ended) = channel::<()>();
    let _here = harbour.admission();
    let before = taken_up(harbour);
    assert_eq!(before.len(), 2, "replicas");
    let made = thread::scope(|scope| {
        // Pods come all the time, but not so many that nobody else comes to anything.
        let load = scope.spawn(move || {
            let mut made = 0;
            while ended.recv_timeout(BETWEEN) == Err(RecvTimeoutError::Timeout) {
                let told = api.would_make(&path, &one);
                assert!(is_injected(&told.object), "after {made} others: {told:?}");
                made += 1;
            }
            made
        });
        // What becomes of the Secret, as it becomes: times stand in its annotations.
        let which = format!("--field-selector=metadata.name={SECRET}");
        let what = "--output=jsonpath={.metadata.annotations}{\"\\n\"}";
        let secret =
            Program::start(harbour.node.command(&["get", "secret", "-n", RELEASE, "--watch", &which, what]));
        secret.output_line(|line| line.contains("not-after"));
        harbour.node.kubectl(&["delete", "secret", "-n", RELEASE, SECRET]);
        secret.output_line(|line| line.contains("next-published"));
        assert_eq!(authorities(harbour), 2, "both are trusted before the new one is shown");
        secret.output_line(|line| line.contains("old-authority-until") && !line.contains("next-"));
        secret.output_line(|line| line.contains("not-after") && !line.contains("old-authority-until"));
        harbour.node.until(RELEASE, "the end of the old authority", DEADLINE, || {
            (authorities(harbour) == 1).then_some(())
        });
        drop(end);
        load.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))
    });
    let now = taken_up(harbour);
    assert!(
        now.len() == 2 && now.iter().zip(&before).all(|(now, before)| now > before),
        "{before:?} {now:?}"
    );
    assert!(made > 50, "only {made} pods came meanwhile");
}
