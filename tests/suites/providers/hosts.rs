//! Hosts that are not listed: their own handshake, their own certificate, every byte, both ends of a close. And what is
//! changed on the way to those that are listed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use outrigger_ledger::{CallRecord, Recorder};
use outrigger_sidecar::{Running, Settings, UpstreamOverride, bind};
use outrigger_simulator::Answer;
use outrigger_tests::tls::client_hello;
use outrigger_tests::{file, setting};
use sha2::{Digest, Sha256};

use super::{exec, refs, simulator};

const GIB: usize = 1 << 30;
const HOST: &str = "plain.example.test";

#[test]
fn the_app_sees_an_unlisted_hosts_own_certificate() {
    let simulator = simulator(Answer::default());
    let words =
        [setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/certificate.py").display().to_string()];
    for (host, issuer) in [(HOST, "simulator authority"), ("api.openai.com", "Outrigger issuing CA")] {
        let ended = exec(&simulator).run(&[refs(&words), vec![host]].concat());
        assert_eq!(ended.output.trim(), issuer, "{}", ended.errors);
        let unread = ended.errors.contains("1 connection to 1 other host passed through undecrypted");
        assert_eq!(unread, host == HOST, "{}", ended.errors);
    }
}

#[test]
fn a_client_that_does_not_trust_us_is_named_with_the_mend() {
    let simulator = simulator(Answer::default());
    let script = file("clients/python/certificate.py").display().to_string();
    let python = setting("OUTRIGGER_TEST_PYTHON");
    let ended = exec(&simulator).run(&[
        "env",
        "-u",
        "SSL_CERT_FILE",
        "-u",
        "SSL_CERT_DIR",
        &python,
        &script,
        "api.openai.com",
    ]);
    assert!(
        !ended.status.success() && ended.errors.contains("CERTIFICATE_VERIFY_FAILED"),
        "{}",
        ended.errors
    );
    let named = "UNTRUSTED  a client refused Outrigger's certificate for api.openai.com";
    assert!(ended.errors.contains(named) && ended.errors.contains("--mode base-url"), "{}", ended.errors);
    assert!(simulator.received().is_empty());
}

struct Nobody;

impl Recorder for Nobody {
    fn try_record(&self, record: Arc<CallRecord>) {
        panic!("a connection that is not read made a record: {record:?}");
    }
}

fn sidecar(server: SocketAddr) -> (Running, SocketAddr) {
    let settings = Settings {
        transparent_port: None,
        connect: ([127, 0, 0, 1], 0).into(),
        base_url: ([127, 0, 0, 1], 0).into(),
        upstreams: vec![UpstreamOverride { host: HOST.to_owned(), address: server }],
        ..Settings::default()
    };
    let bound = bind(&settings).expect("free ports");
    let connect = bound.connect_address();
    (bound.serve(Arc::new(Nobody)).expect("a thread"), connect)
}

fn tunnel(connect: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(connect).expect("the sidecar listens");
    write!(stream, "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n").expect("the sidecar reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the sidecar answers");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Bytes that repeat at no power of two, so that a lost or doubled buffer shows.
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
    to.shutdown(Shutdown::Write).expect("the connection is open");
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
    for app_first in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (running, connect) = sidecar(listener.local_addr().expect("a bound address"));
        let app = tunnel(connect);
        let (server, _) = listener.accept().expect("the sidecar dials");
        let (early, late) = if app_first { (app, server) } else { (server, app) };
        // The early end sends everything and closes its half; only then does the late end send anything.
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| send(&early));
            assert_eq!(receive(&late), (GIB, sent.join().expect("sent")));
            let sent = scope.spawn(|| send(&late));
            assert_eq!(receive(&early), (GIB, sent.join().expect("sent")));
        });
        drop((early, late));
        let seen = running.drain(outrigger_tests::DEADLINE);
        assert_eq!((seen.passed, seen.intercepted, seen.panics), (1, 0, 0));
    }
}

#[test]
fn an_unlisted_host_sees_the_clients_own_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (running, connect) = sidecar(listener.local_addr().expect("a bound address"));
    let hello = client_hello(HOST);
    // Whole, and cut where the header, the name and the end of the hello may be missing.
    let cuts = [hello.len(), 1, 5, hello.len() / 2, hello.len() - 1];
    for cut in cuts {
        let mut app = tunnel(connect);
        app.set_nodelay(true).expect("the connection is open");
        app.write_all(&hello[..cut]).expect("the sidecar reads");
        app.write_all(&hello[cut..]).expect("the sidecar reads");
        let (mut server, _) = listener.accept().expect("the sidecar dials");
        for stream in [&app, &server] {
            stream.set_read_timeout(Some(outrigger_tests::DEADLINE)).expect("a deadline");
        }
        let mut seen = vec![0; hello.len()];
        server.read_exact(&mut seen).expect("the hello arrives");
        assert!(seen == hello, "the hello was changed (cut at {cut})");
        // And the server's answer, TLS or not, is the client's to judge.
        server.write_all(b"\x15\x03\x03\x00\x02\x02\x28").expect("the app listens");
        let mut alert = [0; 7];
        app.read_exact(&mut alert).expect("the answer arrives");
        assert_eq!(alert, *b"\x15\x03\x03\x00\x02\x02\x28");
    }
    let seen = running.drain(outrigger_tests::DEADLINE);
    assert_eq!((seen.passed, seen.intercepted, seen.panics), (cuts.len() as u64, 0, 0));
}

#[test]
fn a_request_changes_on_its_way_only_as_the_documentation_says() {
    let simulator = simulator(Answer::default());
    let words = [setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/headers.py").display().to_string()];
    let ended = exec(&simulator).run(&refs(&words));
    assert!(ended.status.success(), "{}", ended.errors);
    let told: serde_json::Value = serde_json::from_str(&ended.output).expect("JSON");
    let received = simulator.received().remove(0);

    let names = |pairs: &serde_json::Value| -> Vec<String> {
        pairs
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|pair| Some(pair[0].as_str()?.to_lowercase()))
            .collect()
    };
    let removed =
        ["connection", "keep-alive", "te", "expect", "x-hop", "x-outrigger-step", "x-outrigger-note"];
    let expected: Vec<String> =
        names(&told["sent_headers"]).into_iter().filter(|name| !removed.contains(&name.as_str())).collect();
    let got: Vec<String> = received.headers.keys().map(ToString::to_string).collect();
    assert_eq!(got, expected, "the request's headers, in their order");
    for pair in told["sent_headers"].as_array().into_iter().flatten() {
        let name = pair[0].as_str().unwrap_or_default().to_lowercase();
        if expected.contains(&name) {
            assert_eq!(
                received.headers.get(&name).and_then(|value| value.to_str().ok()),
                pair[1].as_str(),
                "{name}"
            );
        }
    }
    assert_eq!(received.path, "/v1/chat/completions?a=%2F&b");
    assert_eq!(outrigger_tests::sha256(&received.body), told["sent_sha256"].as_str().unwrap_or_default());

    let answered = names(&told["received_headers"]);
    assert!(!answered.contains(&"alt-svc".to_owned()), "{answered:?}");
    let of_the_provider = ["x-request-id", "openai-processing-ms", "content-type", "content-length", "date"];
    for name in of_the_provider {
        assert!(answered.contains(&name.to_owned()), "{name} is missing in {answered:?}");
    }
    assert!(answered.iter().all(|name| !name.starts_with("x-outrigger") && name != "via"), "{answered:?}");
    assert_eq!(told["received_sha256"], outrigger_tests::sha256(&received.sent));
}
