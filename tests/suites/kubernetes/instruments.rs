//! The quickstart as its README has it, from its first command to its last, on a node where nothing of Outrigger is yet: calls in Jaeger and
//! Prometheus, an outage with its alert, failover by rules, and the end of it all. Nothing is pulled there, so images under the public names
//! are loaded before.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use outrigger_tests::jaeger::{self, logical, tag};
use outrigger_tests::node::Node;
use outrigger_tests::process::{Program, clean};
use outrigger_tests::prometheus::Prometheus;
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::Value;

use crate::installed::load_images;
use crate::shore::{nothing_is_left, shore};

/// Whose commands are tried follow this line of the README.
const MARK: &str = "<!-- tests/run kubernetes runs each of these, in this order -->";
/// The rules' windows, else minutes and an hour, and how often they are evaluated: nothing but these is another one than a person has. How
/// the rules do over their own windows is shown by `promtool test rules` in the suite telemetry.
const WINDOWS: [&str; 3] = ["interval=2s", "short_window=20s", "long_window=40s"];
const ANSWER: &str = "It turns at a quarter past four.";
const BACKUPS: &str = "At a quarter past four, says the backup.";
const ALERT: &str = r#"ALERTS{alertname="OutriggerErrorRateSpike", alertstate="firing", model="gpt-5-mini"}"#;
/// What a kubelet here may take until a changed ConfigMap or Secret is in a pod, and what keeps an app waiting.
const PROPAGATION: Duration = Duration::from_secs(90);

/// Somebody with a shell at the top of the repository, whose kubectl and helm are for this node.
struct Person<'a> {
    node: &'a Node,
    home: tempfile::TempDir,
}

impl Person<'_> {
    fn at(node: &Node) -> Person<'_> {
        let home = tempfile::tempdir().expect("a temporary directory");
        for (setting_of, program, name) in
            [("OUTRIGGER_TEST_KUBERNETES", "kubectl", "kubectl"), ("OUTRIGGER_TEST_HELM", "helm3", "helm")]
        {
            let program = PathBuf::from(setting(setting_of)).join(program);
            symlink(program, home.path().join(name)).expect("a link");
        }
        Person { node, home }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        let path = format!("{}:{}", self.home.path().display(), std::env::var("PATH").unwrap_or_default());
        command.arg("-c").arg(line).current_dir(file("..")).env("PATH", path);
        command.env("KUBECONFIG", self.node.kubeconfig());
        for variable in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
            command.env(variable, self.home.path());
        }
        clean(&mut command);
        command
    }

    /// Runs a command to its end.
    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().expect("bash can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let told =
                ["outrigger-quickstart", "outrigger-system", "outrigger-demo"].map(|one| self.node.told(one));
            panic!("{line}: {said}{errors}\n{}", told.concat());
        }
        said
    }

    /// Starts what goes on until it is ended.
    fn start(&self, line: &str) -> Program {
        // The program itself, so that it ends with it.
        Program::start(self.command(&format!("exec {line}")))
    }

    /// Forwards a port of the cluster to a free one here, in place of the same.
    fn forward(&self, line: &str) -> (std::net::SocketAddr, Program) {
        let (forward, port) = line.rsplit_once(' ').expect("a port");
        let program = self.start(&format!("{forward} :{port}"));
        let said = program.output_line(|line| line.starts_with("Forwarding from 127.0.0.1:"));
        let address = said.split(' ').nth(2).and_then(|address| address.parse().ok());
        (address.unwrap_or_else(|| panic!("{said}")), program)
    }
}

/// The README's commands, one of each block.
fn commands() -> [String; 9] {
    let text = std::fs::read_to_string(file("../deploy/quickstart/README.md")).expect("the quickstart");
    let (_, tried) = text.split_once(MARK).expect("a mark");
    let blocks = tried.split("```sh\n").skip(1).map(|rest| {
        let (command, _) = rest.split_once("\n```").expect("the end of a block");
        assert!(!command.contains('\n'), "more than one command: {command}");
        command.to_owned()
    });
    blocks.collect::<Vec<_>>().try_into().expect("nine commands")
}

fn tags<'a>(tags: &'a Value, name: &str) -> &'a str {
    let mut all = tags.as_array().into_iter().flatten();
    all.find(|tag| tag["key"] == name).and_then(|tag| tag["value"].as_str()).unwrap_or_default()
}

#[test]
fn the_quickstart_runs_as_it_is_written() {
    let node = &*shore();
    load_images(node, &["outrigger-sidecar", "outrigger-injector", "outrigger-simulator"]);
    for name in ["jaeger", "prometheus", "python"] {
        node.import(&PathBuf::from(setting("OUTRIGGER_TEST_QUICKSTART")).join(format!("{name}.tar")));
    }
    let person = Person::at(node);
    let [up, logs, tail, to_jaeger, to_prometheus, outage, failover, over, down] = commands();
    let windows = WINDOWS.map(|window| format!(" --set monitoring.alerts.parameters.{window}")).concat();
    person.run(&format!("{up}{windows}"));

    let all = node.get(&["pods", "-n", "outrigger-demo", "-l", "app=app"]);
    let pods: Vec<&str> = all["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pod| pod["metadata"]["name"].as_str())
        .collect();
    assert_eq!(pods.len(), 2);
    node.until("outrigger-demo", "the app tells of answers", DEADLINE, || {
        let said = person.run(&logs);
        for line in said.lines() {
            let (_, answer) = line.split_once(' ').expect("a model and its answer");
            assert_eq!(answer, ANSWER, "{said}");
        }
        (said.lines().count() > 1).then_some(())
    });
    person.start(&tail).output_line(|line| line.contains("gpt-5-mini"));

    let (query, _forward) = person.forward(&to_jaeger);
    for trace in jaeger::traces(query, "app", 4) {
        let span = logical(&trace);
        let process = &trace["processes"][span["processID"].as_str().expect("a process")]["tags"];
        assert!(pods.contains(&tags(process, "k8s.pod.name")), "{process:#}");
        assert_eq!(tags(process, "k8s.deployment.name"), "app");
        assert_eq!(tags(process, "k8s.namespace.name"), "outrigger-demo");
        if tag(span, "outrigger.outcome") == "answered" {
            assert!(tag(span, "gen_ai.usage.cost").as_f64().is_some_and(|cost| cost > 0.0), "{span:#}");
        }
    }
    let (address, forward) = person.forward(&to_prometheus);
    let prometheus = Prometheus::behind(address, forward);
    for pod in &pods {
        for model in ["gpt-5-mini", "gpt-6.1-terra"] {
            let of = format!(r#"{{namespace="outrigger-demo", job="app", pod="{pod}", model="{model}"}}"#);
            prometheus.wait_for(&format!("outrigger_cost_usd_total{of} > 0"));
        }
    }
    prometheus.wait_for("sum by (model) (outrigger_cost_usd_total)");
    assert_eq!(prometheus.query(ALERT).expect("an expression"), Vec::<Value>::new());

    let app = node.logs("outrigger-demo", pods[0], "app");
    let says = |what: &str| {
        let line = app.next_output_that(PROPAGATION, |line| line.contains(what));
        assert!(
            line.is_some(),
            "the app never said: {what}\n{}",
            node.sidecar_log("outrigger-demo", pods[0])
        );
    };
    person.run(&outage);
    says("InternalServerError");
    prometheus.wait_for(ALERT);
    person.run(&failover);
    says(BACKUPS);
    prometheus.wait_for(r#"outrigger_routed_calls_total{rule="chat", result="moved"} > 0"#);
    person.run(&over);
    says(ANSWER);
    prometheus.wait_for_end_of(ALERT);

    person.run(&down);
    nothing_is_left(node);
}
