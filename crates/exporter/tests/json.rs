//! OTLP as JSON over HTTP, before an endpoint of the test's own that takes a part.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use outrigger_exporter::{DropCause, Exporter, Settings};
use serde_json::Value;

use crate::support::calls;

const LONG: Duration = Duration::from_secs(20);

/// A request's path, content type and body.
type Request = (String, String, Value);

fn one(stream: &mut TcpStream) -> Option<Request> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
                Some(line.split_once(':')?.1.trim().to_owned())
            };
            if body.len() >= header("content-length")?.parse().ok()? {
                let path = head.split(' ').nth(1)?.to_owned();
                return Some((path, header("content-type")?, serde_json::from_str(body).unwrap()));
            }
        }
        match stream.read(&mut piece).ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// Takes everything but one record of each request of them.
fn endpoint() -> (SocketAddr, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, sees) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let seen = seen.clone();
            std::thread::spawn(move || {
                while let Some(request) = one(&mut stream) {
                    let partial = r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#;
                    let body = if request.0 == "/v1/logs" { partial } else { "{}" };
                    // Before the answer, which the exporter's end waits for.
                    let _gone = seen.send(request);
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
                    let _gone = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
                }
            });
        }
    });
    (address, sees)
}

#[test]
fn requests_and_answers_are_json_and_what_was_left_out_is_counted() {
    let (address, sees) = endpoint();
    let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_PROTOCOL").then(|| "http/json".to_owned());
    let settings = Settings::from_env(Some(&format!("http://{address}")), get).unwrap().unwrap();
    let exporter = Exporter::start(settings).unwrap();
    for number in 0..2 {
        exporter.recorder().try_record(calls::numbered(calls::answered(), number));
    }
    let counts = exporter.shutdown(LONG);
    assert_eq!((counts.logs.exported, counts.logs.dropped.of(DropCause::Partial)), (1, 1));
    assert_eq!((counts.traces.exported, counts.traces.dropped.total()), (4, 0));
    let requests: Vec<Request> = sees.try_iter().collect();
    assert!(requests.iter().all(|(_, kind, _)| kind == "application/json"), "{requests:?}");
    let of = |wanted: &str| &requests.iter().find(|(path, ..)| path == wanted).unwrap().2;
    let record = &of("/v1/logs")["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["eventName"], "outrigger.call");
    let metrics = &of("/v1/metrics")["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    assert!(
        metrics.as_array().unwrap().iter().any(|metric| metric["name"] == "outrigger.calls"),
        "{metrics}"
    );
    assert!(of("/v1/traces")["resourceSpans"][0]["resource"]["attributes"].is_array());
}
