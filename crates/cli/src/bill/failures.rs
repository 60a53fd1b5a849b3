//! Failures, said once when they happen and counted for the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use outrigger_ledger::{CallRecord, KeyHint, Outcome, Timestamp};
use outrigger_providers::FailureClass;

/// The same failure is said at most this often; those in between are counted in the next line.
const QUIET: Duration = Duration::from_secs(5);
/// Kinds of failure kept apart.
const GROUPS: usize = 100;

/// Same provider, same status, same error, same key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    provider: &'static str,
    status: Option<u16>,
    error_type: String,
    key: Option<String>,
}

/// All failures of one kind.
pub(super) struct Group {
    pub(super) count: u64,
    pub(super) class: FailureClass,
    pub(super) status: Option<u16>,
    pub(super) error_type: String,
    pub(super) provider: &'static str,
    pub(super) first: Timestamp,
    pub(super) text: String,
    key: Option<KeyHint>,
    said: Instant,
    unsaid: u64,
}

/// All failures, and which keys work.
#[derive(Default)]
pub(super) struct Failures {
    groups: BTreeMap<Kind, Group>,
    working_keys: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Failures {
    /// Counts a call. Returns the line to say, if one is due.
    pub(super) fn note(&mut self, record: &CallRecord, now: Instant) -> Option<String> {
        if record.outcome == Outcome::Answered {
            if let Some(key) = &record.key {
                let keys = self.working_keys.entry(record.provider).or_default();
                if keys.len() < GROUPS {
                    keys.insert(name_of(key));
                }
            }
            return None;
        }
        let cause = record.cause.as_ref()?;
        let kind = Kind {
            provider: record.provider,
            status: cause.status,
            error_type: cause.error_type.clone(),
            key: record.key.as_ref().map(|key| key.fingerprint.clone()),
        };
        if let Some(group) = self.groups.get_mut(&kind) {
            group.count += 1;
            if now.duration_since(group.said) < QUIET {
                group.unsaid += 1;
                return None;
            }
            let also = std::mem::take(&mut group.unsaid);
            group.said = now;
            let also = if also > 0 { format!(" ({also} more of these meanwhile)") } else { String::new() };
            return Some(format!("{} {}{also}", clock(record.times.ended), cause.text));
        }
        if self.groups.len() < GROUPS {
            let group = Group {
                count: 1,
                class: cause.class,
                status: cause.status,
                error_type: cause.error_type.clone(),
                provider: record.provider,
                first: record.times.ended,
                text: cause.text.clone(),
                key: record.key.clone(),
                said: now,
                unsaid: 0,
            };
            self.groups.insert(kind, group);
        }
        Some(format!("{} {}", clock(record.times.ended), cause.text))
    }

    /// The groups, most frequent first.
    pub(super) fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<_> = self.groups.values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// For a refused key: whether another key of the same provider works.
    pub(super) fn other_key(&self, group: &Group) -> Option<String> {
        if group.class != FailureClass::Authentication {
            return None;
        }
        let refused = group.key.as_ref().map(name_of);
        let works =
            self.working_keys.get(group.provider)?.iter().find(|name| Some(*name) != refused.as_ref())?;
        Some(format!("Another key in use, {works}, works."))
    }
}

fn name_of(key: &KeyHint) -> String {
    key.ending.as_ref().map_or_else(|| key.fingerprint.clone(), |ending| format!("…{ending}"))
}

/// The time of day, UTC.
pub(super) fn clock(at: Timestamp) -> String {
    let of_day = at.0 / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}
