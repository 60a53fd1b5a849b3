//! An unmodified app's calls are seen, with whose they are and what they cost; it has the answers that it would have had.

use outrigger_tests::DEADLINE;
use serde_json::Value;

use crate::harbour::{HARBOUR, app, deployment};

#[test]
fn calls_of_a_deployment_are_recorded_with_pod_owner_and_cost() {
    let harbour = &*HARBOUR;
    let shop = harbour.namespace("shop", serde_json::json!({}));
    // A container that ended would be started again, and ask again.
    let three = [&app("gpt-5-mini", "3", "0.1")[..], &["stay"]].concat();
    let (pod, said) = harbour.start(&shop, &deployment(&shop, "till", &three));
    for _ in 0..3 {
        let answer = harbour.next(&said, &shop, |_| true);
        assert!(answer["text"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    }
    let mine = |resource: &std::collections::BTreeMap<String, Value>| {
        resource.get("k8s.namespace.name") == Some(&"shop".into())
    };
    let received = harbour
        .telemetry
        .wait_for(DEADLINE, |received| received.resources.iter().filter(|one| mine(one)).count() >= 3)
        .unwrap_or_else(|| panic!("{}", harbour.node.sidecar_log(&shop, &pod)));
    let calls: Vec<_> =
        received.resources.iter().zip(&received.calls).filter(|(resource, _)| mine(resource)).collect();
    assert_eq!(calls.len(), 3);
    for (resource, call) in calls {
        assert_eq!(resource["k8s.pod.name"], pod.as_str());
        assert_eq!(resource["k8s.deployment.name"], "till");
        assert_eq!(call["gen_ai.request.model"], "gpt-5-mini");
        let cost = call["outrigger.cost.usd"].as_str().expect("a cost");
        assert!(cost.parse::<f64>().is_ok_and(|dollars| dollars > 0.0), "{cost}");
    }
}
