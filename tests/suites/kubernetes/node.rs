//! The node itself: it runs a pod, and nothing of it is left, not even after a kill.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use outrigger_tests::node::Node;
use outrigger_tests::{DEADLINE, setting};
use serde_json::json;

use crate::harbour::{APP, send};

/// Where kubelet, containerd and network plugins leave things behind, were they let.
const FOLDERS: [&str; 6] = [
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/log/containers",
    "/opt/containerd",
    "/run/containerd",
];
/// What kubelet sets for the whole machine.
const SETTINGS: [&str; 3] = ["kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory"];

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it can be run");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whatever on this machine is of the node of this number.
fn traces(number: u8) -> Vec<String> {
    let name = format!("outrigger-test-node-{number}");
    let state = format!("node-{number}/");
    let ranges = [90, 91, 92].map(|range| format!("10.{range}.{number}."));
    let mut found = Vec::new();
    let mut note = |what: &str, text: &str, mark: &str| {
        found.extend(text.lines().filter(|line| line.contains(mark)).map(|line| format!("{what}: {line}")));
    };
    note("interface", &said("ip", &["-o", "link"]), &format!("or-node{number}"));
    for range in &ranges {
        note("route", &said("ip", &["route"]), range);
        note("filter", &said("nft", &["list", "ruleset"]), range);
    }
    note("mount", &fs::read_to_string("/proc/self/mountinfo").expect("Linux"), &state);
    note("cgroup", &said("find", &["/sys/fs/cgroup", "-maxdepth", "2", "-name", &name]), &name);
    for process in fs::read_dir("/proc").expect("Linux").flatten() {
        let groups = fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        note(&format!("process {}", process.path().display()), &groups, &format!("/{name}/"));
    }
    let cache = setting("OUTRIGGER_CACHE");
    for path in [Path::new(&cache).join(format!("node-{number}")), Path::new("/run/lock").join(&name)] {
        note("file", &path.display().to_string(), if path.exists() { "" } else { "\n" });
    }
    found
}

/// Waits until there are no such traces: whose parent died is buried by another one, in its own time.
fn gone(number: u8, such: impl Fn(&str) -> bool) {
    let until = Instant::now() + DEADLINE;
    while traces(number).iter().any(|trace| such(trace)) {
        assert!(Instant::now() < until, "{:#?}", traces(number));
    }
}

/// What of the machine's own a node could have changed.
fn machine() -> Vec<String> {
    let folders = FOLDERS.map(|folder| format!("{folder} {}", Path::new(folder).exists()));
    let settings = SETTINGS.map(|name| fs::read_to_string(Path::new("/proc/sys").join(name)).expect("Linux"));
    [folders.to_vec(), settings.to_vec()].concat()
}

fn run_a_pod(node: &Node) {
    node.apply(&[json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello"},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": APP, "command": ["sh", "-c", "echo ahoy; cat /etc/resolv.conf"]},
        ]},
    })]);
    node.wait("default", &["--for=jsonpath={.status.phase}=Succeeded", "pod/hello"]);
    let said = node.kubectl(&["logs", "hello"]);
    assert!(said.starts_with("ahoy\n"), "{said}");
    assert!(said.contains(&format!("nameserver 10.90.{}.2", node.place().0)), "{said}");
}

#[test]
fn nothing_of_a_node_is_left_not_even_after_a_kill() {
    let before = machine();
    let node = Node::start();
    let (killed, _) = node.place();
    node.import(Path::new(&setting("OUTRIGGER_TEST_APP_IMAGE")));
    run_a_pod(&node);
    let there = traces(killed);
    for kind in ["interface", "route", "cgroup", "process", "file"] {
        assert!(there.iter().any(|one| one.starts_with(kind)), "{kind} is looked for in vain: {there:#?}");
    }
    assert_eq!(machine(), before);

    send(Signal::SIGKILL, node.sweeper());
    node.kill();
    // What runs ends with it, although nobody takes anything away.
    gone(killed, |trace| trace.starts_with("process") || trace.starts_with("interface"));
    // Even then no packet finds another way.
    assert!(traces(killed).iter().any(|one| one.starts_with("route: blackhole")), "{:#?}", traces(killed));

    // The next one takes it away. Of that nothing is left either, although nobody comes after it.
    let next = Node::start();
    let (number, _) = next.place();
    assert!(traces(number).iter().any(|one| one.starts_with("route: blackhole")), "{:#?}", traces(number));
    next.kill();
    for number in [killed, number] {
        gone(number, |_| true);
    }
    assert_eq!(machine(), before);
}
