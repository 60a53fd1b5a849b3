//! What an operator sets: defaults, then a YAML file, then `OUTRIGGER_*` variables, then flags.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use outrigger_exporter::SpoolSettings;
use outrigger_ledger::Source;
use rustix::fs::Access;
use serde::Deserialize;

use crate::call_log::LogCalls;
use crate::identity::IdentityHash;

pub(crate) mod authorities;
pub(crate) mod deployments;
pub(crate) mod in_part;
mod reading;

pub use deployments::Deployment;
pub use in_part::{InPart, Look};

/// The sidecar's settings. Unknown keys are errors.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the CONNECT proxy. Loopback; port 0 lets the system choose.
    pub connect: SocketAddr,
    /// Address of the base-URL listener. Loopback; port 0 lets the system choose.
    pub base_url: SocketAddr,
    /// Port of the loopback listeners for redirected connections, one per family; none listen without it. Port 0 lets the
    /// system choose.
    pub transparent_port: Option<u16>,
    /// Address of metrics and probes, `off` for none. All addresses unless it names one; port 0 lets the system choose.
    #[serde(deserialize_with = "address_or_off")]
    pub metrics: Option<SocketAddr>,
    /// Hosts to read beside the built-in ones, exact names: gateways, private endpoints, servers of one's own.
    pub hosts: Vec<String>,
    /// Hosts that always pass through undecrypted.
    pub passthrough_hosts: Vec<String>,
    /// How many connections may be read at a time; what comes on top passes through, whatever `failure_policy` says: it is a bound on
    /// what we take, not a fault, and a busy app is not cut off for it.
    pub max_intercepted: usize,
    /// Whether CONNECT may lead to loopback, link-local addresses and the API server.
    pub connect_to_local: bool,
    /// Provider names that are reached at fixed addresses; their certificates are checked as always.
    pub upstreams: Vec<UpstreamOverride>,
    /// PEM files with certificate authorities to trust upstream, beside the public ones.
    pub extra_cas: Vec<PathBuf>,
    /// The same as text, for pods into which nobody mounts such a file.
    pub extra_cas_pem: Option<String>,
    /// HTTP proxy through which everything leaves, `http://[user:password@]host:port`.
    pub upstream_proxy: Option<String>,
    /// Directory into which the public trust files are written; none are written without it.
    pub trust_dir: Option<PathBuf>,
    /// Private directory in which the certificate authority outlives a restart of the sidecar; without it every start makes a
    /// fresh one. In a pod a volume in memory at `outrigger_contract::mounts::CA`, mounted in the sidecar alone.
    pub ca_dir: Option<PathBuf>,
    /// What happens where no certificate authority can be had, and to clients that refuse ours.
    pub failure_policy: FailurePolicy,
    /// Unix socket on which the sidecar tells its state; without it `admin.sock` in `ca_dir`, and none without
    /// either.
    pub admin_socket: Option<PathBuf>,
    /// File with prices of one's own (docs/prices.md), laid over the built-in book.
    pub prices: Option<PathBuf>,
    /// Rules (docs/rules.md): a file, or the folder where a ConfigMap with `rules.yaml` is mounted. Without it calls are watched, and
    /// nothing else.
    pub rules: Option<PathBuf>,
    /// Folder of the files that backups are paid by (docs/rules.md); without it `outrigger_contract::mounts::CREDENTIALS`.
    pub credentials: Option<PathBuf>,
    /// The providers that the rules' backups may name, by id; any without it.
    pub allowed_providers: Option<Vec<String>>,
    /// Which models stand behind names that the customer gave, deployments of Azure and ARNs of Bedrock: per resource, the
    /// first label of its host or `*`, the names and their models.
    #[serde(deserialize_with = "deployments::read")]
    pub deployments: Vec<Deployment>,
    /// Kinds of places where apps name users, sessions and steps, the most believed first (docs/who.md); those left out are not
    /// read.
    pub identity_order: Vec<String>,
    /// Headers that name them beside those that are known, each `WHO=HEADER`, such as `user=x-end-user`.
    pub identity_headers: Vec<String>,
    /// Which of these names are kept as hashes only; unset, in a cluster those that look like a person's, elsewhere none.
    pub identity_hash: Option<IdentityHash>,
    /// File with the salt of those hashes, at least 16 bytes.
    pub identity_salt_file: Option<PathBuf>,
    /// Whether streams are asked for their usage where the app did not ask, and what that adds to the answer is taken out
    /// again (docs/what-we-change.md).
    pub include_usage: bool,
    /// What becomes of an answer whose app hangs up in the middle.
    pub hang_up: HangUp,
    /// How long such an answer may be read on for, in seconds.
    pub hang_up_seconds: u64,
    /// How many bytes of it may be read.
    pub hang_up_bytes: u64,
    /// Directory in which telemetry is kept while its endpoint is away (docs/spool.md); without it
    /// `outrigger_contract::mounts::SPOOL` where that is a directory that can be written, and none without either.
    pub spool_dir: Option<PathBuf>,
    /// Most bytes it may take; without it 128 MiB, or half of what the volume has free where that is less.
    pub spool_bytes: Option<u64>,
    /// How long telemetry is kept in it, in seconds.
    pub spool_age: u64,
    /// Whether captured prompts and answers are kept in it too.
    pub spool_content: bool,
    /// Which calls have a line of log (docs/logs.md).
    pub log_calls: LogCalls,
    /// How long streams may run on after a SIGTERM, in seconds.
    pub grace_seconds: u64,
    /// What became of those that could not be used.
    #[serde(skip)]
    pub in_part: InPart,
}

/// What happens where no certificate authority can be had, or programs could not come to trust it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailurePolicy {
    /// Everything, or everything of that client, passes through unobserved, loudly. Settings that cannot be used are left out, as
    /// loudly.
    #[default]
    Open,
    /// The sidecar does not start, nor with settings that cannot be used; the client's connections keep failing.
    Closed,
}

/// What becomes of an answer whose app hangs up in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HangUp {
    /// Where the provider goes on and bills all of it, the rest is read for its usage. Elsewhere it is cancelled.
    #[default]
    Drain,
    /// It is cancelled at once.
    Cancel,
}

impl Default for Settings {
    fn default() -> Settings {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Settings {
            connect: loopback(outrigger_contract::ports::CONNECT),
            base_url: loopback(outrigger_contract::ports::BASE_URL),
            transparent_port: Some(outrigger_contract::ports::TRANSPARENT),
            metrics: Some((Ipv6Addr::UNSPECIFIED, outrigger_contract::ports::METRICS).into()),
            hosts: Vec::new(),
            passthrough_hosts: Vec::new(),
            max_intercepted: 4096,
            connect_to_local: false,
            upstreams: Vec::new(),
            extra_cas: Vec::new(),
            extra_cas_pem: None,
            upstream_proxy: None,
            trust_dir: None,
            ca_dir: None,
            failure_policy: FailurePolicy::Open,
            admin_socket: None,
            prices: None,
            rules: None,
            credentials: None,
            allowed_providers: None,
            deployments: Vec::new(),
            identity_order: Source::ALL.map(|source| source.as_str().to_owned()).to_vec(),
            identity_headers: Vec::new(),
            identity_hash: None,
            identity_salt_file: None,
            include_usage: true,
            hang_up: HangUp::Drain,
            hang_up_seconds: 60,
            hang_up_bytes: 4 * 1024 * 1024,
            spool_dir: None,
            spool_bytes: None,
            spool_age: 24 * 3600,
            spool_content: false,
            log_calls: LogCalls::Auto,
            grace_seconds: 30,
            in_part: InPart::default(),
        }
    }
}

impl Settings {
    /// The added hosts as they are compared: lower case, without the root's dot.
    pub(crate) fn added_hosts(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase())
    }

    /// Where the admin socket is, if there is one.
    #[must_use]
    pub fn admin_path(&self) -> Option<PathBuf> {
        let beside_the_key =
            || Some(self.ca_dir.as_ref()?.join(outrigger_contract::private_files::ADMIN_SOCKET));
        self.admin_socket.clone().or_else(beside_the_key)
    }

    /// Where and how much telemetry is kept on disk, if anywhere.
    #[must_use]
    pub fn spool(&self) -> Option<SpoolSettings> {
        let mounted = || {
            let mount = Path::new(outrigger_contract::mounts::SPOOL);
            let ours = rustix::fs::access(mount, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
            (mount.is_dir() && ours.is_ok()).then(|| mount.to_owned())
        };
        Some(SpoolSettings {
            directory: self.spool_dir.clone().or_else(mounted)?,
            bytes: self.spool_bytes,
            age: Duration::from_secs(self.spool_age),
            content: self.spool_content,
        })
    }

    /// The grace period.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

/// An address with its port, or `off`, which YAML may have read as a truth already.
fn address_or_off<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Truth(bool),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Truth(false) => Ok(None),
        Written::Text(text) if text.eq_ignore_ascii_case("off") => Ok(None),
        Written::Text(text) => text.parse().map(Some).map_err(|_| {
            serde::de::Error::custom(format!(
                "`{text}` in `metrics` is not an address with a port; write [::]:19005, 127.0.0.1:0 or off"
            ))
        }),
        Written::Truth(true) => {
            Err(serde::de::Error::custom("`metrics` is an address with a port, such as [::]:19005, or off"))
        }
    }
}

fn is_host(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    letters && !text.is_empty() && text.parse::<std::net::IpAddr>().is_err()
}

/// One provider name and the address that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct UpstreamOverride {
    /// The name, lower case, without a dot at its end.
    pub host: String,
    /// Where it is reached.
    pub address: SocketAddr,
}

impl FromStr for UpstreamOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, address) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not HOST=ADDR, for example api.openai.com=127.0.0.1:8443"))?;
        let address = address.parse().map_err(|_| {
            format!("`{address}` in `{text}` is not an IP address with a port, such as 127.0.0.1:8443")
        })?;
        if !is_host(host) {
            return Err(format!("`{host}` in `{text}` is not a host name"));
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        Ok(UpstreamOverride { host, address })
    }
}

impl TryFrom<String> for UpstreamOverride {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a file in which nothing is wrong.
    fn read(file: &Path) -> Settings {
        let settings = Settings::read(Some(file)).unwrap();
        assert!(settings.in_part.left_out.is_empty(), "{:?}", settings.in_part.left_out);
        settings
    }

    /// The one that is in a file.
    fn fault(file: &Path) -> String {
        let settings = Settings::read(Some(file)).unwrap();
        let [fault] = settings.in_part.left_out.as_slice() else { panic!("{:?}", settings.in_part.left_out) };
        fault.to_string()
    }

    #[test]
    fn an_override_names_what_is_wrong_with_it() {
        assert_eq!(
            "API.openai.com.=127.0.0.1:8443".parse(),
            Ok(UpstreamOverride {
                host: "api.openai.com".to_owned(),
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443))
            })
        );
        for (text, part) in [("x", "HOST=ADDR"), ("a=b", "`b`"), ("a b=127.0.0.1:1", "`a b`")] {
            let error = text.parse::<UpstreamOverride>().unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_host_is_an_exact_name() {
        for wrong in ["https://gateway.example", "*.example.com", "gateway.example:8443", "203.0.113.10", ""]
        {
            let settings = Settings { hosts: vec![wrong.to_owned()], ..Settings::default() };
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains("`hosts`") && error.contains(wrong), "{error}");
        }
        let settings = Settings { hosts: vec!["Gateway.Example.".to_owned()], ..Settings::default() };
        settings.check().unwrap();
        assert_eq!(settings.added_hosts().collect::<Vec<_>>(), ["gateway.example"]);
    }

    #[test]
    fn the_ceiling_knows_every_word_for_a_provider() {
        let check = |word: &str| {
            Settings { allowed_providers: Some(vec![word.to_owned()]), ..Settings::default() }.check()
        };
        check("azure").unwrap();
        check("azure_openai").unwrap();
        let error = check("azure-openai").unwrap_err().to_string();
        assert!(
            error.contains("`azure-openai` in `allowed_providers`") && error.contains("azure,"),
            "{error}"
        );
    }

    #[test]
    fn a_spool_needs_a_place_and_some_room() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sidecar.yaml");
        std::fs::write(&file, "spool_dir: /spool\nspool_bytes: 1048576\nspool_age: 60\n").unwrap();
        let settings = read(&file);
        settings.check().unwrap();
        let spool = SpoolSettings {
            directory: "/spool".into(),
            bytes: Some(1_048_576),
            age: Duration::from_secs(60),
            content: false,
        };
        assert_eq!(settings.spool(), Some(spool));
        let error = Settings { spool_bytes: Some(10), ..settings }.check().unwrap_err().to_string();
        assert!(error.contains("`spool_bytes` is 10"), "{error}");
    }

    #[test]
    fn an_unknown_key_in_the_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sidecar.yaml");
        std::fs::write(&file, "grace_seconds: 5\nconect: 127.0.0.1:1\n").unwrap();
        let error = fault(&file);
        assert!(error.contains("conect"), "{error}");
        std::fs::write(&file, "grace_seconds: 5\nupstreams: [\"api.openai.com=127.0.0.1:9\"]\n").unwrap();
        let settings = read(&file);
        assert_eq!((settings.grace_seconds, settings.upstreams.len()), (5, 1));
    }

    #[test]
    fn metrics_have_an_address_or_are_off() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sidecar.yaml");
        let write = |text: &str| std::fs::write(&file, format!("metrics: {text}\n")).unwrap();
        let usual = Some("[::]:19005".parse().unwrap());
        assert_eq!(Settings::default().metrics, usual);
        for (text, address) in [
            ("127.0.0.1:0", Some("127.0.0.1:0".parse().unwrap())),
            ("\"[::1]:9000\"", Some("[::1]:9000".parse().unwrap())),
            ("off", None),
            ("Off", None),
            ("false", None),
        ] {
            write(text);
            assert_eq!(read(&file).metrics, address, "{text}");
        }
        for wrong in ["19005", "localhost", "true"] {
            write(wrong);
            let error = fault(&file);
            assert!(error.contains("[::]:19005") || error.contains("metrics"), "{error}");
            assert_eq!(Settings::read(Some(&file)).unwrap().metrics, usual, "where a kubelet asks");
        }
    }

    #[test]
    fn deployments_are_a_table_or_a_list() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sidecar.yaml");
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";
        for text in [
            format!(
                "deployments:\n  \"*\":\n    \"{arn}\": claude-sonnet-5-5\n  Team-A:\n    Our.GPT: gpt-5-mini\n"
            ),
            format!("deployments: [\"*/{arn}=claude-sonnet-5-5\", \"Team-A/Our.GPT=gpt-5-mini\"]\n"),
        ] {
            std::fs::write(&file, &text).unwrap();
            let table = deployments::table(&read(&file).deployments);
            let model = |host, name| table.model(host, name);
            assert_eq!(model("team-a.openai.azure.com", "our.gpt"), Some("gpt-5-mini"), "{text}");
            assert_eq!(model("bedrock-runtime.us-east-1.amazonaws.com", arn), Some("claude-sonnet-5-5"));
            assert_eq!(model("team-b.openai.azure.com", "our.gpt"), None);
        }
        std::fs::write(&file, "deployments: {team-a.openai.azure.com: {x: gpt-5}}\n").unwrap();
        let error = fault(&file);
        assert!(error.contains("`deployments`") && error.contains("first label"), "{error}");
    }
}
