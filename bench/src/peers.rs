//! What is measured: direct traffic, nginx, the sidecar, the sidecar without or with unreachable telemetry, and with rules.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::client::{Client, Route, request};
use crate::tls::{Authority, BACKUP, HOST, client};
use crate::{Result, tls};

/// A peer may take this long to answer its first request; under valgrind it is slow.
const READY: Duration = Duration::from_secs(60);

/// Which peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Client to provider, nothing between.
    Direct,
    /// nginx: TLS in, TLS out, one worker.
    Nginx,
    /// The sidecar with telemetry on.
    Outrigger,
    /// The sidecar without an endpoint.
    OutriggerDark,
    /// The sidecar whose endpoint refuses connections.
    OutriggerDown,
    /// Another one like that: what its ratio is off by is noise.
    OutriggerTwin,
    /// The sidecar with telemetry on and ten rules, of which none matches once the model has been read.
    OutriggerOther,
    /// The sidecar with telemetry on and a rule that decides every call, with deadlines and a backup.
    OutriggerRule,
}

/// A rule whose breaker leaves alone nothing that answers every second call.
const RULE: &str = r#"version: 1
mode: act
backups:
  eu: { provider: openai, host: eu.api.openai.com, credential: { file: key } }
rules:
  - name: chat
    match: { provider: openai, model: "gpt-5*" }
    deadlines: { responseHead: 30s, firstToken: 30s, betweenTokens: 30s, total: 5m }
    breaker: { opensAt: 100%, consecutive: 100 }
    failover: { to: [eu] }
"#;

impl Kind {
    pub(crate) const ALL: [Kind; 7] = [
        Kind::Direct,
        Kind::Nginx,
        Kind::Outrigger,
        Kind::OutriggerDark,
        Kind::OutriggerDown,
        Kind::OutriggerOther,
        Kind::OutriggerRule,
    ];

    /// What rules cost is told by these.
    pub(crate) const RULES: [Kind; 4] =
        [Kind::Outrigger, Kind::OutriggerTwin, Kind::OutriggerOther, Kind::OutriggerRule];

    /// The peer that its ratios are to.
    pub(crate) const fn compared_with(self) -> Kind {
        match self {
            Kind::OutriggerTwin | Kind::OutriggerOther | Kind::OutriggerRule => Kind::Outrigger,
            _ => Kind::Nginx,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Nginx => "nginx",
            Kind::Outrigger => "outrigger",
            Kind::OutriggerDark => "outrigger, no telemetry",
            Kind::OutriggerDown => "outrigger, collector down",
            Kind::OutriggerTwin => "outrigger, once more",
            Kind::OutriggerOther => "outrigger, no rule matches",
            Kind::OutriggerRule => "outrigger, a rule decides",
        }
    }
}

/// What starting a peer needs.
pub(crate) struct Setup<'a> {
    pub(crate) arguments_pin: &'a str,
    pub(crate) dir: &'a Path,
    pub(crate) authority: &'a Authority,
    pub(crate) provider: SocketAddr,
    pub(crate) sink: SocketAddr,
}

/// A running peer; its process ends with it.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) route: Route,
    /// Start of the process to the first 200.
    pub(crate) ready: Duration,
    process: Option<Child>,
}

impl Peer {
    pub(crate) async fn start(kind: Kind, setup: &Setup<'_>, sidecar: &Path, nginx: &Path) -> Result<Peer> {
        let started = Instant::now();
        let (route, process) = match kind {
            Kind::Direct => {
                (Route { address: setup.provider, connect: false, tls: client(&setup.authority.ca)? }, None)
            }
            Kind::Nginx => start_nginx(setup, nginx)?,
            _ => start_sidecar(kind, setup, sidecar).await?,
        };
        let mut peer = Peer { kind, route, ready: Duration::ZERO, process };
        let plain = request("", 1024, false);
        while let Err(error) = peer.first(&plain).await {
            if started.elapsed() > READY {
                return Err(format!("{} did not become ready: {error}", kind.name()).into());
            }
            tokio::task::yield_now().await;
        }
        peer.ready = started.elapsed();
        Ok(peer)
    }

    async fn first(&self, plain: &[u8]) -> Result<()> {
        Client::open(&self.route).await?.unary(plain).await
    }

    /// CPU time of the peer's process so far; for direct traffic this process's own.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let pid = self.pid().unwrap_or_else(std::process::id);
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let Ok(schedstat) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            total += schedstat.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Resident memory of the peer's process, KiB.
    pub(crate) fn resident(&self) -> Result<u64> {
        let Some(pid) = self.pid() else { return Ok(0) };
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }
}

fn pinned(setup: &Setup<'_>, program: &Path) -> Command {
    let mut words = setup.arguments_pin.split_whitespace();
    let mut command = match words.next() {
        None => Command::new(program),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
    };
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn start_nginx(setup: &Setup<'_>, nginx: &Path) -> Result<(Route, Option<Child>)> {
    let address = free_address()?;
    let dir = setup.dir.join("nginx");
    fs::create_dir_all(&dir)?;
    let config = dir.join(format!("{}.conf", address.port()));
    let (dir, provider, authority) = (dir.display(), setup.provider, setup.authority);
    let (certificate, key, ca) =
        (authority.certificate.display(), authority.key.display(), authority.ca.display());
    fs::write(
        &config,
        format!(
            "daemon off; master_process off; worker_processes 1; pid {dir}/{port}.pid; error_log stderr crit;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\n access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;\n\
             fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
             client_max_body_size 0; client_body_buffer_size 256k; keepalive_requests 100000000; keepalive_timeout 600s;\n\
             upstream provider {{ server {provider}; keepalive 64; keepalive_requests 100000000; }}\n\
             server {{ listen {address} ssl backlog=4096; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
             ssl_protocols TLSv1.3;\n\
             location / {{ proxy_pass https://provider; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_set_header Host {HOST}; proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 600s;\n\
             proxy_ssl_server_name on; proxy_ssl_name {HOST}; proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on;\n\
             proxy_ssl_trusted_certificate {ca}; }} }} }}\n",
            port = address.port(),
        ),
    )?;
    let process = pinned(setup, nginx).arg("-c").arg(&config).stderr(Stdio::inherit()).spawn()?;
    Ok((Route { address, connect: false, tls: client(&authority.ca)? }, Some(process)))
}

async fn start_sidecar(kind: Kind, setup: &Setup<'_>, sidecar: &Path) -> Result<(Route, Option<Child>)> {
    let address = free_address()?;
    let trust = setup.dir.join(format!("trust-{}", address.port()));
    let mut command = pinned(setup, sidecar);
    command
        .arg(format!("--upstream={HOST}={}", setup.provider))
        .arg(format!("--upstream={BACKUP}={}", setup.provider))
        .arg(format!("--extra-ca={}", setup.authority.ca.display()))
        .arg(format!("--trust-dir={}", trust.display()))
        .env("OUTRIGGER_TRANSPARENT_PORT", "0")
        .env("OUTRIGGER_CONNECT", address.to_string())
        .env("OUTRIGGER_BASE_URL", "127.0.0.1:0")
        .env("OUTRIGGER_METRICS", "127.0.0.1:0")
        .env("OUTRIGGER_LOG", "error")
        .stderr(Stdio::inherit());
    if let Some(rules) = rules(kind) {
        let folder = setup.dir.join(format!("rules-{}", address.port()));
        fs::create_dir(&folder)?;
        fs::write(folder.join("key"), "sk-bench-of-the-backup")?;
        fs::write(folder.join("rules.yaml"), rules)?;
        command.arg(format!("--rules={}", folder.display()));
        command.arg(format!("--credentials={}", folder.display()));
    }
    match kind {
        Kind::Outrigger | Kind::OutriggerTwin | Kind::OutriggerOther | Kind::OutriggerRule => {
            command.arg(format!("--otlp=http://{}", setup.sink));
        }
        Kind::OutriggerDown => {
            command.arg(format!("--otlp=http://{}", free_address()?));
        }
        _ => {
            command.env("OTEL_SDK_DISABLED", "true").env("OUTRIGGER_LOG", "off");
        }
    }
    let process = command.spawn()?;
    let ca = trust.join("ca.pem");
    let started = Instant::now();
    while !ca.exists() {
        if started.elapsed() > READY {
            return Err("the sidecar wrote no trust files".into());
        }
        tokio::task::yield_now().await;
    }
    Ok((Route { address, connect: true, tls: tls::client(&ca)? }, Some(process)))
}

fn rules(kind: Kind) -> Option<String> {
    match kind {
        Kind::OutriggerOther => {
            let mut all = "version: 1\nmode: act\nrules:\n".to_owned();
            for number in 0..10 {
                all.push_str(&format!(
                    "  - {{ name: rule-{number}, match: {{ provider: openai, model: \"gpt-4.{number}-*\" }}, retry: {{}} }}\n"
                ));
            }
            Some(all)
        }
        Kind::OutriggerRule => Some(RULE.to_owned()),
        _ => None,
    }
}

/// Holds the power-management latency at zero for as long as the file is open.
pub(crate) fn keep_cores_awake() -> Option<File> {
    let mut file = File::options().write(true).open("/dev/cpu_dma_latency").ok()?;
    file.write_all(&0i32.to_ne_bytes()).ok()?;
    Some(file)
}
