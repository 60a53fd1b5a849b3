//! The webhook over real sockets and real TLS: what the API server, a kubelet and Prometheus see.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use outrigger_injector::Options;
use outrigger_injector::server::{Certificate, Drain, Files, Service, Webhook};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

const HOST: &str = "outrigger-injector.outrigger.svc";
const DEADLINE: Duration = Duration::from_secs(60);

/// A running webhook, and the certificate that it was started with.
struct Running {
    listen: SocketAddr,
    metrics: SocketAddr,
    drain: Drain,
    certificate: CertificateDer<'static>,
    folder: tempfile::TempDir,
}

/// Writes a new pair as kubelet would have it; the certificate is its own authority.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let issued = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), issued.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), issued.signing_key.serialize_pem()).unwrap();
    issued.cert.der().clone()
}

async fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let certificate = issue(folder.path());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let webhook = Webhook::bind(Service {
        listen: any,
        metrics: any,
        certificate: Certificate::Files(
            Files { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") },
            Duration::from_millis(20),
        ),
        options: Options::default(),
    })
    .await
    .unwrap();
    let (listen, metrics) = webhook.addresses().unwrap();
    let drain = webhook.drain();
    tokio::spawn(webhook.serve());
    Running { listen, metrics, drain, certificate, folder }
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<axum::body::Bytes>>,
) -> (StatusCode, String) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn request(method: Method, path: &str, body: impl Into<Vec<u8>>) -> Request<Full<axum::body::Bytes>> {
    Request::builder().method(method).uri(path).header("host", HOST).body(Full::from(body.into())).unwrap()
}

impl Running {
    /// A connection as the API server makes it, trusting this certificate alone.
    async fn connect(
        &self,
        trusted: &CertificateDer<'static>,
    ) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(self.listen).await?;
        tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from(HOST).unwrap(), stream)
            .await
    }

    async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> (StatusCode, String) {
        let stream = self.connect(&self.certificate).await.unwrap();
        ask(stream, request(Method::POST, path, body)).await
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        ask(TcpStream::connect(self.metrics).await.unwrap(), request(Method::GET, path, "")).await
    }

    async fn count(&self, line: &str) -> u64 {
        let page = self.get("/metrics").await.1;
        let found = page.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
        assert!(found.is_some(), "{line} is missing in {page}");
        found.unwrap()
    }

    /// Waits until the certificate that is shown is trusted by this one.
    async fn until_shown(&self, trusted: &CertificateDer<'static>) {
        let shown = async { while self.connect(trusted).await.is_err() {} };
        tokio::time::timeout(DEADLINE, shown).await.unwrap();
    }
}

fn review(kind: &str, object: Value) -> Value {
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "705ab4f5", "kind": {"group": "", "version": "v1", "kind": kind}, "operation": "CREATE",
                    "namespace": "shop", "object": object},
    })
}

fn pod() -> Value {
    json!({"metadata": {"generateName": "shop-"}, "spec": {"containers": [{"name": "app"}]}})
}

fn read(answer: &(StatusCode, String)) -> Value {
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
    serde_json::from_str::<Value>(&answer.1).unwrap()["response"].clone()
}

#[tokio::test]
async fn a_pod_is_patched_by_the_mode_of_the_path_and_counted() {
    let running = start().await;
    for path in ["/pods/transparent", "/pods/base-url"] {
        let response = read(&running.post(path, review("Pod", pod()).to_string()).await);
        assert_eq!(
            (&response["uid"], &response["allowed"], &response["patchType"]),
            (&json!("705ab4f5"), &json!(true), &json!("JSONPatch"))
        );
    }
    let mut of_node = pod();
    of_node["spec"]["hostNetwork"] = json!(true);
    read(&running.post("/pods/transparent", review("Pod", of_node).to_string()).await);
    let counted =
        |result: &str| format!("outrigger_injector_reviews_total{{webhook=\"pods\",result=\"{result}\"}}");
    assert_eq!(running.count(&counted("injected")).await, 2);
    assert_eq!(running.count(&counted("host-network")).await, 1);
    assert_eq!(running.count(&counted("panic")).await, 0);
    assert_eq!(running.count("outrigger_injector_review_seconds_count").await, 3);
}

#[tokio::test]
async fn whatever_comes_is_answered_200_without_a_patch() {
    let running = start().await;
    let large = format!(
        "{{\"kind\":\"AdmissionReview\",\"request\":{{\"uid\":\"705ab4f5\",\"x\":\"{}\"}}}}",
        "x".repeat(9 << 20)
    );
    let mut future = review("Pod", pod());
    future["apiVersion"] = json!("admission.k8s.io/v7");
    for (body, result, uid) in [
        ("<html>".to_owned(), "not-a-review", ""),
        (large, "too-large", "705ab4f5"),
        (future.to_string(), "other-version", "705ab4f5"),
        (review("Service", pod()).to_string(), "other-kind", "705ab4f5"),
    ] {
        let response = read(&running.post("/pods/transparent", body).await);
        assert_eq!(response, json!({"uid": uid, "allowed": true}), "{result}");
        let line = format!("outrigger_injector_reviews_total{{webhook=\"pods\",result=\"{result}\"}}");
        assert_eq!(running.count(&line).await, 1, "{result}");
    }
}

#[tokio::test]
async fn rules_are_refused_with_line_and_mend() {
    let running = start().await;
    let rules = |document: &str| {
        review(
            "ConfigMap",
            json!({"metadata": {"name": "outrigger-rules"}, "data": {"rules.yaml": document}}),
        )
        .to_string()
    };
    let response = read(&running.post("/rules", rules("version: 1\nmode: observ\n")).await);
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(422)));
    assert!(
        response["status"]["message"].as_str().unwrap().starts_with("rules.yaml:2:7: mode: "),
        "{response}"
    );
    assert_eq!(read(&running.post("/rules", rules("version: 1\nmode: observe\n")).await)["allowed"], true);
}

#[tokio::test]
async fn a_changed_certificate_is_shown_and_a_broken_one_is_not() {
    let running = start().await;
    let renewed = issue(running.folder.path());
    running.until_shown(&renewed).await;
    assert!(running.connect(&running.certificate).await.is_err(), "the old one is gone");

    let refused = "outrigger_injector_certificates_total{result=\"refused\"}";
    std::fs::write(running.folder.path().join("tls.crt"), "nonsense").unwrap();
    let noticed = async { while running.count(refused).await == 0 {} };
    tokio::time::timeout(DEADLINE, noticed).await.unwrap();
    let response = ask(
        running.connect(&renewed).await.unwrap(),
        request(Method::POST, "/pods/base-url", review("Pod", pod()).to_string()),
    )
    .await;
    assert_eq!(read(&response)["allowed"], true);

    let mended = issue(running.folder.path());
    running.until_shown(&mended).await;
}

#[tokio::test]
async fn reviews_are_answered_on_while_it_leaves() {
    let running = start().await;
    assert_eq!(running.get("/readyz").await.0, StatusCode::OK);
    running.drain.begin();
    assert_eq!(running.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(running.get("/healthz").await.0, StatusCode::OK);
    assert_eq!(
        read(&running.post("/pods/base-url", review("Pod", pod()).to_string()).await)["allowed"],
        true
    );
    let (status, text) = running.post("/pods/tproxy", "").await;
    assert!(status == StatusCode::NOT_FOUND && text.contains("/pods/transparent"), "{text}");
}

#[tokio::test]
async fn one_who_does_not_speak_holds_up_nobody() {
    let running = start().await;
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(TcpStream::connect(running.listen).await.unwrap());
    }
    assert_eq!(
        read(&running.post("/pods/base-url", review("Pod", pod()).to_string()).await)["allowed"],
        true
    );
    drop(silent);
}

#[tokio::test]
async fn a_certificate_that_does_not_serve_keeps_it_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path());
    let first = std::fs::read(folder.path().join("tls.key")).unwrap();
    issue(folder.path());
    std::fs::write(folder.path().join("tls.key"), first).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let bind = |certificate: &str| {
        let certificate =
            Files { certificate: folder.path().join(certificate), key: folder.path().join("tls.key") };
        Webhook::bind(Service {
            listen: any,
            metrics: any,
            certificate: Certificate::Files(certificate, DEADLINE),
            options: Options::default(),
        })
    };
    for (file, part) in
        [("tls.crt", "do not fit"), ("missing.crt", "cannot read"), ("tls.key", "no certificate")]
    {
        let fault = bind(file).await.err().unwrap().to_string();
        assert!(fault.contains(part), "{fault}");
    }
}
