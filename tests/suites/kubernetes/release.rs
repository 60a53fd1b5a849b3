//! The release over its life: what its replicas write, an upgrade that cannot run, and what is left when it goes.

use nix::sys::signal::Signal;
use outrigger_contract::VERSION;
use outrigger_tests::http::get;
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::{Value, json};

use crate::admission::{admitted, is_injected};
use crate::harbour::{HARBOUR, Harbour, RELEASE, app, deployment, pod, send};

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
    let (stayer, said) = harbour.start(&haven, &deployment(&haven, "stayer", &app(model, "0", "0.2")));
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
    let goes_on = |what: &str| {
        let before = recorded();
        harbour.node.until(what, DEADLINE, || (recorded() > before).then_some(()));
    };
    goes_on("calls are recorded on");
    // Its containers start anew without anybody's help.
    let python = format!("python{}", setting("PYTHON_DEBIAN"));
    for (program, container) in [("outrigger-sidecar", "outrigger"), (&*python, "app")] {
        send(Signal::SIGKILL, harbour.process(&haven, &stayer, program));
        harbour.node.until("it has started again", DEADLINE, || {
            let status = &harbour.node.get(&["pod", "-n", &haven, &stayer])["status"];
            let lists = [&status["initContainerStatuses"], &status["containerStatuses"]];
            let mut all = lists.into_iter().filter_map(Value::as_array).flatten();
            let it = all.find(|one| one["name"] == container).expect("the container");
            (it["restartCount"] == 1 && it["started"] == true).then_some(())
        });
        goes_on("calls are recorded after a restart");
    }
    let bare = admitted(harbour, &pod(&haven, "one", &["true"]));
    assert!(!is_injected(&bare), "{bare:#}");

    harbour.install();
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
fn an_upgrade_brings_rules_and_a_ceiling_to_new_pods_and_changes_no_old_one() {
    let harbour = &*HARBOUR;
    let [old, new, given] = ["ferry", "slipway", "mole"].map(|name| harbour.namespace(name, json!({})));
    // Nobody looks at them: they have no label.
    harbour.node.apply(&[own_rules(&old), own_rules(&new)]);
    // The simulator refuses this model and answers all others.
    let sailor = |namespace: &str| deployment(namespace, "sailor", &app("gpt-5", "0", "0.2"));
    let (_, before) = harbour.start(&old, &sailor(&old));
    harbour.next(&before, &old, |said| said["text"].is_string());

    let alone = harbour.no_admission();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let values = folder.path().join("values.yaml");
    let document = rules("openai", "gpt-4.1");
    let more =
        json!({"allowedProviders": ["openai"], "rules": {"namespaces": [given], "document": document}});
    std::fs::write(&values, more.to_string()).expect("a temporary file");
    let chart = file("../helm/outrigger");
    let (chart, values) = (chart.to_string_lossy(), values.to_string_lossy());
    let upgrade = ["upgrade", "outrigger", &*chart, "-n", RELEASE, "--reuse-values", "-f", &*values];
    harbour.helm(&[&upgrade[..], &["--wait", "--timeout=90s"]].concat());
    harbour.node.until("new pods have the ceiling", DEADLINE, || {
        admitted(harbour, &pod(&new, "one", &["true"]))
            .to_string()
            .contains("OUTRIGGER_ALLOWED_PROVIDERS")
            .then_some(())
    });
    harbour.node.apply(&[sailor(&new), sailor(&given)]);
    let [kept, moved] = [&new, &given].map(|namespace| harbour.pod_of(namespace, "sailor"));

    // The rules that the chart brought hold; those beyond the ceiling do not, and it is said.
    let said = harbour.listen(&given, &moved);
    harbour.next(&said, &given, |said| said["text"].is_string());
    let said = harbour.listen(&new, &kept);
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
    // Who was there before goes on as before.
    while before.next_output_that(std::time::Duration::ZERO, |_| true).is_some() {}
    harbour.next(&before, &old, |said| said["text"].is_string());

    harbour.helm(&["rollback", "outrigger", "-n", RELEASE, "--wait", "--timeout=90s"]);
    harbour.node.until("new pods are given what they were before", DEADLINE, || {
        let one = admitted(harbour, &pod(&new, "one", &["true"]));
        (is_injected(&one) && !one.to_string().contains("OUTRIGGER_ALLOWED_PROVIDERS")).then_some(())
    });
    drop(alone);
    assert!(harbour.node.ask(&["get", "configmap", "outrigger-rules", "-n", &given]).is_err());
}
