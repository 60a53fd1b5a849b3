//! Calls through other people's tunnels and tunnels through us: the proxy that the user had before, and WebSockets.

use std::io::{Read, Write};

use outrigger_simulator::Answer;
use outrigger_tests::process::Exec;
use outrigger_tests::proxy::{ConnectProxy, head};
use outrigger_tests::tls::{Accepted, TlsServer};
use outrigger_tests::{file, setting, sha256};
use serde_json::Value;

use super::{CALLS, KEY, OTHER_KEY, python, refs, simulator};

const PASSWORD: &str = "p@ss-harbour";
const PASSWORD_ENCODED: &str = "p%40ss-harbour";
/// `me:p@ss-harbour` as Basic credentials.
const CREDENTIALS: &str = "bWU6cEBzcy1oYXJib3Vy";

fn behind(proxy: &ConnectProxy, ca_pem: &str) -> Exec {
    Exec::trusting(ca_pem)
        .variable("HTTPS_PROXY", format!("http://me:{PASSWORD_ENCODED}@{}", proxy.address()))
        .variable("OPENAI_API_KEY", KEY)
        .variable("ANTHROPIC_API_KEY", OTHER_KEY)
        .variable("OUTRIGGER_LOG", "trace")
}

fn no_password_in(text: &str) {
    for secret in [PASSWORD, PASSWORD_ENCODED, CREDENTIALS] {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
}

#[test]
fn the_users_own_proxy_still_carries_everything() {
    let simulator = simulator(Answer { gzip: true, ..Answer::default() });
    let proxy = ConnectProxy::to(simulator.address());
    let calls = ["chat_stream_raw", "messages_raw", "responses_raw_async"];
    let ended = behind(&proxy, simulator.ca_pem()).run(&refs(&python(CALLS, &calls)));
    let sent: Vec<String> = simulator.received().iter().map(|one| sha256(&one.sent)).collect();
    for line in ended.json_lines() {
        assert_eq!(line["status"], 200, "{line}\n{}", ended.errors);
        assert!(sent.iter().any(|hash| line["sha256"] == hash.as_str()), "{line}");
    }
    assert!(ended.errors.contains("3 calls"), "{}", ended.errors);
    no_password_in(&ended.errors);

    // What is not listed takes the same way, with the host's own certificate.
    let words = [
        setting("OUTRIGGER_TEST_PYTHON"),
        file("clients/python/certificate.py").display().to_string(),
        "plain.example.test".to_owned(),
    ];
    let ended = behind(&proxy, simulator.ca_pem()).run(&refs(&words));
    assert_eq!(ended.output.trim(), "simulator authority", "{}", ended.errors);

    let heads = proxy.heads();
    for host in ["api.openai.com", "api.anthropic.com", "plain.example.test"] {
        let line = format!("CONNECT {host}:443 HTTP/1.1\r\n");
        assert!(heads.iter().any(|head| head.starts_with(&line)), "no {host} in {heads:?}");
    }
    let credentials = format!("Proxy-Authorization: Basic {CREDENTIALS}\r\n");
    assert!(heads.iter().all(|head| head.contains(&credentials)), "{heads:?}");
}

#[test]
fn a_proxy_that_refuses_is_named_in_the_providers_own_shape() {
    let proxy = ConnectProxy::refusing();
    let simulator = simulator(Answer::default());
    let ended = behind(&proxy, simulator.ca_pem()).run(&refs(&python(CALLS, &["chat", "messages"])));
    let lines = ended.json_lines();
    for (line, host) in lines.iter().zip(["api.openai.com", "api.anthropic.com"]) {
        assert_eq!(line["status"], 502, "{line}\n{}", ended.errors);
        let message = line["message"].as_str().unwrap_or_default();
        assert!(message.contains(&format!("refused a tunnel to {host}:443 (status 407)")), "{message}");
        assert!(message.contains(&proxy.address().to_string()), "{message}");
    }
    assert_eq!(lines.len(), 2);
    no_password_in(&ended.output);
    no_password_in(&ended.errors);
}

fn websocket(server: &TlsServer, bytes: usize) -> (Exec, Vec<String>) {
    let exec = Exec::trusting(server.ca_pem())
        .upstream("api.openai.com", server.address())
        .variable("OPENAI_API_KEY", KEY);
    let words = vec![
        setting("OUTRIGGER_TEST_PYTHON"),
        file("clients/python/websocket.py").display().to_string(),
        bytes.to_string(),
    ];
    (exec, words)
}

/// The request's head, once it is seen to ask for the switch and to carry what a WebSocket needs.
fn asked(connection: &mut Accepted) -> String {
    let head = head(connection).expect("a request");
    let lower = head.to_ascii_lowercase();
    assert!(lower.starts_with("get /v1/realtime?model=gpt-realtime http/1.1\r\n"), "{head}");
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dghlihrpzgugdhvybnmgiq==",
    ] {
        assert!(lower.contains(&format!("\r\n{line}\r\n")), "no {line} in {head}");
    }
    assert!(head.contains(&format!("Bearer {KEY}")), "{head}");
    head
}

#[test]
fn after_the_switch_a_websocket_is_a_tunnel() {
    let server = TlsServer::listen("api.openai.com");
    let bytes = 3 * 1024 * 1024;
    let (exec, words) = websocket(&server, bytes);
    let running = exec.start(&refs(&words));
    let mut connection = server.accept();
    asked(&mut connection);
    // The first frame leaves together with the head, so the two arrive together.
    let accept = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: tide\r\n\r\n";
    connection.write_all(&[accept.as_bytes(), b"\x81\x05hello"].concat()).expect("the app listens");
    let mut left = bytes;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let wanted = left.min(buffer.len());
        let read = connection.read(&mut buffer[..wanted]).expect("the app sends");
        assert!(read > 0, "the app left {left} bytes before the end");
        connection.write_all(&buffer[..read]).expect("the app listens");
        left -= read;
    }
    let mut last = [0; 2];
    connection.read_exact(&mut last).expect("the app takes its leave");
    assert_eq!(last, *b"\x88\x00");
    connection.conn.send_close_notify();
    connection.flush().expect("the app listens");
    drop(connection);

    let ended = running.program.end();
    assert!(ended.status.success(), "{}", ended.errors);
    let told = &ended.json_lines()[0];
    assert_eq!(told["headers"]["upgrade"], "websocket", "{told}");
    assert_eq!(told["headers"]["sec-websocket-accept"], "tide", "{told}");
    assert_eq!((&told["greeting"], &told["echoed"]), (&Value::Bool(true), &Value::Bool(true)), "{told}");
    assert_eq!(told["rest"], "", "{told}");
}

#[test]
fn a_websocket_that_is_refused_gets_the_providers_own_words() {
    let server = TlsServer::listen("api.openai.com");
    let (exec, words) = websocket(&server, 0);
    let running = exec.start(&refs(&words));
    let mut connection = server.accept();
    asked(&mut connection);
    let body = r#"{"error":{"message":"no tide today","type":"invalid_request_error"}}"#;
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(format!("{head}{body}").as_bytes()).expect("the app listens");
    let ended = running.program.end();
    assert!(ended.status.success(), "{}", ended.errors);
    let told = &ended.json_lines()[0];
    assert_eq!((&told["status"], &told["body"]), (&Value::from(403), &Value::from(body)), "{told}");
}
