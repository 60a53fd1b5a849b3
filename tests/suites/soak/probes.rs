//! testssl.sh and slowhttptest against the sidecar: what they find must be known, with its reason.

use std::process::Stdio;
use std::time::Duration;

use outrigger_contract::ports;
use outrigger_simulator::Config;
use outrigger_tests::app::{NAME, Pod};
use outrigger_tests::netns::{APP, PROVIDER};

/// Findings of testssl.sh at MEDIUM or above that are as intended, each with its reason.
const KNOWN: [(&str, &str); 6] = [
    (
        "cipher_order",
        "every suite that is offered encrypts with authentication and keeps its secret; the app may choose",
    ),
    ("cert_chain_of_trust", "the authority is the pod's own, by design; testssl.sh is not given it"),
    ("cert_expirationStatus", "a leaf lives for a week and is made anew well before its end"),
    ("cert_notAfter", "the same"),
    ("cert_revocation", "nobody outside the pod could be asked; what lives for a week is not revoked"),
    ("security_headers", "headers are the provider's"),
];

#[test]
fn testssl_finds_nothing_that_is_not_known() {
    // testssl.sh makes hundreds of handshakes that end in the midst; with the open policy it would pass for a client that does
    // not trust us, and see the provider.
    let pod = Pod::set(Config::default(), |sidecar| sidecar.variable("OUTRIGGER_FAILURE_POLICY", "closed"));
    let report = pod.network.directory().join("testssl.json");
    let mut command = pod.network.pod.command(0, "testssl");
    let output = command
        .args([
            "--quiet",
            "--color",
            "0",
            "--warnings",
            "off",
            "--nodns",
            "min",
            "--ip",
            &PROVIDER[0].to_string(),
            "--jsonfile",
        ])
        .arg(&report)
        .arg(format!("{NAME}:443"))
        .stdin(Stdio::null())
        .output()
        .expect("testssl.sh can be run");
    let text = std::fs::read_to_string(&report)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
    let findings: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let word = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    assert!(findings.len() > 50, "it looked at little: {text}");
    let severe: Vec<_> = findings
        .iter()
        .filter(|finding| {
            matches!(word(finding, "severity").as_str(), "MEDIUM" | "HIGH" | "CRITICAL" | "FATAL")
        })
        .collect();
    for (id, _) in KNOWN {
        assert!(
            severe.iter().any(|finding| word(finding, "id") == id),
            "{id} is known and not found any more"
        );
    }
    let open: Vec<_> = severe
        .iter()
        .filter(|finding| KNOWN.iter().all(|(id, _)| word(finding, "id") != *id))
        .map(|finding| {
            format!("{} {}: {}", word(finding, "severity"), word(finding, "id"), word(finding, "finding"))
        })
        .collect();
    let seen = pod.drained();
    assert!(!seen.contains("not_trusted"), "what it looked at was the sidecar: {seen}");
    assert!(open.is_empty(), "{open:#?}");
}

#[test]
fn slow_clients_hurt_only_themselves() {
    let pod = Pod::before_simulator(Config::default());
    let neighbour = pod.neighbour();
    // To the base-URL listener: over TLS slowhttptest names no host, so it would only pass through.
    let url = format!("http://127.0.0.1:{}/openai/v1/models", ports::BASE_URL);
    let start = |mode: &[&str]| {
        let mut command = pod.network.pod.command(APP, "slowhttptest");
        // Past the time that a head is waited for; every five seconds it looks whether it is still served.
        command.args(["-c", "300", "-r", "100", "-l", "40", "-p", "5", "-u", &url]);
        command.args(mode).stdout(Stdio::piped()).spawn().expect("slowhttptest can be run")
    };
    let runs = [
        ("slow heads", start(&["-H", "-i", "5"])),
        ("slow bodies", start(&["-B", "-i", "5", "-s", "8192"])),
        ("slow readers", start(&["-X", "-w", "1", "-y", "8", "-z", "8", "-k", "3"])),
    ];
    for (what, run) in runs {
        let output = run.wait_with_output().expect("slowhttptest ends");
        let said = plain(&String::from_utf8_lossy(&output.stdout));
        assert!(
            said.contains("service available: YES") && !said.contains("service available: NO"),
            "{what}: {said}"
        );
        // No head is whole, so all are given up; a body or a reader may take its time.
        if what == "slow heads" {
            assert!(said.contains("No open connections left"), "{what}: {said}");
        }
    }
    neighbour.was_calm(Duration::from_secs(10));
    let _seen = pod.drained();
}

/// Without colours, and one space where there are more.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for (number, part) in text.split('\u{1b}').enumerate() {
        shown.push_str(if number == 0 { part } else { part.split_once('m').map_or(part, |(_, rest)| rest) });
    }
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}
