//! An OTLP/HTTP endpoint that keeps what it is sent, or behaves as badly as a test asks.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use outrigger_exporter::ExportedCall;
use prost::Message;
use serde_json::{Value, json};

/// What has been received.
#[derive(Debug, Default, Clone)]
pub struct Received {
    /// Attributes of the call records, in the order of arrival.
    pub calls: Vec<BTreeMap<String, Value>>,
    /// Of which resource each of them is, in the same order.
    pub resources: Vec<BTreeMap<String, Value>>,
    /// The same, read back by the module that writes them.
    pub records: Vec<ExportedCall>,
    /// Other events, by their names.
    pub events: Vec<(String, BTreeMap<String, Value>)>,
    /// Spans.
    pub spans: Vec<Span>,
    /// Names of metrics.
    pub metrics: Vec<String>,
    /// Every body, as it came: for what must not be in it.
    pub raw: Vec<u8>,
}

/// A running endpoint; its thread ends with the process.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    received: Mutex<Received>,
    changed: Condvar,
    mood: Mutex<Mood>,
}

/// How an endpoint behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes what it is sent and answers 200.
    Takes,
    /// It takes nothing and answers so.
    Answers(u16),
    /// It reads requests and never answers.
    Silent,
    /// It closes every connection.
    Away,
    /// It takes what it is sent and closes the connection instead of an answer.
    TakesUnsaid,
}

impl Receiver {
    /// One that takes everything.
    #[must_use]
    pub fn start() -> Receiver {
        Receiver::behaving(Mood::Takes)
    }

    /// One that takes everything, on a free port of this address.
    #[must_use]
    pub fn at(ip: IpAddr) -> Receiver {
        Receiver::listening(ip, Mood::Takes)
    }

    /// One that answers everything with this status.
    #[must_use]
    pub fn refusing(status: u16) -> Receiver {
        Receiver::behaving(Mood::Answers(status))
    }

    /// One that never answers.
    #[must_use]
    pub fn silent() -> Receiver {
        Receiver::behaving(Mood::Silent)
    }

    fn behaving(mood: Mood) -> Receiver {
        Receiver::listening(IpAddr::V4(Ipv4Addr::LOCALHOST), mood)
    }

    fn listening(ip: IpAddr, mood: Mood) -> Receiver {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let shared =
            Arc::new(Shared { received: Mutex::default(), changed: Condvar::new(), mood: Mutex::new(mood) });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // A peer may leave as it likes.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Receiver { address, shared }
    }

    /// From the next request on it behaves so.
    pub fn behave(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything so far.
    #[must_use]
    pub fn received(&self) -> Received {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `enough` holds. What has been received then, `None` when the deadline came first.
    pub fn wait_for(&self, deadline: Duration, enough: impl Fn(&Received) -> bool) -> Option<Received> {
        let until = Instant::now() + deadline;
        let mut received = self.shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        while !enough(&received) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            received =
                self.shared.changed.wait_timeout(received, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(received.clone())
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            let head = buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
            let whole = head.and_then(|head| {
                let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
                let length: usize =
                    text.split("content-length:").nth(1)?.split("\r\n").next()?.trim().parse().ok()?;
                (buffer.len() >= head + length)
                    .then(|| (text.split(' ').nth(1).unwrap_or("").to_owned(), head, length))
            });
            match whole {
                Some((path, head, length)) => {
                    let body: Vec<u8> = buffer.drain(..head + length).skip(head).collect();
                    let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
                    if matches!(mood, Mood::Takes | Mood::TakesUnsaid) {
                        self.take(&path, &body);
                    }
                    let status = match mood {
                        Mood::Takes => 200,
                        Mood::Answers(status) => status,
                        Mood::Silent => continue,
                        Mood::Away | Mood::TakesUnsaid => return Ok(()),
                    };
                    write!(
                        stream,
                        "HTTP/1.1 {} X\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
                        status
                    )?;
                }
                None => match stream.read(&mut piece)? {
                    0 => return Ok(()),
                    read => buffer.extend_from_slice(&piece[..read]),
                },
            }
        }
    }

    fn take(&self, path: &str, body: &[u8]) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.raw.extend_from_slice(body);
        crate::evidence::keep("telemetry", body);
        match path {
            "/v1/logs" => {
                let request = ExportLogsServiceRequest::decode(body).expect("logs are protobuf");
                let records = request.resource_logs.into_iter().flat_map(|one| {
                    let resource = attributes(&one.resource.unwrap_or_default().attributes);
                    let records = one.scope_logs.into_iter().flat_map(|scope| scope.log_records);
                    records.map(move |record| (resource.clone(), record))
                });
                for (resource, record) in records {
                    let attributes = attributes(&record.attributes);
                    if record.event_name == outrigger_contract::telemetry::CALL_EVENT {
                        let call = ExportedCall::read(&record).expect("a record of our own is read back");
                        received.records.push(call);
                        received.resources.push(resource);
                        received.calls.push(attributes);
                    } else {
                        received.events.push((record.event_name, attributes));
                    }
                }
            }
            "/v1/traces" => {
                let request = ExportTraceServiceRequest::decode(body).expect("spans are protobuf");
                received.spans.extend(
                    request
                        .resource_spans
                        .into_iter()
                        .flat_map(|one| one.scope_spans)
                        .flat_map(|one| one.spans),
                );
            }
            "/v1/metrics" => {
                let request = ExportMetricsServiceRequest::decode(body).expect("metrics are protobuf");
                let metrics = request
                    .resource_metrics
                    .into_iter()
                    .flat_map(|one| one.scope_metrics)
                    .flat_map(|one| one.metrics);
                received.metrics.extend(metrics.map(|metric| metric.name));
            }
            other => panic!("OTLP has no path {other}"),
        }
        self.changed.notify_all();
    }
}

/// Attributes as JSON.
#[must_use]
pub fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, Value> {
    pairs.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref()))).collect()
}

fn value(any: Option<&AnyValue>) -> Value {
    match any.and_then(|any| any.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(truth)) => json!(truth),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::ArrayValue(list)) => list.values.iter().map(|one| value(Some(one))).collect(),
        Some(Any::KvlistValue(map)) => json!(attributes(&map.values)),
        _ => Value::Null,
    }
}
