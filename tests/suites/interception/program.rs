//! `outrigger-redirect` itself: privileges, backends, what it says of failures, and what it leaves behind.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use outrigger_tests::netns::PROVIDER;
use serde_json::Value;

use super::words::{Way, heard, speak, speak_directly, stand_in, way};
use super::{APP, Network, redirected};

const PROGRAM: &str = "OUTRIGGER_REDIRECT_BIN";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything that packet filters of both kinds hold, without counters and comments.
fn ruleset(network: &Network) -> String {
    let mut text = network.pod.run("nft", &["--stateless", "list", "ruleset"]);
    for save in ["iptables-nft-save", "ip6tables-nft-save"] {
        text.extend(network.pod.run(save, &[]).lines().filter(|line| !line.starts_with('#')).map(uncounted));
    }
    text
}

fn uncounted(line: &str) -> String {
    format!("{}\n", line.split(" [").next().unwrap_or(line))
}

/// The same after an application and its removal, whatever the filters held before.
fn leaves_nothing_behind(network: &Network, backend: &str) {
    let before = ruleset(network);
    redirected(network, &["--backend", backend, "--block-quic"]);
    let once = ruleset(network);
    assert_ne!(before, once, "{backend} did something");
    let said = redirected(network, &["--backend", backend, "--block-quic"]);
    assert!(said.contains("a redirected connection arrives"), "{said}");
    assert_eq!(ruleset(network), once, "a second application changes nothing");
    let undone = network.redirect(&["--undo"]);
    assert!(undone.status.success(), "{}", self::said(&undone));
    assert_eq!(ruleset(network), before, "{backend} is taken back whole");
}

/// A mesh's redirection of everything, as its init container makes it with iptables.
fn mesh(network: &Network, port: u16) {
    for program in ["iptables-nft", "ip6tables-nft"] {
        let rules = format!(
            "*mangle\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*filter\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*nat\n:MESH_OUTPUT - [0:0]\n\
             -A OUTPUT -p tcp -j MESH_OUTPUT\n-A MESH_OUTPUT -m owner --uid-owner 2102 -j RETURN\n-A MESH_OUTPUT -o lo -j RETURN\n\
             -A MESH_OUTPUT -p tcp -j REDIRECT --to-ports {port}\nCOMMIT\n"
        );
        let script = format!("{program}-restore --noflush <<'END'\n{rules}END");
        network.pod.run("bash", &["-c", &script]);
    }
}

#[test]
fn applying_twice_is_applying_once_and_undoing_leaves_nothing() {
    let network = Network::new(&[]);
    leaves_nothing_behind(&network, "nft");
    // The tables that iptables itself makes and never removes are there from here on.
    mesh(&network, 4140);
    for backend in ["iptables-nft", "nft"] {
        leaves_nothing_behind(&network, backend);
    }
}

#[test]
fn another_backend_takes_the_first_ones_place() {
    let network = Network::new(&[]);
    mesh(&network, 4140);
    redirected(&network, &["--backend", "nft"]);
    let nft = ruleset(&network);
    redirected(&network, &["--backend", "iptables-nft"]);
    let iptables = ruleset(&network);
    assert!(!iptables.contains("table inet outrigger") && iptables.contains("OUTRIGGER"), "{iptables}");
    redirected(&network, &["--backend", "nft"]);
    assert_eq!(ruleset(&network), nft);
}

#[test]
fn a_mesh_carries_what_leaves_the_sidecar_and_not_what_enters_it() {
    for backend in ["nft", "iptables-nft"] {
        let network = Network::new(&[]);
        speak_directly(&network.beyond, 443);
        mesh(&network, 4140);
        redirected(&network, &["--backend", backend, "--on-proxy-down", "closed"]);
        stand_in(&network);
        for ip in ["127.0.0.1", "::1"] {
            let ip: std::net::IpAddr = ip.parse().expect("an address");
            speak(&network.pod, (ip, 4140).into(), |_| "mesh".to_owned());
        }
        for (address, port, user, expected) in [
            ("203.0.113.10", 443, APP, "captured"),
            ("2001:db8::10", 443, APP, "captured"),
            ("203.0.113.10", 443, outrigger_contract::uid::SIDECAR, "mesh"),
            ("2001:db8::10", 443, outrigger_contract::uid::SIDECAR, "mesh"),
            ("203.0.113.10", 443, outrigger_contract::uid::LINKERD, "direct"),
            ("2001:db8::10", 443, outrigger_contract::uid::LINKERD, "direct"),
            ("203.0.113.10", 80, APP, "mesh"),
        ] {
            let said = heard(&network, user, address, port);
            assert!(said.starts_with(expected), "{backend}: user {user} to {address} port {port}: {said}");
        }
    }
}

#[test]
fn without_the_capability_it_says_so_and_the_policy_decides() {
    let network = Network::new(&[]);
    let program = network.program(PROGRAM);
    let run = |arguments: &[&str]| {
        let unprivileged =
            network.pod.command(APP, &program).args(arguments).output().expect("it can be run");
        let stripped = network
            .pod
            .command(0, "setpriv")
            .args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"])
            .arg(&program)
            .args(arguments)
            .output()
            .expect("it can be run");
        [unprivileged, stripped]
    };
    for output in run(&[]) {
        let said = said(&output);
        assert!(output.status.success(), "open lets the pod start: {said}");
        assert!(said.contains("NET_ADMIN is missing") && said.contains("setcap cap_net_admin+ep"), "{said}");
        assert!(said.contains("nothing is redirected"), "{said}");
    }
    for arguments in [&["--failure-policy", "closed"][..], &["--undo"]] {
        for output in run(arguments) {
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
            assert!(said(&output).contains("NET_ADMIN is missing"), "{}", said(&output));
        }
    }
}

/// A folder with only these programs in it.
fn path_with(network: &Network, name: &str, programs: &[&str]) -> PathBuf {
    let folder = network.directory().join(name);
    std::fs::create_dir(&folder).expect("a folder of the test's own");
    for program in programs {
        let found = Command::new("which").arg(program).output().expect("which can be run").stdout;
        let real =
            std::fs::canonicalize(String::from_utf8_lossy(&found).trim()).expect("an installed program");
        symlink(real, folder.join(program)).expect("a new name");
    }
    folder
}

fn redirect_with_path(network: &Network, path: &Path, arguments: &[&str]) -> Output {
    let mut command = network.pod.command(0, "env");
    command.arg(format!("PATH={}", path.display())).arg(network.program(PROGRAM)).args(arguments);
    command.output().expect("it can be run")
}

const IPTABLES: [&str; 2] = ["iptables-nft", "iptables-nft-restore"];
const IP6TABLES: [&str; 2] = ["ip6tables-nft", "ip6tables-nft-restore"];

#[test]
fn the_next_backend_is_tried_when_one_is_not_there() {
    let network = Network::new(&[]);
    let path = path_with(&network, "iptables-only", &[IPTABLES, IP6TABLES].concat());
    let report = network.directory().join("report.json");
    let output = redirect_with_path(&network, &path, &["--report", &report.display().to_string()]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the program nft is not in this image"), "{said}");
    for family in ["IPv4", "IPv6"] {
        assert!(said.contains(&format!("iptables-nft {family}: a redirected connection arrives")), "{said}");
    }
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(report).expect("a report")).expect("JSON");
    assert_eq!(report["backend"], "iptables-nft", "{report}");
    assert_eq!(report["families"], serde_json::json!(["ipv4", "ipv6"]), "{report}");
    assert_eq!(report["self_test"]["ipv6"]["proven"], true, "{report}");
}

#[test]
fn one_family_is_never_redirected_alone() {
    let network = Network::new(&[]);
    speak_directly(&network.beyond, 443);
    let path = path_with(&network, "no-ip6tables", &IPTABLES);
    let output = redirect_with_path(&network, &path, &["--on-proxy-down", "closed"]);
    let said = said(&output);
    assert!(said.contains("the program ip6tables-nft-restore is not in this image"), "{said}");
    assert!(said.contains("nothing is redirected"), "{said}");
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Direct, "{to}: {said}");
    }
}

#[test]
fn with_no_backend_at_all_every_reason_is_named() {
    let network = Network::new(&[]);
    let path = path_with(&network, "nothing", &[]);
    let report = network.directory().join("report.json");
    let arguments = ["--failure-policy", "closed", "--report", &report.display().to_string()];
    let output = redirect_with_path(&network, &path, &arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for program in ["nft", "iptables-nft-restore", "iptables-legacy-restore"] {
        assert!(said.contains(&format!("the program {program} is not in this image")), "{said}");
    }
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(report).expect("a report")).expect("JSON");
    assert_eq!(report["redirected"], false, "{report}");
    assert!(
        report["reason"].as_str().is_some_and(|reason| reason.contains("no way to redirect")),
        "{report}"
    );
}

#[test]
fn a_file_capability_is_enough() {
    let network = Network::new(&[]);
    let program = network.program(PROGRAM);
    let set =
        Command::new("setcap").arg("cap_net_admin+ep").arg(&program).output().expect("setcap can be run");
    assert!(set.status.success(), "{}", said(&set));
    for backend in ["nft", "iptables-nft"] {
        let output = network
            .pod
            .command(65534, &program)
            .args(["--failure-policy", "closed", "--backend", backend])
            .output()
            .expect("it can be run");
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        for family in ["IPv4", "IPv6"] {
            let proven = said.contains(&format!("{backend} {family}: a redirected connection arrives"));
            // The file in which iptables keeps the living belongs to root.
            let told = said.contains(&format!("{backend} {family}: not tested, cannot give a sign of life"));
            assert!(if backend == "nft" { proven } else { told }, "{said}");
        }
    }
}

#[test]
fn a_pod_without_ipv6_is_redirected_and_told() {
    for backend in ["nft", "iptables-nft"] {
        let network = Network::new(&[]);
        network.pod.run("bash", &["-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"]);
        let said = redirected(&network, &["--backend", backend]);
        assert!(said.contains(&format!("{backend} IPv4: a redirected connection arrives")), "{said}");
        assert!(
            said.contains(&format!("{backend} IPv6: not tested, this pod has no route for it")),
            "{said}"
        );
    }
}

#[test]
fn the_test_leaves_no_sign_of_life() {
    for backend in ["nft", "iptables-nft"] {
        let network = Network::new(&[]);
        speak_directly(&network.beyond, 443);
        redirected(&network, &["--backend", backend]);
        for to in PROVIDER {
            assert_eq!(way(&network, to), Way::Direct, "{to}: nobody is there yet, {backend}");
        }
    }
}

#[test]
fn wishes_that_make_no_sense_are_named() {
    let network = Network::new(&[]);
    for (arguments, part) in [
        (&["--port", "19001"][..], "port 19001 is the sidecar's own"),
        (&["--exclude-port", "443"], "every port is excluded"),
        (&["--exclude-cidr", "10.0.0.0/40"], "10.0.0.0/40"),
        (&["--exclude-uid", "istio"], "istio"),
    ] {
        let output = network.redirect(&[&["--failure-policy", "closed"], arguments].concat());
        assert!(!output.status.success() && said(&output).contains(part), "{}", said(&output));
    }
}
