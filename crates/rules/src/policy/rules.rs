//! The rules: what is written, and for the rest the defaults.

use std::sync::Arc;

use super::compile::Findings;
use super::targets::Targets;
use super::{Breaker, Deadline, Deadlines, Failover, Limits, Retry, Rule};
use crate::document::{self, Draft, Exceeded, Time};
use crate::read::nearest;

pub(super) fn compile(
    draft: &Draft,
    targets: &Targets,
    left_out: &[String],
    findings: &mut Findings<'_>,
) -> Vec<(usize, Rule)> {
    let mut compiled = Vec::new();
    for (index, rule) in &draft.rules {
        let path = format!("rules[{index}]");
        // What was left out may have restricted what stands beside it.
        let lost = |key: &str| left_out.iter().any(|lost| lost.starts_with(&format!("{path}.{key}.")));
        let failover =
            rule.failover.as_ref().and_then(|failover| failover_of(failover, &path, targets, findings));
        if lost("match") {
            let text =
                format!("the rule `{}` is left out: what it asks of a call is not known here", rule.name);
            findings.doubtful(&path, text, "run an Outrigger of the document's version");
            continue;
        }
        let failover = if lost("failover") {
            let text = "`failover` is left out: what limits it is not known here";
            findings.doubtful(
                &format!("{path}.failover"),
                text,
                "run an Outrigger of the document's version",
            );
            None
        } else {
            failover
        };
        let retry = rule.retry.as_ref().map(|retry| retry_of(retry, &path, findings));
        let breaker = match (&rule.breaker, retry.is_some() || failover.is_some()) {
            (Some(breaker), _) => Some(breaker_of(breaker)),
            (None, true) => Some(breaker_of(&NO_BREAKER)),
            (None, false) => None,
        };
        let deadlines = deadlines_of(rule.deadlines.as_ref().unwrap_or(&NO_DEADLINES), &path, findings);
        let conditions = rule.matching.conditions().cloned().collect();
        let name = Arc::from(&*rule.name.0);
        compiled.push((*index, Rule { name, conditions, deadlines, retry, breaker, failover }));
    }
    compiled
}

const NO_DEADLINES: document::Deadlines = document::Deadlines {
    connect: None,
    response_head: None,
    first_token: None,
    between_tokens: None,
    total: None,
    on_exceeded: None,
};

const NO_BREAKER: document::Breaker =
    document::Breaker { opens_at: None, window: None, min_calls: None, consecutive: None, probe_every: None };

const NO_BACKOFF: document::Backoff = document::Backoff { initial: None, max: None, jitter: None };

fn failover_of(
    failover: &document::Failover,
    path: &str,
    targets: &Targets,
    findings: &mut Findings<'_>,
) -> Option<Failover> {
    let path = format!("{path}.failover.to");
    if failover.to.is_empty() {
        findings.wrong(&path, "no backup is named", "name one at least, or remove `failover`");
    }
    let mut to = Vec::new();
    for (place, name) in failover.to.iter().enumerate() {
        let path = format!("{path}[{place}]");
        if failover.to[..place].contains(name) {
            findings.wrong(&path, format!("`{name}` stands twice"), "remove one of them");
        }
        match targets.iter().find(|(known, _)| *known == name.0) {
            Some((_, target)) => to.extend(target.clone()),
            None => {
                let mend = did_you_mean(&name.0, targets.iter().map(|(known, _)| &**known));
                findings.wrong(&path, format!("there is no backup `{name}`"), &mend);
            }
        }
    }
    Some(Failover {
        to: to.into(),
        when: failover.when().0,
        limits: Limits {
            max_price: failover.max_price.map(|factor| factor.0),
            require: failover.require.iter().flat_map(|require| require.0.iter().copied()).collect(),
        },
        continue_cut_streams: failover.continue_cut_streams().0,
    })
}

fn retry_of(retry: &document::Retry, path: &str, findings: &mut Findings<'_>) -> Retry {
    let backoff = retry.backoff.as_ref().unwrap_or(&NO_BACKOFF);
    if backoff.initial() > backoff.max() {
        let text = format!(
            "the first wait of {} is longer than the longest of {}",
            backoff.initial(),
            backoff.max()
        );
        findings.wrong(
            &format!("{path}.retry.backoff.initial"),
            text,
            "make `initial` shorter, or `max` longer",
        );
    }
    if retry.attempts().0 == 1 {
        let mend = "write 2 or more, or remove `retry`";
        findings.doubtful(&format!("{path}.retry.attempts"), "one attempt is no retry", mend);
    }
    Retry {
        attempts: retry.attempts().0,
        when: retry.when().0,
        budget: retry.budget().0,
        initial: backoff.initial().0,
        max: backoff.max().0,
        jitter: backoff.jitter().0,
    }
}

fn breaker_of(breaker: &document::Breaker) -> Breaker {
    Breaker {
        opens_at: breaker.opens_at().0,
        window: breaker.window().0,
        min_calls: breaker.min_calls().0,
        consecutive: breaker.consecutive().0,
        probe_every: breaker.probe_every().0,
    }
}

fn deadlines_of(written: &document::Deadlines, path: &str, findings: &mut Findings<'_>) -> Deadlines {
    let deadline = |of: Option<Time>, default: Time| Deadline {
        after: of.unwrap_or(default).0,
        exceeded: if of.is_some() { written.on_exceeded() } else { Exceeded::Report },
        written: of.is_some(),
    };
    let deadlines = Deadlines {
        connect: deadline(written.connect, written.connect()),
        response_head: deadline(written.response_head, written.response_head()),
        first_token: deadline(written.first_token, written.first_token()),
        between_tokens: deadline(written.between_tokens, written.between_tokens()),
        total: deadline(written.total, written.total()),
    };
    if deadlines.total.written {
        for (key, deadline) in deadlines.named() {
            if deadline.written && deadline.after > deadlines.total.after {
                let text = format!(
                    "`{key}` of {} never passes: the whole call may take {}",
                    Time(deadline.after),
                    Time(deadlines.total.after)
                );
                findings.wrong(
                    &format!("{path}.deadlines.{key}"),
                    text,
                    "make it shorter, or `total` longer",
                );
            }
        }
    }
    if written.on_exceeded.is_some() && !deadlines.named().iter().any(|(_, deadline)| deadline.written) {
        let text = "`onExceeded` stands without a deadline";
        findings.doubtful(
            &format!("{path}.deadlines.onExceeded"),
            text,
            "write the deadline that it is about",
        );
    }
    deadlines
}

/// What is nearest to a name among those that are written.
fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            if known.is_empty() {
                "declare it under `backups`".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            }
        }
    }
}
