//! What runs: a document compiled once, never changed, shared by all calls that began under it.

mod across;
mod compile;
mod limits;
mod needs;
mod rules;
mod site;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use outrigger_providers::Service;

use crate::Call;
use crate::document::{CredentialKind, Exceeded, Mode, Version};
use crate::fault::{Fault, Refused};
use crate::matchers::Condition;
use crate::read::words::Classes;
pub use limits::Limits;
pub use site::Site;

/// A document as it runs.
#[derive(Debug)]
pub struct Policy {
    /// How far Outrigger goes.
    pub mode: Mode,
    /// The document's version.
    pub version: Version,
    /// SHA-256 of the document's text, 64 hex digits; empty without a document.
    pub hash: Arc<str>,
    /// Whether answers to calls that a rule touched carry headers of our own.
    pub response_headers: bool,
    /// Every other place that a prompt may go.
    pub targets: Box<[Arc<Target>]>,
    /// From the top.
    pub rules: Box<[Rule]>,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name in spans, metrics and logs.
    pub name: Arc<str>,
    conditions: Box<[Arc<dyn Condition>]>,
    /// How long each part of a call may take.
    pub deadlines: Deadlines,
    /// Trying again at the same place.
    pub retry: Option<Retry>,
    /// When a place is left alone.
    pub breaker: Option<Breaker>,
    /// Moving the call.
    pub failover: Option<Failover>,
}

/// Another place.
pub struct Target {
    /// The backup's name.
    pub name: Arc<str>,
    /// Whose API is spoken there.
    pub provider: &'static Service,
    /// Lower case, without a port.
    pub host: Arc<str>,
    /// Azure's deployment.
    pub deployment: Option<Arc<str>>,
    /// The region that answers.
    pub region: Option<Arc<str>>,
    /// The project that is billed.
    pub project: Option<Arc<str>>,
    /// The model that answers; `None`: the one that the app asked for.
    pub model: Option<Arc<str>>,
    /// The format in which a turn of a conversation is asked there; `None`: the app's own where it is spoken there, else the
    /// provider's usual one.
    pub format: Option<&'static str>,
    /// What it is paid by.
    pub credential: Credential,
}

/// Where a credential comes from, and what it is. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// Where it lies.
    pub source: CredentialSource,
}

/// Where a credential lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// A path below the folder of mounted credentials.
    File(Arc<str>),
    /// A variable of the sidecar's own environment.
    Variable(Arc<str>),
}

/// A part of a call that may take only so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// How long.
    pub after: Duration,
    /// What is done when it passes.
    pub exceeded: Exceeded,
    /// Whether a person wrote it; else it is a default, and only reports.
    pub written: bool,
}

impl Deadline {
    /// How long, where more than a report follows.
    #[must_use]
    pub const fn acting(self) -> Option<Duration> {
        match self.exceeded {
            Exceeded::Act => Some(self.after),
            Exceeded::Report => None,
        }
    }
}

/// All of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Until the connection stands.
    pub connect: Deadline,
    /// Until the head of the answer.
    pub response_head: Deadline,
    /// Until the first content of a stream.
    pub first_token: Deadline,
    /// Between two parts of a stream.
    pub between_tokens: Deadline,
    /// The whole call.
    pub total: Deadline,
}

impl Deadlines {
    /// Each with its key.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Deadline); 5] {
        [
            ("connect", self.connect),
            ("responseHead", self.response_head),
            ("firstToken", self.first_token),
            ("betweenTokens", self.between_tokens),
            ("total", self.total),
        ]
    }
}

/// Trying again at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Times one place is tried at most, the first included.
    pub attempts: u32,
    /// The failures that are tried again.
    pub when: Classes,
    /// The most retries, in hundredths of the calls.
    pub budget: u8,
    /// Wait before the first retry; it doubles each time.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// How much of a wait is left to chance, in hundredths.
    pub jitter: u8,
}

/// When a place is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in hundredths of the calls of the window.
    pub opens_at: u8,
    /// The time that it looks back.
    pub window: Duration,
    /// Calls below which the share says nothing.
    pub min_calls: u32,
    /// Failures in a row that open it.
    pub consecutive: u32,
    /// How often one call tries whether the place answers again.
    pub probe_every: Duration,
}

/// Moving the call.
#[derive(Debug)]
pub struct Failover {
    /// In the order in which they are tried.
    pub to: Box<[Arc<Target>]>,
    /// The failures that move a call.
    pub when: Classes,
    /// What a target must be.
    pub limits: Limits,
    /// Whether a cut stream is continued.
    pub continue_cut_streams: bool,
}

impl Policy {
    /// What runs without a document: watch, change nothing.
    #[must_use]
    pub fn observe() -> Policy {
        Policy {
            mode: Mode::Observe,
            version: Version::READ,
            hash: "".into(),
            response_headers: true,
            targets: Box::new([]),
            rules: Box::new([]),
        }
    }

    /// Reads and compiles a document, or a ConfigMap's manifest with one, of at most [`crate::LARGEST`] bytes. Warnings stand beside
    /// the policy.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn read(bytes: &[u8], site: &Site<'_>) -> Result<(Policy, Vec<Fault>), Refused> {
        compile::read(bytes, site)
    }

    /// The rule that decides a call: the first that matches. Allocates nothing.
    #[must_use]
    pub fn decide(&self, call: &Call<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.holds(call))
    }

    /// The rules that may decide a call whose body, and so perhaps its model, has not been read yet. Allocates once, and nothing where
    /// there are none.
    #[must_use]
    pub fn candidates(&self, call: &Call<'_>) -> Candidates {
        let mut places = Vec::new();
        for (place, rule) in self.rules.iter().enumerate() {
            let mut is_open = false;
            let may = rule.conditions.iter().all(|one| {
                one.holds(call) || {
                    let hangs_on_model = call.model.is_none() && one.models().is_some();
                    is_open |= hangs_on_model;
                    hangs_on_model
                }
            });
            if !may {
                continue;
            }
            if places.is_empty() {
                places.reserve_exact(self.rules.len() - place);
            }
            places.push(place);
            if !is_open {
                // None below it is asked.
                break;
            }
        }
        Candidates(places)
    }

    /// Whether one of them does more than report.
    #[must_use]
    pub fn may_act(&self, candidates: &Candidates) -> bool {
        candidates.0.iter().any(|place| self.rules[*place].acts())
    }

    /// The place of the one that decides a call for this model.
    #[must_use]
    pub fn decided(&self, candidates: &Candidates, model: Option<&str>) -> Option<usize> {
        candidates.0.iter().copied().find(|place| self.rules[*place].takes(model))
    }
}

/// The rules that may decide a call, of the policy that found them.
#[derive(Debug)]
pub struct Candidates(
    /// Their places, from the top.
    Vec<usize>,
);

impl Candidates {
    /// Whether no rule decides the call.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Rule {
    /// Whether every condition holds.
    #[must_use]
    pub fn holds(&self, call: &Call<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(call))
    }

    /// Whether it takes calls for this model; the other conditions are not asked.
    fn takes(&self, model: Option<&str>) -> bool {
        let mut asked = self.conditions.iter().filter_map(|condition| condition.models());
        asked.all(|globs| model.is_some_and(|model| globs.iter().any(|glob| glob.holds(model))))
    }

    /// The conditions that do not hold for a call, in plain words.
    pub(crate) fn misses(&self, call: &Call<'_>) -> Vec<String> {
        let missed = self.conditions.iter().filter(|condition| !condition.holds(call));
        missed.map(|condition| condition.explain(call)).collect()
    }

    /// Whether it may do more than report.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.retry.is_some()
            || self.failover.is_some()
            || self.deadlines.named().iter().any(|(_, deadline)| deadline.acting().is_some())
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("provider", &self.provider.id)
            .field("host", &self.host)
            .field("model", &self.model)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}
