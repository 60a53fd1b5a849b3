//! Annotations with nonsense: the pod starts, and whoever creates it is told.

use outrigger_contract::annotations;
use outrigger_tests::DEADLINE;
use serde_json::json;

use crate::harbour::{HARBOUR, app, pod};

#[test]
fn a_pod_with_annotations_that_make_no_sense_starts_and_kubectl_warns() {
    let harbour = &*HARBOUR;
    let fog = harbour.namespace("fog", json!({}));
    let model = "gpt-4.1-fog";
    let mut lost = pod(&fog, "lost", &app(model, "1", "0"));
    lost["metadata"]["annotations"] = json!({
        annotations::MODE: "transparant",
        annotations::TRUST_JAVA: "perhaps",
        annotations::RESOURCES: "memory=lots",
        "outrigger.dev/pasthrough-hosts": "api.openai.com",
        "outrigger.dev/image": "evil:latest",
    });
    let here = harbour.admission();
    let warned = harbour.node.warned(&lost);
    drop(here);
    let warnings: Vec<&str> = warned.lines().filter(|line| line.starts_with("Warning: ")).collect();
    for parts in [
        &["outrigger.dev/mode is `transparant`", "`transparent`, `base-url` or `proxy`"][..],
        &["outrigger.dev/trust-java is `perhaps`", "`true` or `false`"],
        &["outrigger.dev/resources is `memory=lots`", "`lots` is not a quantity", "memory-limit=256Mi"],
        &["outrigger.dev/pasthrough-hosts is not known", "outrigger.dev/passthrough-hosts"],
        &["outrigger.dev/image is not known", "outrigger.dev/{mode,"],
    ] {
        let is_said = warnings.iter().any(|warning| parts.iter().all(|part| warning.contains(part)));
        assert!(is_said, "{parts:?}: {warned}");
    }

    let (_, said) = harbour.start(&fog, &lost);
    let answer = harbour.next(&said, &fog, |_| true);
    assert!(answer["text"].is_string(), "{answer}");
    let seen = harbour.telemetry.wait_for(DEADLINE, |received| {
        received.calls.iter().any(|call| call["gen_ai.request.model"] == model)
    });
    assert!(seen.is_some(), "it is watched as if they were not there");
    let made = harbour.node.get(&["pod", "-n", &fog, "lost"]);
    let written = &made["metadata"]["annotations"];
    assert_eq!(written[annotations::STATUS], "injected");
    for (name, part) in [
        (annotations::REASON, "`transparent`, `base-url` or `proxy`"),
        // Where telemetry goes is said; where prompts go depends on rules.
        (annotations::SENDS_TO, &harbour.telemetry.url()),
    ] {
        let text = written[name].as_str().unwrap_or_default();
        assert!(text.contains(part), "{name}: {text}");
    }
}
