//! A real Jaeger, asked over its query API.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{free_address, get};
use crate::process::Program;
use crate::{DEADLINE, setting};

/// A running Jaeger.
pub struct Jaeger {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub http: SocketAddr,
    query: SocketAddr,
    _program: Program,
}

impl Jaeger {
    /// Starts one on free ports of loopback.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start() -> Jaeger {
        let [grpc, http, query, query_grpc, admin, collector, collector_grpc] =
            std::array::from_fn(|_| free_address());
        let mut command = Command::new(setting("OUTRIGGER_TEST_JAEGER"));
        for (flag, address) in [
            ("collector.otlp.grpc.host-port", grpc),
            ("collector.otlp.http.host-port", http),
            ("query.http-server.host-port", query),
            ("query.grpc-server.host-port", query_grpc),
            ("admin.http.host-port", admin),
            ("collector.http-server.host-port", collector),
            ("collector.grpc-server.host-port", collector_grpc),
        ] {
            command.arg(format!("--{flag}={address}"));
        }
        let program = Program::start(command);
        let until = Instant::now() + DEADLINE;
        while !get(admin, "/").is_ok_and(|(status, _)| status == 200) {
            assert!(Instant::now() < until, "Jaeger did not become ready");
            // Its log is where the next news comes from.
            program.error_line(Duration::from_millis(20), |_| true);
        }
        Jaeger { grpc, http, query, _program: program }
    }

    /// Waits until a service has this many traces, and returns them.
    ///
    /// # Panics
    /// If they do not come.
    #[must_use]
    pub fn traces(&self, service: &str, count: usize) -> Vec<Value> {
        traces(self.query, service, count)
    }
}

/// Waits until the Jaeger at this address has this many traces of a service, and returns them.
///
/// # Panics
/// If they do not come.
#[must_use]
pub fn traces(query: SocketAddr, service: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/traces?service={service}&limit=100");
    let until = Instant::now() + DEADLINE;
    loop {
        let (_, body) = get(query, &path).expect("Jaeger answers queries");
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let traces = answer["data"].as_array().cloned().unwrap_or_default();
        if traces.len() >= count {
            return traces;
        }
        assert!(Instant::now() < until, "Jaeger has {} of {count} traces of {service}", traces.len());
        std::thread::yield_now();
    }
}

/// A tag's value of a span.
#[must_use]
pub fn tag<'a>(span: &'a Value, name: &str) -> &'a Value {
    span["tags"]
        .as_array()
        .and_then(|tags| tags.iter().find(|tag| tag["key"] == name))
        .map_or(&Value::Null, |tag| &tag["value"])
}

/// The span of a trace's call itself, not of one of its attempts.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn logical(trace: &Value) -> &Value {
    spans(trace).find(|span| span["operationName"] != "POST").expect("a span of the call")
}

/// The span of a trace's first attempt.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn attempt(trace: &Value) -> &Value {
    spans(trace).find(|span| span["operationName"] == "POST").expect("a span of the attempt")
}

fn spans(trace: &Value) -> impl Iterator<Item = &Value> {
    trace["spans"].as_array().into_iter().flatten()
}
