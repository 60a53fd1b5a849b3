//! From a document's text to a policy.

use std::collections::HashMap;
use std::sync::Arc;

use outrigger_providers::services;

use super::needs::{Needs, host_in};
use super::{
    Breaker, Credential, CredentialSource, Deadline, Deadlines, Failover, Limits, Policy, Retry, Rule, Site,
    Target, across,
};
use crate::document::{self, CredentialKind, Document, Draft, Exceeded, Mode, Time};
use crate::fault::{Fault, Position, Refused, Severity, in_order};
use crate::read::leaves::did_you_mean;
use crate::source::{Drafted, draft};

/// Notes faults at paths of the document.
pub(super) struct Findings<'a> {
    places: &'a HashMap<String, Position>,
    pub(super) faults: Vec<Fault>,
}

impl Findings<'_> {
    fn note(&mut self, severity: Severity, path: &str, text: String, mend: &str) {
        // A part that is not written stands where what holds it does.
        let mut place = path;
        let at = loop {
            if let Some(at) = self.places.get(place) {
                break *at;
            }
            place = place.rfind(['.', '[']).map_or("", |end| &place[..end]);
            if place.is_empty() {
                break self.places.get("").copied().unwrap_or_default();
            }
        };
        self.faults.push(Fault::new(severity, at, path, text, mend));
    }

    fn is_faulty_below(&self, path: &str) -> bool {
        let below = |fault: &Fault| fault.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.faults.iter().any(below)
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.faults.iter().any(Fault::is_error)
    }

    pub(super) fn wrong(&mut self, path: &str, text: impl Into<String>, mend: &str) {
        self.note(Severity::Error, path, text.into(), mend);
    }

    pub(super) fn doubtful(&mut self, path: &str, text: impl Into<String>, mend: &str) {
        self.note(Severity::Warning, path, text.into(), mend);
    }
}

pub(super) fn read(bytes: &[u8], site: &Site<'_>) -> Result<(Policy, Vec<Fault>), Refused> {
    let Drafted { draft, hash, faults, places, left_out } = draft(bytes)?;
    let mut findings = Findings { places: &places, faults };
    let targets = targets(&draft, site, &mut findings);
    let rules = rules(&draft, &targets, &left_out, &mut findings);
    across::check(&draft, &rules, site, &mut findings);
    let mut faults = findings.faults;
    in_order(&mut faults);
    if faults.iter().any(Fault::is_error) {
        return Err(Refused { faults });
    }
    let document = draft.whole();
    let policy = Policy {
        mode: document.mode(),
        version: document.version,
        hash: hash.into(),
        response_headers: response_headers(&document),
        targets: targets.into_iter().filter_map(|(_, target)| target).collect(),
        rules: rules.into_iter().map(|(_, rule)| rule).collect(),
    };
    Ok((policy, faults))
}

fn response_headers(document: &Document) -> bool {
    document.response_headers.is_none_or(|headers| headers.0)
}

/// By their names, in the order of the text; `None` for what is faulty.
type Targets = Vec<(String, Option<Arc<Target>>)>;

fn targets(draft: &Draft, site: &Site<'_>, findings: &mut Findings<'_>) -> Targets {
    let compiled = draft.backups.iter().map(|(name, backup)| {
        let target = backup.as_ref().and_then(|backup| target(name, backup, site, findings));
        (name.clone(), target.map(Arc::new))
    });
    compiled.collect()
}

fn target(
    name: &str,
    backup: &document::Backup,
    site: &Site<'_>,
    findings: &mut Findings<'_>,
) -> Option<Target> {
    let provider = backup.provider.0;
    let path = |key: &str| format!("backups.{name}.{key}");
    let needs = Needs::of(provider);
    if let Some(allowed) = site.allowed_providers
        && !allowed.iter().any(|allowed| allowed == provider.id)
    {
        let text = format!("{} is not among the allowed providers ({})", provider.id, allowed.join(", "));
        findings.wrong(
            &path("provider"),
            text,
            "remove the backup, or let the ceiling `allowedProviders` name it",
        );
    }
    let host = match (&backup.host, &backup.region) {
        (Some(host), _) => {
            let known = services::by_host(&host.0).unwrap_or_else(|| services::of_listed(&host.0));
            if known.id != provider.id {
                let text =
                    format!("{host} is not known as a host of {}; prompts and the key go there", provider.id);
                findings.doubtful(&path("host"), text, "make sure that it is yours or the provider's");
            }
            Some(host.0.clone())
        }
        (None, Some(region)) if needs.region => match host_in(provider, &region.0) {
            Some(host) => Some(host.to_owned()),
            None => {
                let text = format!("{} has no region `{region}` that is known here", provider.id);
                findings.wrong(&path("region"), text, "correct it, or write the region's `host` too");
                None
            }
        },
        (None, None) if needs.region => {
            findings.wrong(&path("region"), "`region` is missing", "add `region: …`: it decides the host");
            None
        }
        (None, _) if needs.host => {
            let text = format!("`host` is missing: {} gives each customer a host of its own", provider.id);
            findings.wrong(&path("host"), text, "add `host: …`");
            None
        }
        (None, _) => provider.hosts.first().map(|host| (*host).to_owned()),
    };
    let mut wanted = |key: &str, is_written: bool, is_needed: bool| {
        if is_written && !is_needed {
            let text = format!("{} has no `{key}`", provider.id);
            findings.wrong(&path(key), text, "remove it");
        }
        if is_needed && !is_written {
            findings.wrong(&path(key), format!("`{key}` is missing"), "add it: the address has it inside");
        }
    };
    wanted("deployment", backup.deployment.is_some(), needs.deployment);
    wanted("project", backup.project.is_some(), needs.project);
    if backup.region.is_some() {
        wanted("region", true, needs.region);
    }
    if needs.deployment && backup.model.is_none() {
        let mend =
            "add `model: …`, the one that stands behind the deployment: price and facts are asked by it";
        findings.wrong(&path("model"), "`model` is missing", mend);
    }
    let credential =
        credential(&backup.credential, &path("credential"), &needs, provider.id, site, findings)?;
    let text = |text: &str| Arc::from(text);
    Some(Target {
        name: name.into(),
        provider,
        host: host?.into(),
        deployment: backup.deployment.as_ref().map(|deployment| text(&deployment.0)),
        region: backup.region.as_ref().map(|region| text(&region.0)),
        project: backup.project.as_ref().map(|project| text(&project.0)),
        model: backup.model.as_ref().map(|model| text(&model.0)),
        credential,
    })
}

fn credential(
    written: &document::Credential,
    path: &str,
    needs: &Needs,
    provider: &str,
    site: &Site<'_>,
    findings: &mut Findings<'_>,
) -> Option<Credential> {
    let kind = written.kind.or(needs.kinds.first().copied())?;
    if !needs.kinds.contains(&kind) {
        let kinds: Vec<&str> = needs.kinds.iter().map(|kind| kind.as_str()).collect();
        let text = format!("{provider} does not take a credential of kind `{}`", kind.as_str());
        findings.wrong(&format!("{path}.kind"), text, &format!("write one of {}", kinds.join(", ")));
    }
    let source = match (&written.file, &written.env) {
        (Some(file), None) => CredentialSource::File(Arc::from(&*file.0)),
        (None, Some(variable)) => {
            if site.in_cluster {
                let text = "in a cluster credentials come from files only";
                findings.wrong(&format!("{path}.env"), text, "mount a Secret and write `file: …`");
            }
            if kind == CredentialKind::AwsSigv4 {
                let text = "AWS keys are two, and one variable holds one text";
                findings.wrong(
                    &format!("{path}.env"),
                    text,
                    "write `file: …`, in the form of `~/.aws/credentials`",
                );
            }
            CredentialSource::Variable(Arc::from(&*variable.0))
        }
        // One that is faulty is written all the same.
        (None, None) if findings.is_faulty_below(path) => return None,
        (None, None) => {
            findings.wrong(
                path,
                "the credential has no source",
                "write `file: …`, or `env: …` outside a cluster",
            );
            return None;
        }
        (Some(_), Some(_)) => {
            findings.wrong(path, "the credential has two sources", "write one of `file` and `env`");
            return None;
        }
    };
    Some(Credential { kind, source })
}

fn rules(
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

/// Whether a document's mode does what its rules say.
pub(super) fn acts(draft: &Draft) -> bool {
    draft.mode == Some(Mode::Act)
}
