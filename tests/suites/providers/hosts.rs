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

/// The words that a part of `docs/what-we-change.md` sets off, in lower case.
fn documented(part: &str) -> Vec<String> {
    let page = std::fs::read_to_string(file("../docs/what-we-change.md")).expect("the page");
    let part = page.split("\n## ").find(|text| text.starts_with(part)).expect("such a part");
    part.split('`').skip(1).step_by(2).map(str::to_lowercase).collect()
}

/// Whether a header is set off there, by its name, with a value, or as one of a family.
fn is_named(name: &str, documented: &[String]) -> bool {
    documented.iter().any(|word| {
        let word = word.split(':').next().unwrap_or_default();
        word == name || word.strip_suffix('*').is_some_and(|family| name.starts_with(family))
    })
}

fn pairs(headers: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    headers
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (text(&pair[0]).to_lowercase(), text(&pair[1])))
        .collect()
}

/// Sends one request with headers of every kind. What left and came back, and what reached the simulator.
fn changed(arguments: &[&str]) -> (serde_json::Value, outrigger_simulator::Received) {
    let simulator = simulator(Answer::default());
    let words = [setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/headers.py").display().to_string()];
    let ended = exec(&simulator).run(&[refs(&words), arguments.to_vec()].concat());
    assert!(ended.status.success(), "{}", ended.errors);
    let told: serde_json::Value = serde_json::from_str(&ended.output).expect("JSON");
    let received = simulator.received().remove(0);

    let (requests, responses) = (documented("Requests"), documented("Responses"));
    let streams = documented("Streams that do not tell");
    let streamed = !arguments.is_empty();
    let (sent, got) = (pairs(&told["sent_headers"]), &received.headers);
    let names: Vec<&str> = got.keys().map(AsRef::as_ref).collect();
    let (stay, gone): (Vec<&str>, Vec<&str>) =
        sent.iter().map(|(name, _)| &**name).partition(|name| got.contains_key(*name));
    assert_eq!(names, stay, "the request's headers, in their order");
    let hop = ["connection", "x-hop", "keep-alive", "te", "expect", "x-outrigger-step", "x-outrigger-note"];
    assert_eq!(gone, hop);
    for name in gone {
        // What the connection's own list names is named by the app.
        assert!(
            is_named(name, &requests) || name == "x-hop",
            "{name} is removed and the page does not say so"
        );
    }
    for (name, value) in sent.iter().filter(|(name, _)| stay.contains(&&**name)) {
        let same = got.get(name).and_then(|got| got.to_str().ok()) == Some(value);
        assert!(same || streamed && is_named(name, &streams), "{name} is another");
    }
    assert_eq!(received.path, "/v1/chat/completions?a=%2F&b");

    let answered = pairs(&told["received_headers"]);
    let answered: Vec<&str> = answered.iter().map(|(name, _)| &**name).collect();
    assert!(is_named("alt-svc", &responses) && !answered.contains(&"alt-svc"), "{answered:?}");
    for name in ["x-request-id", "openai-processing-ms", "content-type", "date"] {
        assert!(answered.contains(&name), "{name} is missing in {answered:?}");
    }
    assert!(answered.iter().all(|name| !name.starts_with("x-outrigger") && *name != "via"), "{answered:?}");
    (told, received)
}

#[test]
fn a_call_changes_on_its_way_only_as_the_documentation_says() {
    let (told, received) = changed(&[]);
    assert_eq!(told["sent"], String::from_utf8_lossy(&received.body).into_owned());
    assert!(pairs(&told["received_headers"]).iter().any(|(name, _)| name == "content-length"));
    assert_eq!(told["received_sha256"], outrigger_tests::sha256(&received.sent));
}

#[test]
fn a_stream_changes_on_its_way_only_as_the_documentation_says() {
    let (told, received) = changed(&["stream"]);
    let question = documented("Streams that do not tell")
        .into_iter()
        .find(|word| word.starts_with(",\"stream_options\""));
    let question = question.expect("the page tells what is put in");
    let sent = told["sent"].as_str().expect("a body");
    let expected = format!("{}{question}}}", sent.strip_suffix('}').expect("an object"));
    assert_eq!(String::from_utf8_lossy(&received.body), expected);
    assert_eq!(received.headers["accept-encoding"], "identity");
    assert_eq!(received.headers["content-length"], expected.len().to_string());

    // What is taken out of this answer, by other means than ours.
    let answer = String::from_utf8(received.sent).expect("text");
    let (before, usage) = answer.rsplit_once("data: {").expect("a last event");
    assert!(usage.contains("\"choices\":[]") && usage.ends_with("data: [DONE]\n\n"), "{usage}");
    let without = before.replace(",\"usage\":null", "") + "data: [DONE]\n\n";
    assert_eq!(told["received_sha256"], outrigger_tests::sha256(without.as_bytes()));
}
