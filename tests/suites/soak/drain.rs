//! How the sidecar ends: in order, with the streams that are under way, or at once and with them.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outrigger_simulator::{Answer, Config, Rule, Script};
use outrigger_tests::app::{NAME, Pod, Tls};
use outrigger_tests::netns::ELSEWHERE;
use outrigger_tests::tls;

const STREAMS: usize = 20;

fn pod() -> Pod {
    let gated = Answer { gated: true, ..Answer::default() };
    Pod::before_simulator(Config {
        script: Script(vec![Rule { answer: gated, ..Rule::default() }]),
        ..Config::default()
    })
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
    let pod = pod();
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
    let network = outrigger_tests::netns::Network::new(&[]);
    let listen = Some(std::net::SocketAddr::new(outrigger_tests::netns::PROVIDER[0], 443));
    let gated = Answer { gated: true, ..Answer::default() };
    let script = Script(vec![Rule { answer: gated, ..Rule::default() }]);
    let simulator = network.simulator(Config { listen, script, ..Config::default() });
    let ca = simulator.ca_pem().to_owned();
    let pod =
        Pod::start(network, Some(simulator), &ca, |sidecar| sidecar.variable("OUTRIGGER_GRACE_SECONDS", "1"));
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
    let pod = pod();
    let streams = streams(&pod);
    let begun = Instant::now();
    pod.sidecar.program.signal(Signal::SIGKILL);
    for app in streams {
        assert!(!to_the_end(app).unwrap_or_default().ends_with("0\r\n\r\n"), "a cut stream looks complete");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}
