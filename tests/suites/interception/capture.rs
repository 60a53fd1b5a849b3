//! Which connections are redirected, and which are left alone.

use std::io::{BufRead, BufReader};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};

use outrigger_simulator::Config;
use outrigger_tests::DEADLINE;
use outrigger_tests::netns::{POD, PROVIDER};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::words::{heard, speak, speak_directly, stand_in};
use super::{APP, CHAT, Network, curl, redirected, setting};

#[test]
fn an_apps_call_is_read_in_both_families() {
    let network = Network::new(&[]);
    let simulator = network.simulator(Config::default());
    let said = redirected(&network, &[]);
    for family in ["IPv4", "IPv6"] {
        assert!(said.contains(&format!("nft {family}: a redirected connection arrives")), "{said}");
    }
    let sidecar = network.sidecar(simulator.ca_pem()).start();
    for family in ["-4", "-6"] {
        let answer = curl(
            &network,
            &sidecar,
            APP,
            &[
                family,
                "--oauth2-bearer",
                "sk-tide",
                "https://api.openai.com/v1/chat/completions",
                "--json",
                CHAT,
            ],
        );
        assert_eq!(answer.status, 200, "{family}: {}", answer.error);
        assert!(answer.issuer.contains("Outrigger issuing CA"), "{family}: {}", answer.issuer);
    }
    assert_eq!(simulator.received().len(), 2);
}

const METADATA: &str = "169.254.169.254";
const LINK_LOCAL: &str = "fe80::99";
const EXCLUDED_USER: u32 = 4242;

/// Every rule of who and what is redirected. A stand-in for the sidecar listens, so that each case takes milliseconds.
fn exactly_what_is_asked_for(backend: &str, api_server: &str) {
    let network = Network::new(&[]);
    let length = if api_server.contains(':') { 128 } else { 32 };
    for address in [format!("{METADATA}/32"), format!("{api_server}/{length}")] {
        network.beyond.run("ip", &["addr", "add", &address, "dev", "lo"]);
    }
    network.beyond.run("ip", &["addr", "add", &format!("{LINK_LOCAL}/64"), "dev", "eth0", "nodad"]);
    for port in [443, 8443, 9443, 80] {
        speak_directly(&network.beyond, port);
    }
    let output = network
        .pod
        .command(0, setting("OUTRIGGER_REDIRECT_BIN"))
        .args(["--backend", backend, "--on-proxy-down", "closed", "--failure-policy", "closed"])
        .args(["--port", "443,8443,9443", "--exclude-port", "9443"])
        .args(["--exclude-uid", &EXCLUDED_USER.to_string()])
        .args(["--exclude-cidr", "203.0.113.20", "--exclude-cidr", "2001:db8::20/128"])
        .env("KUBERNETES_SERVICE_HOST", api_server)
        .output()
        .expect("outrigger-redirect can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for family in ["IPv4", "IPv6"] {
        assert!(said.contains(&format!("{backend} {family}: a redirected connection arrives")), "{said}");
    }
    stand_in(&network);
    speak(&network.pod, (Ipv6Addr::UNSPECIFIED, 443).into(), |_| "local".to_owned());

    let (v4, v6) = ("203.0.113.10", "2001:db8::10");
    let link_local = format!("{LINK_LOCAL}%eth0");
    let cases: &[(u32, &str, u16, &str)] = &[
        // Users.
        (APP, v4, 443, "captured 203.0.113.10:443"),
        (APP, v6, 443, "captured [2001:db8::10]:443"),
        (0, v4, 443, "captured"),
        (0, v6, 443, "captured"),
        (outrigger_contract::uid::SIDECAR, v4, 443, "direct"),
        (outrigger_contract::uid::SIDECAR, v6, 443, "direct"),
        (outrigger_contract::uid::ISTIO, v4, 443, "direct"),
        (outrigger_contract::uid::ISTIO, v6, 443, "direct"),
        (outrigger_contract::uid::LINKERD, v4, 443, "direct"),
        (outrigger_contract::uid::LINKERD, v6, 443, "direct"),
        (EXCLUDED_USER, v4, 443, "direct"),
        (EXCLUDED_USER, v6, 443, "direct"),
        // Ports.
        (APP, v4, 8443, "captured 203.0.113.10:8443"),
        (APP, v6, 8443, "captured [2001:db8::10]:8443"),
        (APP, v4, 9443, "direct"),
        (APP, v6, 9443, "direct"),
        (APP, v4, 80, "direct"),
        (APP, v6, 80, "direct"),
        // Networks.
        (APP, "203.0.113.20", 443, "direct"),
        (APP, "2001:db8::20", 443, "direct"),
        (APP, METADATA, 443, "direct"),
        (APP, &link_local, 443, "direct"),
        (APP, api_server, 443, "direct"),
        // The pod itself.
        (APP, "127.0.0.1", 443, "local"),
        (APP, "::1", 443, "local"),
        (APP, "10.99.0.2", 443, "local"),
        (APP, "fd99::2", 443, "local"),
    ];
    for (uid, address, port, expected) in cases {
        let said = heard(&network, *uid, address, *port);
        assert!(said.starts_with(expected), "user {uid} to {address} port {port} with {backend}: {said}");
    }
    for to in PROVIDER {
        for (mark, expected) in [(0, "captured"), (0x539, "direct"), (0x1539, "direct"), (0x538, "captured")]
        {
            let said = marked(&network, (to, 443).into(), mark);
            assert!(said.starts_with(expected), "mark {mark:#x} to {to} with {backend}: {said}");
        }
    }
}

fn marked(network: &Network, to: SocketAddr, mark: u32) -> String {
    network.pod.enter(|| {
        let socket =
            Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).expect("a socket");
        socket.set_mark(mark).expect("root may mark");
        socket.connect_timeout(&to.into(), DEADLINE).expect("somebody listens");
        SockRef::from(&socket).set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let mut line = String::new();
        BufReader::new(std::net::TcpStream::from(socket)).read_line(&mut line).expect("a word");
        line
    })
}

#[test]
fn nftables_redirects_exactly_what_is_asked_for() {
    exactly_what_is_asked_for("nft", "10.96.0.1");
}

#[test]
fn iptables_nft_redirects_exactly_what_is_asked_for() {
    exactly_what_is_asked_for("iptables-nft", "fd10:96::1");
}

#[test]
fn iptables_legacy_redirects_exactly_what_is_asked_for() {
    if super::missing("iptables-legacy") {
        return;
    }
    exactly_what_is_asked_for("iptables-legacy", "10.96.0.1");
}

/// What comes back from UDP port 443 beyond the pod.
fn echoed(network: &Network, from: SocketAddr, to: SocketAddr) -> std::io::Result<Vec<u8>> {
    network.pod.enter(|| {
        let socket = UdpSocket::bind(from)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.connect(to)?;
        socket.send(b"initial")?;
        let mut answer = vec![0; 16];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    })
}

#[test]
fn quic_is_left_alone_unless_it_is_to_be_refused() {
    for backend in ["nft", "iptables-nft"] {
        let network = Network::new(&[]);
        for address in PROVIDER {
            let server = network.beyond.enter(|| UdpSocket::bind((address, 443))).expect("a free port");
            std::thread::spawn(move || {
                let mut buffer = [0; 16];
                while let Ok((length, from)) = server.recv_from(&mut buffer) {
                    // Whoever asked may have left.
                    let _sent = server.send_to(&buffer[..length], from);
                }
            });
        }
        let echo = || {
            PROVIDER
                .into_iter()
                .zip(POD)
                .map(|(to, from)| echoed(&network, (from, 0).into(), (to, 443).into()))
        };
        redirected(&network, &["--backend", backend, "--on-proxy-down", "closed"]);
        for answer in echo() {
            assert_eq!(answer.expect("UDP is left alone"), b"initial", "{backend}");
        }
        redirected(&network, &["--backend", backend, "--on-proxy-down", "closed", "--block-quic"]);
        for answer in echo() {
            // Told at once, so that a client need not wait before it takes TCP.
            assert!(answer.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock), "{backend}");
        }
        redirected(&network, &["--backend", backend, "--on-proxy-down", "closed"]);
        for answer in echo() {
            assert_eq!(answer.expect("the refusal is taken back"), b"initial", "{backend}");
        }
    }
}
