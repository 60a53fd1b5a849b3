//! An image with a company's authorities in its own stores reaches the company's services after injection as before, and its calls to
//! providers are seen.

use std::path::PathBuf;

use outrigger_contract::annotations;
use outrigger_sidecar::publish;
use outrigger_tests::otlp::Received;
use outrigger_tests::{DEADLINE, setting};
use serde_json::{Value, json};

use crate::harbour::{HARBOUR, Harbour, pod};

/// The image, see `install/stores.sh`. Its variables name the partner's authority for Node, and Debian's bundle for requests.
const IMAGE: &str = "localhost/stores:1";
/// What every service of the company says.
const INSIDE: &str = "moored";
/// By an authority that nobody but the image knows, and by one that the chart's `extraCAs` name.
const COMPANY: &str = "https://company.works.svc";
const PARTNER: &str = "https://partner.works.svc";

/// Programs in the image: each with its model, the service that it calls, and how it is started.
const PROGRAMS: [(&str, &str, &str, &[&str]); 6] = [
    ("python", "gpt-5-nano", COMPANY, &["python3", "/opt/clients/app/stores.py"]),
    ("node", "gpt-4.1", PARTNER, &["node", "/opt/clients/app/stores.mjs"]),
    (NODE_OF_THE_POD, "gpt-4o", COMPANY, &["node", "/opt/clients/app/stores.mjs"]),
    ("node-openssl", "gpt-4.1-mini", COMPANY, &["sh", "/opt/clients/app/without", "--use-openssl-ca"]),
    ("node-system", "gpt-4.1-nano", COMPANY, &["sh", "/opt/clients/app/without", "--use-system-ca"]),
    ("java", "gpt-5-mini", PARTNER, &JAVA),
];
const JAVA: [&str; 4] = ["/opt/java/bin/java", "-cp", "/opt/clients:/opt/clients/jars/*", "Stored"];
/// Node as an image has it that leads it to the system's store alone.
const WITHOUT: &str = "unset NODE_EXTRA_CA_CERTS\nexec node \"$1\" /opt/clients/app/stores.mjs \"$2\" $3\n";

/// Node with an authority that the pod names, and with the word that has it read Outrigger's directory beside it.
const NODE_OF_THE_POD: &str = "node-of-the-pod";

/// Where the authorities and the image are.
fn folder() -> PathBuf {
    PathBuf::from(setting("OUTRIGGER_TEST_STORES"))
}

/// The company's services, in a namespace that nobody injects into.
fn open_the_works(harbour: &Harbour) {
    harbour.namespace_of("works", json!({}));
    let from = |name: &str| format!("--from-file={}", folder().join(name).display());
    harbour.node.kubectl(&[
        "create",
        "secret",
        "generic",
        "-n",
        "works",
        "certificates",
        &from("company.works.crt"),
        &from("company.works.key"),
        &from("partner.works.crt"),
        &from("partner.works.key"),
    ]);
    let service = |name: &str, port: u16| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "works"},
            "spec": {"selector": {"app": "internal"}, "ports": [{"port": 443, "targetPort": port}]},
        })
    };
    harbour.node.apply(&[
        service("company", 8443),
        service("partner", 8444),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "internal", "namespace": "works"},
            "data": {"internal.py": include_str!("../../clients/python/internal.py")},
        }),
    ]);
    let mut server = pod("works", "internal", &["python3", "/srv/internal.py", "/certificates"]);
    server["spec"]["volumes"] = json!([
        {"name": "app", "configMap": {"name": "internal"}},
        {"name": "certificates", "secret": {"secretName": "certificates"}},
    ]);
    let mounts = server["spec"]["containers"][0]["volumeMounts"].as_array_mut().expect("a list");
    mounts.push(json!({"name": "certificates", "mountPath": "/certificates"}));
    let (_, said) = harbour.start("works", &server);
    harbour.next(&said, "works", |_| true);
}

/// A pod of programs of the image; without their models they call the company's services alone.
fn programs(namespace: &str, name: &str, ask: bool) -> Value {
    let mut all = pod(namespace, name, &[]);
    let one = all["spec"]["containers"][0].take();
    let containers = PROGRAMS.map(|(name, model, url, command)| {
        let mut container = one.clone();
        container["name"] = name.into();
        container["image"] = IMAGE.into();
        if name == NODE_OF_THE_POD {
            let company = "/usr/local/share/ca-certificates/company.crt";
            let environment = container["env"].as_array_mut().expect("a list");
            environment.push(json!({"name": "NODE_EXTRA_CA_CERTS", "value": company}));
            environment.push(json!({"name": "NODE_USE_SYSTEM_CA", "value": "1"}));
        }
        let asked = if ask { &[model][..] } else { &[] };
        container["command"] = json!([command, &[url], asked].concat());
        container["volumeMounts"][0]["mountPath"] = "/opt/clients/app".into();
        container
    });
    all["spec"]["containers"] = json!(containers);
    all["spec"]["volumes"] = json!([{"name": "app", "configMap": {"name": "clients"}}]);
    all["spec"]["restartPolicy"] = "Never".into();
    all
}

/// Clients for pods of a namespace.
fn give_clients(harbour: &Harbour, namespace: &str) {
    harbour.node.apply(&[json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clients", "namespace": namespace},
        "data": {
            "stores.py": include_str!("../../clients/python/stores.py"),
            "stores.mjs": include_str!("../../clients/node/stores.mjs"),
            "without": WITHOUT,
        },
    })]);
}

/// What a program said, at its end.
fn said(harbour: &Harbour, namespace: &str, pod: &str, container: &str) -> Value {
    harbour.node.wait(namespace, &["--for=jsonpath={.status.phase}=Succeeded", "pod", pod]);
    let text = harbour.node.kubectl(&["logs", "-n", namespace, pod, "-c", container]);
    let line = text.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{container}: {text}"))).expect("JSON")
}

/// All of the company's services were reached, by every library.
fn reached(container: &str, said: &Value, ask: bool) {
    let mut said = said.as_object().expect("an object").clone();
    let answer = said.remove("openai");
    assert!(!said.is_empty() && said.values().all(|text| text == INSIDE), "{container}: {said:?}");
    let answer = answer.as_ref().and_then(Value::as_str).map(str::to_owned);
    assert_eq!(answer.is_some(), ask, "{container}");
    assert!(answer.iter().all(|text| !text.is_empty() && !text.contains("rror")), "{container}: {answer:?}");
}

/// How many calls for a model from a pod were recorded, all of them with a price.
fn recorded(received: &Received, pod: &str, model: &str) -> usize {
    let calls = received.resources.iter().zip(&received.calls).filter(|(resource, call)| {
        resource["k8s.pod.name"] == pod && call.get("gen_ai.request.model") == Some(&model.into())
    });
    let costs = calls.map(|(_, call)| call["outrigger.cost.usd"].as_str().expect("a cost").to_owned());
    costs.inspect(|cost| assert!(cost.parse::<f64>().is_ok_and(|dollars| dollars > 0.0), "{cost}")).count()
}

#[test]
fn what_an_image_trusts_of_its_own_is_reached_as_before_and_its_calls_are_seen() {
    let harbour = &*HARBOUR;
    harbour.node.import(&folder().join("stores.tar"));
    open_the_works(harbour);
    give_clients(harbour, "works");
    harbour.node.apply(&[programs("works", "bare", false)]);

    let cellar = harbour.namespace("cellar", json!({}));
    give_clients(harbour, &cellar);
    let mut injected = programs(&cellar, "injected", true);
    injected["metadata"]["annotations"] = json!({annotations::TRUST_JAVA: "true"});
    // Java without that word, and with a store of its own.
    let attic = harbour.namespace("attic", json!({}));
    let own = own_java_store(harbour, &attic);
    let here = harbour.admission();
    harbour.node.apply(&[injected, own]);
    drop(here);

    for (container, model, ..) in PROGRAMS {
        reached(container, &said(harbour, "works", "bare", container), false);
        reached(container, &said(harbour, &cellar, "injected", container), true);
        let seen =
            harbour.telemetry.wait_for(DEADLINE, |received| recorded(received, "injected", model) == 1);
        assert!(seen.is_some(), "{container}: {}", harbour.node.sidecar_log(&cellar, "injected"));
    }

    reached("app", &said(harbour, &attic, "own", "app"), true);
    assert_eq!(
        recorded(&harbour.telemetry.received(), "own", "gpt-5-mini"),
        0,
        "it cannot trust the sidecar"
    );
    let reason = &harbour.node.get(&["pod", "-n", &attic, "own"])["metadata"]["annotations"];
    let reason = reason[annotations::REASON].as_str().unwrap_or_default();
    assert!(reason.contains("JAVA_TOOL_OPTIONS names a trust store already"), "{reason}");
}

/// Its first call fails at the sidecar's certificate, its SDK asks again, and then it has the provider's own.
fn own_java_store(harbour: &Harbour, namespace: &str) -> Value {
    let written = tempfile::tempdir().expect("a temporary directory");
    let company = std::fs::read_to_string(folder().join("company.crt")).expect("an authority");
    publish::write(written.path(), harbour.providers.ca_pem(), &company).expect("a temporary directory");
    let store = format!("--from-file=own.jks={}", written.path().join("truststore.jks").display());
    harbour.node.kubectl(&["create", "secret", "generic", "-n", namespace, "store", &store]);
    let mut own = pod(namespace, "own", &[&JAVA[..], &[COMPANY, "gpt-5-mini"]].concat());
    let container = &mut own["spec"]["containers"][0];
    container["image"] = IMAGE.into();
    let options = json!({"name": "JAVA_TOOL_OPTIONS", "value": "-Djavax.net.ssl.trustStore=/store/own.jks"});
    container["env"].as_array_mut().expect("a list").push(options);
    container["volumeMounts"] = json!([{"name": "store", "mountPath": "/store"}]);
    own["spec"]["volumes"] = json!([{"name": "store", "secret": {"secretName": "store"}}]);
    own["spec"]["restartPolicy"] = "Never".into();
    own
}
