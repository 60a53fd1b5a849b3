//! The release on the shared node: installed as people install it, changed by one test at a time, and put back by whoever changed it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard};

use outrigger_contract::{annotations, mounts};
use outrigger_tests::node::Node;
use outrigger_tests::process::clean;
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::{Value, json};

use crate::admission::is_injected;
use crate::harbour::{AUTHORITY, GATEWAY, Harbour, PRIVATE, pod};

/// Where the release is.
pub(crate) const RELEASE: &str = "outrigger-system";
/// Where pods are made to see whether they are changed.
pub(crate) const PROBE: &str = "probe";
/// How Helm waits: far longer than it takes.
pub(crate) const WAITS: [&str; 2] = ["--wait", "--timeout=180s"];

/// While it lives no other test needs the injector. Whatever its test did, also one that failed, the release is what it was afterwards.
pub(crate) struct Alone<'a> {
    harbour: &'a Harbour,
    _held: RwLockWriteGuard<'a, ()>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return self.harbour.install();
        }
        let again = self.harbour.put_back().or_else(|_| {
            let removal = ["uninstall", "outrigger", "-n", RELEASE, "--ignore-not-found"];
            self.harbour.ask_helm(&[&removal[..], &WAITS].concat())?;
            self.harbour.put_back()
        });
        if let Err(told) = again {
            // A second panic would end the process.
            let _unheard = writeln!(std::io::stderr(), "the release could not be put back: {told}");
        }
    }
}

impl Harbour {
    /// Installs the chart, or makes it again what it was.
    pub(crate) fn install(&self) {
        self.put_back().unwrap_or_else(|told| panic!("{told}\n{}", self.node.told(RELEASE)));
    }

    /// The chart as it is, but for where telemetry goes, whom sidecars trust, a private endpoint and the policy that warns; both images by
    /// their digests.
    fn values(&self) -> Value {
        let partner = PathBuf::from(setting("OUTRIGGER_TEST_STORES")).join("partner.crt");
        let partner = std::fs::read_to_string(partner).expect("an authority");
        let endpoint = self.endpoint.address().to_string();
        let [sidecar, injector] = &self.digests;
        json!({
            "image": {"sidecar": {"digest": sidecar}, "injector": {"digest": injector}},
            "policy": {"enabled": true},
            "test": {"namespace": PROBE},
            "certificates": {"self": {"settleSeconds": 3, "overlapSeconds": 10}},
            "hosts": [{"name": PRIVATE, "upstream": endpoint}, {"name": GATEWAY, "upstream": endpoint}],
            "extraCAs": format!("{partner}{}", self.endpoint.ca_pem()),
            "sidecar": {
                "otlpEndpoint": self.telemetry.url(),
                "environment": {
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                    "OUTRIGGER_EXTRA_CAS": format!("{}/{AUTHORITY}", mounts::CREDENTIALS),
                },
            },
        })
    }

    /// Waits until pods are changed: endpoints come a moment after a pod is ready.
    fn put_back(&self) -> Result<(), String> {
        let values = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        std::fs::write(values.path(), self.values().to_string()).map_err(|error| error.to_string())?;
        let (chart, values) = (file("../helm/outrigger"), values.path().to_string_lossy());
        let install = ["upgrade", "outrigger", &*chart.to_string_lossy(), "--install", "--create-namespace"];
        let with = ["--reset-values", "-n", RELEASE, "-f", &*values];
        self.ask_helm(&[&install[..], &with, &WAITS].concat())?;

        self.open_namespace(PROBE, json!({annotations::INJECT: "enabled"}))?;
        let mut last = Err("nobody has answered".to_owned());
        let changed = self.node.within(DEADLINE, || {
            last =
                self.node.give("create", &pod(PROBE, "probe", &["true"]), &["--dry-run=server", "-o=json"]);
            let made = last.as_deref().ok().and_then(|told| serde_json::from_str(told).ok());
            made.is_some_and(|made| is_injected(&made)).then_some(())
        });
        changed.ok_or_else(|| format!("pods are not changed: {last:?}"))
    }

    /// Runs Helm.
    pub(crate) fn helm(&self, arguments: &[&str]) -> String {
        self.ask_helm(arguments)
            .unwrap_or_else(|told| panic!("helm {arguments:?}: {told}\n{}", self.node.told(RELEASE)))
    }

    /// What Helm says; `Err` where it fails.
    pub(crate) fn ask_helm(&self, arguments: &[&str]) -> Result<String, String> {
        ask_helm("helm3", &self.node, arguments)
    }

    /// While this is held, the injector answers.
    pub(crate) fn admission(&self) -> RwLockReadGuard<'_, ()> {
        self.admission.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other test needs the injector.
    pub(crate) fn no_admission(&self) -> Alone<'_> {
        let held = self.admission.write().unwrap_or_else(PoisonError::into_inner);
        Alone { harbour: self, _held: held }
    }
}

/// What Helm of one version says of a node; `Err` where it fails.
pub(crate) fn ask_helm(version: &str, node: &Node, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(PathBuf::from(setting("OUTRIGGER_TEST_HELM")).join(version));
    command.args(arguments).env("KUBECONFIG", node.kubeconfig());
    clean(&mut command);
    let output = command.output().expect("helm can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said) } else { Err(format!("{said}{errors}")) }
}

/// Builds images of ours and brings them onto a node. Their digests, in the same order.
pub(crate) fn load_images(node: &Node, names: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let sidecar = PathBuf::from(setting("OUTRIGGER_SIDECAR_BIN"));
    let mut command = Command::new(file("../deploy/images"));
    command.arg("--binaries").arg(sidecar.parent().expect("a folder")).arg("--out").arg(folder.path());
    command.args(names.iter().flat_map(|name| ["--image", name]));
    let output = command.output().expect("deploy/images can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in names {
        node.import(&folder.path().join(format!("{name}.tar")));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let digest = |line: &str| line.split(' ').nth(2).expect("NAME REFERENCE DIGEST BYTES").to_owned();
    said.lines().map(digest).collect()
}
