//! The webhook's certificate where others make it: files that somebody renews, and cert-manager, whose controllers the test plays by what the
//! chart asks of them: it issues what the Certificate says, and puts the authority where the annotation says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outrigger_contract::annotations;
use outrigger_tests::node::Node;
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::{Value, json};

use crate::admission::{admitted_on, is_injected};
use crate::harbour::pod;
use crate::installed::{RELEASE, WAITS, ask_helm, load_images};
use crate::shore::{nothing_is_left, shore};

/// Where pods are made.
const SHOP: &str = "shop";
/// The authority that the chart asks cert-manager for: its Certificate and its Secret.
const AUTHORITY: &str = "outrigger-injector-authority";
/// One's own Secret.
const OWN: &str = "webhook-certificate";
const CONFIGURATIONS: [&str; 2] = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];
/// What a kubelet here may take until a changed Secret is in a pod.
const PROPAGATION: Duration = Duration::from_secs(90);

/// Where certificates are made, by openssl as people do it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn open() -> Desk {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("settings"), "[req]\ndistinguished_name = name\n[name]\n")
            .expect("a temporary file");
        Desk(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file of ours")
    }

    /// Makes `NAME.crt` and `NAME.key`: signed by another one, or by itself.
    fn make(&self, name: &str, extensions: &[&str], by: Option<&str>) {
        let mut command = Command::new("openssl");
        command.current_dir(self.0.path());
        command.args([
            "req",
            "-x509",
            "-days",
            "1",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ]);
        command.args(["-noenc", "-config", "settings", "-subj", &format!("/CN={name}")]);
        command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")]);
        command.args(extensions.iter().flat_map(|extension| ["-addext", extension]));
        if let Some(by) = by {
            command.args(["-CA", &format!("{by}.crt"), "-CAkey", &format!("{by}.key")]);
        }
        let output = command.output().expect("openssl can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// An authority.
    fn authority(&self, name: &str) {
        self.make(name, &["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"], None);
    }

    /// One that the webhook shows under these names.
    fn of_the_webhook(&self, name: &str, hosts: &[&str], by: Option<&str>) {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let hosts = format!("subjectAltName={}", hosts.join(","));
        self.make(name, &[&hosts, "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth"], by);
    }

    /// It as a Secret.
    fn secret(&self, secret: &str, name: &str, authority: Option<&str>) -> Value {
        let mut data = json!({
            "tls.crt": self.read(&format!("{name}.crt")),
            "tls.key": self.read(&format!("{name}.key")),
        });
        if let Some(authority) = authority {
            data["ca.crt"] = self.read(&format!("{authority}.crt")).into();
        }
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": secret, "namespace": RELEASE}, "stringData": data,
        })
    }
}

fn helm(node: &Node, arguments: &[&str]) {
    let told = ask_helm("helm3", node, &[arguments, &["-n", RELEASE]].concat());
    told.unwrap_or_else(|told| panic!("helm {arguments:?}: {told}\n{}", node.told(RELEASE)));
}

/// The only replica: its id, how often it was started again, and its address.
fn replica(node: &Node) -> (Value, Value, String) {
    let pods = node.get(&["pods", "-n", RELEASE, "-l", "app.kubernetes.io/name=outrigger-injector"]);
    let mut living = pods["items"].as_array().into_iter().flatten();
    let it = living.find(|pod| pod["metadata"]["deletionTimestamp"].is_null()).expect("a replica");
    let address = it["status"]["podIP"].as_str().expect("an address").to_owned();
    (it["metadata"]["uid"].clone(), it["status"]["containerStatuses"][0]["restartCount"].clone(), address)
}

/// Whether the webhook shows this certificate.
fn shows(address: &str, certificate: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("{address}:10250")]).stdin(Stdio::null());
    let output = command.output().expect("openssl can be run");
    String::from_utf8_lossy(&output.stdout).contains(certificate.trim())
}

/// Whether a pod that asks for a sidecar is given one.
fn injects(node: &Node) -> bool {
    is_injected(&admitted_on(node, &pod(SHOP, "one", &["true"])))
}

/// The authorities that the API server is told to trust, one of each webhook.
fn bundles(node: &Node) -> Vec<String> {
    let all = CONFIGURATIONS.map(|kind| node.get(&[kind, "outrigger"]));
    let webhooks = all.iter().flat_map(|one| one["webhooks"].as_array().expect("webhooks"));
    let coded = webhooks.map(|one| one["clientConfig"]["caBundle"].as_str().unwrap_or_default().to_owned());
    coded.collect()
}

/// As cert-manager's controller does: what a Certificate asks for, by the Issuer that it names, in the Secret that it names.
fn issue(node: &Node, desk: &Desk, certificate: &str, name: &str) {
    let asked = node.get(&["certificate", "-n", RELEASE, certificate])["spec"].clone();
    let issuer = asked["issuerRef"]["name"].as_str().expect("an issuer");
    let issuer = node.get(&["issuer", "-n", RELEASE, issuer])["spec"].clone();
    let by = if asked["isCA"] == true {
        assert_eq!(issuer, json!({"selfSigned": {}}));
        desk.authority(name);
        name
    } else {
        assert_eq!(issuer, json!({"ca": {"secretName": AUTHORITY}}));
        assert_eq!(asked["usages"], json!(["digital signature", "server auth"]));
        let hosts = asked["dnsNames"].as_array().into_iter().flatten();
        let hosts: Vec<&str> = hosts.filter_map(Value::as_str).collect();
        desk.of_the_webhook(name, &hosts, Some(AUTHORITY));
        AUTHORITY
    };
    node.apply(&[desk.secret(asked["secretName"].as_str().expect("a Secret"), name, Some(by))]);
}

/// As cert-manager's cainjector does.
fn inject_the_authority(node: &Node) {
    for kind in CONFIGURATIONS {
        let configuration = node.get(&[kind, "outrigger"]);
        let from = &configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
        let (namespace, certificate) =
            from.as_str().and_then(|from| from.split_once('/')).expect("a Certificate");
        let secret = node.get(&["certificate", "-n", namespace, certificate])["spec"]["secretName"].clone();
        let secret = node.get(&["secret", "-n", namespace, secret.as_str().expect("a Secret")]);
        let webhooks = configuration["webhooks"].as_array().expect("webhooks").len();
        let path = |at| format!("/webhooks/{at}/clientConfig/caBundle");
        let patch: Value = (0..webhooks)
            .map(|at| json!({"op": "add", "path": path(at), "value": secret["data"]["ca.crt"]}))
            .collect();
        node.kubectl(&["patch", kind, "outrigger", "--type=json", "--patch", &patch.to_string()]);
    }
}

/// Ones that somebody brings: renewed by another authority, without a restart and without a pod that is missed.
fn files(node: &Node, desk: &Desk, chart: &str) {
    let host = format!("outrigger-injector.{RELEASE}.svc");
    for (authority, leaf) in [("one", "first"), ("two", "next")] {
        desk.authority(authority);
        desk.of_the_webhook(leaf, &[&host], Some(authority));
    }
    std::fs::write(desk.path("both.crt"), desk.read("one.crt") + &desk.read("two.crt"))
        .expect("a temporary file");
    node.apply(&[desk.secret(OWN, "first", None)]);
    let authority =
        |name: &str| format!("--set-file=certificates.files.authority={}", desk.path(name).display());
    let own =
        format!("--set=injector.replicas=1,certificates.mode=files,certificates.files.secretName={OWN}");
    helm(node, &[&["install", "outrigger", chart, &*own, &*authority("both.crt")][..], &WAITS].concat());
    node.until(RELEASE, "a pod that is changed", DEADLINE, || injects(node).then_some(()));
    let (pod, restarts, address) = replica(node);
    assert!(shows(&address, &desk.read("first.crt")));

    node.apply(&[desk.secret(OWN, "next", None)]);
    node.until(RELEASE, "the next certificate", PROPAGATION, || {
        assert!(injects(node));
        shows(&address, &desk.read("next.crt")).then_some(())
    });
    // Who trusts the second authority alone gets on with it.
    helm(node, &["upgrade", "outrigger", chart, "--reuse-values", &authority("two.crt")]);
    assert!(bundles(node).iter().all(|bundle| *bundle == STANDARD.encode(desk.read("two.crt"))));
    for _ in 0..5 {
        assert!(injects(node));
    }
    assert_eq!(replica(node), (pod, restarts, address), "nothing was restarted");
}

/// Ones that cert-manager brings.
fn cert_manager(node: &Node, desk: &Desk, chart: &str) {
    let definitions = setting("OUTRIGGER_TEST_DEFINITIONS");
    node.kubectl(&["apply", "--server-side", "--filename", &definitions]);
    node.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "--filename", &definitions]);
    let by_it = ["--reset-values", "--set=injector.replicas=1,certificates.mode=certManager"];
    helm(node, &[&["upgrade", "outrigger", chart][..], &by_it].concat());
    issue(node, desk, AUTHORITY, AUTHORITY);
    issue(node, desk, "outrigger-injector-certificate", "issued");
    inject_the_authority(node);
    node.kubectl(&["rollout", "status", "-n", RELEASE, "deployment/outrigger-injector", "--timeout=180s"]);
    node.until(RELEASE, "a pod that is changed", DEADLINE, || injects(node).then_some(()));
    let (_, _, address) = replica(node);
    assert!(shows(&address, &desk.read("issued.crt")));

    // Neither the next certificate nor what Helm changes touches the authority, so nobody need wait for the kubelet.
    let authority = STANDARD.encode(desk.read(&format!("{AUTHORITY}.crt")));
    issue(node, desk, "outrigger-injector-certificate", "renewed");
    inject_the_authority(node);
    helm(node, &["upgrade", "outrigger", chart, "--reuse-values", "--set=injection.timeoutSeconds=4"]);
    assert_eq!(node.get(&["mutatingwebhookconfiguration", "outrigger"])["webhooks"][0]["timeoutSeconds"], 4);
    assert!(bundles(node).iter().all(|bundle| *bundle == authority));
    assert!(injects(node));
}

#[test]
fn certificates_that_others_make_serve_and_are_renewed_without_a_restart() {
    let node = &*shore();
    load_images(node, &["outrigger-sidecar", "outrigger-injector"]);
    let labels = json!({annotations::INJECT: "enabled"});
    let namespace = |name: &str, labels: &Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    node.apply(&[namespace(SHOP, &labels), namespace(RELEASE, &json!({}))]);
    node.wait(SHOP, &["--for=create", "serviceaccount/default"]);
    let (chart, desk) = (file("../helm/outrigger"), Desk::open());
    let chart: &Path = &chart;
    let chart = chart.to_string_lossy();
    files(node, &desk, &chart);
    cert_manager(node, &desk, &chart);

    helm(node, &[&["uninstall", "outrigger"][..], &WAITS].concat());
    node.kubectl(&["delete", "namespace", SHOP, RELEASE]);
    nothing_is_left(node);
}
