//! First bytes that never become a ClientHello, or only as late, as long or as crowded as can be.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use outrigger_simulator::Config;
use outrigger_tests::app::NAME;
use outrigger_tests::netns::{ELSEWHERE, Network};
use outrigger_tests::{DEADLINE, sha256, tls};

use super::{CALM, GROWTH, Pod, until_closed};

/// What one connection brought to the far end.
struct Arrived {
    bytes: usize,
    hash: String,
}

/// A server that says nothing and reads everything.
struct Sink {
    accepted: Receiver<Instant>,
    ended: Receiver<Arrived>,
}

fn sink(network: &Network, ip: IpAddr) -> Sink {
    let listener = network.beyond.enter(|| TcpListener::bind(SocketAddr::new(ip, 443)).expect("a free port"));
    let ((connected, accepted), (done, ended)) = (channel(), channel());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if connected.send(Instant::now()).is_err() {
                return;
            }
            let done = done.clone();
            std::thread::spawn(move || {
                let mut all = Vec::new();
                // A reset is an end, too.
                let _read = stream.read_to_end(&mut all);
                // The test may be over.
                let _sent = done.send(Arrived { bytes: all.len(), hash: sha256(&all) });
            });
        }
    });
    Sink { accepted, ended }
}

/// A TLS record.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a record's length");
    [&[kind, 3, 1], length.to_be_bytes().as_slice(), body].concat()
}

/// A ClientHello with these extensions, in records of `piece` bytes.
fn hello(extensions: &[u8], padding: usize, piece: usize) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session, one cipher suite, no compression.
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(u16::try_from(extensions.len()).expect("extensions' length").to_be_bytes());
    body.extend(extensions);
    body.resize(body.len() + padding, 0);
    let length = u32::try_from(body.len()).expect("a hello's length").to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    message.chunks(piece).flat_map(|part| record(22, part)).collect()
}

/// The extension that names servers, as often as asked.
fn names(name: &str, times: usize) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).expect("a length").to_be_bytes();
    let one = [&[0], length(name.len()).as_slice(), name.as_bytes()].concat();
    let list = one.repeat(times);
    [&[0, 0], length(list.len() + 2).as_slice(), length(list.len()).as_slice(), &list].concat()
}

/// Bytes that look like nothing and are the same every time.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_be_bytes());
    }
    bytes.truncate(length);
    // The first byte of a record that carries a handshake would make it a case of its own.
    bytes[0] = 0x80;
    bytes
}

#[test]
fn what_is_no_hello_passes_to_where_it_was_going_byte_for_byte() {
    let pod = Pod::before_simulator(Config::default());
    let whole = tls::client_hello(NAME);
    let cases = [
        ("a hello of 1 MB", hello(&names(NAME, 1), 1024 * 1024, 16 * 1024)),
        ("500 names", hello(&names(NAME, 500), 0, 16 * 1024)),
        ("500 different kinds of nothing", record(22, &[]).repeat(500)),
        ("empty records of application data", record(23, &[]).repeat(500)),
        ("empty records before a hello", [record(22, &[]), whole.clone()].concat()),
        ("a hello that lies about its length", hello(&[0, 0, 0xff, 0xff], 0, 16 * 1024)),
        ("half a record", whole[..whole.len() / 2].to_vec()),
        ("the head of a record", vec![22, 3, 1, 0x40, 0]),
        ("one byte", vec![22]),
        ("garbage", garbage(10_000)),
        ("a request in the clear", b"GET / HTTP/1.1\r\nHost: api.openai.com\r\n\r\n".to_vec()),
        ("SSLv2", [&[0x80, 0x2e, 1, 3, 1], garbage(43).as_slice()].concat()),
        ("64 MiB of garbage", garbage(64 * 1024 * 1024)),
    ];
    let count = cases.len();
    let far = sink(&pod.network, ELSEWHERE[0]);
    let neighbour = pod.neighbour();
    let before = pod.resident();
    for (what, bytes) in cases {
        let mut app = pod.connect(ELSEWHERE[0]);
        app.write_all(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        app.shutdown(Shutdown::Write).unwrap_or_else(|error| panic!("{what}: {error}"));
        let arrived = far.ended.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{what}: did not arrive"));
        assert_eq!((arrived.bytes, arrived.hash), (bytes.len(), sha256(&bytes)), "{what}");
        assert_eq!(until_closed(&mut app), 0, "{what}");
    }
    let after = pod.resident();
    assert!(after < before + GROWTH, "{before} KiB before, {after} KiB after");
    neighbour.was_calm(CALM);
    let seen = pod.drained();
    assert!(seen.contains(&format!("\"not_tls\": {count}")), "all of them came by the sidecar: {seen}");
}

#[test]
fn a_hello_of_a_byte_a_second_is_waited_for_a_few_seconds() {
    let pod = Pod::before_simulator(Config::default());
    let far = sink(&pod.network, ELSEWHERE[0]);
    let neighbour = pod.neighbour();
    let bytes = tls::client_hello(NAME);
    let mut app = pod.connect(ELSEWHERE[0]);
    let begun = Instant::now();
    let mut sent = 0;
    let given_up = loop {
        app.write_all(&bytes[sent..=sent]).expect("the sidecar reads");
        sent += 1;
        match far.accepted.recv_timeout(Duration::from_secs(1)) {
            Ok(at) => break at - begun,
            Err(RecvTimeoutError::Timeout) => {
                assert!(begun.elapsed() < DEADLINE, "it is waited for without end")
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the far end is gone"),
        }
    };
    assert!(given_up > Duration::from_secs(4), "given up after {given_up:?}");
    app.shutdown(Shutdown::Write).expect("an open connection");
    let arrived = far.ended.recv_timeout(DEADLINE).expect("its bytes arrive");
    assert_eq!((arrived.bytes, arrived.hash), (sent, sha256(&bytes[..sent])));
    neighbour.was_calm(CALM);
    let seen = pod.drained();
    assert!(seen.contains("\"not_tls\": 1"), "{seen}");
}

#[test]
fn hundreds_of_half_hellos_cost_twice_their_bytes_at_most() {
    const MANY: usize = 300;
    const EACH: usize = 60 * 1024;
    let pod = Pod::before_simulator(Config::default());
    let far = sink(&pod.network, ELSEWHERE[0]);
    let neighbour = pod.neighbour();
    let before = pod.resident();
    // A hello that begins well and is almost as long as one may be.
    let part = hello(&names(NAME, 1), 64_000, 16 * 1024);
    let apps: Vec<_> = (0..MANY)
        .map(|_| {
            let mut app = pod.connect(ELSEWHERE[0]);
            app.write_all(&part[..EACH]).expect("the sidecar reads");
            app
        })
        .collect();
    // All are given up for passing through.
    for _ in 0..MANY {
        far.accepted.recv_timeout(DEADLINE).expect("it is given up");
    }
    let meanwhile = pod.resident();
    // Each was held as it came and as it was read.
    assert!(
        meanwhile < before + GROWTH + (2 * MANY * EACH / 1024) as u64,
        "{before} KiB, then {meanwhile} KiB"
    );
    drop(apps);
    for _ in 0..MANY {
        let arrived = far.ended.recv_timeout(DEADLINE).expect("its bytes arrive");
        assert_eq!(arrived.bytes, EACH);
    }
    neighbour.was_calm(CALM);
    let seen = pod.drained();
    assert!(seen.contains(&format!("\"not_tls\": {MANY}")), "{seen}");
}

#[test]
fn a_hello_in_pieces_of_one_byte_is_still_one() {
    let pod = Pod::before_simulator(Config::default());
    let far = sink(&pod.network, ELSEWHERE[0]);
    // For a listed host: it is answered by the sidecar, and the far end sees no byte of it.
    let mut app = pod.connect(ELSEWHERE[0]);
    let pieces =
        tls::client_hello(NAME)[5..].iter().flat_map(|byte| record(22, &[*byte])).collect::<Vec<_>>();
    app.write_all(&pieces).expect("the sidecar reads");
    let mut head = [0];
    app.read_exact(&mut head).expect("an answer");
    assert_eq!(head, [22], "a handshake goes on");
    assert!(far.accepted.try_recv().is_err(), "it was passed on");
}

#[test]
fn garbage_in_place_of_the_rest_of_a_handshake_ends_it() {
    let pod = Pod::before_simulator(Config::default());
    let neighbour = pod.neighbour();
    for tail in [
        garbage(100_000),
        record(22, &[]).repeat(1000),
        record(23, &[]).repeat(1000),
        vec![20, 3, 3, 0xff, 0xff],
    ] {
        let mut app = pod.connect(outrigger_tests::netns::PROVIDER[0]);
        app.write_all(&tls::client_hello(NAME)).expect("the sidecar reads");
        // It may be closed before everything is written.
        let _written = app.write_all(&tail).and_then(|()| app.shutdown(Shutdown::Write));
        until_closed(&mut app);
    }
    neighbour.was_calm(CALM);
}
