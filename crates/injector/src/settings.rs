//! The injector's settings: one YAML file. Unknown keys and values that contradict each other are errors: what an operator writes
//! fails loudly, before a pod is met.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use outrigger_contract::ports;
use serde::Deserialize;

use crate::certificates::{Names, Rotation};
use crate::manifest;
use crate::options::Options;

/// The injector's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the webhook. Some clusters' control planes reach only ports 443 and 10250.
    pub listen: SocketAddr,
    /// Address of metrics and probes.
    pub metrics: SocketAddr,
    /// Chain that the API server is shown, PEM; read again when it changes.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// What the injector looks after its certificate by itself with; in the place of both files.
    pub certificates: Option<Names>,
    /// How long certificates of its own last.
    pub rotation: Lasting,
    /// How long reviews are answered on after SIGTERM, in seconds: the API server hears late that this one is leaving.
    pub grace_seconds: u64,
    /// What every pod gets.
    pub pods: Options,
}

impl Default for Settings {
    fn default() -> Settings {
        let all = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        Settings {
            listen: all(10250),
            metrics: all(ports::METRICS),
            certificate: "/var/run/outrigger/certificate/tls.crt".into(),
            key: "/var/run/outrigger/certificate/tls.key".into(),
            certificates: None,
            rotation: Lasting::default(),
            grace_seconds: 5,
            pods: Options::default(),
        }
    }
}

/// Seconds.
const DAY: u64 = 86_400;

/// How long certificates of the injector's own last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lasting {
    /// Days that one is valid.
    pub life_days: u64,
    /// Days before its end at which the next one is made.
    pub renew_before_days: u64,
    /// Seconds from the publication of an authority to the first time its certificate is shown: the API server hears late of it.
    pub settle_seconds: u64,
    /// Seconds for which an authority is trusted after its certificate was replaced.
    pub overlap_seconds: u64,
}

impl Default for Lasting {
    fn default() -> Lasting {
        let Rotation { life, renew_before, settle, overlap, .. } = Rotation::default();
        let days = |time: Duration| time.as_secs() / DAY;
        Lasting {
            life_days: days(life),
            renew_before_days: days(renew_before),
            settle_seconds: settle.as_secs(),
            overlap_seconds: overlap.as_secs(),
        }
    }
}

impl Lasting {
    /// Room for all of it.
    const MOST_DAYS: u64 = 3650;

    /// What it comes to.
    #[must_use]
    pub fn rotation(self) -> Rotation {
        let days = |days: u64| Duration::from_secs(days * DAY);
        Rotation {
            life: days(self.life_days),
            renew_before: days(self.renew_before_days),
            settle: Duration::from_secs(self.settle_seconds),
            overlap: Duration::from_secs(self.overlap_seconds),
            ..Rotation::default()
        }
    }

    fn check(self) -> Result<(), String> {
        let Lasting { life_days, renew_before_days, settle_seconds, overlap_seconds } = self;
        if !(1..life_days).contains(&renew_before_days) || life_days > Lasting::MOST_DAYS {
            return Err(format!(
                "`rotation.renew_before_days` is {renew_before_days} of `life_days` {life_days}; give it 1 or more, less than \
                 `life_days`, and that at most {}",
                Lasting::MOST_DAYS
            ));
        }
        let most = renew_before_days * DAY;
        // Every replica has looked twice before an authority goes.
        let least = 2 * Rotation::default().every.as_secs();
        if settle_seconds == 0
            || overlap_seconds < least
            || settle_seconds.saturating_add(overlap_seconds) > most
        {
            return Err(format!(
                "`rotation.settle_seconds` {settle_seconds} and `overlap_seconds` {overlap_seconds} do not fit; give the first one at \
                 least 1, the second one at least {least}, and both together at most the {most} that `renew_before_days` leaves"
            ));
        }
        Ok(())
    }
}

impl Settings {
    /// Reads settings from YAML; an empty text is all defaults.
    ///
    /// # Errors
    /// The first fault, with its key and the mend.
    pub fn read(text: &str) -> Result<Settings, String> {
        let settings: Settings = match manifest::value(text).map_err(|fault| fault.to_string())? {
            serde_json::Value::Null => Settings::default(),
            value => serde_path_to_error::deserialize(value)
                .map_err(|fault| format!("`{}`: {}", fault.path(), fault.inner()))?,
        };
        settings.check()?;
        Ok(settings)
    }

    /// What their types do not say.
    fn check(&self) -> Result<(), String> {
        if self.certificates.is_some() {
            let files = Settings::default();
            if (&self.certificate, &self.key) != (&files.certificate, &files.key) {
                return Err(
                    "`certificates` and `certificate` with `key` are two ways to one thing; leave one out"
                        .to_owned(),
                );
            }
        }
        self.rotation.check()?;
        self.pods.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{FailurePolicy, Mode};

    #[test]
    fn settings_are_read_over_defaults() {
        assert_eq!(Settings::read("# none\n"), Ok(Settings::default()));
        let text = "listen: 127.0.0.1:8443\npods:\n  mode: base-url\n  image: x@sha256:0\n  failure_policy: closed\n  \
                    allowed_providers: [azure_openai]\n  \
                    environment: {OUTRIGGER_LOG_CALLS: \"all\"}\n  resources: {memory_limit: 256Mi}\n";
        let settings = Settings::read(text).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:8443".parse().unwrap());
        assert_eq!(settings.pods.mode, Mode::BaseUrl);
        assert_eq!(settings.pods.failure_policy, FailurePolicy::Closed);
        assert_eq!(settings.pods.environment["OUTRIGGER_LOG_CALLS"], "all");
        assert_eq!(settings.pods.resources.cpu, "10m");
        let rotation =
            Settings::read("rotation: {life_days: 7, renew_before_days: 2}").unwrap().rotation.rotation();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(
            (rotation.life, rotation.renew_before, rotation.settle),
            (days(7), days(2), Duration::from_secs(60))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_mend() {
        for (text, parts) in [
            ("listen: x", ["`listen`", "address"]),
            ("pods: {mode: tproxy}", ["`pods.mode`", "base-url"]),
            ("pods: {imge: x}", ["`imge`", "`image`"]),
            ("pods: {image: \"\"}", ["pods.image", "name the"]),
            ("pods: {allowed_providers: [opanai]}", ["opanai", "anthropic"]),
            ("pods: {passthrough_hosts: ['*.x']}", ["*.x", "exact"]),
            ("pods: {extra_cas: none}", ["pods.extra_cas", "give PEM"]),
            ("pods: {resources: {cpu: lots}}", ["lots", "10m"]),
            ("pods: {resources: {memory: 1Gi}}", ["1Gi", "128Mi"]),
            (
                "pods: {resources: {memory_limit: '128'}}",
                ["`pods.resources.memory_limit` is 128", "16Mi to 16Gi"],
            ),
            ("pods: {resources: {cpu: 1E}}", ["`pods.resources.cpu` is 1E", "1m to 16"]),
            (
                "pods: {otlp_endpoint: 'https://me:secret@otlp.example'}",
                ["pods.otlp_endpoint", "OTLP_HEADERS"],
            ),
            (
                "pods: {environment: {OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://me:secret@otlp.example'}}",
                ["OTLP_TRACES_ENDPOINT", "OTLP_HEADERS"],
            ),
            (
                "pods: {otlp_endpoint: 'http://a:4317', environment: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b:4317'}}",
                ["say the same thing twice", "keep to"],
            ),
            (
                "pods: {environment: {OUTRIGGER_SPOOL_BYTES: '1000000000'}}",
                ["OUTRIGGER_SPOOL_BYTES", "set `pods.spool_mib`"],
            ),
            (
                "pods: {environment: {OUTRIGGER_FAILURE_POLICY: open}}",
                ["OUTRIGGER_FAILURE_POLICY", "set `pods.failure_policy`"],
            ),
            (
                "pods: {environment: {OUTRIGGER_PASSTHROUGH_HOSTS: a.example}}",
                ["OUTRIGGER_PASSTHROUGH_HOSTS", "set `pods.passthrough_hosts`"],
            ),
            (
                "pods: {otlp_endpoint: 'http://a:4317', environment: {OUTRIGGER_OTLP_HEADERS_FILE: /x}}",
                ["OUTRIGGER_OTLP_HEADERS_FILE", "set `pods.otlp_headers_file`"],
            ),
            (
                "pods: {otlp_headers_file: otlp-headers}",
                ["`pods.otlp_headers_file`", "set `pods.otlp_endpoint`"],
            ),
            (
                "pods: {otlp_endpoint: 'http://a:4317', otlp_headers_file: ../x}",
                ["`../x` in `pods.otlp_headers_file`", "such as otlp-headers"],
            ),
            (
                "pods: {otlp_endpoint: 'http://a:4317', environment: {OTEL_SDK_DISABLED: 'true'}}",
                ["OTEL_SDK_DISABLED", "take one of them out"],
            ),
            (
                "pods: {environment: {OUTRIGGER_CONNECT: '127.0.0.1:1'}}",
                ["OUTRIGGER_CONNECT", "look for the sidecar; leave it out"],
            ),
            (
                "pods: {environment: {OUTRIGGER_REDIRECT_PORTS: '443'}}",
                ["OUTRIGGER_REDIRECT_PORTS", "`pods.redirect_environment`"],
            ),
            (
                "pods: {redirect_environment: {OUTRIGGER_REDIRECT_ON_PROXY_DOWN: closed}}",
                ["OUTRIGGER_REDIRECT_ON_PROXY_DOWN", "set `pods.failure_policy`"],
            ),
            ("pods: {environment: {OUTRIGGER_POD_NAME: x}}", ["OUTRIGGER_POD_NAME", "leave it out"]),
            ("pods: {environment: {OUTRIGGER_KEY_NAMES: x}}", ["OUTRIGGER_KEY_NAMES", "leave it out"]),
            ("pods: {resources: {cpu: '2', cpu_limit: '1'}}", ["cpu_limit", "lower"]),
            (
                "certificates: {namespace: n, secret: s, lease: l, service: v, typo: x}",
                ["`typo`", "mutating"],
            ),
            (
                "certificate: /x\ncertificates: {namespace: n, secret: s, lease: l, service: v}",
                ["two ways", "leave one"],
            ),
            ("rotation: {life_days: 30}", ["renew_before_days", "less than"]),
            ("rotation: {life_days: 99999}", ["life_days", "at most 3650"]),
            ("rotation: {settle_seconds: 0}", ["settle_seconds", "at least 1"]),
            ("rotation: {overlap_seconds: 9}", ["overlap_seconds", "at least 10"]),
            ("rotation: {renew_before_days: 1, overlap_seconds: 90000}", ["overlap_seconds", "86400"]),
            ("pods: {spool_mib: 0}", ["spool_mib", "65536"]),
            ("pods: {environment: {A-B: x}}", ["A-B", "variable"]),
            ("a: [", ["2: ", "no YAML"]),
        ] {
            let fault = Settings::read(text).unwrap_err();
            assert!(parts.iter().all(|part| fault.contains(part)), "{text}: {fault}");
            assert!(!fault.contains("secret@"), "{fault}");
        }
        let long = format!("pods: {{environment: {{OTEL_X: {}}}}}", "x".repeat(100_000));
        let fault = Settings::read(&long).unwrap_err();
        assert!(fault.contains("OTEL_X has 100000 bytes"), "{fault}");
    }
}
