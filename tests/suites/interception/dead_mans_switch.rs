//! The redirection holds while the sidecar lives: what new connections see when it is killed, hangs or comes back.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outrigger_contract::{ports, redirection, trust_files, uid};
use outrigger_tests::netns::{PROVIDER, RunningSidecar};
use outrigger_tests::process::Program;
use outrigger_tests::tls::TlsServer;
use outrigger_tests::{DEADLINE, netns};

use super::words::{Way, speak_directly, way};
use super::{APP, Network, redirected};

/// The kernel's clock is coarser than ours.
const TICK: Duration = Duration::from_millis(150);

fn sidecar(network: &Network) -> netns::Sidecar {
    network.sidecar(TlsServer::listen("unused.example.test").ca_pem())
}

fn pod(arguments: &[&str]) -> (Network, RunningSidecar) {
    let network = Network::new(&[]);
    speak_directly(&network.beyond, 443);
    redirected(&network, arguments);
    let sidecar = sidecar(&network).start();
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Through, "{to}, with a living sidecar");
    }
    (network, sidecar)
}

/// Makes connections until one has gone direct. None that began later than the switch allows may have failed.
fn goes_direct(network: &Network, to: IpAddr, since: Instant, between: impl Fn()) {
    loop {
        let began = since.elapsed();
        assert!(began < DEADLINE, "no connection to {to} goes direct");
        between();
        let seen = way(network, to);
        if seen == Way::Direct {
            return;
        }
        assert!(seen != Way::Through, "{to}: nobody is there to carry it");
        assert!(
            began < redirection::ALIVE_FOR + TICK,
            "{to}: {seen:?} {began:?} after the last sign of life"
        );
    }
}

/// A datagram to where signs of life are heard, or the farewell, by a user of the pod.
fn forge(network: &Network, user: u32, port: u16) {
    for address in ["127.0.0.1", "::1", "10.99.0.2", "fd99::2"] {
        let script = format!("echo alive >/dev/udp/{address}/{port}");
        let output =
            network.pod.command(user, "bash").args(["-c", &script]).output().expect("bash can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn killed_open(backend: &str) {
    let (network, sidecar) = pod(&["--backend", backend]);
    sidecar.program.signal(Signal::SIGKILL);
    let killed = Instant::now();
    let status = sidecar.program.end().status;
    assert!(!status.success());
    for to in PROVIDER {
        goes_direct(&network, to, killed, || forge(&network, APP, ports::HEARTBEAT));
    }
    // Back again, captured again.
    let sidecar = self::sidecar(&network).start();
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Through, "{to}, after the restart");
    }
    drop(sidecar);
}

#[test]
fn a_killed_sidecar_lets_connections_go_direct_with_nftables() {
    killed_open("nft");
}

#[test]
fn a_killed_sidecar_lets_connections_go_direct_with_iptables() {
    killed_open("iptables-nft");
}

#[test]
fn a_killed_sidecar_lets_connections_go_direct_with_legacy_iptables() {
    if super::missing("iptables-legacy") {
        return;
    }
    killed_open("iptables-legacy");
}

fn ended_open(backend: &str) {
    let (network, sidecar) = pod(&["--backend", backend]);
    sidecar.program.signal(Signal::SIGTERM);
    let ended = Instant::now();
    for to in PROVIDER {
        while way_of_the_living(&network, to) == Way::Through {
            assert!(ended.elapsed() < redirection::HEARTBEAT_EVERY, "{to} still leads to who said farewell");
        }
    }
    assert!(sidecar.program.end().status.success());
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Direct, "{to}, {:?} after the farewell", ended.elapsed());
    }
    let sidecar = self::sidecar(&network).start();
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Through, "{to}, after the restart");
    }
    drop(sidecar);
}

/// A connection's way while none may fail.
fn way_of_the_living(network: &Network, to: IpAddr) -> Way {
    let seen = way(network, to);
    assert!(matches!(seen, Way::Through | Way::Direct), "{to}: {seen:?}");
    seen
}

#[test]
fn a_sidecar_that_ends_in_order_loses_no_connection_with_nftables() {
    ended_open("nft");
}

#[test]
fn a_sidecar_that_ends_in_order_loses_no_connection_with_iptables() {
    ended_open("iptables-nft");
}

#[test]
fn a_sidecar_that_ends_in_order_loses_no_connection_with_legacy_iptables() {
    if super::missing("iptables-legacy") {
        return;
    }
    ended_open("iptables-legacy");
}

#[test]
fn a_hung_sidecar_lets_connections_go_direct() {
    for backend in ["nft", "iptables-nft"] {
        let (network, sidecar) = pod(&["--backend", backend]);
        sidecar.program.signal(Signal::SIGSTOP);
        let stopped = Instant::now();
        for to in PROVIDER {
            goes_direct(&network, to, stopped, || {});
        }
        sidecar.program.signal(Signal::SIGCONT);
        let continued = Instant::now();
        for to in PROVIDER {
            while way(&network, to) != Way::Through {
                assert!(continued.elapsed() < DEADLINE, "{to} is not captured again");
            }
        }
    }
}

#[test]
fn closed_means_refused_for_as_long_as_nobody_is_there() {
    for backend in ["nft", "iptables-nft"] {
        let (network, sidecar) = pod(&["--backend", backend, "--on-proxy-down", "closed"]);
        sidecar.program.signal(Signal::SIGKILL);
        let killed = Instant::now();
        drop(sidecar);
        // Past the time after which the open switch would have let go.
        while killed.elapsed() < redirection::ALIVE_FOR + 2 * TICK {
            for to in PROVIDER {
                assert_eq!(way(&network, to), Way::Refused, "{to}, {:?} after the end", killed.elapsed());
            }
        }
        let _sidecar = self::sidecar(&network).start();
        for to in PROVIDER {
            assert_eq!(way(&network, to), Way::Through, "{to}, after the restart");
        }
    }
}

#[test]
fn only_the_sidecars_user_gives_signs_of_life() {
    for backend in ["nft", "iptables-nft"] {
        let network = Network::new(&[]);
        speak_directly(&network.beyond, 443);
        redirected(&network, &["--backend", backend]);
        for user in [0, APP, uid::ISTIO] {
            forge(&network, user, ports::HEARTBEAT);
            for to in PROVIDER {
                assert_eq!(way(&network, to), Way::Direct, "{to}, after a forgery by {user}, {backend}");
            }
        }
        forge(&network, uid::SIDECAR, ports::HEARTBEAT);
        forge(&network, APP, ports::FAREWELL);
        for to in PROVIDER {
            assert_eq!(way(&network, to), Way::Refused, "{to}, after the real sign, {backend}");
        }
    }
}

/// The kernel clears away about once a second what is over, and counts it until then.
#[test]
fn a_sidecar_that_comes_back_at_once_is_heard_at_once() {
    let network = Network::new(&[]);
    speak_directly(&network.beyond, 443);
    redirected(&network, &["--backend", "nft"]);
    for _ in 0..3 {
        forge(&network, uid::SIDECAR, ports::FAREWELL);
    }
    forge(&network, uid::SIDECAR, ports::HEARTBEAT);
    for to in PROVIDER {
        assert_eq!(way(&network, to), Way::Refused, "{to}: it is led to where nobody listens");
    }
}

#[test]
fn the_first_sign_of_life_comes_when_everything_is_in_place() {
    let network = Network::new(&[]);
    speak_directly(&network.beyond, 443);
    redirected(&network, &[]);
    let sidecar = sidecar(&network);
    let trust = sidecar.trust().to_owned();
    let program = Program::start(sidecar.into_command());
    let begun = Instant::now();
    let (table, alive) = (redirection::TABLE, redirection::ALIVE);
    while !network.pod.run("nft", &["list", "set", "inet", table, alive]).contains("ipv4") {
        assert!(begun.elapsed() < DEADLINE, "no sign of life: {}", program.end().errors);
    }
    for file in [trust_files::CA, trust_files::BUNDLE] {
        assert!(trust.join(file).exists(), "{file} is not there yet");
    }
    assert_eq!(way(&network, PROVIDER[0]), Way::Through);
}
