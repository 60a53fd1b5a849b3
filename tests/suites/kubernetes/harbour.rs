//! What the tests share: one node with Outrigger installed as people install it, providers that answer at their names, and an OTLP
//! endpoint. Every test has namespaces and models of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError, RwLock};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outrigger_contract::{VERSION, annotations, volumes};
use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::node::Node;
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::Program;
use outrigger_tests::{DEADLINE, setting};
use serde_json::{Value, json};

use crate::installed::load_images;

/// The image that apps run in.
pub(crate) const APP: &str = "localhost/app:1";
/// A provider's host that the company reaches by its own endpoint.
pub(crate) const PRIVATE: &str = "us.api.openai.com";
/// A gateway of the company's.
pub(crate) const GATEWAY: &str = "llm.harbour.example";
/// The sidecar's image under a second tag, which nobody has installed.
pub(crate) const SECOND: &str = "second";
/// A model that takes some seconds over [`LONG`].
pub(crate) const SLOW: &str = "gpt-4-turbo";
/// Its answer.
pub(crate) const LONG: &str =
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen";
/// Where the authority of the providers is in a sidecar.
pub(crate) const AUTHORITY: &str = "providers.pem";

/// The one of this process. It ends with it.
pub(crate) static HARBOUR: LazyLock<Harbour> = LazyLock::new(Harbour::open);

/// A node with Outrigger, and what it talks to.
pub(crate) struct Harbour {
    /// The cluster.
    pub(crate) node: Node,
    /// Every provider.
    pub(crate) providers: Simulator,
    /// A company's own way to models: no name leads there, and its authority is another one. The chart's values have both.
    pub(crate) endpoint: Simulator,
    /// Where telemetry goes.
    pub(crate) telemetry: Receiver,
    /// Digests of the images that are installed, the sidecar's and the injector's: both are named by them.
    pub(crate) digests: [String; 2],
    /// Held while pods are made that shall be injected.
    pub(crate) admission: RwLock<()>,
    /// Namespaces that tests have: two of them in one would change what it asks for.
    namespaces: Mutex<BTreeSet<String>>,
}

/// Models that only one test asks for, with what they answer.
fn script() -> Script {
    let of = |model: &str, answer: Answer| Rule { model: Some(model.to_owned()), answer, ..Rule::default() };
    let slowly = Answer { pace_ms: 250, text: Some(LONG.to_owned()), ..Answer::default() };
    Script(vec![
        of("gpt-5", Answer { error: Some(ErrorKind::ServerError), ..Answer::default() }),
        of(SLOW, slowly),
    ])
}

impl Harbour {
    fn open() -> Harbour {
        let node = Node::start();
        let config =
            Config { listen: Some((node.machine(), 443).into()), script: script(), ..Config::default() };
        let providers = Simulator::start(config).expect("a simulator");
        let private = Config {
            listen: Some((node.machine(), 0).into()),
            gateways: vec![GATEWAY.to_owned()],
            authority: Some("endpoint authority".to_owned()),
            ..Config::default()
        };
        let endpoint = Simulator::start(private).expect("a simulator");
        let telemetry = Receiver::at(node.machine());
        node.lead_here(outrigger_simulator::hosts().chain([GATEWAY]));
        node.import(&PathBuf::from(setting("OUTRIGGER_TEST_APP_IMAGE")));
        let names = ["outrigger-sidecar", "outrigger-injector"];
        let digests = load_images(&node, &names).try_into().expect("a digest for each");
        let harbour = Harbour {
            node,
            providers,
            endpoint,
            telemetry,
            digests,
            admission: RwLock::default(),
            namespaces: Mutex::default(),
        };
        for (name, digest) in names.iter().zip(&harbour.digests) {
            // A registry would know it by its digest too.
            harbour.node.tag(&format!("localhost/{name}:{VERSION}"), &format!("localhost/{name}@{digest}"));
        }
        let [sidecar, _] = names;
        harbour.node.tag(&format!("localhost/{sidecar}:{VERSION}"), &format!("localhost/{sidecar}:{SECOND}"));
        harbour.install();
        harbour
    }

    /// A namespace whose pods are injected, and whose sidecars trust the providers here. `labels` are further ones.
    pub(crate) fn namespace(&self, name: &str, mut labels: Value) -> String {
        labels[annotations::INJECT] = "enabled".into();
        self.namespace_of(name, labels);
        name.to_owned()
    }

    /// A namespace with these labels.
    pub(crate) fn namespace_of(&self, name: &str, labels: Value) {
        let mut taken = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(taken.insert(name.to_owned()), "another test has the namespace {name}");
        drop(taken);
        self.open_namespace(name, labels).unwrap_or_else(|told| panic!("{told}"));
    }

    /// The same, for the second time too.
    pub(crate) fn open_namespace(&self, name: &str, labels: Value) -> Result<(), String> {
        let all = json!([
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": volumes::CREDENTIALS, "namespace": name},
                "stringData": {AUTHORITY: self.providers.ca_pem(), "anthropic-key": "sk-ant-harbour-987654321"},
            },
            {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": name},
                "data": {
                    "mesh.py": include_str!("../../clients/python/mesh.py"),
                    "pod.py": include_str!("../../clients/python/pod.py"),
                    "pulse.py": include_str!("../../clients/python/pulse.py"),
                },
            },
        ]);
        self.node.give("apply", &json!({"apiVersion": "v1", "kind": "List", "items": all}), &[])?;
        let wait = ["wait", "-n", name, "--for=create", "--timeout=90s", "serviceaccount/default"];
        self.node.ask(&wait).map(drop)
    }

    /// Gives the cluster a workload or pod, and follows what its app says, from its beginning.
    pub(crate) fn start(&self, namespace: &str, object: &Value) -> (String, Program) {
        let here = self.admission();
        self.node.apply(std::slice::from_ref(object));
        let pod = self.pod_of(namespace, object["metadata"]["name"].as_str().expect("a name"));
        drop(here);
        let said = self.listen(namespace, &pod);
        (pod, said)
    }

    /// The only pod with this label `app`, once it is there.
    pub(crate) fn pod_of(&self, namespace: &str, app: &str) -> String {
        self.node.wait(namespace, &["--for=create", "pod", "-l", &format!("app={app}")]);
        let pods = self.node.get(&["pods", "-n", namespace, "-l", &format!("app={app}")]);
        pods["items"][0]["metadata"]["name"].as_str().expect("a name").to_owned()
    }

    /// The process of a program in a pod, as this machine counts.
    pub(crate) fn process(&self, namespace: &str, pod: &str, program: &str) -> u32 {
        let uid = self.node.get(&["pod", "-n", namespace, pod])["metadata"]["uid"]
            .as_str()
            .expect("an id")
            .to_owned();
        let is_it = |process: &Path| {
            let groups = std::fs::read_to_string(process.join("cgroup")).unwrap_or_default();
            let runs = std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe.ends_with(program));
            groups.contains(&uid) && runs
        };
        self.node.until(namespace, program, DEADLINE, || {
            let processes = std::fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path());
            let mut those = processes.filter(|process| is_it(process));
            those.find_map(|path| path.file_name()?.to_str()?.parse().ok())
        })
    }

    /// What the app in a pod says, from its beginning, once it has begun.
    pub(crate) fn listen(&self, namespace: &str, pod: &str) -> Program {
        self.node
            .wait(namespace, &["--for=jsonpath={.status.containerStatuses[0].started}=true", "pod", pod]);
        self.node.logs(namespace, pod, "app")
    }

    /// The next line of an app that `wanted` accepts.
    pub(crate) fn next(&self, app: &Program, namespace: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let line =
            app.next_output_that(DEADLINE, |line| serde_json::from_str(line).is_ok_and(|said| wanted(&said)));
        let line = line.unwrap_or_else(|| panic!("the app never said it\n{}", self.node.told(namespace)));
        serde_json::from_str(&line).expect("JSON")
    }
}

/// Sends a signal to a process of a pod.
pub(crate) fn send(signal: Signal, process: u32) {
    kill(Pid::from_raw(i32::try_from(process).expect("a process id")), signal).expect("it runs");
}

/// A container's state, as the kubelet tells it.
pub(crate) fn status<'a>(pod: &'a Value, of: &str, name: &str) -> &'a Value {
    let all = pod["status"][of].as_array().into_iter().flatten();
    let mut those = all.filter(|one| one["name"] == name);
    those.next().unwrap_or(&Value::Null)
}

/// A pod of an app; its template for a workload is `["spec"]` and `["metadata"]["labels"]`.
pub(crate) fn pod(namespace: &str, name: &str, command: &[&str]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 10,
            "containers": [{
                "name": "app", "image": APP, "command": command,
                "env": [{"name": "OPENAI_API_KEY", "value": "sk-harbour-0123456789"}],
                "volumeMounts": [{"name": "app", "mountPath": "/srv", "readOnly": true}],
            }],
            "volumes": [{"name": "app", "configMap": {"name": "app"}}],
        },
    })
}

/// The same as a Deployment of one.
pub(crate) fn deployment(namespace: &str, name: &str, command: &[&str]) -> Value {
    let pod = pod(namespace, name, command);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod["spec"]},
        },
    })
}

/// The sample app's command line.
pub(crate) fn app<'a>(model: &'a str, count: &'a str, seconds: &'a str) -> [&'a str; 5] {
    ["python3", "/srv/pod.py", model, count, seconds]
}
