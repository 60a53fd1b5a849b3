//! The injector's settings: one YAML file. Unknown keys and values that contradict each other are errors: what an operator writes
//! fails loudly, before a pod is met.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use outrigger_contract::ports;
use outrigger_providers::services;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use crate::certificates::{Names, Rotation};
use crate::manifest;
use crate::options::Options;
use crate::quantity::nanos;
use crate::wishes::is_host;

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
        let pods = &self.pods;
        if pods.image.trim().is_empty() {
            return Err("`pods.image` is empty; name the sidecar's image".to_owned());
        }
        for word in pods.allowed_providers.iter().flatten() {
            if let Err(known) = services::by_word(word) {
                return Err(format!("`{word}` in `pods.allowed_providers` is not a provider; {known}"));
            }
        }
        if let Some(wrong) = pods.passthrough_hosts.iter().find(|host| !is_host(host)) {
            return Err(format!(
                "`{wrong}` in `pods.passthrough_hosts` is not a host name; write exact names, without scheme, port or wildcard"
            ));
        }
        if let Some(text) = &pods.extra_cas {
            check_authorities(text).map_err(|fault| format!("`pods.extra_cas` {fault}"))?;
        }
        let resources = &pods.resources;
        let cpu_limit = resources.cpu_limit.as_ref();
        let amounts = [&resources.cpu, &resources.memory, &resources.memory_limit];
        if let Some(wrong) =
            amounts.into_iter().chain(cpu_limit).find(|amount| nanos(amount).is_none_or(|amount| amount == 0))
        {
            return Err(format!(
                "`{wrong}` in `pods.resources` is not a quantity; write such as 10m or 128Mi"
            ));
        }
        if nanos(&resources.memory) > nanos(&resources.memory_limit) {
            return Err(format!(
                "`pods.resources.memory` {} is more than `memory_limit` {}; lower one or raise the other",
                resources.memory, resources.memory_limit
            ));
        }
        if let Some(limit) = cpu_limit.filter(|limit| nanos(&resources.cpu) > nanos(limit)) {
            return Err(format!(
                "`pods.resources.cpu` {} is more than `cpu_limit` {limit}; lower one or raise the other",
                resources.cpu
            ));
        }
        if !(1..=65_536).contains(&pods.spool_mib) {
            return Err(format!("`pods.spool_mib` is {}; give it 1 to 65536", pods.spool_mib));
        }
        let is_variable = |name: &str| {
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            !name.is_empty()
                && name.bytes().all(fine)
                && !name.starts_with(|first: char| first.is_ascii_digit())
        };
        let names = pods.environment.keys().chain(pods.redirect_environment.keys());
        if let Some(wrong) = names.into_iter().find(|name| !is_variable(name)) {
            return Err(format!(
                "`{wrong}` is no name of a variable; write such as OTEL_EXPORTER_OTLP_HEADERS"
            ));
        }
        Ok(())
    }
}

/// Whether a text can be [`Options::extra_cas`].
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with its place.
pub fn check_authorities(pem: &str) -> Result<(), &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let are_good = |found: Vec<_>| {
        let mut roots = RootCertStore::empty();
        !found.is_empty() && found.into_iter().all(|one| roots.add(one).is_ok())
    };
    if found.is_ok_and(are_good) {
        return Ok(());
    }
    Err(
        "holds no certificate, or one that cannot be read; give PEM, with its lines -----BEGIN CERTIFICATE-----",
    )
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
        }
    }
}
