//! Connections that pass through: every byte, each half's end, a reset that stays one, and nothing that is left over.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::Instant;

use nix::sys::signal::Signal;
use outrigger_tests::DEADLINE;
use outrigger_tests::netns::{ELSEWHERE_NAME, PROVIDER, RunningSidecar};
use outrigger_tests::tls::{TlsServer, client_hello};
use sha2::{Digest, Sha256};
use socket2::SockRef;

use super::app::{accept, connect, listen};
use super::first_bytes::lets_go;
use super::{Network, redirected};

const GIB: usize = 1 << 30;

fn pod(grace: &str) -> (Network, RunningSidecar) {
    let network = Network::new(&[]);
    redirected(&network, &[]);
    let ca = TlsServer::listen("unused.example.test");
    let sidecar = network.sidecar(ca.ca_pem()).variable("OUTRIGGER_GRACE_SECONDS", grace).start();
    (network, sidecar)
}

/// An unlisted name's connection from end to end, its hello delivered.
fn through(network: &Network, to: IpAddr) -> (TcpStream, TcpStream) {
    let listener = listen(network, to);
    let mut app = connect(network, to);
    let hello = client_hello(ELSEWHERE_NAME);
    app.write_all(&hello).expect("it is open");
    let mut server = accept(&listener);
    let mut seen = vec![0; hello.len()];
    server.read_exact(&mut seen).expect("the hello");
    assert_eq!(seen, hello);
    (app, server)
}

/// Bytes that repeat at no power of two, so that a lost or doubled buffer shows; then the end.
fn send(mut to: &TcpStream) -> Vec<u8> {
    let block: Vec<u8> = (0..1_000_003u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut digest = Sha256::new();
    let mut left = GIB;
    while left > 0 {
        let piece = &block[..left.min(block.len())];
        to.write_all(piece).expect("the other end reads");
        digest.update(piece);
        left -= piece.len();
    }
    to.shutdown(Shutdown::Write).expect("it is open");
    digest.finalize().to_vec()
}

fn receive(mut from: &TcpStream) -> (usize, Vec<u8>) {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        match from.read(&mut buffer).expect("the other end sends") {
            0 => return (total, digest.finalize().to_vec()),
            read => {
                digest.update(&buffer[..read]);
                total += read;
            }
        }
    }
}

#[test]
fn one_gibibyte_each_way_is_unchanged_and_each_half_closes_on_its_own() {
    let (network, _sidecar) = pod("30");
    for (to, app_first) in PROVIDER.into_iter().zip([true, false]) {
        let (app, server) = through(&network, to);
        let (early, late) = if app_first { (app, server) } else { (server, app) };
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| send(&early));
            assert_eq!(receive(&late), (GIB, sent.join().expect("sent")));
            let sent = scope.spawn(|| send(&late));
            assert_eq!(receive(&early), (GIB, sent.join().expect("sent")));
        });
    }
}

#[test]
fn what_cannot_be_reached_is_a_reset_and_not_an_end() {
    let (network, _sidecar) = pod("30");
    for to in PROVIDER {
        // Nobody listens beyond.
        let mut app = connect(&network, to);
        app.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it is open");
        assert_eq!(
            app.read(&mut [0]).expect_err("nobody is there").kind(),
            ErrorKind::ConnectionReset,
            "{to}"
        );
        // A silent client is told as well.
        let mut app = connect(&network, to);
        assert_eq!(
            app.read(&mut [0]).expect_err("nobody is there").kind(),
            ErrorKind::ConnectionReset,
            "{to}"
        );
    }
}

#[test]
fn a_reset_from_either_end_reaches_the_other() {
    let (network, _sidecar) = pod("30");
    for to in PROVIDER {
        for app_leaves in [true, false] {
            let (app, server) = through(&network, to);
            let (from, mut other) = if app_leaves { (app, server) } else { (server, app) };
            SockRef::from(&from).set_linger(Some(std::time::Duration::ZERO)).expect("it is open");
            drop(from);
            let ended = other.read(&mut [0]).expect_err("it broke off");
            assert_eq!(ended.kind(), ErrorKind::ConnectionReset, "{to}, the app leaves: {app_leaves}");
        }
    }
}

#[test]
fn an_app_that_closes_after_the_kernel_forgot_leaves_nothing_behind() {
    let (network, sidecar) = pod("30");
    let timer = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait";
    network.pod.run("bash", &["-c", &format!("echo 3 >{timer}")]);
    let held: Vec<_> = PROVIDER
        .into_iter()
        .map(|to| {
            let (mut app, server) = through(&network, to);
            drop(server);
            assert_eq!(app.read(&mut [0]).expect("the server's end"), 0, "{to}");
            app
        })
        .collect();
    let begun = Instant::now();
    while ["ipv4", "ipv6"].iter().any(|family| {
        network
            .pod
            .run("conntrack", &["-L", "-f", family, "-p", "tcp", "--state", "CLOSE_WAIT"])
            .contains("19001")
    }) {
        assert!(begun.elapsed() < DEADLINE, "the kernel does not forget");
    }
    drop(held);
    lets_go(&network, &sidecar);
}

#[test]
fn an_end_by_signal_does_not_wait_for_those_who_say_nothing() {
    let (network, sidecar) = pod("1");
    let listener = listen(&network, PROVIDER[0]);
    let silent = connect(&network, PROVIDER[0]);
    let _server = accept(&listener);
    let mut half = connect(&network, PROVIDER[0]);
    half.write_all(&client_hello(ELSEWHERE_NAME)[..20]).expect("it is open");
    let unheard = network
        .pod
        .enter(|| TcpStream::connect((IpAddr::from([127, 0, 0, 1]), outrigger_contract::ports::CONNECT)));
    sidecar.program.signal(Signal::SIGTERM);
    let ended = sidecar.program.end();
    assert!(ended.status.success(), "{}", ended.errors);
    drop((silent, half, unheard));
}
