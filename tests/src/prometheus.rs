//! A real Prometheus, asked over its API, and `promtool`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{escape, free_address, get};
use crate::process::Program;
use crate::{DEADLINE, setting};

/// A running Prometheus, which scrapes and evaluates every second.
pub struct Prometheus {
    address: SocketAddr,
    program: Program,
    _directory: Option<tempfile::TempDir>,
}

impl Prometheus {
    /// Starts one that scrapes these addresses, evaluates these rules and tells this Alertmanager.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start(targets: &[SocketAddr], rules: &[PathBuf], alertmanager: Option<SocketAddr>) -> Prometheus {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let list = |of: &mut dyn Iterator<Item = String>| of.collect::<Vec<_>>().join(", ");
        let targets = list(&mut targets.iter().map(quoted));
        let rules = list(&mut rules.iter().map(|file| quoted(file.display())));
        let told = list(&mut alertmanager.iter().map(quoted));
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{rules}]\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: [{told}]}}]}}]}}\n\
             scrape_configs: [{{job_name: outrigger, honor_labels: true, static_configs: [{{targets: [{targets}], labels: {{namespace: harbour}}}}]}}]\n"
        );
        let file = directory.path().join("prometheus.yaml");
        std::fs::write(&file, config).expect("a temporary file");
        let address = free_address();
        let mut command = Command::new(tool("prometheus"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let prometheus =
            Prometheus { address, program: Program::start(command), _directory: Some(directory) };
        prometheus.until("ready", || get(address, "/-/ready").is_ok_and(|(status, _)| status == 200));
        prometheus
    }

    /// One that runs elsewhere, at an address that a program forwards to it.
    #[must_use]
    pub const fn behind(address: SocketAddr, program: Program) -> Prometheus {
        Prometheus { address, program, _directory: None }
    }

    /// What an expression yields now: its samples.
    ///
    /// # Errors
    /// What Prometheus says of an expression that it cannot evaluate.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.ask(&format!("/api/v1/query?query={}", escape(expression)));
        match answer["data"]["result"].as_array() {
            Some(samples) => Ok(samples.clone()),
            None => Err(answer.to_string()),
        }
    }

    /// An answer of its API.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn ask(&self, path: &str) -> Value {
        let (_, body) = get(self.address, path).expect("Prometheus answers");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// Waits until an expression yields something, and returns that.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_for(&self, expression: &str) -> Vec<Value> {
        let mut found = Vec::new();
        self.until(expression, || {
            found = self.query(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            !found.is_empty()
        });
        found
    }

    /// Waits until an expression yields nothing any more.
    ///
    /// # Panics
    /// If it goes on, or cannot be evaluated.
    pub fn wait_for_end_of(&self, expression: &str) {
        self.until(&format!("the end of {expression}"), || {
            self.query(expression).unwrap_or_else(|error| panic!("{expression}: {error}")).is_empty()
        });
    }

    fn until(&self, what: &str, holds: impl FnMut() -> bool) {
        until(&self.program, what, holds);
    }
}

/// Waits for something that a program does not announce.
///
/// # Panics
/// If it does not come.
pub fn until(program: &Program, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + 2 * DEADLINE;
    while !holds() {
        // Its log is where the next news comes from.
        let lives = program.lives(Duration::from_millis(50));
        assert!(lives && Instant::now() < deadline, "it never came: {what}\n{}", program.errors_so_far());
    }
}

fn quoted(text: impl std::fmt::Display) -> String {
    format!("\"{text}\"")
}

/// A program of the Prometheus packages.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    Path::new(&setting("OUTRIGGER_TEST_PROMETHEUS")).join(name)
}

/// Runs `promtool`; whether it found nothing wrong, and everything it said.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn promtool(arguments: &[&str], files: &[PathBuf]) -> (bool, String) {
    let output = Command::new(tool("promtool")).args(arguments).args(files).output().expect("promtool runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}
