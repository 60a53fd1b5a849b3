//! From a document's text to a policy.

use std::collections::HashMap;

use super::{Policy, Site, across, rules, targets};
use crate::document::{Document, Draft, Mode};
use crate::fault::{Fault, Position, Refused, Severity, in_order};
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

    pub(super) fn is_faulty_below(&self, path: &str) -> bool {
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
    let targets = targets::compile(&draft, site, &mut findings);
    let rules = rules::compile(&draft, &targets, &left_out, &mut findings);
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

/// Whether a document's mode does what its rules say.
pub(super) fn acts(draft: &Draft) -> bool {
    draft.mode == Some(Mode::Act)
}
