//! The demo's app: a plain HTTPS client that goes through the proxy in its environment, as any SDK would.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use outrigger_simulator::presets::STORM_KEY;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(super) const OPENAI: &str = "api.openai.com";
pub(super) const ANTHROPIC: &str = "api.anthropic.com";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One call of the app.
pub(super) struct Call {
    host: &'static str,
    path: &'static str,
    key: &'static str,
    step: &'static str,
    body: Value,
}

/// What the app does in a round.
pub(super) fn round() -> Vec<Call> {
    let chat = |model: &str, stream: bool| {
        let mut body =
            json!({"model": model, "messages": [{"role": "user", "content": "When does the tide turn?"}]});
        if stream {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        Call { host: OPENAI, path: "/v1/chat/completions", key: STORM_KEY, step: "plan", body }
    };
    let responses = |stream: bool| Call {
        host: OPENAI,
        path: "/v1/responses",
        key: STORM_KEY,
        step: "research",
        body: json!({"model": "gpt-6.1-terra", "input": "How strong is the wind?", "stream": stream}),
    };
    let messages = |stream: bool| Call {
        host: ANTHROPIC,
        path: "/v1/messages",
        key: STORM_KEY,
        step: "answer",
        body: json!({"model": "claude-sonnet-5-5", "max_tokens": 512, "stream": stream,
            "messages": [{"role": "user", "content": "Write the harbour report."}]}),
    };
    let mistyped = Call { key: "sk-demo-harbour-pilot-4171", ..responses(false) };
    vec![
        chat("gpt-6-luna", false),
        chat("gpt-6-luna", true),
        responses(true),
        responses(false),
        messages(true),
        messages(false),
        mistyped,
        chat("gpt-5-mini", false),
        chat("gpt-5-mini", false),
        chat("gpt-5-mini", true),
        chat("gpt-5-mini", true),
    ]
}

/// The client.
pub(super) struct App {
    proxy: SocketAddr,
    tls: TlsConnector,
}

impl App {
    /// A client that trusts what its environment names, and nothing else.
    pub(super) fn new(proxy: SocketAddr, trust: &str) -> Result<App> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(trust.as_bytes()) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(App { proxy, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Makes a call and reads its answer to the end, whatever its status.
    pub(super) async fn send(&self, call: &Call) -> Result<()> {
        let mut stream = TcpStream::connect(self.proxy).await?;
        let host = call.host;
        stream
            .write_all(format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("the proxy answered {}", String::from_utf8_lossy(&answer)).into());
        }
        let tls = self.tls.connect(ServerName::try_from(host)?, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(Method::POST)
            .uri(call.path)
            .header(HOST, host)
            .header(AUTHORIZATION, format!("Bearer {}", call.key))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .header(HeaderName::from_static("anthropic-version"), "2026-10-21")
            .header(HeaderName::from_static("x-outrigger-step"), call.step)
            .body(Full::new(Bytes::from(call.body.to_string())))?;
        sender.send_request(request).await?.into_body().collect().await?;
        drop(sender);
        driver.await??;
        Ok(())
    }
}
