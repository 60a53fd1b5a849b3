//! How the sidecar ends: in order, with the streams that are under way, or at once and with them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outrigger_contract::ports;
use outrigger_simulator::{Answer, Config, Rule, Script};
use outrigger_tests::app::{NAME, Pod, Tls};
use outrigger_tests::netns::ELSEWHERE;
use outrigger_tests::{DEADLINE, tls};

const STREAMS: usize = 20;

fn gated() -> Config {
    let gated = Answer { gated: true, ..Answer::default() };
    Config { script: Script(vec![Rule { answer: gated, ..Rule::default() }]), ..Config::default() }
}

/// Streams that have begun and wait for their events.
fn streams(pod: &Pod) -> Vec<Tls> {
    let body = r#"{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    let all: Vec<_> = (0..STREAMS)
        .map(|_| {
            let mut app = pod.h1();
            write!(
                app,
                "POST /v1/chat/completions HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer sk-drain\r\nContent-Type: \
                 application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .expect("it reads");
            app.read_exact(&mut [0; 12]).expect("a head");
            app
        })
        .collect();
    all
}

fn to_the_end(mut app: Tls) -> std::io::Result<String> {
    let mut all = Vec::new();
    let read = app.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    // The end of a body that is chunked is known without the connection's.
    if text.ends_with("0\r\n\r\n") { Ok(text) } else { read.map(|_| text) }
}

#[test]
fn asked_to_end_it_lets_streams_finish_first() {
    let pod = Pod::before_simulator(gated());
    let streams = streams(&pod);
    let begun = Instant::now();
    pod.sidecar.program.signal(Signal::SIGTERM);
    // It drains now: it accepts no more at its own ports.
    pod.simulator.as_ref().expect("a simulator").release(100_000);
    for app in streams {
        let text = to_the_end(app).expect("it ends well");
        assert!(text.contains("data: [DONE]") && text.ends_with("0\r\n\r\n"), "{text}");
    }
    let ended = pod.sidecar.program.end();
    assert!(ended.status.success() && !ended.errors.contains("grace period"), "{}", ended.errors);
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
}

#[test]
fn what_does_not_finish_within_the_grace_is_cut() {
    let pod = Pod::set(gated(), |sidecar| sidecar.variable("OUTRIGGER_GRACE_SECONDS", "1"));
    let held =
        pod.network.beyond.enter(|| std::net::TcpListener::bind((ELSEWHERE[0], 443)).expect("a free port"));
    let mut passing = pod.connect(ELSEWHERE[0]);
    passing.write_all(&tls::client_hello("elsewhere.example")).expect("it reads");
    let (_far, _) = held.accept().expect("it passes through");
    let streams = streams(&pod);
    let begun = Instant::now();
    pod.sidecar.program.signal(Signal::SIGTERM);
    let ended = pod.sidecar.program.end();
    assert!(ended.status.success() && ended.errors.contains("grace period"), "{}", ended.errors);
    assert!((1..10).contains(&begun.elapsed().as_secs()), "it took {:?}", begun.elapsed());
    for app in streams {
        assert!(!to_the_end(app).unwrap_or_default().ends_with("0\r\n\r\n"), "a cut stream looks complete");
    }
    assert!(!matches!(passing.read(&mut [0]), Ok(1..)));
}

#[test]
fn killed_it_takes_its_streams_along_at_once() {
    let pod = Pod::before_simulator(gated());
    let streams = streams(&pod);
    let begun = Instant::now();
    pod.sidecar.program.signal(Signal::SIGKILL);
    for app in streams {
        assert!(!to_the_end(app).unwrap_or_default().ends_with("0\r\n\r\n"), "a cut stream looks complete");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

/// One text message of a client, masked with zeros: readable as it is.
fn message(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(text.len()).expect("a short message").to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

#[test]
fn an_open_websocket_is_served_until_its_app_is_finished_with_it() {
    let pod = Pod::before_simulator(Config::default());
    let mut app = pod.h1();
    write!(
        app,
        "GET /v1/responses HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer sk-drain\r\nConnection: Upgrade\r\nUpgrade: \
         websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .expect("it reads");
    let mut heard = Vec::new();
    until(&mut app, &mut heard, b"\r\n\r\n");
    assert!(heard.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&heard));

    pod.sidecar.program.signal(Signal::SIGTERM);
    let drains = Instant::now() + DEADLINE;
    let refused =
        || pod.network.pod.enter(|| TcpStream::connect((Ipv4Addr::LOCALHOST, ports::CONNECT)).is_err());
    while !refused() {
        assert!(Instant::now() < drains, "it still takes connections");
    }
    app.write_all(&message(r#"{"type":"response.create","model":"gpt-5-mini","input":"hello"}"#))
        .expect("it still reads");
    until(&mut app, &mut heard, b"response.completed");
    // A close frame without a code; what is left is the provider's own.
    app.write_all(&[0x88, 0x80, 0, 0, 0, 0]).expect("it still reads");
    let _closed = app.read_to_end(&mut heard);
    drop(app);
    let ended = pod.sidecar.program.end();
    assert!(ended.status.success() && !ended.errors.contains("grace period"), "{}", ended.errors);
    assert!(ended.errors.lines().any(|line| line.contains("gpt-5-mini") && line.contains("answered")));
}

/// Reads until this has come.
fn until(app: &mut Tls, heard: &mut Vec<u8>, wanted: &[u8]) {
    let mut buffer = [0; 4096];
    while !heard.windows(wanted.len()).any(|part| part == wanted) {
        let read = app.read(&mut buffer).expect("it goes on");
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(heard));
        heard.extend_from_slice(&buffer[..read]);
    }
}
