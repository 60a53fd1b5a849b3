//! Settings of which a part cannot be used, for a program that goes on without that part: what is left out, and what that means.

use std::collections::BTreeSet;

use super::capture::{CONTENT, REDACT};
use super::environment::{self, Fault, OVERRIDE};
use super::{Settings, Signal, Target};
use crate::transport::{MachineRoots, TlsError, Transport, read_headers};

/// Something that was set, cannot be used, and is done without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The variable, option or key.
    pub setting: String,
    /// What is wrong with it, and the mend. It names the setting, and shows no secret.
    pub fault: String,
    /// What is done without it: a sentence without its stop.
    pub instead: String,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. {}", self.fault, self.instead)
    }
}

impl LeftOut {
    /// Whether it was given by hand (`--otlp`), not by a variable.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.setting == OVERRIDE
    }
}

/// Reads until nothing is wrong any more. Every round leaves one more variable unread, or one more signal unsent, so it ends.
pub(super) fn read(
    endpoint_override: Option<&str>,
    get: &dyn Fn(&str) -> Option<String>,
) -> (Settings, Vec<LeftOut>) {
    let (mut off, mut unread) = (Vec::new(), Vec::<String>::new());
    let mut found = Found::default();
    loop {
        let seen = |name: &str| if unread.iter().any(|one| one == name) { None } else { get(name) };
        let Fault { error, signal } = match environment::read(endpoint_override, &seen, &off) {
            Ok(settings) => return (settings, found.told()),
            Err(fault) => fault,
        };
        let variable = error.variable.clone();
        let signal = signal.filter(|_| says_where(&variable));
        found.add(&variable, error.to_string(), signal);
        off.extend(signal);
        // Else it would also forbid that metrics are scraped.
        if signal.is_none() || variable.ends_with("_EXPORTER") {
            unread.push(variable.clone());
        }
        // What should have been hidden is not shown.
        if variable == REDACT {
            unread.push(CONTENT.to_owned());
        }
    }
}

/// Whether a variable says where a signal goes, to whom or as whom: what has a fault there is not sent, rather than otherwise than it
/// was meant.
fn says_where(variable: &str) -> bool {
    let parts = ["ENDPOINT", "HEADERS", "CERTIFICATE", "CLIENT_KEY"];
    variable == OVERRIDE
        || variable.ends_with("_EXPORTER")
        || (variable.starts_with("OTEL_EXPORTER_OTLP_") && parts.iter().any(|part| variable.ends_with(part)))
}

/// What was found so far, each variable once, with the signals that are not sent for it.
#[derive(Default)]
struct Found(Vec<(String, String, Vec<Signal>)>);

impl Found {
    fn add(&mut self, variable: &str, fault: String, signal: Option<Signal>) {
        match self.0.iter_mut().find(|(known, ..)| known == variable) {
            Some((_, _, signals)) => signals.extend(signal),
            None => self.0.push((variable.to_owned(), fault, signal.into_iter().collect())),
        }
    }

    fn told(self) -> Vec<LeftOut> {
        let told = |(setting, fault, signals): (String, String, Vec<Signal>)| {
            let words: Vec<&str> = signals.into_iter().map(Signal::as_str).collect();
            let instead = match words.split_last() {
                None if setting == REDACT => "Until then no prompt and no answer is shown".to_owned(),
                None => "Until then it counts as not set".to_owned(),
                Some((last, [])) => format!("Until then {last} are not sent"),
                Some((last, others)) => format!("Until then {} and {last} are not sent", others.join(", ")),
            };
            LeftOut { setting, fault, instead }
        };
        self.0.into_iter().map(told).collect()
    }
}

impl Settings {
    /// Sends nothing of the signals whose certificates or keys cannot be read or used, and tells why. Reads those files.
    ///
    /// # Errors
    /// The system's, where it gives no event queue.
    pub fn leave_out_unreadable(&mut self) -> std::io::Result<Vec<LeftOut>> {
        let mut found = Found::default();
        let Some(roots) = self.names_files().then(MachineRoots::default) else { return Ok(Vec::new()) };
        // Ways are made in its context; none is gone here.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _context = runtime.enter();
        let mut is_sound = |signal, target: &Target| match Transport::new(signal, target, &roots) {
            Ok(_way) => true,
            Err(error) => {
                found.add(variable(&error), error.to_string(), Some(signal));
                false
            }
        };
        self.traces.take_if(|one| !is_sound(Signal::Traces, &one.target));
        self.logs.take_if(|one| !is_sound(Signal::Logs, &one.target));
        self.metrics.take_if(|one| !is_sound(Signal::Metrics, &one.target));
        Ok(found.told())
    }

    /// What is wrong now with files of headers, each once. They are read again for each request, and telemetry waits for them.
    #[must_use]
    pub fn headers_faults(&self) -> Vec<String> {
        let files = self.targets().filter_map(|target| target.headers_file.as_ref());
        let faults = files.filter_map(|file| read_headers(file).err());
        faults.collect::<BTreeSet<String>>().into_iter().collect()
    }

    fn names_files(&self) -> bool {
        self.targets().any(|target| target.certificate.is_some() || target.client_key.is_some())
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        let calls = [&self.traces, &self.logs].into_iter().flatten().map(|signal| &signal.target);
        calls.chain(self.metrics.as_ref().map(|signal| &signal.target))
    }
}

fn variable(error: &TlsError) -> &str {
    match error {
        TlsError::Unreadable { variable, .. } | TlsError::Unusable { variable, .. } => variable,
        TlsError::Library(_) => "OTEL_EXPORTER_OTLP_CERTIFICATE",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::Pull;

    const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318");

    fn read(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let get =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let (settings, left_out) = Settings::read_in_part(None, get);
        (settings, left_out.iter().map(ToString::to_string).collect())
    }

    /// Which of traces, logs and metrics are sent.
    fn sent(settings: &Settings) -> [bool; 3] {
        [settings.traces.is_some(), settings.logs.is_some(), settings.metrics.is_some()]
    }

    #[test]
    fn a_signal_whose_way_is_in_doubt_is_not_sent_and_the_others_are() {
        for (variable, value, left) in [
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", [false; 3]),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "hunter2", [true, false, true]),
            // Not where all the others go.
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://me:hunter2@otlp", [false, true, true]),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/hunter2", [false; 3]),
            ("OTEL_TRACES_EXPORTER", "hunter2", [false, true, true]),
            ("OTEL_METRICS_EXPORTER", "hunter2", [true, true, false]),
            // These only say how.
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "httpjson", [true; 3]),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", [true; 3]),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1", [true; 3]),
            ("OTEL_TRACES_SAMPLER", "some", [true; 3]),
            ("OUTRIGGER_METRICS_SERIES", "3", [true; 3]),
        ] {
            let (settings, left_out) = read(&[COLLECTOR, (variable, value)]);
            assert_eq!(sent(&settings), left, "{variable}: {left_out:?}");
            assert!(left_out.len() == 1 && left_out[0].starts_with(variable), "{left_out:?}");
            assert!(!variable.ends_with("HEADERS") || !left_out[0].contains("hunter2"), "{left_out:?}");
            assert_eq!(settings.pull, Pull::Offered, "{variable}: they can be scraped as before");
        }
    }

    #[test]
    fn a_fault_of_all_signals_is_told_once() {
        let (settings, left_out) = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:hunter2@otlp")]);
        assert!(!settings.sends());
        assert_eq!(
            left_out,
            [
                "OTEL_EXPORTER_OTLP_ENDPOINT: a URL with credentials in it is not taken; leave them out of the URL and send them with \
              OTEL_EXPORTER_OTLP_HEADERS. Until then traces, logs and metrics are not sent"
            ]
        );
    }

    #[test]
    fn content_is_not_shown_where_what_hides_a_part_of_it_cannot_be_used() {
        let (settings, left_out) = read(&[COLLECTOR, (CONTENT, "SPAN_AND_EVENT"), (REDACT, "hunter2(")]);
        assert_eq!((settings.content(), settings.redaction.is_some()), (None, false));
        assert!(left_out[0].ends_with("Until then no prompt and no answer is shown"), "{left_out:?}");
        assert!(sent(&settings) == [true; 3] && left_out.len() == 1);
    }

    #[test]
    fn files_that_cannot_be_used_stop_the_signals_that_need_them() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let empty = empty.to_str().unwrap();
        for (variable, file, left) in [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem", [false; 3]),
            ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", empty, [true, true, false]),
        ] {
            for protocol in ["grpc", "http/protobuf"] {
                let (mut settings, none) =
                    read(&[COLLECTOR, ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), (variable, file)]);
                let left_out = settings.leave_out_unreadable().unwrap();
                assert_eq!((sent(&settings), none.len(), left_out.len()), (left, 0, 1), "{left_out:?}");
                assert!(left_out[0].fault.contains(variable) && left_out[0].fault.contains(file));
            }
        }
    }

    proptest! {
        /// Whatever the variables hold, reading ends, names only what is set, and what is left can be used.
        #[test]
        fn reading_ends_with_settings_that_can_be_used(chosen in proptest::collection::vec((0..NAMES.len(), 0..VALUES.len()), 0..12)) {
            let get = |name: &str| {
                let at = chosen.iter().find(|(number, _)| NAMES[*number] == name)?.1;
                Some(VALUES[at].to_owned())
            };
            let (_, left_out) = Settings::read_in_part(None, get);
            for one in &left_out {
                prop_assert!(get(&one.setting).is_some(), "{one}");
            }
            let strict = Settings::read(None, get);
            prop_assert_eq!(strict.is_ok(), left_out.is_empty());
        }
    }

    const NAMES: [&str; 24] = [
        "OTEL_SDK_DISABLED",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        "OTEL_EXPORTER_OTLP_INSECURE",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_TRACES_EXPORTER",
        "OTEL_LOGS_EXPORTER",
        "OTEL_METRICS_EXPORTER",
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OUTRIGGER_METRICS_SERIES",
        "OUTRIGGER_APP_TELEMETRY",
        CONTENT,
        REDACT,
    ];
    const VALUES: [&str; 12] = [
        "true",
        "nonsense(",
        "grpc",
        "http://collector:4317",
        "https://me:hunter2@otlp",
        "prometheus",
        "none,otlp",
        "traceidratio",
        "SPAN_ONLY",
        "a=b,c",
        "700",
        "-1",
    ];
}
