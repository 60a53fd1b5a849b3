//! A real OpenTelemetry Collector: takes OTLP, writes files, and serves metrics to Prometheus.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::http::free_address;
use crate::process::Program;
use crate::prometheus::until;
use crate::{DEADLINE, setting};

/// A running Collector.
pub struct Collector {
    /// OTLP over HTTP.
    pub http: SocketAddr,
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// What Prometheus scrapes.
    pub metrics: SocketAddr,
    program: Program,
    directory: tempfile::TempDir,
}

impl Collector {
    /// Starts one on loopback.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start() -> Collector {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [http, grpc, metrics] = std::array::from_fn(|_| free_address());
        let folder = directory.path().display();
        let pipeline = |signal: &str, more: &str| {
            format!("    {signal}: {{receivers: [otlp], exporters: [file/{signal}{more}]}}\n")
        };
        let file = |signal: &str| {
            format!("  file/{signal}: {{path: {folder}/{signal}.json, flush_interval: 50ms}}\n")
        };
        let signals = ["traces", "logs", "metrics"];
        let config = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: \"{http}\"}}, grpc: {{endpoint: \"{grpc}\"}}}}}}}}\n\
             exporters:\n{}  prometheus: {{endpoint: \"{metrics}\"}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n{}",
            signals.map(file).concat(),
            signals
                .map(|signal| pipeline(signal, if signal == "metrics" { ", prometheus" } else { "" }))
                .concat(),
        );
        let path = directory.path().join("collector.yaml");
        std::fs::write(&path, config).expect("a temporary file");
        let mut command = Command::new(setting("OUTRIGGER_TEST_COLLECTOR"));
        command.arg(format!("--config=file:{}", path.display()));
        let program = Program::start(command);
        let ready = program.error_line(DEADLINE, |line| line.contains("Everything is ready"));
        if ready.is_none() {
            panic!("the Collector is not ready: {}", program.end().errors);
        }
        Collector { http, grpc, metrics, program, directory }
    }

    /// Waits until what its file exporter wrote of a signal is enough, and returns it: one request of OTLP each.
    ///
    /// # Panics
    /// If it does not come.
    #[must_use]
    pub fn written(&self, signal: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let file: PathBuf = self.directory.path().join(format!("{signal}.json"));
        let mut requests = Vec::new();
        until(&self.program, signal, || {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            // The last line may be half written.
            requests = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(parse).collect();
            enough(&requests)
        });
        requests
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
