//! One line of log per call, where it is wanted (docs/logs.md). Once per call, on the traffic thread: the line is handed to a
//! thread of its own.

use std::sync::Arc;

use outrigger_ledger::{CallRecord, Outcome, Recorder, Timestamp, Wants};
use serde::Deserialize;

use crate::logging::EVERY_CALL;

/// Which calls have a line of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogCalls {
    /// All where records are sent nowhere, but those that repeat themselves are only counted; none elsewhere.
    #[default]
    Auto,
    /// Every one.
    All,
    /// Every one that failed.
    Failed,
    /// None.
    None,
}

/// The recorder that writes these lines and hands every record on. `sent` says whether records go anywhere else.
#[must_use]
pub fn logged(which: LogCalls, next: Option<Arc<dyn Recorder>>, sent: bool) -> Arc<dyn Recorder> {
    match (which, next) {
        (LogCalls::Auto | LogCalls::None, Some(next)) if sent || which == LogCalls::None => next,
        (which, next) => Arc::new(Logged { which, next }),
    }
}

struct Logged {
    which: LogCalls,
    next: Option<Arc<dyn Recorder>>,
}

impl Recorder for Logged {
    fn try_record(&self, record: Arc<CallRecord>) {
        let failed = record.outcome == Outcome::Failed;
        match self.which {
            LogCalls::Auto => Line::of(&record).say(failed),
            LogCalls::All => Line::of(&record).say_each(failed),
            LogCalls::Failed if failed => Line::of(&record).say_each(failed),
            LogCalls::Failed | LogCalls::None => {}
        }
        if let Some(next) = &self.next {
            next.try_record(record);
        }
    }

    fn wants(&self) -> Wants {
        self.next.as_ref().map(|next| next.wants()).unwrap_or_default()
    }
}

/// What a line tells.
struct Line<'a> {
    record: &'a CallRecord,
    words: &'a str,
    cause: Option<&'static str>,
    status: Option<u16>,
    step: Option<&'a str>,
    cost: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    first_token_ms: Option<u64>,
    duration_ms: u64,
}

/// A line at the level of its call; what repeats itself is known by target and provider.
macro_rules! line {
    ($line:expr, $failed:expr, $target:expr) => {
        if $failed {
            line!($line, warn, $target, ());
        } else {
            line!($line, info, $target, ());
        }
    };
    ($line:expr, $level:ident, $target:expr, ()) => {
        tracing::$level!(
            target: $target,
            id = %$line.record.id,
            provider = $line.record.provider,
            model = $line.record.model(),
            operation = $line.record.operation.as_str(),
            outcome = $line.record.outcome.as_str(),
            cause = $line.cause,
            status = $line.status,
            step = $line.step,
            input_tokens = $line.input_tokens,
            output_tokens = $line.output_tokens,
            cost = $line.cost.as_deref(),
            first_token_ms = $line.first_token_ms,
            duration_ms = $line.duration_ms,
            "{}",
            $line.words
        )
    };
}

impl Line<'_> {
    fn of(record: &CallRecord) -> Line<'_> {
        let since = |at: Timestamp| at.since(record.times.started) / 1_000_000;
        let reported = record.tokens.reported();
        Line {
            record,
            words: record.cause.as_ref().map_or("call", |cause| cause.text.as_str()),
            cause: record.cause.as_ref().map(|cause| cause.class.as_str()),
            status: record.attempts.last().and_then(|attempt| attempt.status),
            step: record.identity.get(outrigger_providers::Who::Step),
            cost: record.cost.total.map(|total| total.to_string()),
            input_tokens: reported.total_prompt(),
            output_tokens: reported.total_answer(),
            first_token_ms: record.times.first_content.map(since),
            duration_ms: since(record.times.ended),
        }
    }

    fn say(&self, failed: bool) {
        line!(self, failed, "outrigger_sidecar::calls");
    }

    fn say_each(&self, failed: bool) {
        line!(self, failed, EVERY_CALL);
    }
}
