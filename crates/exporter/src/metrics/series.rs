//! The limit on series: what a pod gives a scraper stays below it whatever an app makes up. A series is what Prometheus
//! stores: one per sample of the page, so a histogram counts as its buckets, its count and its sum.
//!
//! Per call, on the exporter's thread: a look-up per instrument. First come, first named. As the room goes, labels that an
//! app or a provider chooses become [`OTHER`], then everything of an instrument shares one set
//! (`otel.metric.overflow`). Histograms leave room for sums under their own names, whatever becomes of theirs: alerts go by the model
//! that a failure names. For every sum, for durations and for first chunks that one set has its room from the start, so
//! totals stay exact; of the other histograms observations may then be left out, which is counted.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, Value};

use super::clamp::OTHER;
use super::{DURATION, FIRST_CHUNK, Kind, METRICS, Metric};
use crate::schema::keys;

/// Series that are there from the start, of the exporter itself, of the program, `target_info`, and those of verdicts. A test counts
/// them.
pub(super) const FIXED: usize = 77;
/// Labels whose values an app, a provider or a rule chooses.
const CHOSEN: [&str; 11] = [
    keys::REQUEST_MODEL,
    keys::RESPONSE_MODEL,
    keys::SERVER_ADDRESS,
    keys::OPENAI_RESPONSE_TIER,
    keys::ERROR_TYPE,
    keys::HTTP_METHOD,
    keys::STEP,
    "model",
    "step",
    "rule",
    "backup",
];
/// The SDK's word for a set that takes what has no room.
const OVERFLOW: &str = "otel.metric.overflow";
/// Stands for the hash of that set.
const OVERFLOW_HASH: u64 = u64::MAX;

/// Labels with a hash that grows with them.
#[derive(Debug)]
pub(super) struct Labels {
    pairs: Vec<KeyValue>,
    hash: u64,
    state: RandomState,
}

impl Labels {
    pub(super) fn push(&mut self, key: &'static str, value: impl Into<Value>) {
        let pair = KeyValue::new(key, value);
        self.hash = self.hash.rotate_left(7) ^ self.state.hash_one(&pair);
        self.pairs.push(pair);
    }

    /// Lends them out with one more, if there is one.
    pub(super) fn with<V: Clone + Into<Value>>(
        &mut self,
        key: &'static str,
        value: Option<&V>,
        record: impl FnOnce(&Labels),
    ) {
        let (plain, hash) = (self.pairs.len(), self.hash);
        if let Some(value) = value {
            self.push(key, value.clone());
        }
        record(self);
        self.pairs.truncate(plain);
        self.hash = hash;
    }

    /// The same with one word for whatever an app or a provider chose, and without its numbers; `None` if there is nothing of
    /// that.
    fn coarse(&self) -> Option<Labels> {
        let mut coarse = Labels { pairs: Vec::new(), hash: 0, state: self.state.clone() };
        for pair in &self.pairs {
            let key = CHOSEN.into_iter().find(|chosen| pair.key.as_str() == *chosen);
            match (key, &pair.value) {
                (Some(key), _) => coarse.push(key, OTHER),
                (None, Value::I64(_)) => {}
                (None, _) => {
                    coarse.hash = coarse.hash.rotate_left(7) ^ coarse.state.hash_one(pair);
                    coarse.pairs.push(pair.clone());
                }
            }
        }
        (coarse.pairs != self.pairs).then_some(coarse)
    }
}

/// What is counted against the limit for one instrument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    id: usize,
    /// Series of one set of labels.
    weight: usize,
    sums: bool,
    /// Whether the set for what has no room has its own.
    reserved: bool,
}

impl Row {
    pub(super) fn of(metric: &Metric) -> Row {
        let (weight, sums) = match metric.kind {
            Kind::Counter | Kind::Gauge => (1, true),
            // Its buckets, the one to infinity, count and sum.
            Kind::Histogram(bounds) => (bounds.len() + 3, false),
        };
        let reserved = sums || [DURATION, FIRST_CHUNK].iter().any(|one| one.name == metric.name);
        Row {
            id: METRICS.iter().position(|row| row.name == metric.name).unwrap_or(usize::MAX),
            weight,
            sums,
            reserved,
        }
    }
}

/// What is there, and what may still come.
#[derive(Debug)]
pub(super) struct Series {
    limit: usize,
    used: usize,
    /// Up to here histograms are named in full; they leave room for sums …
    for_histograms: usize,
    /// … here they end under any name …
    for_coarse_histograms: usize,
    /// … and here sums leave room for what has one word in the place of whatever was made up.
    for_sums: usize,
    /// Of the rest, what is kept for the sets that take what has no room.
    reserve: usize,
    /// What was of that and is used: it takes no room of the others.
    drawn: usize,
    known: HashSet<(usize, u64)>,
    state: RandomState,
    told: Told,
    said: bool,
}

/// For the metrics about the limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Series counted so far.
    pub(super) used: Arc<AtomicU64>,
    /// Observations that no series took.
    pub(super) unrecorded: Arc<AtomicU64>,
}

impl Series {
    /// At most `limit` series, for calls in these rows.
    pub(super) fn new(limit: usize, rows: impl IntoIterator<Item = Row>) -> Series {
        let reserve = rows.into_iter().filter(|row| row.reserved).map(|row| row.weight).sum();
        let room = limit.saturating_sub(FIXED).saturating_sub(reserve);
        let up_to = |share: usize| FIXED + room * share / 100;
        let (told, state) = (Told::default(), RandomState::new());
        told.used.store(FIXED as u64, Relaxed);
        let known = HashSet::new();
        Series {
            limit,
            used: FIXED,
            for_histograms: up_to(85),
            for_coarse_histograms: up_to(89),
            for_sums: up_to(93),
            reserve,
            drawn: 0,
            known,
            state,
            told,
            said: false,
        }
    }

    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    pub(super) fn labels(&self, room: usize) -> Labels {
        Labels { pairs: Vec::with_capacity(room), hash: 0, state: self.state.clone() }
    }

    /// The labels that an observation may have: its own while there is room. `None`: it is left out.
    pub(super) fn admit<'l>(&mut self, row: Row, labels: &'l Labels) -> Option<Cow<'l, [KeyValue]>> {
        let (bound, coarse_bound) = match row.sums {
            true => (self.for_sums, self.limit),
            false => (self.for_histograms, self.for_coarse_histograms),
        };
        if self.takes(row, labels.hash, bound) {
            return Some(Cow::Borrowed(&labels.pairs));
        }
        self.say();
        if let Some(coarse) = labels.coarse()
            && self.takes(row, coarse.hash, coarse_bound)
        {
            return Some(Cow::Owned(coarse.pairs));
        }
        let known = self.known.contains(&(row.id, OVERFLOW_HASH));
        if row.reserved && !known {
            self.reserve = self.reserve.saturating_sub(row.weight);
            self.drawn += row.weight;
        }
        let overflow_bound = if row.reserved { self.limit } else { coarse_bound };
        if self.takes(row, OVERFLOW_HASH, overflow_bound) {
            return Some(Cow::Owned(vec![KeyValue::new(OVERFLOW, true)]));
        }
        self.told.unrecorded.fetch_add(1, Relaxed);
        None
    }

    /// Whether the set is known, or there is room below `bound` to know it from now on.
    fn takes(&mut self, row: Row, hash: u64, bound: usize) -> bool {
        if self.known.contains(&(row.id, hash)) {
            return true;
        }
        let used = self.used + row.weight;
        if used > self.limit.saturating_sub(self.reserve) || used - self.drawn > bound {
            return false;
        }
        self.used = used;
        self.told.used.store(used as u64, Relaxed);
        self.known.insert((row.id, hash))
    }

    fn say(&mut self) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                limit = self.limit,
                "metrics have no room for more series: further models, hosts and errors share the label {OTHER}, totals stay \
                 exact; raise OUTRIGGER_METRICS_SERIES to name more"
            );
        }
    }
}

/// A sum within the limit.
#[derive(Debug)]
pub(super) struct Sum {
    row: Row,
    counter: Counter<u64>,
}

impl Sum {
    pub(super) const fn new(row: Row, counter: Counter<u64>) -> Sum {
        Sum { row, counter }
    }

    pub(super) fn add(&self, amount: u64, labels: &Labels, series: &mut Series) {
        if let Some(admitted) = series.admit(self.row, labels) {
            self.counter.add(amount, &admitted);
        }
    }
}

/// A histogram within the limit.
#[derive(Debug)]
pub(super) struct Distribution<T> {
    row: Row,
    histogram: Histogram<T>,
}

impl<T> Distribution<T> {
    pub(super) const fn new(row: Row, histogram: Histogram<T>) -> Distribution<T> {
        Distribution { row, histogram }
    }

    pub(super) fn record(&self, value: T, labels: &Labels, series: &mut Series) {
        if let Some(admitted) = series.admit(self.row, labels) {
            self.histogram.record(value, &admitted);
        }
    }
}

impl Distribution<f64> {
    /// The same value so many times over.
    pub(super) fn record_often(&self, count: u32, value: f64, labels: &Labels, series: &mut Series) {
        if let Some(admitted) = series.admit(self.row, labels) {
            (0..count).for_each(|_| self.histogram.record(value, &admitted));
        }
    }
}
