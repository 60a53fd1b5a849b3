//! The release over its life: what its replicas write, an upgrade that cannot run, and what is left when it goes.

use outrigger_contract::VERSION;
use outrigger_tests::{DEADLINE, file};
use serde_json::json;

use crate::admission::{admitted, is_injected};
use crate::harbour::{HARBOUR, Harbour, RELEASE, app, deployment, pod};

/// The image of the sidecar that a new pod gets; `None` where it gets none.
fn image(harbour: &Harbour, namespace: &str) -> Option<String> {
    let pod = admitted(harbour, &pod(namespace, "one", &["true"]));
    let mut containers = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let sidecar = containers.find(|one| one["name"] == "outrigger")?;
    sidecar["image"].as_str().map(str::to_owned)
}

/// Names of what the injector writes, as far as it is there.
fn written(harbour: &Harbour) -> Vec<String> {
    let all = harbour.node.get(&["secrets,leases", "-n", RELEASE]);
    let names = all["items"].as_array().into_iter().flatten().map(|one| &one["metadata"]["name"]);
    let names = names.filter_map(|name| name.as_str().map(str::to_owned));
    names.filter(|name| name.starts_with("outrigger-injector")).collect()
}

#[test]
fn an_image_that_cannot_run_is_given_to_no_pod() {
    let harbour = &*HARBOUR;
    let lagoon = harbour.namespace("lagoon", json!({}));
    let _alone = harbour.no_admission();
    let good = format!("localhost/outrigger-sidecar:{VERSION}");
    assert_eq!(image(harbour, &lagoon).as_ref(), Some(&good));
    let chart = file("../helm/outrigger");
    let chart = chart.to_string_lossy();
    let upgrade = ["upgrade", "outrigger", &*chart, "-n", RELEASE, "--reuse-values"];
    harbour.helm(&[&upgrade[..], &["--set=image.sidecar.tag=missing"]].concat());
    harbour.node.until("a replica that cannot start", DEADLINE, || {
        let pods = harbour.node.get(&["pods", "-n", RELEASE]);
        let mut statuses = pods["items"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|pod| pod["status"]["initContainerStatuses"].as_array().into_iter().flatten());
        statuses
            .any(|one| {
                matches!(
                    one["state"]["waiting"]["reason"].as_str(),
                    Some("ErrImagePull" | "ImagePullBackOff")
                )
            })
            .then_some(())
    });
    assert_eq!(image(harbour, &lagoon).as_ref(), Some(&good), "the replicas of before serve on");
    harbour.helm(&[&upgrade[..], &["--set=image.sidecar.tag=", "--wait", "--timeout=90s"]].concat());
    assert_eq!(image(harbour, &lagoon), Some(good));
}

#[test]
fn a_release_that_goes_takes_along_what_its_replicas_wrote_and_no_running_pod() {
    let harbour = &*HARBOUR;
    let haven = harbour.namespace("haven", json!({}));
    let model = "gpt-4o";
    let (_, said) = harbour.start(&haven, &deployment(&haven, "stayer", &app(model, "0", "0.2")));
    harbour.next(&said, &haven, |said| said["text"].is_string());
    let _alone = harbour.no_admission();
    assert_eq!(written(harbour), ["outrigger-injector-certificate", "outrigger-injector"]);

    harbour.helm(&["uninstall", "outrigger", "-n", RELEASE, "--wait", "--timeout=90s"]);
    harbour
        .node
        .until("nothing of the release is left", DEADLINE, || written(harbour).is_empty().then_some(()));
    let recorded = || {
        let calls = harbour.telemetry.received().calls;
        calls.iter().filter(|call| call["gen_ai.request.model"] == model).count()
    };
    let before = recorded();
    harbour.node.until("calls are recorded on", DEADLINE, || (recorded() > before).then_some(()));
    let bare = admitted(harbour, &pod(&haven, "one", &["true"]));
    assert!(!is_injected(&bare), "{bare:#}");

    harbour.install();
    assert!(is_injected(&admitted(harbour, &pod(&haven, "one", &["true"]))));
}
