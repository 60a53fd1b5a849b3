//! Private endpoints: the chart's `hosts[].upstream` says where they are and its `extraCAs` who vouches for them.

use outrigger_tests::DEADLINE;
use serde_json::{Value, json};

use crate::harbour::{GATEWAY, HARBOUR, PRIVATE, app, pod};

#[test]
fn a_private_endpoint_is_reached_through_the_sidecar_and_priced_as_its_provider() {
    let harbour = &*HARBOUR;
    let basin = harbour.namespace("basin", json!({}));
    for (name, host, model) in [("berth", PRIVATE, "o4-mini"), ("quay", GATEWAY, "gpt-4.1-mini-2025-04-14")] {
        // A container that ended would be started again, and ask again.
        let mut object = pod(&basin, name, &[&app(model, "1", "0")[..], &["stay"]].concat());
        let environment = object["spec"]["containers"][0]["env"].as_array_mut().expect("a list");
        environment.push(json!({"name": "OPENAI_BASE_URL", "value": format!("https://{host}/v1")}));
        let (pod, said) = harbour.start(&basin, &object);
        let answer = harbour.next(&said, &basin, |_| true);
        assert!(answer["text"].is_string(), "{host}: {answer}");
        let of_it = |resource: &std::collections::BTreeMap<String, Value>| resource["k8s.pod.name"] == *pod;
        let seen = harbour.telemetry.wait_for(DEADLINE, |received| received.resources.iter().any(of_it));
        let seen = seen.unwrap_or_else(|| panic!("{}", harbour.node.sidecar_log(&basin, &pod)));
        let calls: Vec<_> =
            seen.resources.iter().zip(&seen.calls).filter(|(resource, _)| of_it(resource)).collect();
        let [(_, call)] = calls[..] else { panic!("{host}: {calls:?}") };
        let asked =
            |body: &[u8]| serde_json::from_slice::<Value>(body).is_ok_and(|body| body["model"] == model);
        let arrived = |at: &outrigger_simulator::Simulator| {
            at.received().iter().filter(|received| asked(&received.body)).count()
        };
        assert_eq!((arrived(&harbour.endpoint), arrived(&harbour.providers)), (1, 0), "{host}");
        assert_eq!(call["server.address"], host);
        if host == PRIVATE {
            assert_eq!(call["gen_ai.provider.name"], "openai");
            let cost = call["outrigger.cost.usd"].as_str().expect("a cost");
            assert!(cost.parse::<f64>().is_ok_and(|dollars| dollars > 0.0), "{cost}");
        } else {
            // Whose models these are is not known, so neither is what they cost.
            assert_eq!(call["gen_ai.provider.name"], "operator_listed");
            assert_eq!(call["outrigger.cost.status"], "unpriced", "{call:?}");
            assert!(!call.contains_key("outrigger.cost.usd"), "{call:?}");
        }
    }
}
