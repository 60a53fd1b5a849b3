//! Logs of every program of ours: to standard error, without what other people's code would print, without waiting for whoever
//! reads them, and without saying the same a thousand times (docs/logs.md). Never per frame.

mod repeats;

use std::sync::Arc;

use outrigger_exporter::{CONTROL, ControlSpans, SdkTracer, control_spans};
use tokio::time::Instant;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use self::repeats::{NUMBERS, Repeats};

/// Lines that may wait for a slow reader; what comes on top is lost and counted.
const WAITING: usize = 1024;

/// What is said once, and as often as it is: a person asked for every one of these lines.
pub(crate) const EVERY_CALL: &str = "outrigger::calls";

const FILTER: &str = "OUTRIGGER_LOG";
const FORMAT: &str = "OUTRIGGER_LOG_FORMAT";
const OTEL_LEVEL: &str = "OTEL_LOG_LEVEL";
const CONTROL_TRACES: &str = "OUTRIGGER_CONTROL_TRACES";

/// The running log. Dropped, it says what it held back and waits a moment for the lines that are on their way.
#[must_use = "dropped, it ends the log"]
pub struct Logging {
    repeats: Arc<Repeats>,
    lost: ErrorCounter,
    lines: NonBlocking,
    _written: WorkerGuard,
}

/// Starts logging at `OUTRIGGER_LOG` (`info`, `debug`, `outrigger_sidecar=debug`, …), else at `OTEL_LOG_LEVEL`, else at `default`;
/// as text, or as `OUTRIGGER_LOG_FORMAT` says. What is wrong with these variables is said, and does not end the program.
pub fn start(default: &str) -> Logging {
    start_by(default, &variable, Vec::new(), None)
}

/// The same, and spans of the control plane where `OUTRIGGER_CONTROL_TRACES` asks for them: they come out of what is returned.
pub fn start_with_control(default: &str) -> (Logging, Option<ControlSpans>) {
    let mut faults = Vec::new();
    let (tracer, spans) = is_traced(&variable, &mut faults).then(control_spans).unzip();
    (start_by(default, &variable, faults, tracer), spans)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn start_by(
    default: &str,
    get: &impl Fn(&str) -> Option<String>,
    mut faults: Vec<String>,
    tracer: Option<SdkTracer>,
) -> Logging {
    let filter = filter(default, get, &mut faults);
    let json = is_json(get, &mut faults);
    let (lines, written) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("outrigger-log")
        .finish(std::io::stderr());
    let lost = lines.error_counter();
    let repeats = Arc::new(Repeats::default());
    let lines_of = tracing_subscriber::fmt::layer()
        .with_writer(lines.clone())
        // Who read the log may be gone; to complain of it, in the same place, would be a panic.
        .log_internal_errors(false)
        .with_target(false);
    let shown = if json { lines_of.json().flatten_event(true).boxed() } else { lines_of.boxed() };
    // The level is the lines' alone: spans are asked for on their own.
    let lines_only = shown.with_filter(filter.and(Said(Arc::clone(&repeats))));
    let subscriber = tracing_subscriber::registry().with(lines_only);
    match tracer {
        Some(tracer) => subscriber.with(spans(tracer)).init(),
        None => subscriber.init(),
    }
    for fault in faults {
        tracing::warn!("{fault}");
    }
    Logging { repeats, lost, lines, _written: written }
}

/// Nothing is looked up, locked or told that is not in the spans themselves.
fn spans<S: Subscriber + for<'a> LookupSpan<'a>>(tracer: SdkTracer) -> impl Layer<S> {
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(
            filter_fn(|about| about.is_span() && about.target() == CONTROL).with_max_level_hint(Level::INFO),
        )
}

impl Logging {
    /// For other lines on standard error that must not wait for whoever reads them.
    #[must_use]
    pub fn lines(&self) -> NonBlocking {
        self.lines.clone()
    }

    /// Says from time to time what was held back; ends never. Nothing wakes it while nothing is held back.
    pub fn repeats(&self) -> impl Future<Output = ()> + Send + 'static {
        let repeats = Arc::clone(&self.repeats);
        async move { repeats.run().await }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.repeats.say_all();
        let lost = self.lost.dropped_lines();
        if lost > 0 {
            tracing::warn!(lost, "lines of this log were lost: standard error was not read fast enough");
        }
    }
}

fn filter(default: &str, get: &impl Fn(&str) -> Option<String>, faults: &mut Vec<String>) -> EnvFilter {
    let by_otel = || match get(OTEL_LEVEL).map(|level| level.trim().to_ascii_lowercase())?.as_str() {
        level @ ("error" | "warn" | "info" | "debug" | "trace") => Some(level.to_owned()),
        "none" | "off" => Some("off".to_owned()),
        "fatal" => Some("error".to_owned()),
        "all" => Some("trace".to_owned()),
        _ => None,
    };
    let otherwise = by_otel().unwrap_or_else(|| default.to_owned());
    let asked = get(FILTER).and_then(|asked| {
        EnvFilter::try_new(&asked)
            .inspect_err(|error| {
                faults.push(format!(
                    "{FILTER}={asked} is not understood ({error}); write a level such as info, or outrigger_sidecar=debug; logging \
                     at {otherwise}"
                ));
            })
            .ok()
    });
    asked.unwrap_or_else(|| EnvFilter::new(&otherwise))
}

fn is_json(get: &impl Fn(&str) -> Option<String>, faults: &mut Vec<String>) -> bool {
    match get(FORMAT).map(|format| format.trim().to_ascii_lowercase()).as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            faults
                .push(format!("{FORMAT}={other} is not a form of log; write text or json; logging as text"));
            false
        }
    }
}

fn is_traced(get: &impl Fn(&str) -> Option<String>, faults: &mut Vec<String>) -> bool {
    match get(CONTROL_TRACES).map(|asked| asked.trim().to_ascii_lowercase()).as_deref() {
        None | Some("off") => false,
        Some("on") => true,
        Some(other) => {
            faults.push(format!("{CONTROL_TRACES}={other} is not understood; write on or off; it stays off"));
            false
        }
    }
}

/// What is written at all.
struct Said(Arc<Repeats>);

impl<S: Subscriber> Filter<S> for Said {
    /// Libraries below us print headers and bytes at their most talkative, secrets included: of others only warnings are written.
    fn enabled(&self, line: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        line.is_event()
            && (*line.level() <= Level::WARN
                || line.target().starts_with(outrigger_contract::telemetry::NAMESPACE))
    }

    /// Said, because without it the other filter's would not count, and what is more detailed than any reader asked for would be
    /// looked at in every frame.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event_enabled(&self, line: &Event<'_>, _: &Context<'_, S>) -> bool {
        // Whoever asked for details wants all of them.
        *line.metadata().level() > Level::INFO
            || [EVERY_CALL, NUMBERS].contains(&line.metadata().target())
            || self.0.may_be_said(line, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Registry;

    use super::*;

    fn level(variables: &[(&str, &str)]) -> (String, Vec<String>) {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let mut faults = Vec::new();
        let filter = filter("info", &get, &mut faults);
        let hint = filter.max_level_hint().map(|hint| hint.to_string()).unwrap_or_default();
        let _json = is_json(&get, &mut faults);
        (hint, faults)
    }

    #[test]
    fn our_own_variable_wins_then_the_standard_one() {
        assert_eq!(level(&[]).0, "info");
        assert_eq!(level(&[(OTEL_LEVEL, "DEBUG")]).0, "debug");
        assert_eq!(level(&[(OTEL_LEVEL, "debug"), (FILTER, "error")]).0, "error");
        assert_eq!(
            level(&[(OTEL_LEVEL, "loud")]),
            ("info".to_owned(), Vec::new()),
            "the exporter's to judge"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_the_mend() {
        let (hint, faults) = level(&[(FILTER, "a=b=c"), (FORMAT, "xml")]);
        assert_eq!(hint, "info");
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("OUTRIGGER_LOG=a=b=c") && faults[0].contains("info"), "{faults:?}");
        assert!(faults[1].contains("OUTRIGGER_LOG_FORMAT=xml") && faults[1].contains("json"), "{faults:?}");
    }

    #[test]
    fn what_nobody_reads_is_passed_over_by_its_level_alone() {
        let lines = EnvFilter::new("info").and(Said(Arc::default()));
        assert_eq!(Filter::<Registry>::max_level_hint(&lines), Some(LevelFilter::INFO));
        let (tracer, _spans) = control_spans();
        assert_eq!(Layer::<Registry>::max_level_hint(&spans(tracer)), Some(LevelFilter::INFO));
    }

    #[test]
    fn spans_of_the_control_plane_are_asked_for_by_one_word() {
        let mut faults = Vec::new();
        let mut asked = |word: Option<&str>| is_traced(&|_: &str| word.map(str::to_owned), &mut faults);
        assert!(asked(Some(" On ")));
        assert!(!asked(None) && !asked(Some("off")) && !asked(Some("yes")));
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].contains("OUTRIGGER_CONTROL_TRACES=yes") && faults[0].contains("on or off"),
            "{faults:?}"
        );
    }
}
