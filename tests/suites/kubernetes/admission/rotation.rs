//! The webhook's certificate is replaced while pods are made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outrigger_tests::DEADLINE;
use outrigger_tests::api::Api;
use outrigger_tests::http::get;
use serde_json::{Value, json};

use super::is_injected;
use crate::harbour::{HARBOUR, Harbour, RELEASE, pod};

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
    let _here = harbour.admission();
    let mut made = 0;
    let mut meanwhile = |what: &str, has_come: &dyn Fn() -> bool| {
        harbour.node.until(what, DEADLINE, || {
            for _ in 0..5 {
                let told = api.would_make(&path, &one);
                assert!(is_injected(&told.object), "{what}: after {made} others: {told:?}");
                made += 1;
            }
            has_come().then_some(())
        });
    };
    let before = taken_up(harbour);
    assert_eq!(before.len(), 2, "replicas");
    harbour.node.kubectl(&["delete", "secret", "-n", RELEASE, "outrigger-injector-certificate"]);
    meanwhile("a second authority", &|| authorities(harbour) == 2);
    meanwhile("the new certificate, of every replica", &|| {
        let now = taken_up(harbour);
        now.len() == before.len() && now.iter().zip(&before).all(|(now, before)| now > before)
    });
    meanwhile("the end of the old authority", &|| authorities(harbour) == 1);
}
