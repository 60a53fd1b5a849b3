//! Why a rule decides a call, and what would be done for it.

use std::fmt;

use outrigger_providers::translate;
use serde::{Serialize, Serializer};

use crate::document::{Exceeded, Mode, Percent, Time};
use crate::read::words::Classes;
use crate::{Breaker, Call, Failover, Policy, Retry, Rule, Site, Target};

/// Why a rule decides a call, and what would be done for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The document's mode.
    pub mode: Mode,
    /// The rule that decides; `None`: no rule does, and the call is watched only.
    pub rule: Option<String>,
    /// The rules above it, and why each does not match.
    pub passed_over: Vec<PassedOver>,
    /// What the rule does in mode `act`; `None` without a rule.
    pub plan: Option<Plan>,
}

/// A rule that does not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Its name.
    pub rule: String,
    /// The conditions that do not hold.
    pub because: Vec<String>,
}

/// What is done for a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Where the app addressed it, then the backups in order, those that are left out included.
    pub places: Vec<PlannedTarget>,
    /// Times that one place is tried at most.
    pub attempts: u32,
    /// Trying again.
    pub retry: Option<PlannedRetry>,
    /// The failures that move it.
    pub moved_when: Option<Classes>,
    /// Whether a cut stream is continued.
    pub continue_cut_streams: bool,
    /// How long each part may take.
    pub deadlines: Vec<PlannedDeadline>,
    /// When a place is left alone.
    pub breaker: Option<PlannedBreaker>,
}

/// A place that a call may go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedTarget {
    /// The backup's name; `None`: where the app addressed the call.
    pub backup: Option<String>,
    /// Whose API is spoken there.
    pub provider: String,
    /// Where it goes.
    pub host: String,
    /// The model that answers.
    pub model: Option<String>,
    /// The deployment that answers.
    pub deployment: Option<String>,
    /// The format in which a turn of a conversation is asked there, where the backup says one.
    pub format: Option<&'static str>,
    /// Why this call does not go there.
    pub left_out: Option<String>,
}

/// Trying again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedRetry {
    /// The failures.
    pub when: Classes,
    /// The most retries, as a share of the calls.
    pub budget: Percent,
    /// The first wait.
    pub initial: Time,
    /// The longest wait.
    pub max: Time,
    /// How much of a wait is left to chance.
    pub jitter: Percent,
}

/// How long one part may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedDeadline {
    /// Its key.
    pub part: &'static str,
    /// How long.
    pub after: Time,
    /// What is done when it passes.
    pub on_exceeded: Exceeded,
    /// Whether it is written; else it is the default.
    pub written: bool,
}

/// When a place is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedBreaker(pub Breaker);

impl Serialize for PlannedBreaker {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let breaker = &self.0;
        serde_json::json!({
            "opens_at": Percent(breaker.opens_at), "window": Time(breaker.window), "min_calls": breaker.min_calls,
            "consecutive": breaker.consecutive, "probe_every": Time(breaker.probe_every),
        })
        .serialize(serializer)
    }
}

impl Policy {
    /// Why a rule decides a call, and what would be done for it.
    #[must_use]
    pub fn explain(&self, call: &Call<'_>, site: &Site<'_>) -> Explanation {
        let decides = self.decided(&self.candidates(call), call.model);
        let above = &self.rules[..decides.unwrap_or(self.rules.len())];
        let rule = decides.map(|at| &self.rules[at]);
        Explanation {
            mode: self.mode,
            rule: rule.map(|rule| rule.name.to_string()),
            passed_over: above
                .iter()
                .map(|rule| PassedOver { rule: rule.name.to_string(), because: rule.misses(call) })
                .collect(),
            plan: rule.map(|rule| rule.plan(call, site)),
        }
    }
}

impl Rule {
    fn plan(&self, call: &Call<'_>, site: &Site<'_>) -> Plan {
        let own = PlannedTarget {
            backup: None,
            provider: call.provider.to_owned(),
            host: call.host.to_owned(),
            model: call.model.map(str::to_owned),
            deployment: None,
            format: None,
            left_out: None,
        };
        let backups =
            self.failover.iter().flat_map(|failover| failover.to.iter().map(move |to| (failover, to)));
        Plan {
            places: std::iter::once(own)
                .chain(backups.map(|(failover, to)| planned(failover, to, call, site)))
                .collect(),
            attempts: self.retry.map_or(1, |retry| retry.attempts),
            retry: self.retry.map(PlannedRetry::from),
            moved_when: self.failover.as_ref().map(|failover| failover.when),
            continue_cut_streams: self
                .failover
                .as_ref()
                .is_some_and(|failover| failover.continue_cut_streams),
            deadlines: self
                .deadlines
                .named()
                .into_iter()
                .map(|(part, deadline)| PlannedDeadline {
                    part,
                    after: Time(deadline.after),
                    on_exceeded: deadline.exceeded,
                    written: deadline.written,
                })
                .collect(),
            breaker: self.breaker.map(PlannedBreaker),
        }
    }
}

fn planned(failover: &Failover, to: &Target, call: &Call<'_>, site: &Site<'_>) -> PlannedTarget {
    let left_out = site
        .gate
        .refusal(call.provider, call.operation, call.model, to)
        .or_else(|| failover.limits.refusal(to, (call.provider, call.host, call.model), site.book, site.now));
    PlannedTarget {
        backup: Some(to.name.to_string()),
        provider: to.provider.id.to_owned(),
        host: to.host.to_string(),
        model: to.model.as_deref().or(call.model).map(str::to_owned),
        deployment: to.deployment.as_deref().map(str::to_owned),
        format: to.format.filter(|_| translate::is_conversation(call.operation)),
        left_out,
    }
}

impl From<Retry> for PlannedRetry {
    fn from(retry: Retry) -> PlannedRetry {
        PlannedRetry {
            when: retry.when,
            budget: Percent(retry.budget),
            initial: Time(retry.initial),
            max: Time(retry.max),
            jitter: Percent(retry.jitter),
        }
    }
}

fn words(classes: Classes) -> String {
    classes.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rule, self.mode) {
            (None, Mode::Passthrough) => {
                f.write_str("no rule decides this call; in mode passthrough nothing is decrypted")?
            }
            (None, _) => f.write_str("no rule decides this call: it is watched, never touched")?,
            (Some(rule), Mode::Act) => write!(f, "rule {rule} decides this call")?,
            (Some(rule), mode) => {
                write!(f, "rule {rule} decides this call; in mode {} nothing of it is done", mode.as_str())?;
            }
        }
        for above in &self.passed_over {
            write!(f, "\n  passed over   {}: {}", above.rule, above.because.join("; "))?;
        }
        self.plan.iter().try_for_each(|plan| write!(f, "\n{plan}"))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut turn = 0;
        for place in &self.places {
            let number = if place.left_out.is_some() {
                "-".to_owned()
            } else {
                turn += 1;
                turn.to_string()
            };
            let name = place.backup.as_deref().unwrap_or("as the app addressed it");
            write!(f, "  {number:<13} {name}: {} at {}", place.provider, place.host)?;
            if let Some(deployment) = &place.deployment {
                write!(f, ", deployment {deployment}")?;
            }
            if let Some(model) = &place.model {
                write!(f, ", {model}")?;
            }
            if let Some(format) = place.format {
                write!(f, ", in {format}")?;
            }
            match &place.left_out {
                Some(reason) => writeln!(f, "; left out: {reason}")?,
                None => writeln!(f)?,
            }
        }
        match &self.retry {
            Some(retry) => writeln!(
                f,
                "  retry         {} attempts at a place, for {}; at most {} of calls; waits {} to {}, {} by chance",
                self.attempts,
                words(retry.when),
                retry.budget,
                retry.initial,
                retry.max,
                retry.jitter
            )?,
            None => writeln!(f, "  retry         none")?,
        }
        match self.moved_when {
            Some(when) => writeln!(f, "  failover      for {}", words(when))?,
            None => writeln!(f, "  failover      none")?,
        }
        if self.continue_cut_streams {
            writeln!(f, "  cut streams   continued by a backup, plain text only")?;
        }
        if let Some(PlannedBreaker(breaker)) = self.breaker {
            writeln!(
                f,
                "  breaker       opens at {} of {} calls in {}, or {} failures in a row; probes every {}",
                Percent(breaker.opens_at),
                breaker.min_calls,
                Time(breaker.window),
                breaker.consecutive,
                Time(breaker.probe_every)
            )?;
        }
        let told = self.deadlines.iter().map(|deadline| {
            let default = if deadline.written { "" } else { ", default" };
            format!("{} {} ({}{default})", deadline.part, deadline.after, deadline.on_exceeded.as_str())
        });
        write!(f, "  deadlines     {}", told.collect::<Vec<_>>().join(", "))
    }
}
