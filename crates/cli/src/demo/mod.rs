//! `outrigger demo`: fake providers, the sidecar and a small app on loopback. Good calls, streams, a mistyped key, and a
//! provider that answers 500 to half of its calls.

mod app;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outrigger_diagnosis::KeySources;
use outrigger_exporter::Exporter;
use outrigger_ledger::{CallRecord, Recorder, Wants, call_json};
use outrigger_pricing::PriceBook;
use outrigger_providers::Who;
use outrigger_sidecar::{Settings, UpstreamOverride};
use outrigger_simulator::{Simulator, presets};
use serde_json::json;

use crate::bill::{Bill, Telemetry};
use crate::diagnosis;
use crate::output;

/// The records of the last calls may take this long to arrive, and telemetry to leave.
const LAST: Duration = Duration::from_secs(5);
/// Between two rounds without `--once`.
const PAUSE: Duration = Duration::from_secs(2);
/// Rounds without `--once`, so that a forgotten demo ends.
const ROUNDS: usize = 1000;

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One round, then end.
    #[arg(long)]
    once: bool,
    /// How to print: text as it happens, or one JSON object at the end (which implies `--once`).
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    /// Send telemetry to this OTLP endpoint; wins over the `OTEL_*` variables.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// Runs the demo.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match storm(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Keeps every record for the JSON and prints it for a reader.
struct Log {
    records: Mutex<Vec<Arc<CallRecord>>>,
    prints: bool,
}

impl Recorder for Log {
    fn try_record(&self, record: Arc<CallRecord>) {
        if self.prints {
            output::line(&call_line(&record));
        } else {
            self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        }
    }
}

struct All(Vec<Arc<dyn Recorder>>);

impl Recorder for All {
    fn try_record(&self, record: Arc<CallRecord>) {
        for recorder in &self.0 {
            recorder.try_record(Arc::clone(&record));
        }
    }

    fn wants(&self) -> Wants {
        let all = || self.0.iter().map(|recorder| recorder.wants());
        Wants { room: all().find_map(|it| it.room), chunk_times: all().any(|it| it.chunk_times) }
    }
}

fn storm(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let json = arguments.output == Format::Json;
    let simulator = Simulator::start(presets::storm())?;
    let directory = tempfile::Builder::new().prefix("outrigger-demo-").tempdir()?;
    let provider_ca = directory.path().join("providers.pem");
    std::fs::write(&provider_ca, simulator.ca_pem())?;
    let upstream = |host: &str| UpstreamOverride { host: host.to_owned(), address: simulator.address() };
    let bound = outrigger_sidecar::bind(&Settings {
        transparent_port: None,
        connect: ([127, 0, 0, 1], 0).into(),
        base_url: ([127, 0, 0, 1], 0).into(),
        upstreams: vec![upstream(app::OPENAI), upstream(app::ANTHROPIC)],
        extra_cas: vec![provider_ca],
        ..Settings::default()
    })?;
    let telemetry =
        outrigger_exporter::Settings::from_env(arguments.otlp.as_deref(), |name| std::env::var(name).ok())?
            .map(|settings| settings.default_service_name("outrigger-demo"));
    let endpoints = telemetry.as_ref().map(outrigger_exporter::Settings::endpoints);
    let exporter = telemetry.map(Exporter::start).transpose()?;
    let bill = Arc::new(Bill::new(false));
    let log = Arc::new(Log { records: Mutex::default(), prints: !json });
    let mut recorders: Vec<Arc<dyn Recorder>> = vec![Arc::clone(&bill) as _, Arc::clone(&log) as _];
    recorders.extend(exporter.as_ref().map(Exporter::recorder));
    let trust = bound.ca_pem().to_owned();
    let proxy = bound.connect_address();
    if !json {
        output::line(&format!(
            "Fake providers on {}, the sidecar on {proxy}. A small app makes its calls:\n",
            simulator.address()
        ));
    }
    let (recorder, diagnosing) = diagnosis::start(
        Arc::new(All(recorders)),
        exporter.as_ref().map(Exporter::announcer),
        KeySources::default(),
        &bill,
    );
    let running = bound.serve(recorder)?;

    let rounds = if arguments.once || json { 1 } else { ROUNDS };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let called = runtime.block_on(async {
        tokio::select! {
            done = call(proxy, &trust, rounds) => done,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    });
    let seen = running.drain(LAST);
    if let Some(diagnosing) = diagnosing {
        diagnosing.end();
    }
    let telemetry = exporter
        .zip(endpoints)
        .map(|(exporter, endpoints)| Telemetry { counts: exporter.shutdown(LAST), endpoints });
    called?;
    if json {
        let records = log.records.lock().unwrap_or_else(PoisonError::into_inner);
        let book = PriceBook::builtin();
        let whole = json!({
            "calls": records.iter().map(|record| call_json(record)).collect::<Vec<_>>(),
            "summary": bill.json(),
            "price_book": {"hash": &**book.hash(), "date": book.date()},
        });
        output::line(&whole.to_string());
    } else {
        output::line(&bill.summary(Some(&seen), telemetry.as_ref()));
    }
    Ok(())
}

async fn call(
    proxy: std::net::SocketAddr,
    trust: &str,
    rounds: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let app = app::App::new(proxy, trust)?;
    for round in 0..rounds {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        for call in app::round() {
            app.send(&call).await?;
        }
    }
    Ok(())
}

/// A call in one line; a failed one with its cause below.
fn call_line(record: &CallRecord) -> String {
    let milliseconds = record.times.ended.since(record.times.started) / 1_000_000;
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let cost = record.cost.total.map_or_else(|| "unpriced".to_owned(), |total| format!("${total}"));
    let usage = &record.tokens.usage;
    let mut line = format!(
        "  {:<9} {:<18} {:<7} {:<6} {:>5} ms  {:>6} in {:>5} out  {cost}",
        record.outcome.as_str(),
        record.model().unwrap_or("?"),
        record.identity.get(Who::Step).unwrap_or("–"),
        if record.facts.stream { "stream" } else { "whole" },
        milliseconds,
        count(usage.total_prompt()),
        count(usage.total_answer()),
    );
    if let Some(cause) = &record.cause {
        line.push_str("\n            ↳ ");
        line.push_str(&cause.text);
    }
    line
}
