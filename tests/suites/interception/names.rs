//! Which server a name leads to, and what is said where a name, an address or a certificate does not fit.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

use outrigger_contract::ports;
use outrigger_simulator::{Certificate, Config, Simulator};
use outrigger_tests::DEADLINE;
use outrigger_tests::netns::{ELSEWHERE, ELSEWHERE_NAME, PROVIDER, RunningSidecar};
use outrigger_tests::proxy::head;

use rustls::crypto::ring::default_provider;

use super::app::{client, connect, handshake, is_read, patient};
use super::words::speak_directly;
use super::{APP, Answer, CHAT, Network, curl, redirected};

const CALL: &str = "https://api.openai.com/v1/chat/completions";

fn call(network: &Network, sidecar: &RunningSidecar, arguments: &[&str]) -> Answer {
    let common = ["--oauth2-bearer", "sk-tide", "--json", CHAT, CALL];
    curl(network, sidecar, APP, &[&common, arguments].concat())
}

/// Makes `curl` go to an address, whatever the resolver says.
fn going_to(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("api.openai.com:443:{ip}"),
        IpAddr::V6(ip) => format!("api.openai.com:443:[{ip}]"),
    }
}

fn at(ip: IpAddr) -> Config {
    Config { listen: Some((ip, 443).into()), ..Config::default() }
}

fn foreign(config: Config) -> Config {
    Config { certificate: Certificate::ForeignAuthority, ..config }
}

#[test]
fn a_foreign_certificate_is_a_502_and_gets_not_a_byte() {
    let network = Network::new(&[]);
    let impostor = network.simulator(foreign(Config::default()));
    redirected(&network, &[]);
    let sidecar = network.sidecar(impostor.ca_pem()).start();
    for family in ["-4", "-6"] {
        for version in ["--http1.1", "--http2"] {
            let output = network
                .pod
                .command(APP, "curl")
                .args([
                    "--silent",
                    "--max-time",
                    "30",
                    family,
                    version,
                    "--oauth2-bearer",
                    "sk-tide",
                    "--json",
                    CHAT,
                    CALL,
                ])
                .args(["--write-out", "%{http_code}", "--cacert"])
                .arg(sidecar.trust().join("bundle.pem"))
                .output()
                .expect("curl can be run");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let (answer, status) = text.split_at(text.len().saturating_sub(3));
            assert_eq!(status, "502", "{family} {version}: {text}");
            let answer: serde_json::Value = serde_json::from_str(answer).expect("JSON in OpenAI's shape");
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("its issuer is not trusted"), "{message}");
            assert!(message.contains("nothing of the request was sent"), "{message}");
        }
    }
    assert_eq!((impostor.bytes_received(), impostor.received().len()), (0, 0));
}

#[test]
fn an_impostor_at_the_apps_address_is_passed_by_for_the_real_one() {
    for (family, (real, spoofed)) in PROVIDER.into_iter().zip(ELSEWHERE).enumerate() {
        let network = Network::new(&[]);
        let provider = network.simulator(at(real));
        let impostor = network.simulator(foreign(at(spoofed)));
        redirected(&network, &[]);
        let sidecar = network.sidecar(provider.ca_pem()).start();
        let answer = call(&network, &sidecar, &["--resolve", &going_to(spoofed)]);
        assert_eq!(answer.status, 200, "family {family}: {}", answer.error);
        assert_eq!((impostor.bytes_received(), provider.received().len()), (0, 1));
    }
}

/// Two servers that both prove to be the provider.
fn two_providers(network: &Network, first: IpAddr, second: IpAddr) -> (Simulator, Simulator, RunningSidecar) {
    let (one, two) = (network.simulator(at(first)), network.simulator(at(second)));
    redirected(network, &[]);
    let both = [one.ca_pem(), two.ca_pem()].concat();
    let sidecar = network.sidecar(&both).start();
    (one, two, sidecar)
}

#[test]
fn the_address_that_the_app_chose_comes_before_the_resolvers() {
    for (resolved, chosen) in PROVIDER.into_iter().zip(ELSEWHERE) {
        let network = Network::new(&[]);
        let (at_resolved, at_chosen, sidecar) = two_providers(&network, resolved, chosen);
        for version in ["--http1.1", "--http2"] {
            let answer = call(&network, &sidecar, &[version, "--resolve", &going_to(chosen)]);
            assert_eq!(answer.status, 200, "{chosen} {version}: {}", answer.error);
        }
        assert_eq!((at_resolved.bytes_received(), at_chosen.received().len()), (0, 2));
    }
}

#[test]
fn where_nobody_listens_at_the_chosen_address_the_resolvers_is_taken() {
    for (resolved, closed) in PROVIDER.into_iter().zip(ELSEWHERE) {
        let network = Network::new(&[]);
        let provider = network.simulator(at(resolved));
        redirected(&network, &[]);
        let sidecar = network.sidecar(provider.ca_pem()).start();
        let answer = call(&network, &sidecar, &["--resolve", &going_to(closed)]);
        assert_eq!(answer.status, 200, "{closed}: {}", answer.error);
    }
}

#[test]
fn a_request_for_another_host_than_the_connections_is_misdirected() {
    let network = Network::new(&[]);
    let simulator = network.simulator(Config::default());
    redirected(&network, &[]);
    let sidecar = network.sidecar(simulator.ca_pem()).start();
    for family in ["-4", "-6"] {
        for arguments in [
            &["--http1.1", "-H", "Host: api.anthropic.com"][..],
            &["--http2", "-H", "Host: api.anthropic.com"],
            &["--http1.1", "-H", "Host: api.openai.com:444"],
            &["--http1.1", "-H", "Host;"],
            &["--http1.1", "--request-target", "https://api.anthropic.com/v1/messages"],
        ] {
            let answer = call(&network, &sidecar, &[&[family], arguments].concat());
            assert_eq!(answer.status, 421, "{family} {arguments:?}: {}", answer.error);
        }
        for same in [
            &["--http1.1", "-H", "Host: API.OpenAI.com:443"][..],
            &["--http2", "-H", "Host: api.openai.com"],
            &["--http1.1", "--request-target", "https://api.openai.com/v1/chat/completions"],
        ] {
            let answer = call(&network, &sidecar, &[&[family], same].concat());
            assert_eq!(answer.status, 200, "{family} {same:?}: {}", answer.error);
        }
    }
    assert_eq!(simulator.received().len(), 6);
}

#[test]
fn connect_leads_nowhere_that_the_pod_is_to_be_kept_from() {
    let network = Network::new(&["rebind.example.test"]);
    let hosts = std::fs::read_to_string(network.hosts_file()).expect("the pod's hosts");
    let mixed = format!("{} mixed.example.test\n127.0.0.1 mixed.example.test\n", PROVIDER[0]);
    let rebound = "127.0.0.1 loop.example.test\n::1 loop.example.test\n169.254.169.254 metadata.example.test\n\
                   ::ffff:127.0.0.1 mapped.example.test\n10.96.0.1 api.example.test\n";
    network.hosts(&format!("{hosts}{mixed}{rebound}"));
    speak_directly(&network.beyond, 443);
    speak_directly(&network.pod, 8080);
    let sidecar = network
        .sidecar(outrigger_tests::tls::TlsServer::listen("unused.example.test").ca_pem())
        .variable("KUBERNETES_SERVICE_HOST", "10.96.0.1")
        .start();
    let ask = |target: &str| {
        let proxy = (IpAddr::from([127, 0, 0, 1]), ports::CONNECT).into();
        let stream = network.pod.enter(|| TcpStream::connect_timeout(&proxy, DEADLINE));
        let mut stream = patient(stream.expect("the sidecar listens"));
        write!(stream, "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").expect("it is open");
        let answer = head(&mut stream).expect("an answer");
        (answer.split(' ').nth(1).unwrap_or_default().to_owned(), stream)
    };
    for denied in [
        "127.0.0.1:8080",
        "127.0.0.1:443",
        "127.1:8080",
        "2130706433:8080",
        "0.0.0.0:8080",
        "localhost:8080",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:8080",
        "[::ffff:127.0.0.1]:443",
        "[::ffff:169.254.169.254]:80",
        "169.254.169.254:80",
        "169.254.169.254:443",
        "[fd00:ec2::254]:80",
        "10.96.0.1:443",
        "loop.example.test:8080",
        "loop.example.test:443",
        "mapped.example.test:8080",
        "metadata.example.test:80",
        "api.example.test:443",
    ] {
        assert_eq!(ask(denied).0, "403", "{denied}");
    }
    // Of a name with two addresses only the harmless one is dialled.
    for allowed in ["mixed.example.test:443", &format!("{ELSEWHERE_NAME}:443"), "203.0.113.10:443"] {
        let (status, mut stream) = ask(allowed);
        assert_eq!(status, "200", "{allowed}");
        let mut word = [0; 6];
        stream.read_exact(&mut word).expect("a word");
        assert_eq!(&word, b"direct", "{allowed}");
    }
    drop(sidecar);
}

#[test]
fn the_apps_protocol_is_kept() {
    let network = Network::new(&[]);
    let simulator = network.simulator(Config::default());
    redirected(&network, &[]);
    let sidecar = network.sidecar(simulator.ca_pem()).start();
    for family in ["-4", "-6"] {
        for (offer, version) in
            [("--http2", "HTTP/2.0"), ("--http1.1", "HTTP/1.1"), ("--no-alpn", "HTTP/1.1")]
        {
            let answer = call(&network, &sidecar, &[family, offer]);
            assert_eq!(answer.status, 200, "{family} {offer}: {}", answer.error);
            let received = simulator.received().pop().expect("a request");
            assert_eq!(received.version, version, "{family} {offer}");
        }
    }
    // gRPC offers nothing but HTTP/2.
    let config = client(default_provider(), Some(&sidecar.trust().join("ca.pem")), &["h2"]);
    // Whoever leaves at once looks as if it did not trust us: both stay.
    let _both = PROVIDER.map(|to| {
        let tls = handshake(&config, "api.openai.com", connect(&network, to)).expect("a handshake");
        assert!(is_read(&tls));
        assert_eq!(tls.conn.alpn_protocol(), Some(&b"h2"[..]), "{to}");
        tls
    });
}
