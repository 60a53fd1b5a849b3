//! Which pods get a sidecar, what they get where Pod Security is strict, and what happens while nobody answers.

use outrigger_contract::{annotations, ports};
use outrigger_tests::DEADLINE;
use outrigger_tests::node::Node;
use serde_json::{Value, json};

use crate::harbour::{HARBOUR, Harbour, app, pod};
use crate::installed::{PROBE, RELEASE};

mod again;
mod rotation;
mod running;
mod valid;

/// What the chart's policy warns of.
const BARE: &str = "this pod asked for an Outrigger sidecar and has none, so its LLM calls go unobserved: ";

/// A pod as the API server would make it, without making it.
pub(crate) fn admitted(harbour: &Harbour, object: &Value) -> Value {
    admitted_on(&harbour.node, object)
}

/// The same on any node.
pub(crate) fn admitted_on(node: &Node, object: &Value) -> Value {
    let told = node.give("create", object, &["--dry-run=server", "--output=json"]);
    serde_json::from_str(&told.unwrap_or_else(|error| panic!("{error}\n{object:#}"))).expect("JSON")
}

pub(crate) fn is_injected(admitted: &Value) -> bool {
    admitted["spec"]["initContainers"].as_array().into_iter().flatten().any(|one| one["name"] == "outrigger")
}

#[test]
fn pods_that_asked_for_none_or_cannot_have_one_stay_as_they_are() {
    let harbour = &*HARBOUR;
    harbour.namespace_of("plain", json!({}));
    let asked = harbour.namespace("asked", json!({}));
    let _here = harbour.admission();
    let word = |pod: &Value, name: &str| {
        pod["metadata"]["annotations"][name].as_str().unwrap_or_default().to_owned()
    };

    assert!(is_injected(&admitted(harbour, &pod(&asked, "one", &["true"]))));
    let mut of_the_label = pod("plain", "one", &["true"]);
    of_the_label["metadata"]["labels"][annotations::INJECT] = "enabled".into();
    assert!(is_injected(&admitted(harbour, &of_the_label)));

    let mut refusing = pod(&asked, "one", &["true"]);
    refusing["metadata"]["labels"][annotations::INJECT] = "disabled".into();
    let mut systems = of_the_label.clone();
    systems["metadata"]["namespace"] = "kube-system".into();
    let mut ours = of_the_label;
    ours["metadata"]["namespace"] = RELEASE.into();
    for untouched in [pod("plain", "one", &["true"]), refusing, systems, ours] {
        let admitted = admitted(harbour, &untouched);
        assert!(!is_injected(&admitted), "{admitted:#}");
        assert_eq!(word(&admitted, annotations::STATUS), "");
        assert_eq!(admitted["spec"]["containers"][0]["env"], untouched["spec"]["containers"][0]["env"]);
    }

    let mut on_the_host = pod(&asked, "one", &["true"]);
    on_the_host["spec"]["hostNetwork"] = true.into();
    let admitted = admitted(harbour, &on_the_host);
    assert!(!is_injected(&admitted));
    assert_eq!(word(&admitted, annotations::STATUS), "skipped");
    assert!(
        word(&admitted, annotations::REASON).contains("host"),
        "{}",
        word(&admitted, annotations::REASON)
    );
    // The injector says it, and so does the policy with its words.
    let warned = harbour.node.warned(&on_the_host);
    for part in ["Warning: outrigger: no sidecar, host-network: ", &format!("{BARE}host-network: ")] {
        assert!(warned.contains(part), "{part} is not in: {warned}");
    }
}

#[test]
fn a_restricted_namespace_takes_pods_that_are_led_by_base_urls() {
    let harbour = &*HARBOUR;
    let vault = harbour.namespace("vault", json!({"pod-security.kubernetes.io/enforce": "restricted"}));
    let model = "gpt-4.1";
    let mut strict = pod(&vault, "clerk", &app(model, "2", "0"));
    strict["spec"]["securityContext"] =
        json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}});
    strict["spec"]["containers"][0]["securityContext"] =
        json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let refused = harbour.node.give("create", &pod(&vault, "loose", &["true"]), &["--dry-run=server"]);
    let refused = refused.expect_err("the namespace is restricted");
    assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{refused}");
    let (pod, said) = harbour.start(&vault, &strict);
    let answer = harbour.next(&said, &vault, |_| true);
    assert!(answer["text"].is_string(), "{answer}");
    let seen = harbour.telemetry.wait_for(DEADLINE, |received| {
        received.resources.iter().filter(|resource| resource["k8s.pod.name"] == pod.as_str()).count() >= 2
    });
    assert!(seen.is_some(), "{}", harbour.node.sidecar_log(&vault, &pod));
    let made = harbour.node.get(&["pod", "-n", &vault, &pod]);
    let first: Vec<&Value> =
        made["spec"]["initContainers"].as_array().into_iter().flatten().map(|one| &one["name"]).collect();
    assert_eq!(first, ["outrigger"], "who redirects needs NET_ADMIN");
    let mut variables = made["spec"]["containers"][0]["env"].as_array().into_iter().flatten();
    let led = variables.find(|one| one["name"] == "OPENAI_BASE_URL").expect("a base URL");
    assert_eq!(led["value"], format!("http://127.0.0.1:{}/openai/v1", ports::BASE_URL));
}

#[test]
fn pods_start_bare_while_nobody_answers_and_are_injected_again() {
    let harbour = &*HARBOUR;
    let calm = harbour.namespace("calm", json!({}));
    let _alone = harbour.no_admission();
    let scale =
        |to: &str| harbour.node.kubectl(&["scale", "-n", RELEASE, "deployment/outrigger-injector", to]);
    scale("--replicas=0");
    harbour.node.wait(RELEASE, &["--for=delete", "pod", "-l", "app.kubernetes.io/name=outrigger-injector"]);
    let one = pod(&calm, "one", &["true"]);
    let bare = admitted(harbour, &one);
    assert!(!is_injected(&bare), "{bare:#}");
    let warned = harbour.node.warned(&one);
    assert!(warned.starts_with("Warning: ") && warned.contains(BARE), "{warned}");
    assert!(warned.contains("the injector did not answer; ask for its pods in namespace outrigger-system"));
    let test = ["test", "outrigger", "-n", RELEASE, "--timeout=180s"];
    let told = harbour.ask_helm(&test).expect_err("nobody answers");
    assert!(told.contains("outrigger-test-injection"), "{told}");
    let said = harbour.node.kubectl(&["logs", "-n", PROBE, "outrigger-test-injection"]);
    assert!(said.contains("asked for a sidecar and nobody answered"), "{said}");
    let unasked = harbour.node.warned(&pod("default", "one", &["true"]));
    assert_eq!(unasked, "", "nobody asked for a sidecar here");
    scale("--replicas=2");
    harbour.node.until(RELEASE, "pods are injected again", DEADLINE, || {
        is_injected(&admitted(harbour, &one)).then_some(())
    });
    assert_eq!(harbour.node.warned(&one), "");
    harbour.helm(&test);
    assert!(
        harbour.node.ask(&["get", "pod", "-n", PROBE, "outrigger-test-injection"]).is_err(),
        "it goes when it is done"
    );
}
