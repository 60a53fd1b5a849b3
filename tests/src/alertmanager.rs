//! A real Alertmanager, and the receiver that it notifies.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::Value;

use crate::DEADLINE;
use crate::http::{free_address, get, read_request};
use crate::process::Program;
use crate::prometheus::{tool, until};

/// A running Alertmanager, which notifies at once.
pub struct Alertmanager {
    /// Its API.
    pub address: SocketAddr,
    notified: Receiver<Value>,
    program: Program,
    _directory: tempfile::TempDir,
}

impl Alertmanager {
    /// Starts one on loopback.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start() -> Alertmanager {
        let (webhook, notified) = webhook();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("alertmanager.yaml");
        let config = format!(
            "route: {{receiver: webhook, group_by: [\"...\"], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: webhook, webhook_configs: [{{url: \"http://{webhook}/alerts\", send_resolved: true}}]}}]\n"
        );
        std::fs::write(&file, config).expect("a temporary file");
        let checked =
            Command::new(tool("amtool")).arg("check-config").arg(&file).output().expect("amtool runs");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let address = free_address();
        let mut command = Command::new(tool("prometheus-alertmanager"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            // Alone.
            .arg("--cluster.listen-address=");
        let program = Program::start(command);
        until(&program, "ready", || get(address, "/-/ready").is_ok_and(|(status, _)| status == 200));
        Alertmanager { address, notified, program, _directory: directory }
    }

    /// Waits for an alert of its API that is so named.
    ///
    /// # Panics
    /// If it does not come.
    #[must_use]
    pub fn alert(&self, name: &str) -> Value {
        let mut found = Value::Null;
        until(&self.program, name, || {
            let (_, body) = get(self.address, "/api/v2/alerts").expect("Alertmanager answers");
            let alerts: Value = serde_json::from_str(&body).unwrap_or_default();
            let named =
                alerts.as_array().into_iter().flatten().find(|alert| alert["labels"]["alertname"] == name);
            found = named.cloned().unwrap_or_default();
            !found.is_null()
        });
        found
    }

    /// Waits until the receiver is told that this alert is `firing` or `resolved`; what it is told.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn notified(&self, name: &str, status: &str) -> Value {
        let deadline = Instant::now() + 2 * DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(told) = self.notified.recv_timeout(left) else { panic!("{name} is never {status}") };
            let alerts = told["alerts"].as_array().cloned().unwrap_or_default();
            let alert = alerts
                .into_iter()
                .find(|alert| alert["labels"]["alertname"] == name && alert["status"] == status);
            if let Some(alert) = alert {
                return alert;
            }
        }
    }
}

/// A receiver of notifications; its thread ends with the process.
fn webhook() -> (SocketAddr, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let (sender, notified) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut buffer = Vec::new();
                while let Ok(Some((_, body))) = read_request(&mut stream, &mut buffer) {
                    // Nobody may be listening any more.
                    let _gone = sender.send(serde_json::from_slice(&body).expect("a notification is JSON"));
                    if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, notified)
}
