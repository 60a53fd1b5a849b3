//! Calls into metrics. Per call, on the exporter's thread: some twenty look-ups in the SDK's maps.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, SdkMeterProvider, Stream};
use outrigger_ledger::{Attempt, CallRecord, Fate, Outcome};
use outrigger_pricing::{Atto, Completeness};
use outrigger_providers::Who;

use super::clamp::Clamp;
use super::genai::{Latest, Observed, V1_41};
use super::observed::observed;
use super::reader::Reader;
use super::series::{Distribution, Labels, Row, Series, Sum, Told};
use super::{About, Kind, Metric, Scrape};
use crate::Settings;
use crate::counts::{Count, Tallies};
use crate::schema::{self, keys};
use crate::settings::{GenAiMetrics, Temporality};

/// Distinct hosts that are named; as many tiers, methods and error types; as many steps; as many names in rules.
const OTHERS: usize = 64;

/// How metrics are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Which GenAI metrics.
    pub(crate) set: GenAiMetrics,
    /// How they are pushed; `None` if they are not.
    pub(crate) pushed: Option<Temporality>,
    /// Whether they are scraped, which is always as sums since the start.
    pub(crate) scraped: bool,
    /// At most so many series, as Prometheus counts them.
    pub(crate) series: usize,
    /// Whether money and tokens are told apart by step.
    pub(crate) by_step: bool,
    /// Whether the times between the pieces of streams are told.
    pub(crate) by_chunk: bool,
    /// Whether histograms have exponential buckets.
    pub(crate) exponential: bool,
}

impl Kept {
    /// As the settings ask for; `None` where nobody wants metrics.
    pub(crate) fn by(settings: &Settings) -> Option<Kept> {
        let pushed = settings.metrics.as_ref().map(|signal| signal.temporality);
        let kept = Kept {
            set: settings.genai_metrics,
            pushed,
            scraped: settings.scraped,
            series: settings.series,
            by_step: settings.metrics_by_step,
            by_chunk: settings.metrics_by_chunk,
            exponential: settings.exponential_histograms,
        };
        (pushed.is_some() || kept.scraped).then_some(kept)
    }
}

/// All instruments, and the way to read them.
pub(crate) struct Metrics {
    /// For what is pushed.
    reader: Reader,
    scrape: Option<Reader>,
    // Kept because instruments report nothing once their provider is gone.
    provider: SdkMeterProvider,
    latest: Option<Latest>,
    v1_41: Option<V1_41>,
    http: Distribution<f64>,
    calls: Sum,
    unpriced: Sum,
    unaccounted: Sum,
    retries: Sum,
    attempts: Sum,
    routed: Sum,
    retries_denied: Sum,
    exceeded: Sum,
    money: Money,
    without_user: Money,
    estimated: Money,
    reported: Money,
    difference: Money,
    series: Series,
    /// Whether money and tokens are told apart by step.
    by_step: bool,
    by_chunk: bool,
    models: Clamp,
    hosts: Clamp,
    words: Clamp,
    steps: Clamp,
    /// Names that stand in rules: no app pushes them out.
    rules: Clamp,
}

/// Exact sums by labels.
type Sums = HashMap<Vec<KeyValue>, Atto>;

/// Money of one kind, within the limit on series.
struct Money {
    row: Row,
    sums: Arc<Mutex<Sums>>,
}

impl Money {
    fn new(meter: &Meter, metric: &'static Metric) -> Money {
        let sums = Arc::new(Mutex::new(Sums::new()));
        observe_money(meter, metric, Arc::clone(&sums));
        Money { row: Row::of(metric), sums }
    }

    fn add(&self, amount: Atto, labels: &Labels, series: &mut Series) {
        let Some(labels) = series.admit(self.row, labels) else { return };
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        // The range is 1.7e20 dollars.
        match sums.get_mut(&*labels) {
            Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
            None => {
                sums.insert(labels.into_owned(), amount);
            }
        }
    }
}

impl Metrics {
    pub(crate) fn new(kept: Kept, tallies: Arc<Tallies>, about: &About) -> Metrics {
        let set = kept.set;
        let reader = Reader::new(kept.pushed.unwrap_or_default());
        let builder = SdkMeterProvider::builder()
            // The request gets the resource of all signals when it is put together.
            .with_resource(Resource::builder_empty().build())
            .with_view(move |instrument: &Instrument| exponential(kept.exponential, instrument))
            .with_reader(reader.clone());
        // What is pushed as sums since the start can be scraped, too; a second reader doubles what a call costs.
        let scrape = kept.scraped.then(|| match kept.pushed {
            None | Some(Temporality::Cumulative) => reader.clone(),
            Some(Temporality::Delta | Temporality::LowMemory) => Reader::new(Temporality::Cumulative),
        });
        let provider = match (&scrape, kept.pushed) {
            (Some(scrape), Some(Temporality::Delta | Temporality::LowMemory)) => {
                builder.with_reader(scrape.clone()).build()
            }
            _ => builder.build(),
        };
        let scope = opentelemetry::InstrumentationScope::builder(schema::SCOPE)
            .with_version(outrigger_contract::VERSION)
            .build();
        let meter = provider.meter_with_scope(scope);
        let (latest, v1_41) = (set != GenAiMetrics::V1_41, set != GenAiMetrics::Latest);
        let of_chunks = [super::PER_CHUNK.name, super::OLD_PER_CHUNK.name];
        let of_calls = super::METRICS.iter().filter(|row| row.of_calls);
        let of_calls = of_calls.filter(|row| kept.by_chunk || !of_chunks.contains(&row.name));
        let of_calls = of_calls.filter(|row| match row.set {
            super::Set::GenAiLatest => latest,
            super::Set::GenAiV1_41 => v1_41 || row.name == super::OLD_DURATION.name,
            super::Set::Http | super::Set::Own => true,
        });
        let series = Series::new(kept.series, of_calls.map(Row::of));
        observe_telemetry(&meter, &super::SEEN, Arc::clone(&tallies), |count| count.seen);
        observe_telemetry(&meter, &super::EXPORTED, Arc::clone(&tallies), |count| count.exported);
        super::spooled::observe(&meter, &tallies);
        observe_drops(&meter, tallies);
        about.observe(&meter);
        observe_series(&meter, &series.told());
        Metrics {
            reader,
            scrape,
            latest: latest.then(|| Latest::new(&meter, !v1_41, kept.by_chunk)),
            v1_41: v1_41.then(|| V1_41::new(&meter, kept.by_chunk)),
            http: seconds(&meter, &super::HTTP),
            calls: counter(&meter, &super::CALLS),
            unpriced: counter(&meter, &super::UNPRICED),
            unaccounted: counter(&meter, &super::UNACCOUNTED),
            retries: counter(&meter, &super::RETRIES),
            attempts: counter(&meter, &super::ATTEMPTS),
            routed: counter(&meter, &super::ROUTED),
            retries_denied: counter(&meter, &super::RETRIES_DENIED),
            exceeded: counter(&meter, &super::EXCEEDED),
            money: Money::new(&meter, &super::COST),
            without_user: Money::new(&meter, &super::COST_WITHOUT_USER),
            estimated: Money::new(&meter, &super::COST_ESTIMATED),
            reported: Money::new(&meter, &super::COST_REPORTED),
            difference: Money::new(&meter, &super::COST_DIFFERENCE),
            models: Clamp::new(kept.series / 10),
            hosts: Clamp::new(OTHERS),
            words: Clamp::new(OTHERS),
            steps: Clamp::new(OTHERS),
            rules: Clamp::new(OTHERS),
            by_step: kept.by_step,
            by_chunk: kept.by_chunk,
            series,
            provider,
        }
    }

    /// Whether calls are to come with the times between the pieces of their streams.
    pub(crate) const fn by_chunk(&self) -> bool {
        self.by_chunk
    }

    /// Counts one call in.
    pub(crate) fn observe(&mut self, call: &CallRecord) {
        let mut labels = self.genai_labels(call);
        let error = match (&call.cause, call.outcome) {
            (Some(cause), Outcome::Failed) => Some(self.words.word(&cause.error_type)),
            _ => None,
        };
        let step = call.identity.get(Who::Step).filter(|_| self.by_step);
        let observed = Observed {
            call,
            error,
            duration: schema::seconds(call.times.ended.since(call.times.started)),
            first_chunk: schema::time_to_first_chunk(call),
            step: step.map(|step| self.steps.word(step)),
        };
        if let Some(v1_41) = &self.v1_41 {
            v1_41.observe(&observed, &mut labels, &mut self.series);
        }
        if let Some(latest) = &self.latest {
            latest.observe(&observed, &mut labels, &mut self.series);
        }
        self.observe_own(call, observed.step.as_ref());
        self.observe_route(call);
        for attempt in &call.attempts {
            self.observe_attempt(call, attempt, observed.step.as_ref());
        }
    }

    /// Everything as one request.
    pub(crate) fn collect(&self) -> ExportMetricsServiceRequest {
        let mut collected = ResourceMetrics::default();
        // It fails only without a provider, and ours lives as long as we do.
        if self.reader.collect(&mut collected).is_err() {
            return ExportMetricsServiceRequest::default();
        }
        ExportMetricsServiceRequest::from(&collected)
    }

    /// The way to them for who scrapes; `None` where nobody is to. `target` says what they are about.
    pub(crate) fn scrape(&self, target: Vec<(String, String)>) -> Option<Scrape> {
        Some(Scrape::new(self.scrape.clone()?, self.provider.clone(), target))
    }

    fn genai_labels(&mut self, call: &CallRecord) -> Labels {
        let mut labels = self.series.labels(10);
        labels.push(keys::OPERATION, call.operation.as_str());
        labels.push(keys::PROVIDER, call.otel_provider);
        if let Some(model) = schema::model(call) {
            labels.push(keys::REQUEST_MODEL, self.models.word(model));
        }
        if let Some(model) = &call.served_model {
            labels.push(keys::RESPONSE_MODEL, self.models.word(model));
        }
        if let Some(attempt) = call.serving() {
            labels.push(keys::SERVER_ADDRESS, self.hosts.word(&attempt.host));
            labels.push(keys::SERVER_PORT, i64::from(attempt.port));
        }
        if let Some(tier) = call.served_tier.as_deref().filter(|_| schema::is_openai(call)) {
            labels.push(keys::OPENAI_RESPONSE_TIER, self.words.word(tier));
        }
        labels
    }

    fn observe_own(&mut self, call: &CallRecord, step: Option<&Arc<str>>) {
        let series = &mut self.series;
        let mut labels = series.labels(6);
        labels.push("provider", call.provider);
        labels.push("model", self.models.word(call.model().unwrap_or("unknown")));
        if let Some(before) = &call.logical.retried {
            labels.with("by", Some(&before.by.as_str()), |labels| self.retries.add(1, labels, series));
        }
        if !matches!(call.cost.completeness, Completeness::Exact | Completeness::Estimated) {
            let status = schema::cost_status(call.cost.completeness);
            labels.with("status", Some(&status), |labels| self.unpriced.add(1, labels, series));
        }
        if let Some(total) = call.cost.total {
            if call.identity.get(Who::User).is_none() {
                self.without_user.add(total, &labels, series);
            }
            if call.tokens.prompt.is_some() || call.tokens.answer.is_some() {
                self.estimated.add(total, &labels, series);
            }
            labels.with("step", step, |labels| self.money.add(total, labels, series));
        }
        if let Some(theirs) = call.reported_cost {
            if let Some(apart) = call.compared_cost().and_then(|(theirs, ours)| apart(theirs, ours)) {
                self.difference.add(apart, &labels, series);
            }
            self.reported.add(theirs, &labels, series);
        }
        for part in call.routed.iter().flat_map(|routed| &routed.exceeded) {
            labels.with("deadline", Some(part), |labels| self.exceeded.add(1, labels, series));
        }
        labels.push("outcome", call.outcome.as_str());
        if !call.tokens.provenance.is_reported() {
            let provenance = call.tokens.provenance.as_str();
            labels.with("provenance", Some(&provenance), |labels| self.unaccounted.add(1, labels, series));
        }
        labels.push("operation", call.operation.as_str());
        let cause = call.cause.as_ref().map(|cause| cause.class.as_str());
        labels.with("cause", cause.as_ref(), |labels| self.calls.add(1, labels, series));
    }

    /// By what the app asked for, wherever the answer came from: that is whose trouble it tells.
    fn observe_route(&mut self, call: &CallRecord) {
        let (Some(routed), Some(fate)) = (&call.routed, call.fate()) else { return };
        let backup = call.serving().and_then(|serving| serving.backup.as_ref());
        let backup = backup.map(|backup| self.rules.word(backup));
        let series = &mut self.series;
        let mut labels = series.labels(6);
        labels.push("rule", self.rules.word(&routed.rule));
        labels.push("provider", routed.requested_provider);
        labels.push("model", self.models.word(call.facts.model.as_deref().unwrap_or("unknown")));
        if routed.retry_denied {
            self.retries_denied.add(1, &labels, series);
        }
        labels.push("result", fate.as_str());
        if let Some(backup) = backup {
            labels.push("backup", backup);
        }
        let reason = call.moved_for().filter(|_| fate != Fate::Direct);
        labels.with("reason", reason.as_ref(), |labels| self.routed.add(1, labels, series));
    }

    fn observe_attempt(&mut self, call: &CallRecord, attempt: &Attempt, step: Option<&Arc<str>>) {
        let error = attempt.error_type.as_ref().map(|error| self.words.word(error));
        let mut labels = self.series.labels(6);
        labels.push(keys::HTTP_METHOD, self.words.word(&attempt.method));
        labels.push(keys::SERVER_ADDRESS, self.hosts.word(&attempt.host));
        labels.push(keys::SERVER_PORT, i64::from(attempt.port));
        labels.push(keys::PROTOCOL_VERSION, attempt.http_version);
        if let Some(status) = attempt.status {
            labels.push(keys::HTTP_STATUS, i64::from(status));
        }
        let seconds = schema::seconds(attempt.ended.since(attempt.started));
        let series = &mut self.series;
        labels.with(keys::ERROR_TYPE, error.as_ref(), |labels| self.http.record(seconds, labels, series));

        // The model that answered is known of the last attempt alone; the others may have been for another.
        let last = call.serving().is_some_and(|serving| serving.number == attempt.number);
        let asked = attempt.model.as_deref().filter(|_| !last);
        let model = asked.or(call.model()).unwrap_or("unknown");
        let mut labels = series.labels(4);
        labels.push("provider", attempt.provider);
        labels.push("model", self.models.word(model));
        let used = attempt.used.as_ref().filter(|used| used.cost.total.is_some_and(|it| it != Atto::ZERO));
        if let Some((used, total)) = used.and_then(|used| Some((used, used.cost.total?))) {
            if call.identity.get(Who::User).is_none() {
                self.without_user.add(total, &labels, series);
            }
            if used.tokens.prompt.is_some() || used.tokens.answer.is_some() {
                self.estimated.add(total, &labels, series);
            }
            labels.with("step", step, |labels| self.money.add(total, labels, series));
        }
        labels.push("outcome", if error.is_some() { "failed" } else { "answered" });
        labels.with(keys::ERROR_TYPE, error.as_ref(), |labels| self.attempts.add(1, labels, series));
    }
}

pub(super) fn counter(meter: &Meter, row: &'static Metric) -> Sum {
    let counter = meter.u64_counter(row.name).with_unit(row.unit).with_description(row.help).build();
    Sum::new(Row::of(row), counter)
}

pub(super) fn seconds(meter: &Meter, row: &'static Metric) -> Distribution<f64> {
    let histogram = meter.f64_histogram(row.name).with_unit(row.unit).with_description(row.help);
    Distribution::new(Row::of(row), histogram.with_boundaries(bounds(row)).build())
}

pub(super) fn numbers(meter: &Meter, row: &'static Metric) -> Distribution<u64> {
    let histogram = meter.u64_histogram(row.name).with_unit(row.unit).with_description(row.help);
    Distribution::new(Row::of(row), histogram.with_boundaries(bounds(row)).build())
}

/// Exponential buckets for every histogram, where they are asked for; 160 of them at most, as the conventions have it.
fn exponential(asked: bool, instrument: &Instrument) -> Option<Stream> {
    if !asked || instrument.kind() != InstrumentKind::Histogram {
        return None;
    }
    let buckets =
        Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
    Stream::builder().with_aggregation(buckets).build().ok()
}

fn bounds(row: &Metric) -> Vec<f64> {
    match row.kind {
        Kind::Histogram(bounds) => bounds.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    }
}

/// How far two amounts lie apart.
fn apart(one: Atto, other: Atto) -> Option<Atto> {
    if one > other { one.checked_sub(other) } else { other.checked_sub(one) }
}

/// Money is summed exactly here and becomes a double only when it is read.
fn observe_money(meter: &Meter, row: &Metric, sums: Arc<Mutex<Sums>>) {
    let _registered = meter
        .f64_observable_counter(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_callback(move |observer| {
            for (labels, sum) in sums.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                observer.observe(sum.to_f64(), labels);
            }
        })
        .build();
}

fn observe_series(meter: &Meter, told: &Told) {
    let used = Arc::clone(&told.used);
    observed(meter, &super::SERIES, move |observe| observe(used.load(Relaxed), &[]));
    let unrecorded = Arc::clone(&told.unrecorded);
    observed(meter, &super::UNRECORDED, move |observe| observe(unrecorded.load(Relaxed), &[]));
}

fn observe_telemetry(meter: &Meter, row: &Metric, tallies: Arc<Tallies>, part: fn(&Count) -> u64) {
    observed(meter, row, move |observe| {
        for (kind, count) in tallies.snapshot().each() {
            observe(part(&count), &[KeyValue::new("signal", kind)]);
        }
    });
}

/// Every cause has its series from the start, so that a first loss is a rise and not a new series.
fn observe_drops(meter: &Meter, tallies: Arc<Tallies>) {
    observed(meter, &super::DROPPED, move |observe| {
        for (kind, count) in tallies.snapshot().each() {
            for (cause, lost) in count.dropped.each() {
                let labels = [KeyValue::new("signal", kind), KeyValue::new("cause", cause.as_str())];
                observe(lost, &labels);
            }
        }
    });
}
