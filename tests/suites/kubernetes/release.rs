//! The release over its life: what its replicas write, an upgrade that cannot run, and what is left when it goes.

use nix::sys::signal::Signal;
use outrigger_contract::containers;
use outrigger_tests::http::get;
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::{Value, json};

use crate::admission::{admitted, is_injected};
use crate::crew::{is_recorded, now};
use crate::harbour::{HARBOUR, Harbour, SECOND, app, deployment, pod, send, status};
use crate::installed::{RELEASE, WAITS};

/// The image of the sidecar that a new pod gets; `None` where it gets none.
fn image(harbour: &Harbour, namespace: &str) -> Option<String> {
    let pod = admitted(harbour, &pod(namespace, "one", &["true"]));
    let mut containers = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let sidecar = containers.find(|one| one["name"] == "outrigger")?;
    sidecar["image"].as_str().map(str::to_owned)
}

/// The image that a pod's sidecar runs, by the reference that it was asked for, and how often it was started again. It is ready.
fn running(harbour: &Harbour, namespace: &str, pod: &str) -> (String, u64) {
    let pod = harbour.node.get(&["pod", "-n", namespace, pod]);
    let sidecar = status(&pod, "initContainerStatuses", containers::SIDECAR);
    assert_eq!(sidecar["ready"], true, "{sidecar}");
    let all = pod["spec"]["initContainers"].as_array().expect("containers");
    let it = all.iter().find(|one| one["name"] == containers::SIDECAR).expect("the sidecar");
    assert_eq!(it["imagePullPolicy"], "IfNotPresent");
    let image = it["image"].as_str().expect("an image").to_owned();
    (image, sidecar["restartCount"].as_u64().expect("a number"))
}

/// Names of what the injector writes, as far as it is there.
fn written(harbour: &Harbour) -> Vec<String> {
    let all = harbour.node.get(&["secrets,leases", "-n", RELEASE]);
    let names = all["items"].as_array().into_iter().flatten().map(|one| &one["metadata"]["name"]);
    let names = names.filter_map(|name| name.as_str().map(str::to_owned));
    names.filter(|name| name.starts_with("outrigger-injector")).collect()
}

/// The one that the release gives to pods.
fn installed(harbour: &Harbour) -> String {
    let [sidecar, _] = &harbour.digests;
    format!("localhost/outrigger-sidecar@{sidecar}")
}

#[test]
fn an_image_that_cannot_run_is_given_to_no_pod() {
    let harbour = &*HARBOUR;
    let lagoon = harbour.namespace("lagoon", json!({}));
    let alone = harbour.no_admission();
    let good = installed(harbour);
    assert_eq!(image(harbour, &lagoon).as_ref(), Some(&good));
    let chart = file("../helm/outrigger");
    let chart = chart.to_string_lossy();
    let upgrade = ["upgrade", "outrigger", &*chart, "-n", RELEASE, "--reuse-values"];
    harbour.helm(&[&upgrade[..], &["--set=image.sidecar.tag=missing,image.sidecar.digest="]].concat());
    harbour.node.until_pods(RELEASE, "a replica that cannot start", DEADLINE, || {
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
    drop(alone);
    let _here = harbour.admission();
    assert_eq!(image(harbour, &lagoon), Some(good));
}

#[test]
fn a_release_that_goes_takes_along_what_its_replicas_wrote_and_no_running_pod() {
    let harbour = &*HARBOUR;
    let haven = harbour.namespace("haven", json!({}));
    // A connection that was made while the sidecar was down would stay a direct one.
    let asking = [&app("gpt-4o", "0", "0.2")[..], &["fresh"]].concat();
    let (stayer, said) = harbour.start(&haven, &deployment(&haven, "stayer", &asking));
    harbour.next(&said, &haven, |said| said["text"].is_string());
    let alone = harbour.no_admission();
    assert_eq!(written(harbour), ["outrigger-injector-certificate", "outrigger-injector"]);

    harbour.helm(&[&["uninstall", "outrigger", "-n", RELEASE][..], &WAITS].concat());
    harbour.node.until(RELEASE, "nothing of the release is left", DEADLINE, || {
        written(harbour).is_empty().then_some(())
    });
    let goes_on = |what: &str| {
        let moment = now();
        let come = harbour.telemetry.wait_for(DEADLINE, |received| is_recorded(received, &stayer, moment));
        assert!(come.is_some(), "no call is recorded {what}\n{}", harbour.node.told(&haven));
    };
    goes_on("any more");
    // Its containers start anew without anybody's help.
    let python = format!("python{}", setting("PYTHON_DEBIAN"));
    for (program, of, container) in
        [("outrigger-sidecar", "initContainerStatuses", "outrigger"), (&*python, "containerStatuses", "app")]
    {
        let restarts = || {
            let pod = harbour.node.get(&["pod", "-n", &haven, &stayer]);
            let it = status(&pod, of, container);
            (it["restartCount"].as_u64(), it["started"] == true)
        };
        let (before, _) = restarts();
        send(Signal::SIGKILL, harbour.process(&haven, &stayer, program));
        harbour.node.until_pods(&haven, &format!("{container} is started again"), DEADLINE, || {
            let (now, started) = restarts();
            (now > before && started).then_some(())
        });
        goes_on(&format!("since {container} was killed"));
    }
    let bare = admitted(harbour, &pod(&haven, "one", &["true"]));
    assert!(!is_injected(&bare), "{bare:#}");
    drop(alone);
    let _here = harbour.admission();
    assert!(is_injected(&admitted(harbour, &pod(&haven, "one", &["true"]))));
}

/// Rules that move what OpenAI refuses to another model there, or to Claude.
fn rules(provider: &str, model: &str) -> String {
    format!(
        "version: 1\nmode: act\nbackups:\n  other: {{provider: {provider}, model: {model}, credential: {{file: anthropic-key}}}}\n\
         rules:\n  - name: chat\n    match: {{provider: openai, operation: chat}}\n    failover: {{to: [other]}}\n"
    )
}

fn own_rules(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "outrigger-rules", "namespace": namespace},
        "data": {"rules.yaml": rules("anthropic", "claude-sonnet-5-5")},
    })
}

#[test]
fn an_upgrade_brings_an_image_rules_and_a_ceiling_to_new_pods_and_changes_no_old_one() {
    let harbour = &*HARBOUR;
    let [old, new, given] = ["ferry", "slipway", "mole"].map(|name| harbour.namespace(name, json!({})));
    // Nobody looks at them: they have no label.
    harbour.node.apply(&[own_rules(&old), own_rules(&new)]);
    // The simulator refuses this model and answers all others.
    let sailor = |namespace: &str| deployment(namespace, "sailor", &app("gpt-5", "0", "0.2"));
    let (stays, before) = harbour.start(&old, &sailor(&old));
    harbour.next(&before, &old, |said| said["text"].is_string());

    let alone = harbour.no_admission();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let values = folder.path().join("values.yaml");
    let document = rules("openai", "gpt-4.1");
    let more = json!({
        "image": {"sidecar": {"tag": SECOND, "digest": ""}},
        "allowedProviders": ["openai"],
        "rules": {"namespaces": [given], "document": document},
    });
    std::fs::write(&values, more.to_string()).expect("a temporary file");
    let chart = file("../helm/outrigger");
    let (chart, values) = (chart.to_string_lossy(), values.to_string_lossy());
    let upgrade = ["upgrade", "outrigger", &*chart, "-n", RELEASE, "--reuse-values", "-f", &*values];
    harbour.helm(&[&upgrade[..], &WAITS].concat());
    harbour.node.until(RELEASE, "new pods have the ceiling", DEADLINE, || {
        admitted(harbour, &pod(&new, "one", &["true"]))
            .to_string()
            .contains("OUTRIGGER_ALLOWED_PROVIDERS")
            .then_some(())
    });
    harbour.node.apply(&[sailor(&new), sailor(&given)]);
    let [kept, moved] = [&new, &given].map(|namespace| harbour.pod_of(namespace, "sailor"));

    // The rules that the chart brought hold; those beyond the ceiling do not, and it is said.
    let second = (format!("localhost/outrigger-sidecar:{SECOND}"), 0);
    let said = harbour.listen(&given, &moved);
    assert_eq!(running(harbour, &given, &moved), second);
    harbour.next(&said, &given, |said| said["text"].is_string());
    let said = harbour.listen(&new, &kept);
    assert_eq!(running(harbour, &new, &kept), second);
    for _ in 0..3 {
        let refused = harbour.next(&said, &new, |_| true);
        assert_eq!(refused["status"], 500, "{refused}");
    }
    let log = harbour.node.sidecar_log(&new, &kept);
    assert!(log.contains("anthropic is not among the allowed providers (openai)"), "{log}");
    let address = harbour.node.get(&["pod", "-n", &new, &kept])["status"]["podIP"].clone();
    let metrics = format!("{}:19005", address.as_str().expect("an address")).parse().expect("an address");
    let (_, page) = get(metrics, "/metrics").expect("it listens");
    assert!(page.contains("\noutrigger_config_rejected_total 1\n"), "{page}");
    let mut looked_at = own_rules(&new);
    looked_at["metadata"]["labels"] = json!({"outrigger.dev/rules": "true"});
    looked_at["metadata"]["name"] = "others".into();
    let refused =
        harbour.node.give("create", &looked_at, &["--dry-run=server"]).expect_err("it is beyond the ceiling");
    assert!(refused.contains("anthropic is not among the allowed providers (openai)"), "{refused}");
    // Who was there before goes on as before, with the image that it has.
    assert_eq!(running(harbour, &old, &stays), (installed(harbour), 0));
    while before.next_output_that(std::time::Duration::ZERO, |_| true).is_some() {}
    harbour.next(&before, &old, |said| said["text"].is_string());

    harbour.helm(&[&["rollback", "outrigger", "-n", RELEASE][..], &WAITS].concat());
    harbour.node.until(RELEASE, "new pods are given what they were before", DEADLINE, || {
        let one = admitted(harbour, &pod(&new, "one", &["true"]));
        (is_injected(&one) && !one.to_string().contains("OUTRIGGER_ALLOWED_PROVIDERS")).then_some(())
    });
    assert_eq!(image(harbour, &new), Some(installed(harbour)));
    drop(alone);
    assert!(harbour.node.ask(&["get", "configmap", "outrigger-rules", "-n", &given]).is_err());
}
