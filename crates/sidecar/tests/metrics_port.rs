//! The metrics port over real sockets: what it answers, and whom it does not wait for.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use outrigger_exporter::Exporter;
use outrigger_sidecar::{MetricsPort, Probe, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bench, HOST, within};

async fn bench() -> Bench {
    Bench::before(Settings::default(), |_| async { Response::new(Either::Left(Full::default())) }).await
}

/// An exporter that only keeps metrics.
fn exporter() -> Exporter {
    Exporter::start(outrigger_exporter::Settings::read(None, |_| None).unwrap().scraped()).unwrap()
}

fn port(bench: &Bench, exporter: Option<&Exporter>) -> SocketAddr {
    let port = MetricsPort::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = port.address();
    tokio::spawn(port.serve(bench.observer(), exporter.and_then(Exporter::scrape)));
    address
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request}\r\nHost: pod\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn a_scraper_gets_metrics_in_the_form_it_asks_for_and_a_kubelet_its_probes() {
    let (bench, exporter) = (bench().await, exporter());
    let address = port(&bench, Some(&exporter));
    let text = ask(address, "GET /metrics HTTP/1.1").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    for line in [
        format!("outrigger_build_info{{version=\"{}\"}} 1", outrigger_contract::VERSION),
        "outrigger_rules_info{hash=\"none\",mode=\"observe\"} 1".to_owned(),
        "outrigger_telemetry_seen_total{signal=\"calls\"} 0".to_owned(),
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
    let open =
        ask(address, "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0").await;
    assert!(
        open.contains("content-type: application/openmetrics-text") && open.ends_with("# EOF\n"),
        "{open}"
    );
    assert!(ask(address, "POST /metrics HTTP/1.1").await.starts_with("HTTP/1.1 405"));
    assert!(ask(address, "GET / HTTP/1.1").await.starts_with("HTTP/1.1 404"));

    let asked = |probe: Probe| tokio::task::spawn_blocking(move || probe.ask(address.port()));
    for probe in [Probe::Ready, Probe::Alive] {
        asked(probe).await.unwrap().unwrap();
    }
    let state = bench.observer();
    assert!(ask(address, "GET /healthz HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET /readyz HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    let _ended = bench.end().await;
    assert!(!state.is_alive());
    assert!(ask(address, "GET /readyz HTTP/1.1").await.starts_with("HTTP/1.1 503"));
    assert!(ask(address, "GET /healthz HTTP/1.1").await.starts_with("HTTP/1.1 503"));
    for probe in [Probe::Ready, Probe::Alive] {
        let refused = asked(probe).await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("HTTP/1.1 503"), "{refused}");
    }
}

#[tokio::test]
async fn a_kubelet_hears_that_the_traffic_thread_is_stuck() {
    let bench = bench().await;
    let address = port(&bench, None);
    let alive = async || ask(address, "GET /healthz HTTP/1.1").await.starts_with("HTTP/1.1 200");
    let stuck = bench.stuck();
    let mut app = bench.h1::<Full<Bytes>>(HOST).await;
    let call = Request::post("/v1/chat/completions").header("host", HOST).body(Full::from("{}")).unwrap();
    tokio::spawn(async move {
        let answer = app.send_request(call).await.unwrap();
        answer.into_body().collect().await.unwrap();
    });
    within(async { while alive().await {} }).await;
    drop(stuck);
    assert!(alive().await);
    within(bench.recorded(1)).await;
    let _ended = bench.end().await;
}

#[tokio::test]
async fn where_metrics_are_switched_off_the_probes_remain() {
    let bench = bench().await;
    let address = port(&bench, None);
    let answer = ask(address, "GET /metrics HTTP/1.1").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("OTEL_METRICS_EXPORTER"), "{answer}");
    assert!(ask(address, "GET /readyz HTTP/1.1").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn those_who_are_slow_on_purpose_keep_nobody_out() {
    let (bench, exporter) = (bench().await, exporter());
    let address = port(&bench, Some(&exporter));
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    assert!(ask(address, "GET /healthz HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    // The first were ended for the later ones.
    let mut first = slow.swap_remove(0);
    let mut nothing = Vec::new();
    let _reset = within(first.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    let long = format!("GET /metrics HTTP/1.1\r\nX-Long: {}", "x".repeat(64 * 1024));
    assert!(ask(address, &long).await.starts_with("HTTP/1.1 431"));
}
