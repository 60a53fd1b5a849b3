//! How the certificates look.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use outrigger_tests::setting;
use outrigger_tests::sidecar::Volumes;

use super::{Chain, HOST, HOSTS, ask};

fn chain() -> (Volumes, Chain) {
    let volumes = Volumes::new();
    let sidecar = volumes.sidecar(&[]);
    let shown = sidecar.handshake(HOST, &volumes.root_pem()).expect("a trusted certificate");
    let chain = Chain::shown(&volumes, &shown);
    (volumes, chain)
}

#[test]
fn openssl_accepts_them_strictly_for_a_week_that_began_yesterday() {
    const HOUR: u64 = 3600;
    let (_volumes, chain) = chain();
    let said = chain.verify(&["-verify_hostname", HOST, "-purpose", "sslserver"]);
    assert!(said.success, "{}", said.text);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (at, good) in [
        (now - 23 * HOUR, true),
        (now - 25 * HOUR, false),
        (now + 5 * 24 * HOUR, true),
        (now + 7 * 24 * HOUR, false),
    ] {
        let said = chain.verify(&["-attime", &at.to_string()]);
        assert_eq!(said.success, good, "{at}: {}", said.text);
    }
}

#[test]
fn zlint_finds_no_error() {
    let (_volumes, chain) = chain();
    for name in ["root", "issuing", "leaf"] {
        // The rules for public authorities (the Baseline Requirements: a country, revocation lists, policies) are not ours.
        let report = ask(Command::new(setting("OUTRIGGER_TEST_ZLINT"))
            .args(["-excludeSources", "CABF_BR,CABF_EV"])
            .arg(chain.file(name)));
        let report: serde_json::Value = serde_json::from_str(&report).expect("a report");
        let results = report.as_object().expect("results by lint");
        let errors: Vec<_> = results
            .iter()
            .filter(|(_, found)| ["error", "fatal"].iter().any(|word| found["result"] == *word))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let passed = results.values().filter(|found| found["result"] == "pass").count();
        assert!(passed > 30, "{name}: only {passed} rules were applied");
    }
}

#[test]
fn keys_are_found_by_their_identifiers_and_no_name_is_used_twice() {
    let (_volumes, chain) = chain();
    let identifier = |name, extension: &str| {
        let text = chain.field(name, &["-ext", extension]);
        text.lines().nth(1).unwrap_or_else(|| panic!("{name}: {text}")).trim().to_owned()
    };
    for (child, issuer) in [("leaf", "issuing"), ("issuing", "root")] {
        assert_eq!(identifier(child, "authorityKeyIdentifier"), identifier(issuer, "subjectKeyIdentifier"));
    }
    let has_own = chain.field("leaf", &["-ext", "subjectKeyIdentifier"]);
    assert!(!has_own.contains(':'), "a leaf's own would be its issuer's to some: {has_own}");
    let subjects: BTreeSet<String> =
        ["root", "issuing", "leaf"].iter().map(|name| chain.field(name, &["-subject"])).collect();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    assert!(identifier("leaf", "subjectAltName").eq("DNS:api.openai.com"));
}

#[test]
fn serials_are_unique_over_hosts_and_restarts() {
    let volumes = Volumes::new();
    let mut serials = BTreeSet::new();
    for _ in 0..3 {
        let sidecar = volumes.sidecar(&[]);
        for host in HOSTS {
            let shown = sidecar.handshake(host, &volumes.root_pem()).expect("a trusted certificate");
            let chain = Chain::shown(&volumes, &shown);
            let serial = chain.field("leaf", &["-serial"]);
            assert_eq!(serial.trim().len(), "serial=".len() + 32, "16 bytes: {serial}");
            assert!(serials.insert(serial));
        }
    }
    assert_eq!(serials.len(), 3 * HOSTS.len());
}
