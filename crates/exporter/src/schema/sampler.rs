//! Which calls have spans. Records and metrics are never sampled. Per call, on the thread of the call: a comparison.

use outrigger_ledger::CallRecord;

use crate::Settings;
use crate::settings::{AppInstrumented, AppTelemetry};

/// The samplers of the OpenTelemetry specification.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// Always the same answer.
    Fixed(bool),
    /// This share of all traces, from 0 to 1, by their id.
    Ratio(f64),
    /// What the app decided for its trace; for a call without a parent what the share says.
    Parent(f64),
}

impl Default for Sampler {
    /// The app decides; a call of an app without traces has its span.
    fn default() -> Sampler {
        Sampler::Parent(1.0)
    }
}

impl Sampler {
    /// Whether the call has spans.
    #[must_use]
    pub fn wants(self, call: &CallRecord) -> bool {
        match self {
            // A retry in the trace of its first attempt: what was decided for that.
            Sampler::Parent(ratio) if call.is_under_first_attempt() => {
                call.span.flags & 1 == 1 && by_id(call.span.trace_id, ratio)
            }
            Sampler::Fixed(answer) => answer,
            Sampler::Ratio(ratio) => by_id(call.span.trace_id, ratio),
            // A span whose parent was not sent would hang in the air.
            Sampler::Parent(_) if call.span.parent_span_id.is_some() => call.span.flags & 1 == 1,
            Sampler::Parent(ratio) => by_id(call.span.trace_id, ratio),
        }
    }
}

/// Which calls have spans, and which of those leave the counting to the app's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracing {
    sampler: Sampler,
    app_telemetry: AppTelemetry,
    app_instrumented: AppInstrumented,
}

impl Tracing {
    pub(crate) fn of(settings: &Settings) -> Tracing {
        Tracing {
            sampler: settings.sampler,
            app_telemetry: settings.app_telemetry,
            app_instrumented: settings.app_instrumented,
        }
    }

    /// Whether the call has spans.
    pub(crate) fn wants(self, call: &CallRecord) -> bool {
        let left = self.app_telemetry == AppTelemetry::MetricsOnly && self.is_counted_by_the_app(call);
        !left && self.sampler.wants(call)
    }

    /// Whether the call's span counts its tokens and dollars.
    pub(crate) fn counts(self, call: &CallRecord) -> bool {
        self.app_telemetry == AppTelemetry::Both || !self.is_counted_by_the_app(call)
    }

    /// Only a sampled span of the app's is there to count anything.
    fn is_counted_by_the_app(self, call: &CallRecord) -> bool {
        let sampled = call.span.parent_span_id.is_some() && call.span.flags & 1 == 1;
        sampled
            && !call.is_under_first_attempt()
            && (self.app_instrumented == AppInstrumented::Always || call.instrumented.is_some())
    }
}

/// The rule of the other SDKs, so that all take the same traces: the id's last 63 bits lie below the share.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share of 2^63 need not be exact to the last trace; it is never negative"
)]
fn by_id(trace_id: [u8; 16], ratio: f64) -> bool {
    if ratio >= 1.0 {
        return true;
    }
    let [.., a, b, c, d, e, f, g, h] = trace_id;
    let below = (ratio.max(0.0) * (1u64 << 63) as f64) as u64;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::calls::answered;

    fn call(parent: bool, flags: u8, id: u64) -> CallRecord {
        let mut call = answered();
        call.span.parent_span_id = parent.then_some([9; 8]);
        call.span.flags = flags;
        call.span.trace_id[8..].copy_from_slice(&id.to_be_bytes());
        call
    }

    #[test]
    fn the_app_decides_for_its_own_traces_and_the_share_for_the_others() {
        let parent = Sampler::Parent(0.0);
        assert!(parent.wants(&call(true, 1, u64::MAX)));
        assert!(!parent.wants(&call(true, 0, 0)));
        assert!(!parent.wants(&call(false, 1, 0)));
        assert!(Sampler::default().wants(&call(false, 1, u64::MAX)));
        assert!(Sampler::Fixed(true).wants(&call(true, 0, 0)));
        assert!(!Sampler::Fixed(false).wants(&call(true, 1, 0)));
    }

    #[test]
    fn a_share_takes_the_traces_whose_ids_lie_below_it() {
        let quarter = Sampler::Ratio(0.25);
        assert!(quarter.wants(&call(true, 0, (1 << 62) - 1)));
        assert!(!quarter.wants(&call(true, 1, 1 << 62)));
        assert!(!Sampler::Ratio(0.0).wants(&call(true, 1, 0)));
        assert!(Sampler::Ratio(1.0).wants(&call(true, 0, u64::MAX)));
    }
}
