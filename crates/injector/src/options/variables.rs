//! What is wrong with the variables that an operator gives to the containers: names and values with which none starts, and what
//! contradicts a setting or the pod around them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use outrigger_contract::{environment, ports, redirection};

use super::Options;
use super::check::check_endpoint;

/// Bytes of a variable's value: the system starts no program with one of 128 KiB.
pub(super) const LONGEST_VALUE: usize = 96 * 1024;
/// Variables that are filled for each pod; a second one of the name would win.
const OF_POD: [&str; 6] = [
    environment::POD_NAME,
    environment::POD_NAMESPACE,
    environment::POD_UID,
    environment::POD_IP,
    environment::NODE_NAME,
    environment::KEY_NAMES,
];
/// Variables of what a setting says, and of more that hangs on it: a volume, a probe, the other container, what is told.
const DECIDED: [(&str, &str); 6] = [
    ("OUTRIGGER_SPOOL_BYTES", "spool_mib"),
    ("OUTRIGGER_FAILURE_POLICY", "failure_policy"),
    ("OUTRIGGER_PASSTHROUGH_HOSTS", "passthrough_hosts"),
    ("OUTRIGGER_ALLOWED_PROVIDERS", "allowed_providers"),
    ("OUTRIGGER_EXTRA_CAS_PEM", "extra_cas"),
    ("OUTRIGGER_OTLP_HEADERS_FILE", "otlp_headers_file"),
];
/// Variables of addresses and a folder by which the other containers of a pod find the sidecar.
const COUNTED_ON: [&str; 4] =
    ["OUTRIGGER_CONNECT", "OUTRIGGER_BASE_URL", "OUTRIGGER_TRANSPARENT_PORT", "OUTRIGGER_TRUST_DIR"];
/// What the redirection's variables begin with.
const REDIRECTION: &str = "OUTRIGGER_REDIRECT_";
/// What of them is said by the failure policy, and where the sidecar looks for the report.
const REDIRECTION_DECIDED: [(&str, &str); 2] =
    [("FAILURE_POLICY", "failure_policy"), ("ON_PROXY_DOWN", "failure_policy")];
/// The endpoint of all telemetry; those of one kind begin and end like it.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The sidecar's address for metrics and probes.
const METRICS: &str = "OUTRIGGER_METRICS";

impl Options {
    pub(super) fn check_variables(&self) -> Result<(), String> {
        for (name, value) in self.environment.iter().chain(&self.redirect_environment) {
            if !is_variable(name) {
                return Err(format!("`{name}` is no name of a variable; write such as OUTRIGGER_LOG_CALLS"));
            }
            if value.len() > LONGEST_VALUE {
                return Err(format!(
                    "{name} has {} bytes, with which no program starts; give it {LONGEST_VALUE} at most",
                    value.len()
                ));
            }
        }
        for (name, value) in &self.environment {
            if OF_POD.contains(&name.as_str()) {
                return Err(format!(
                    "{name} in `pods.environment` is filled for each pod by its own facts; leave it out"
                ));
            }
            if let Some((_, key)) = DECIDED.iter().find(|(decided, _)| decided == name) {
                return Err(format!(
                    "{name} in `pods.environment` is what `pods.{key}` says, and more hangs on that; set `pods.{key}`"
                ));
            }
            if COUNTED_ON.contains(&name.as_str()) {
                return Err(format!(
                    "{name} in `pods.environment` is where a pod's other containers look for the sidecar; leave it out"
                ));
            }
            if name.starts_with(REDIRECTION) {
                return Err(format!(
                    "{name} in `pods.environment` is the redirection's; set it in `pods.redirect_environment`"
                ));
            }
            if name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("_ENDPOINT") {
                check_endpoint(value).map_err(|fault| format!("{name} in `pods.environment` {fault}"))?;
            }
        }
        if let Some(address) = self.environment.get(METRICS) {
            check_metrics(address).map_err(|fault| format!("{METRICS} in `pods.environment` {fault}"))?;
        }
        check_redirection(&self.redirect_environment)?;
        self.check_telemetry()
    }

    /// Whether what shall be sent has a place to go.
    fn check_telemetry(&self) -> Result<(), String> {
        if self.otlp_endpoint.is_some() && self.environment.contains_key(ENDPOINT) {
            return Err(format!(
                "`pods.otlp_endpoint` and {ENDPOINT} in `pods.environment` say the same thing twice; keep to `pods.otlp_endpoint`"
            ));
        }
        let has = |name: &str, word: &str| {
            self.environment.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
        };
        if self.otlp_endpoint.is_some() && has("OTEL_SDK_DISABLED", "true") {
            return Err("`pods.otlp_endpoint` is set, and OTEL_SDK_DISABLED in `pods.environment` is true, so nothing is sent there; take \
                        one of them out"
                .to_owned());
        }
        let is_endpoint =
            |name: &String| name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("ENDPOINT");
        let Some(file) = &self.otlp_headers_file else { return Ok(()) };
        if file.starts_with('.') || !file.bytes().all(is_of_key) || file.is_empty() {
            return Err(format!(
                "`{file}` in `pods.otlp_headers_file` is no key of a Secret; write the key alone, such as otlp-headers"
            ));
        }
        if self.otlp_endpoint.is_none() && !self.environment.keys().any(is_endpoint) {
            return Err("`pods.otlp_headers_file` names credentials, and no endpoint is set that they are for; set `pods.otlp_endpoint`"
                .to_owned());
        }
        Ok(())
    }
}

/// Whether metrics are where a kubelet, or the sidecar's own program for it, can ask. What is no address is left to the sidecar, which
/// says it and takes its default.
fn check_metrics(text: &str) -> Result<(), String> {
    let Ok(address) = text.parse::<SocketAddr>() else { return Ok(()) };
    if !address.ip().is_unspecified() && address.ip() != std::net::Ipv4Addr::LOCALHOST {
        return Err(format!(
            "is {address}, which is no address of every pod, and a kubelet's probes would find nobody; write [::]:{}, 127.0.0.1:{} or off",
            ports::METRICS,
            ports::METRICS
        ));
    }
    if [ports::TRANSPARENT, ports::CONNECT, ports::BASE_URL].contains(&address.port()) {
        return Err(format!(
            "is {address}, a port on which the sidecar listens for calls; leave it at {}",
            ports::METRICS
        ));
    }
    Ok(())
}

fn check_redirection(variables: &BTreeMap<String, String>) -> Result<(), String> {
    for name in variables.keys() {
        let place = format!("{name} in `pods.redirect_environment`");
        let Some(rest) = name.strip_prefix(REDIRECTION) else {
            return Err(format!(
                "{place} is no variable of the redirection, which reads {REDIRECTION}*; set it in `pods.environment`"
            ));
        };
        if let Some((_, key)) = REDIRECTION_DECIDED.iter().find(|(decided, _)| *decided == rest) {
            return Err(format!("{place} is what `pods.{key}` says for both containers; set `pods.{key}`"));
        }
        if rest == "REPORT" {
            return Err(format!("{place} is where the sidecar's doctor looks; leave it out"));
        }
    }
    let ports_of = |name: &str| {
        let text = variables.get(&format!("{REDIRECTION}{name}")).map_or("", String::as_str);
        // What is no port is left to the redirection, which says it.
        let numbers = text.split(',').map(|word| word.trim().parse::<u16>()).collect::<Result<Vec<u16>, _>>();
        numbers.unwrap_or_default()
    };
    let (mut led, left) = (ports_of("PORTS"), ports_of("EXCLUDE_PORTS"));
    if led.is_empty() {
        led.push(redirection::HTTPS);
    }
    if led.iter().all(|port| left.contains(port)) {
        return Err(format!(
            "{REDIRECTION}EXCLUDE_PORTS in `pods.redirect_environment` leaves out every port that would be redirected; take one out of it, \
             or set `pods.mode` to base-url"
        ));
    }
    let own = ports::TRANSPARENT..=ports::METRICS;
    match led.iter().find(|port| own.contains(port)) {
        None => Ok(()),
        Some(port) => Err(format!(
            "{REDIRECTION}PORTS in `pods.redirect_environment` has {port}, one of the sidecar's own; take it out"
        )),
    }
}

fn is_variable(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(fine) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a byte may stand in the name of a Secret's key.
const fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(environment: &[(&str, &str)], redirect: &[(&str, &str)]) -> Option<String> {
        let map = |all: &[(&str, &str)]| {
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let options = Options {
            environment: map(environment),
            redirect_environment: map(redirect),
            ..Options::default()
        };
        options.check().err()
    }

    #[test]
    fn metrics_are_where_a_kubelet_or_the_sidecar_itself_can_ask() {
        for fine in ["[::]:9095", "0.0.0.0:19005", "127.0.0.1:19005", "127.0.0.1:0", "off", "19005"] {
            assert_eq!(fault(&[(METRICS, fine)], &[]), None, "{fine}");
        }
        for (wrong, part) in [
            ("10.0.0.5:19005", "no address of every pod"),
            ("[::1]:19005", "127.0.0.1:19005 or off"),
            ("[::]:19003", "listens for calls"),
        ] {
            let fault = fault(&[(METRICS, wrong)], &[]).unwrap();
            assert!(fault.contains(part) && fault.contains(wrong), "{fault}");
        }
    }

    #[test]
    fn the_redirection_has_its_own_variables_and_no_policy_of_its_own() {
        let ports = |ports: &'static str| ("OUTRIGGER_REDIRECT_PORTS", ports);
        let without = |ports: &'static str| ("OUTRIGGER_REDIRECT_EXCLUDE_PORTS", ports);
        for fine in [
            vec![("OUTRIGGER_REDIRECT_BLOCK_QUIC", "true")],
            vec![ports("443,8443"), without("8443")],
            // Said where it is read.
            vec![ports("https"), without("443,x")],
        ] {
            assert_eq!(fault(&[], &fine), None, "{fine:?}");
        }
        for (wrong, part) in [
            (vec![("OUTRIGGER_REDIRECT_FAILURE_POLICY", "closed")], "set `pods.failure_policy`"),
            (vec![("OUTRIGGER_REDIRECT_ON_PROXY_DOWN", "open")], "set `pods.failure_policy`"),
            (vec![("OUTRIGGER_REDIRECT_REPORT", "/x")], "the sidecar's doctor looks"),
            (vec![("OUTRIGGER_LOG", "debug")], "set it in `pods.environment`"),
            (vec![without("443")], "leaves out every port"),
            (vec![ports("443, 8443"), without("8443,443")], "leaves out every port"),
            (vec![ports("443,19002")], "has 19002, one of the sidecar's own"),
        ] {
            let fault = fault(&[], &wrong).unwrap();
            assert!(fault.contains(part) && fault.contains(wrong[wrong.len() - 1].0), "{fault}");
        }
    }
}
