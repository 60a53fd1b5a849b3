//! The state over all records: which verdicts hold, and what each new record changes. Per call, off the data path; memory is
//! bounded by the number of places that are watched at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use outrigger_ledger::{CallRecord, Outcome, SilentStream, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::FailureClass;

use crate::hosts::Hosts;
use crate::keys::Keys;
use crate::sign::{COUNTED, PROMPT, first_content, of_failure, shows};
use crate::sources::KeySources;
use crate::trend::{Trend, Turn, UNSEEN, is_silent};
use crate::verdict::{Change, Kind, Verdict};
use crate::words;

/// Places (a kind of fault at a provider, for a model or a key) that are watched at a time. Past it new ones are not seen.
const PLACES: usize = 256;
/// Times the usual that are slow.
const SLOWER: u64 = 4;
/// Streams after which it is known what is usual.
const KNOWN: u32 = 10;

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: Kind,
    provider: &'static str,
    model: Option<String>,
    key: Option<String>,
}

/// A kind that is counted, in one place.
struct Counted {
    trend: Trend,
    /// What it is while it holds.
    verdict: Option<Verdict>,
}

/// How long the first content of a model's streams usually takes.
struct Pace {
    /// Nanoseconds.
    usual: u64,
    streams: u32,
    last: Timestamp,
}

/// Verdicts over the records of one process.
pub struct Diagnosis {
    book: Arc<PriceBook>,
    sources: KeySources,
    keys: Keys,
    hosts: Hosts,
    certain: BTreeMap<Place, Verdict>,
    counted: BTreeMap<Place, Counted>,
    paces: BTreeMap<(&'static str, String), Pace>,
    /// Of each provider, where one of its streams is silent.
    stalled: BTreeMap<&'static str, Verdict>,
}

impl Diagnosis {
    /// Nothing is wrong yet. The book tells which models exist.
    #[must_use]
    pub fn new(book: Arc<PriceBook>) -> Diagnosis {
        Diagnosis {
            book,
            sources: KeySources::Unknown,
            keys: Keys::default(),
            hosts: Hosts::default(),
            certain: BTreeMap::new(),
            counted: BTreeMap::new(),
            paces: BTreeMap::new(),
            stalled: BTreeMap::new(),
        }
    }

    /// The same; verdicts on keys tell where these may come from.
    #[must_use]
    pub fn with_key_sources(self, sources: KeySources) -> Diagnosis {
        Diagnosis { sources, ..self }
    }

    /// The verdicts that hold.
    pub fn active(&self) -> impl Iterator<Item = &Verdict> {
        let counted = self.counted.values().filter_map(|counted| counted.verdict.as_ref());
        self.certain.values().chain(counted).chain(self.stalled.values())
    }

    /// A program did not accept our certificate in the place of a provider's; tells what that changes.
    pub fn untrusted(&mut self, provider: &'static str, now: Timestamp) -> Vec<Change> {
        let place = Place { kind: Kind::AuthorityNotTrusted, provider, model: None, key: None };
        if let Some(verdict) = self.certain.get_mut(&place) {
            verdict.calls += 1;
            verdict.last = now;
            return Vec::new();
        }
        let (cause, next_step) = words::untrusted(provider);
        let evidence = "a handshake that it refused".to_owned();
        let verdict = Verdict { cause, evidence, next_step, ..opened(&place, now) };
        self.certain.insert(place, verdict.clone());
        vec![Change::Began(verdict)]
    }

    /// Takes in which streams are silent as of now; tells what that changes.
    pub fn silent(&mut self, streams: &[SilentStream], now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.stalled.retain(|provider, verdict| {
            let silent = streams.iter().any(|stream| stream.provider == *provider);
            if !silent {
                changes.push(Change::Ended(verdict.clone(), "no stream of it is silent any more"));
            }
            silent
        });
        for stream in streams {
            let of_provider = streams.iter().filter(|other| other.provider == stream.provider).count() as u64;
            if let Some(verdict) = self.stalled.get_mut(stream.provider) {
                verdict.calls = verdict.calls.max(of_provider);
                verdict.last = now;
                continue;
            }
            let verdict = words::silent(stream, of_provider, now);
            changes.push(Change::Began(verdict.clone()));
            self.stalled.insert(stream.provider, verdict);
        }
        changes
    }

    /// The verdicts that hold and that a record shows, after it was taken in.
    #[must_use]
    pub fn shown_by(&self, record: &CallRecord) -> Vec<Kind> {
        let known = record.key.as_ref().is_some_and(|key| self.keys.knows(record.provider, key));
        let failure = of_failure(record, known);
        // What is counted as one kind may be found to be another: an outage, the own network.
        let held = |kind: Kind| {
            let place = place(kind, record);
            let counted = || self.counted.get(&place)?.verdict.as_ref();
            self.certain.get(&place).or_else(counted).map(|verdict| verdict.kind)
        };
        let slow = first_content(record).is_some_and(|took| took > PROMPT).then_some(Kind::SlowFirstToken);
        let counted = COUNTED.into_iter().filter(|kind| shows(record, *kind, known));
        let certain = failure.filter(|kind| !COUNTED.contains(kind));
        certain.into_iter().chain(counted).chain(slow).filter_map(held).collect()
    }

    /// Takes one record in; tells what it changes.
    pub fn call(&mut self, record: &CallRecord) -> Vec<Change> {
        let mut changes = Vec::new();
        self.hosts.saw(record);
        let known = record.key.as_ref().is_some_and(|key| self.keys.knows(record.provider, key));
        if record.outcome == Outcome::Answered {
            self.answered(record, &mut changes);
        } else if let Some(kind) = of_failure(record, known).filter(|kind| !COUNTED.contains(kind)) {
            self.certain(kind, record, &mut changes);
        }
        for kind in COUNTED {
            let bad = shows(record, kind, known);
            let reached = record.cause.as_ref().is_some_and(|cause| cause.status.is_some());
            // What failed for another reason says nothing of this one.
            let good = record.outcome == Outcome::Answered || kind == Kind::Unreachable && reached;
            if bad || good {
                self.count(kind, record, bad, &mut changes);
            }
        }
        if let Some(took) = first_content(record) {
            let late = self.is_late(record, took);
            self.count(Kind::SlowFirstToken, record, late, &mut changes);
        }
        changes
    }

    /// Time passes; tells what that changes.
    pub fn time(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.certain.retain(|_, verdict| {
            let over = is_silent(verdict.last, now);
            if over {
                changes.push(Change::Ended(verdict.clone(), UNSEEN));
            }
            !over
        });
        for counted in self.counted.values_mut() {
            if let Some(Turn::Ends(why)) = counted.trend.time(now)
                && let Some(verdict) = counted.verdict.take()
            {
                changes.push(Change::Ended(verdict, why));
            }
        }
        self.counted.retain(|_, counted| !counted.trend.is_stale(now));
        changes
    }

    /// A call was answered: what it disproves is over.
    fn answered(&mut self, record: &CallRecord, changes: &mut Vec<Change>) {
        if let Some(key) = &record.key {
            self.keys.works(record.provider, key);
        }
        let fingerprint = record.key.as_ref().map(|key| &key.fingerprint);
        self.certain.retain(|place, verdict| {
            let same_key = place.key.as_ref() == fingerprint;
            let same_model = place.model.as_deref() == asked(record);
            let over = place.provider == record.provider
                && match place.kind {
                    Kind::MistypedKey
                    | Kind::RevokedKey
                    | Kind::KeyOfAnotherProvider
                    | Kind::QuotaExhausted => same_key,
                    Kind::MissingKey => fingerprint.is_some(),
                    Kind::Permission => same_key && same_model,
                    Kind::ModelNotFound => same_model,
                    Kind::ProviderTls => true,
                    // Another prompt may be shorter; that does not make this one fit.
                    _ => false,
                };
            if over {
                changes.push(Change::Ended(verdict.clone(), "such a call was answered"));
            }
            !over
        });
    }

    fn certain(&mut self, kind: Kind, record: &CallRecord, changes: &mut Vec<Change>) {
        let place = place(kind, record);
        let at = record.times.ended;
        if let Some(verdict) = self.certain.get_mut(&place) {
            verdict.calls += 1;
            verdict.last = at;
            return;
        }
        if self.certain.len() >= PLACES {
            return;
        }
        let mut verdict = opened(&place, at);
        verdict.evidence = words::one(record);
        self.explain(&mut verdict, record);
        if let (Kind::RevokedKey, Some(key)) = (kind, &record.key) {
            self.keys.refused(record.provider, key);
        }
        changes.push(Change::Began(verdict.clone()));
        self.certain.insert(place, verdict);
    }

    fn count(&mut self, kind: Kind, record: &CallRecord, bad: bool, changes: &mut Vec<Change>) {
        // Nobody has to say where a good call was while nothing is watched.
        if !bad && self.counted.is_empty() {
            return;
        }
        let place = place(kind, record);
        let at = record.times.ended;
        // A place begins to be watched with its first bad call.
        if !self.counted.contains_key(&place) {
            if !bad {
                return;
            }
            if self.counted.len() >= PLACES {
                self.counted.retain(|_, counted| !counted.trend.is_stale(at));
            }
            if self.counted.len() >= PLACES {
                return;
            }
            self.counted.insert(place.clone(), Counted { trend: Trend::new(), verdict: None });
        }
        let Some(counted) = self.counted.get_mut(&place) else { return };
        let turn = counted.trend.call(at, bad);
        let recent = counted.trend.recent(at);
        match turn {
            Some(Turn::Begins) => {
                let mut verdict = opened(&place, at);
                verdict.calls = u64::from(recent.bad);
                verdict.kind = match kind {
                    Kind::PartialOutage if recent.bad == recent.calls => Kind::Outage,
                    Kind::Unreachable if self.is_cut_off(record.provider) => Kind::OwnNetwork,
                    Kind::Unreachable if self.is_wrong_host(record) => Kind::WrongHost,
                    kind => kind,
                };
                verdict.provider = (verdict.kind != Kind::OwnNetwork).then_some(record.provider);
                verdict.evidence = words::several(record, recent);
                self.explain(&mut verdict, record);
                changes.push(Change::Began(verdict.clone()));
                if let Some(counted) = self.counted.get_mut(&place) {
                    counted.verdict = Some(verdict);
                }
            }
            Some(Turn::Ends(why)) => {
                changes.extend(counted.verdict.take().map(|verdict| Change::Ended(verdict, why)));
            }
            None => {
                if let Some(verdict) = counted.verdict.as_mut().filter(|_| bad) {
                    verdict.calls += 1;
                    verdict.last = at;
                }
            }
        }
    }

    /// Whether another provider cannot be reached either.
    fn is_cut_off(&self, provider: &str) -> bool {
        self.counted.iter().any(|(place, counted)| {
            place.kind == Kind::Unreachable && place.provider != provider && counted.trend.active
        })
    }

    /// Whether a name was not found that is probably nobody's: this side finds others.
    fn is_wrong_host(&self, record: &CallRecord) -> bool {
        let is_unknown = record.cause.as_ref().is_some_and(|cause| cause.class == FailureClass::Dns);
        let attempt = record.serving();
        is_unknown
            && attempt.is_some_and(|attempt| self.hosts.is_the_odd_one(&attempt.host, record.times.ended))
    }

    /// Whether the first content came late, by what is usual for the model; what is usual is learned from it.
    fn is_late(&mut self, record: &CallRecord, took: u64) -> bool {
        let of = (record.provider, record.model().unwrap_or_default().to_owned());
        let at = record.times.ended;
        if self.paces.len() >= PLACES && !self.paces.contains_key(&of) {
            self.paces.retain(|_, pace| !is_silent(pace.last, at));
            if self.paces.len() >= PLACES {
                return false;
            }
        }
        let pace = self.paces.entry(of).or_insert(Pace { usual: took, streams: 0, last: at });
        pace.last = at;
        let late = took > PROMPT && (pace.streams >= KNOWN && took / SLOWER > pace.usual);
        if !late {
            pace.streams = pace.streams.saturating_add(1);
            pace.usual = pace.usual - pace.usual / 16 + took / 16;
        }
        late
    }

    fn explain(&self, verdict: &mut Verdict, record: &CallRecord) {
        let other = record.key.as_ref().and_then(|key| self.keys.other(record.provider, key));
        let (cause, next_step) = words::of(verdict.kind, record, other, &self.sources, &self.book);
        verdict.cause = cause;
        verdict.next_step = next_step;
        let is_limit = matches!(verdict.kind, Kind::RateLimited | Kind::QuotaExhausted);
        verdict.resets = record.cause.as_ref().filter(|_| is_limit).and_then(|cause| cause.resets);
    }
}

/// The model that was asked for: the one that answers may have another name.
fn asked(record: &CallRecord) -> Option<&str> {
    record.facts.model.as_deref()
}

fn place(kind: Kind, record: &CallRecord) -> Place {
    let by_key = matches!(
        kind,
        Kind::MistypedKey
            | Kind::RevokedKey
            | Kind::KeyOfAnotherProvider
            | Kind::QuotaExhausted
            | Kind::Permission
    );
    let by_model = matches!(
        kind,
        Kind::Permission
            | Kind::ModelNotFound
            | Kind::RateLimited
            | Kind::SlowFirstToken
            | Kind::SlowCalls
            | Kind::Truncated
            | Kind::ContextOverflow
            | Kind::TooLarge
            | Kind::InvalidRequests
            | Kind::ContentRefused
    );
    Place {
        kind,
        provider: record.provider,
        model: asked(record).filter(|_| by_model).map(str::to_owned),
        key: record.key.as_ref().filter(|_| by_key).map(|key| key.fingerprint.clone()),
    }
}

fn opened(place: &Place, at: Timestamp) -> Verdict {
    Verdict {
        kind: place.kind,
        provider: Some(place.provider),
        model: place.model.clone(),
        key: place.key.clone(),
        since: at,
        last: at,
        calls: 1,
        resets: None,
        cause: String::new(),
        evidence: String::new(),
        next_step: String::new(),
    }
}
