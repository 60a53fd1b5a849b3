//! One rule: which calls, and what is done for them.

use crate::document::{
    Capabilities, Count, Exceeded, Factor, Label, Match, MovedClasses, Percent, RetriedClasses, Switch, Time,
};
use crate::read::{Reader, Written, section};
use crate::yaml::Node;

section! {
    /// Which calls, and what is done for them. What a rule does not name is not done.
    Rule {
        required {
            /// Its name in spans, metrics and logs; no two rules share one.
            "name" name: Label,
            /// The calls that it decides: those for which every condition holds. `{}` holds for all.
            "match" matching: Match,
        }
        optional {
            /// How long each part of a call may take. What is not written is only reported.
            "deadlines" deadlines: Deadlines,
            /// Trying again at the same place. Left out, nothing is tried again.
            "retry" retry: Retry,
            /// When a place is left alone because it fails. Left out, its defaults count for rules with `retry` or `failover`.
            "breaker" breaker: Breaker,
            /// Moving the call to a backup. Left out, nothing is moved.
            "failover" failover: Failover,
            /// Reserved: checking answers. It is refused in this version.
            "guard" guard: Guard,
        }
    }
}

section! {
    /// How long each part of a call may take.
    Deadlines {
        required {}
        optional {
            /// Until the connection stands, TLS included.
            "connect" connect: Time = Time::seconds(10),
            /// Until the head of the answer.
            "responseHead" response_head: Time = Time::seconds(60),
            /// Until the first content of a streamed answer. Counted anew for each attempt; `total` bounds all of them together, waits between them included.
            "firstToken" first_token: Time = Time::seconds(60),
            /// Between two parts of a streamed answer.
            "betweenTokens" between_tokens: Time = Time::seconds(60),
            /// The whole call, every attempt included.
            "total" total: Time = Time::seconds(600),
            /// What is done when one of the written deadlines passes. Those that are not written only report, at their defaults.
            "onExceeded" on_exceeded: Exceeded = Exceeded::Act,
        }
    }
}

section! {
    /// Trying again at the same place.
    Retry {
        required {}
        optional {
            /// How often one place is tried at most, the first time included.
            "attempts" attempts: Count<1, 5> = Count::<1, 5>(2),
            /// The failures that are tried again.
            "when" when: RetriedClasses = RetriedClasses::DEFAULT,
            /// The most retries, as a share of the calls: an outage is never multiplied.
            "budget" budget: Percent = Percent(20),
            /// The wait before each retry. What the provider asks for (`Retry-After`) comes first.
            "backoff" backoff: Backoff,
        }
    }
}

section! {
    /// The wait before a retry: it doubles each time.
    Backoff {
        required {}
        optional {
            /// Before the first retry.
            "initial" initial: Time = Time::milliseconds(250),
            /// At most.
            "max" max: Time = Time::seconds(8),
            /// How much of the wait is left to chance, so that calls do not come back all at once.
            "jitter" jitter: Percent = Percent(50),
        }
    }
}

section! {
    /// When a place is left alone because it fails: it counts per pod and place.
    Breaker {
        required {}
        optional {
            /// The share of failures in the window that opens it.
            "opensAt" opens_at: Percent = Percent(50),
            /// The time that it looks back.
            "window" window: Time = Time::seconds(30),
            /// Calls in the window below which the share says nothing.
            "minCalls" min_calls: Count<1, 10_000> = Count::<1, 10_000>(20),
            /// Failures in a row that open it, however few calls there are.
            "consecutive" consecutive: Count<1, 100> = Count::<1, 100>(3),
            /// How often one call tries whether the place answers again.
            "probeEvery" probe_every: Time = Time::seconds(10),
        }
    }
}

section! {
    /// Moving the call to a backup, before the first content of the answer.
    Failover {
        required {
            /// Names of `backups`, in the order in which they are tried.
            "to" to: Vec<Label>,
        }
        optional {
            /// The failures that move a call. `authentication`, `permission`, `not_found` and `other` move it only where they
            /// are named (a wrong key would go unnoticed), `context_length` only to a larger window.
            "when" when: MovedClasses = MovedClasses::DEFAULT,
            /// A backup is left out where its model costs more than this many times the price of the model asked for,
            /// per token in or out. Where a price is not known it is left out too.
            "maxPrice" max_price: Factor,
            /// A backup is left out unless its model is known to be able to do this.
            "require" require: Capabilities,
            /// Whether a stream that dies after its first content is continued by a backup: plain text only, by an instruction to
            /// go on, with a seam that may show.
            "continueCutStreams" continue_cut_streams: Switch = Switch(false),
        }
    }
}

/// The seat of a later version: it cannot be written yet.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub enum Guard {}

impl schemars::JsonSchema for Guard {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Guard".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"not": {}})
    }
}

impl Written for Guard {
    fn read(_: &Node, reader: &mut Reader) -> Option<Guard> {
        if reader.lenient {
            reader.leave_out("`guard` is not in this version");
            return None;
        }
        reader.wrong("`guard` comes with a later version: this one checks no answers", "remove it until then")
    }
}
