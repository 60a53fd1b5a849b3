//! A pod under rules: a ConfigMap that is swapped as kubelet swaps it, one simulator that stands for the addressed place and its
//! backups, and an app that keeps its connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use outrigger_simulator::{Config, Script, Simulator};
use outrigger_tests::app;
use outrigger_tests::sidecar::{Sidecar, Volumes};
use serde_json::{Value, json};

/// The model that the app asks for.
pub(crate) const MODEL: &str = "gpt-5-mini";
/// A host of the same provider, for backups.
const EU: &str = "eu.api.openai.com";
/// The header that names a call in its record.
const USER: &str = "x-outrigger-user";

/// Volumes, rules and whoever answers.
pub(crate) struct Pod {
    pub(crate) simulator: Simulator,
    volumes: Volumes,
    rules: PathBuf,
    credentials: PathBuf,
    mounted: usize,
}

impl Pod {
    pub(crate) fn new(script: Script) -> Pod {
        let simulator = Simulator::start(Config { script, ..Config::default() }).expect("a simulator");
        let volumes = Volumes::new();
        let (rules, credentials) = (volumes.folder("rules"), volumes.credential("key", "sk-of-the-backup"));
        Pod { simulator, volumes, rules, credentials, mounted: 0 }
    }

    /// As kubelet does: a folder of its own, and one rename of the link that leads to it.
    pub(crate) fn mount(&mut self, document: &[u8]) {
        let (old, new) = (format!("..{}", self.mounted), format!("..{}", self.mounted + 1));
        std::fs::create_dir(self.rules.join(&new)).expect("a new folder");
        std::fs::write(self.rules.join(&new).join("rules.yaml"), document).expect("a new file");
        symlink(&new, self.rules.join("..data_tmp")).expect("a new link");
        std::fs::rename(self.rules.join("..data_tmp"), self.rules.join("..data")).expect("a rename");
        if self.mounted == 0 {
            symlink("..data/rules.yaml", self.rules.join("rules.yaml")).expect("a new link");
        } else {
            std::fs::remove_dir_all(self.rules.join(old)).expect("the old folder goes");
        }
        self.mounted += 1;
    }

    /// Starts a sidecar on them, with these variables; records go to this endpoint.
    pub(crate) fn start(&self, endpoint: Option<&str>, more: &[(&'static str, &'static str)]) -> Sidecar {
        let authority = self.volumes.write("provider.pem", self.simulator.ca_pem()).display().to_string();
        let address = self.simulator.address();
        let upstreams = ["api.openai.com", EU, "api.anthropic.com"].map(|host| format!("{host}={address}"));
        let upstreams = upstreams.join(",");
        let (rules, credentials) = (self.rules.display().to_string(), self.credentials.display().to_string());
        let mut variables = vec![
            ("OUTRIGGER_EXTRA_CAS", authority.as_str()),
            ("OUTRIGGER_UPSTREAMS", upstreams.as_str()),
            ("OUTRIGGER_RULES", rules.as_str()),
            ("OUTRIGGER_CREDENTIALS", credentials.as_str()),
        ];
        match endpoint {
            Some(endpoint) => variables.extend([
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ("OTEL_TRACES_EXPORTER", "none"),
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_BLRP_SCHEDULE_DELAY", "100"),
            ]),
            None => variables.push(("OTEL_SDK_DISABLED", "true")),
        }
        variables.extend(more);
        self.volumes.sidecar(&variables)
    }
}

/// An app that calls by base URL on one connection.
pub(crate) struct App(BufReader<TcpStream>);

/// What it got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Value,
}

impl App {
    pub(crate) fn of(base_url: SocketAddr) -> App {
        App(BufReader::new(app::connect(base_url).expect("the sidecar listens")))
    }

    /// One call of this user.
    pub(crate) fn call(&mut self, user: &str) -> Answer {
        let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "Ebb?"}]}).to_string();
        self.send(user, &body)
    }

    /// One call for a stream, with a prompt of so many bytes.
    pub(crate) fn stream(&mut self, length: usize) -> Answer {
        let prompt = "ebb ".repeat(length / 4);
        let body = json!({"model": MODEL, "stream": true, "messages": [{"role": "user", "content": prompt}]});
        self.send("captain", &body.to_string())
    }

    fn send(&mut self, user: &str, body: &str) -> Answer {
        let host = self.0.get_ref().peer_addr().expect("an open connection");
        write!(
            self.0.get_mut(),
            "POST /openai/v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sk-of-the-app\r\n\
             Content-Type: application/json\r\n{USER}: {user}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let (head, mut body) = app::answer(&mut self.0).expect("an answer");
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            body = chunks(&mut self.0).expect("a whole answer");
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head, body: serde_json::from_slice(&body).unwrap_or_default() }
    }
}

fn chunks(stream: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        let from = all.len();
        all.resize(from + length + 2, 0);
        stream.read_exact(&mut all[from..])?;
        all.truncate(from + length);
        if length == 0 {
            return Ok(all);
        }
    }
}

impl Answer {
    /// A header of Outrigger's own.
    pub(crate) fn told(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(key, _)| key.strip_prefix("x-outrigger-") == Some(name))
            .map(|(_, value)| value)
    }
}
