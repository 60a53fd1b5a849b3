//! A pod that an API server takes is taken after its patch too: the pods of the goldens, and pods at random.

use outrigger_injector::{Context, Options, Status, patch};
use outrigger_tests::api::Api;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::harbour::HARBOUR;

#[allow(dead_code, reason = "it serves the injector's own tests as well")]
#[path = "../../../../crates/injector/tests/support/mod.rs"]
mod support;
use support::examples::{self, Example};

/// Pods at random.
const PODS: u32 = 300;

/// Who answers: of a namespace whose pods no webhook is asked for.
struct Dock {
    api: Api,
    namespace: &'static str,
}

impl Dock {
    fn open(namespace: &'static str) -> Dock {
        HARBOUR.namespace_of(namespace, json!({}));
        Dock { api: Api::of(&HARBOUR.node), namespace }
    }

    /// Whether a pod may be made; `Err` says why not.
    fn takes(&self, pod: &Value) -> Result<(), String> {
        let mut pod = pod.clone();
        let metadata = &mut pod["metadata"];
        if metadata["name"].is_null() && metadata["generateName"].is_null() {
            metadata["name"] = "one".into();
        }
        metadata["namespace"] = self.namespace.into();
        let told = self.api.would_make(&format!("/api/v1/namespaces/{}/pods", self.namespace), &pod);
        if told.status == 201 { Ok(()) } else { Err(format!("{} {}", told.status, told.object["message"])) }
    }

    /// Whether it may be made before and after its patch.
    fn takes_both(
        &self,
        pod: &Value,
        context: &Context,
        options: &Options,
    ) -> Result<Status, (&'static str, String)> {
        self.takes(pod).map_err(|fault| ("as it came", fault))?;
        let outcome = patch(pod, context, options);
        self.takes(&outcome.pod).map_err(|fault| ("with its patch", fault))?;
        Ok(outcome.status)
    }
}

#[test]
fn every_golden_is_a_pod() {
    let dock = Dock::open("gauge");
    for (name, Example { pod, context, options }) in examples::injected() {
        assert_eq!(dock.takes_both(&pod, &context, &options), Ok(Status::Injected), "{name}");
    }
    for Example { pod, context, options } in examples::skipped() {
        let status = dock.takes_both(&pod, &context, &options);
        assert!(matches!(status, Ok(Status::Skipped(_))), "{status:?}: {pod:#}");
    }
    let fault = dock.takes(&json!({"spec": {"containers": [{"name": "Not A Label"}]}})).unwrap_err();
    assert!(fault.starts_with("422 ") && fault.contains("spec.containers[0].name"), "{fault}");
}

#[test]
fn a_random_valid_pod_never_yields_an_invalid_one() {
    let dock = Dock::open("drydock");
    let config = Config { cases: PODS, failure_persistence: None, ..Config::default() };
    let injected = std::cell::Cell::new(0_u32);
    let ran =
        TestRunner::new(config).run(&(support::pods::pod(), support::pods::options()), |(pod, options)| {
            match dock.takes_both(&pod, &Context::default(), &options) {
                Ok(status) => injected.set(injected.get() + u32::from(status == Status::Injected)),
                Err((when, fault)) => return Err(TestCaseError::fail(format!("{when}: {fault}"))),
            }
            Ok(())
        });
    if let Err(fault) = ran {
        panic!("{fault}");
    }
    assert!(injected.get() > PODS / 4, "only {} of {PODS} were given a sidecar", injected.get());
}

#[test]
fn a_quota_on_limits_takes_a_pod_with_its_sidecar_too() {
    let dock = Dock::open("lock");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limits", "namespace": dock.namespace},
        "spec": {"hard": {"limits.cpu": "4", "limits.memory": "4Gi"}},
    });
    HARBOUR.node.apply(&[quota]);
    HARBOUR.node.wait(dock.namespace, &["--for=jsonpath={.status.hard}", "resourcequota/limits"]);
    let Example { pod, context, options } = examples::limited();
    assert_eq!(dock.takes_both(&pod, &context, &options), Ok(Status::Injected));
    let fault = dock.takes(&examples::next_to_nothing().pod).unwrap_err();
    assert!(fault.contains("must specify limits.cpu"), "{fault}");
}
