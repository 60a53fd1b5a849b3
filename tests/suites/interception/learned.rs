//! Clients that do not trust us: what they lose, and what is remembered of them.

use std::io::{Read, Write};

use outrigger_simulator::{Config, Simulator};
use outrigger_tests::netns::{PROVIDER, RunningSidecar};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConnection, pki_types::ServerName};

use super::app::{call, client, connect, handshake, is_read};
use super::{APP, Answer, CHAT, Network, answer, redirected};

const HOST: &str = "api.openai.com";
const CALL: &str = "https://api.openai.com/v1/chat/completions";

struct Pod {
    network: Network,
    simulator: Simulator,
    sidecar: RunningSidecar,
}

impl Pod {
    fn new(variables: &[(&str, &str)]) -> Pod {
        let network = Network::new(&[]);
        let simulator = network.simulator(Config::default());
        redirected(&network, &[]);
        let sidecar = variables
            .iter()
            .fold(network.sidecar(simulator.ca_pem()), |sidecar, (name, value)| sidecar.variable(name, value))
            .start();
        Pod { network, simulator, sidecar }
    }

    /// `curl` that trusts one file only.
    fn curl(&self, trusts: &std::path::Path, arguments: &[&str]) -> Answer {
        let mut command = self.network.pod.command(APP, "curl");
        command.arg("--cacert").arg(trusts).args(["--oauth2-bearer", "sk-tide", "--json", CHAT, CALL]);
        answer(command.args(arguments))
    }

    /// The providers' authority, which is all that a client with pinned roots knows.
    fn pinned(&self) -> std::path::PathBuf {
        self.network.directory().join("providers.pem")
    }

    fn ours(&self) -> std::path::PathBuf {
        self.sidecar.trust().join("bundle.pem")
    }
}

const READ: &str = "Outrigger issuing CA";
const UNREAD: &str = "simulator authority";

#[test]
fn a_client_that_distrusts_us_fails_once_and_then_works_unobserved() {
    let pod = Pod::new(&[]);
    for (at, family) in ["-4", "-6"].into_iter().enumerate() {
        let first = pod.curl(&pod.pinned(), &[family, "--http1.1"]);
        if at == 0 {
            assert_eq!(first.status, 0, "the first handshake is refused");
            assert!(first.error.contains("certificate"), "{}", first.error);
        }
        for _ in 0..3 {
            let again = pod.curl(&pod.pinned(), &[family, "--http1.1"]);
            assert_eq!(again.status, 200, "{family}: {}", again.error);
            assert!(again.issuer.contains(UNREAD), "{family}: {}", again.issuer);
        }
        // Another stack is judged by itself.
        let other = pod.curl(&pod.ours(), &[family, "--http2"]);
        assert_eq!(other.status, 200, "{family}: {}", other.error);
        assert!(other.issuer.contains(READ), "{family}: {}", other.issuer);
    }
    let config = client(default_provider(), Some(&pod.ours()), &["http/1.1"]);
    let elsewhere = handshake(&config, "eu.api.openai.com", connect(&pod.network, PROVIDER[0]));
    assert!(is_read(&elsewhere.expect("a handshake")));
}

#[test]
fn a_listed_pass_through_costs_no_call_at_all() {
    let pod = Pod::new(&[("OUTRIGGER_PASSTHROUGH_HOSTS", HOST)]);
    for family in ["-4", "-6"] {
        let answer = pod.curl(&pod.pinned(), &[family]);
        assert_eq!(answer.status, 200, "{family}: {}", answer.error);
        assert!(answer.issuer.contains(UNREAD), "{family}: {}", answer.issuer);
    }
}

#[test]
fn one_failure_does_not_condemn_a_client_that_trusted_us() {
    let pod = Pod::new(&[]);
    for trusts in [pod.ours(), pod.pinned(), pod.ours(), pod.pinned(), pod.ours()] {
        let answer = pod.curl(&trusts, &["--http1.1"]);
        let ours = trusts == pod.ours();
        assert_eq!(answer.status, if ours { 200 } else { 0 }, "{}", answer.error);
        assert!(!ours || answer.issuer.contains(READ), "{}", answer.issuer);
    }
    // Whoever looks the same and keeps refusing in plain words is let through in the end.
    assert_eq!(pod.curl(&pod.pinned(), &["--http1.1"]).status, 0);
    let answer = pod.curl(&pod.pinned(), &["--http1.1"]);
    assert_eq!(answer.status, 200, "{}", answer.error);
    assert!(answer.issuer.contains(UNREAD), "{}", answer.issuer);
}

#[test]
fn an_end_without_a_word_is_a_refusal_too() {
    let pod = Pod::new(&[]);
    // Distinct offers make distinct clients: one that reads our answer before it leaves, one that leaves it unread.
    for (to, (alpn, reads)) in PROVIDER.into_iter().zip([("http/1.1", true), ("h2", false)]) {
        let config = client(default_provider(), Some(&pod.pinned()), &[alpn]);
        let name = ServerName::try_from(HOST).expect("a host name");
        let mut tls = ClientConnection::new(config.clone(), name).expect("a valid configuration");
        let mut hello = Vec::new();
        tls.write_tls(&mut hello).expect("a hello");
        let mut app = connect(&pod.network, to);
        app.write_all(&hello).expect("it is open");
        let mut answer = vec![0; if reads { 64 * 1024 } else { 1 }];
        assert!(app.read(&mut answer).expect("our answer") > 0);
        drop(app);
        // Whether it has been learned yet shows only in the next handshake.
        let begun = std::time::Instant::now();
        let unread = loop {
            if let Ok(tls) = handshake(&config, HOST, connect(&pod.network, to)) {
                break !is_read(&tls);
            }
            assert!(begun.elapsed() < outrigger_tests::DEADLINE, "{alpn}: it never works");
        };
        assert!(unread, "{alpn}: it trusts the provider alone, so it met the provider");
    }
    assert!(pod.simulator.received().is_empty());
}

#[test]
fn past_the_budget_calls_go_through_unread_and_the_log_says_so() {
    // Under the policy that lets nothing else go, too.
    let pod = Pod::new(&[("OUTRIGGER_MAX_INTERCEPTED", "1"), ("OUTRIGGER_FAILURE_POLICY", "closed")]);
    let config = client(default_provider(), Some(&pod.ours()), &["http/1.1"]);
    for to in PROVIDER {
        let mut held = handshake(&config, HOST, connect(&pod.network, to)).expect("a handshake");
        assert!(is_read(&held));
        assert_eq!(call(&mut held, HOST), "HTTP/1.1 200 OK");
        let answer = pod.curl(&pod.pinned(), &[]);
        assert_eq!(answer.status, 200, "{}", answer.error);
        assert!(answer.issuer.contains(UNREAD), "{}", answer.issuer);
        let said = pod
            .sidecar
            .program
            .error_line(outrigger_tests::DEADLINE, |line| line.contains("passes through unobserved"));
        assert!(said.is_some_and(|line| line.contains("OUTRIGGER_MAX_INTERCEPTED")));
        drop(held);
        let begun = std::time::Instant::now();
        while !pod.curl(&pod.ours(), &["--http1.1"]).issuer.contains(READ) {
            assert!(begun.elapsed() < outrigger_tests::DEADLINE, "the seat does not come back");
        }
    }
}
