//! Calls into metrics. Per call, on the exporter's thread: some twenty look-ups in the SDK's maps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use outrigger_ledger::{Attempt, CallRecord, Outcome};
use outrigger_pricing::{Atto, Completeness, Meter as TokenMeter, Modality};
use outrigger_providers::Who;

use super::clamp::Clamp;
use super::reader::Reader;
use super::{About, Kind, Metric, Scrape};
use crate::Settings;
use crate::counts::{Count, Tallies};
use crate::schema::{self, keys};
use crate::settings::{GenAiMetrics, Temporality};

/// Distinct models that are named; the app chooses them.
const MODELS: usize = 200;
/// Distinct hosts, tiers and error types that are named.
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
}

impl Kept {
    /// As the settings ask for; `None` where nobody wants metrics.
    pub(crate) fn by(settings: &Settings) -> Option<Kept> {
        let pushed = settings.metrics.as_ref().map(|signal| signal.temporality);
        let kept = Kept { set: settings.genai_metrics, pushed, scraped: settings.scraped };
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
    http: Histogram<f64>,
    calls: Counter<u64>,
    unpriced: Counter<u64>,
    unaccounted: Counter<u64>,
    retries: Counter<u64>,
    attempts: Counter<u64>,
    money: Arc<Mutex<Money>>,
    without_user: Arc<Mutex<Money>>,
    estimated: Arc<Mutex<Money>>,
    reported: Arc<Mutex<Money>>,
    difference: Arc<Mutex<Money>>,
    models: Clamp,
    words: Clamp,
}

/// The newest GenAI conventions.
struct Latest {
    duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    input: Counter<u64>,
    output: Counter<u64>,
    cache_read: Counter<u64>,
    cache_write: Counter<u64>,
    reasoning: Counter<u64>,
    call_input: Histogram<u64>,
    call_output: Histogram<u64>,
}

/// The GenAI conventions of v1.41.
struct V1_41 {
    duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    tokens: Histogram<u64>,
}

/// Exact sums by provider and model.
type Money = HashMap<(&'static str, Arc<str>), Atto>;

impl Metrics {
    pub(crate) fn new(kept: Kept, tallies: Arc<Tallies>, about: &About) -> Metrics {
        let set = kept.set;
        let reader = Reader::new(kept.pushed.unwrap_or_default());
        let builder = SdkMeterProvider::builder()
            // The request gets the resource of all signals when it is put together.
            .with_resource(Resource::builder_empty().build())
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
        let observed = |row| {
            let money = Arc::new(Mutex::new(Money::new()));
            observe_money(&meter, row, Arc::clone(&money));
            money
        };
        let (money, without_user) = (observed(&super::COST), observed(&super::COST_WITHOUT_USER));
        let (estimated, reported) = (observed(&super::COST_ESTIMATED), observed(&super::COST_REPORTED));
        let difference = observed(&super::COST_DIFFERENCE);
        observe_telemetry(&meter, &super::SEEN, Arc::clone(&tallies), |count| count.seen);
        observe_telemetry(&meter, &super::EXPORTED, Arc::clone(&tallies), |count| count.exported);
        super::spooled::observe(&meter, &tallies);
        observe_drops(&meter, tallies);
        about.observe(&meter);
        Metrics {
            reader,
            scrape,
            latest: (set != GenAiMetrics::V1_41).then(|| Latest::new(&meter)),
            v1_41: (set != GenAiMetrics::Latest).then(|| V1_41::new(&meter)),
            http: seconds(&meter, &super::HTTP),
            calls: counter(&meter, &super::CALLS),
            unpriced: counter(&meter, &super::UNPRICED),
            unaccounted: counter(&meter, &super::UNACCOUNTED),
            retries: counter(&meter, &super::RETRIES),
            attempts: counter(&meter, &super::ATTEMPTS),
            money,
            without_user,
            estimated,
            reported,
            difference,
            models: Clamp::new(MODELS),
            words: Clamp::new(OTHERS),
            provider,
        }
    }

    /// Counts one call in.
    pub(crate) fn observe(&mut self, call: &CallRecord) {
        let mut labels = self.genai_labels(call);
        let error = match (&call.cause, call.outcome) {
            (Some(cause), Outcome::Failed) => Some(self.words.word(&cause.error_type)),
            _ => None,
        };
        let duration = schema::seconds(call.times.ended.since(call.times.started));
        let first_chunk = schema::time_to_first_chunk(call);
        if let Some(latest) = &self.latest {
            latest.observe(call, &mut labels, error.as_ref(), duration, first_chunk);
        }
        if let Some(v1_41) = &self.v1_41 {
            v1_41.observe(call, &mut labels, error.as_ref(), duration, first_chunk);
        }
        self.observe_own(call);
        for attempt in &call.attempts {
            self.observe_attempt(call, attempt);
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

    fn genai_labels(&mut self, call: &CallRecord) -> Vec<KeyValue> {
        let mut labels = Vec::with_capacity(9);
        labels.push(KeyValue::new(keys::OPERATION, call.operation.as_str()));
        labels.push(KeyValue::new(keys::PROVIDER, call.otel_provider));
        if let Some(model) = &call.facts.model {
            labels.push(KeyValue::new(keys::REQUEST_MODEL, self.models.word(model)));
        }
        if let Some(model) = &call.served_model {
            labels.push(KeyValue::new(keys::RESPONSE_MODEL, self.models.word(model)));
        }
        if let Some(attempt) = call.attempts.last() {
            labels.push(KeyValue::new(keys::SERVER_ADDRESS, self.words.word(&attempt.host)));
            labels.push(KeyValue::new(keys::SERVER_PORT, i64::from(attempt.port)));
        }
        if let Some(tier) = call.served_tier.as_deref().filter(|_| schema::is_openai(call)) {
            labels.push(KeyValue::new(keys::OPENAI_RESPONSE_TIER, self.words.word(tier)));
        }
        labels
    }

    fn observe_own(&mut self, call: &CallRecord) {
        let model = self.models.word(call.model().unwrap_or("unknown"));
        let provider = KeyValue::new("provider", call.provider);
        let model_label = KeyValue::new("model", Arc::clone(&model));
        let outcome = KeyValue::new("outcome", call.outcome.as_str());

        let mut labels = vec![
            provider.clone(),
            model_label.clone(),
            KeyValue::new("operation", call.operation.as_str()),
            outcome.clone(),
        ];
        if let Some(cause) = &call.cause {
            labels.push(KeyValue::new("cause", cause.class.as_str()));
        }
        self.calls.add(1, &labels);
        if !call.tokens.provenance.is_reported() {
            let provenance = KeyValue::new("provenance", call.tokens.provenance.as_str());
            self.unaccounted.add(1, &[provider.clone(), model_label.clone(), outcome, provenance]);
        }
        if let Some(before) = &call.logical.retried {
            let by = KeyValue::new("by", before.by.as_str());
            self.retries.add(1, &[provider.clone(), model_label.clone(), by]);
        }
        if !matches!(call.cost.completeness, Completeness::Exact | Completeness::Estimated) {
            let status = KeyValue::new("status", schema::cost_status(call.cost.completeness));
            self.unpriced.add(1, &[provider, model_label, status]);
        }
        if let Some(total) = call.cost.total {
            if call.identity.get(Who::User).is_none() {
                add(&self.without_user, (call.provider, Arc::clone(&model)), total);
            }
            if call.tokens.prompt.is_some() || call.tokens.answer.is_some() {
                add(&self.estimated, (call.provider, Arc::clone(&model)), total);
            }
            add(&self.money, (call.provider, Arc::clone(&model)), total);
        }
        if let Some(theirs) = call.reported_cost {
            if let Some(apart) = call.compared_cost().and_then(|(theirs, ours)| apart(theirs, ours)) {
                add(&self.difference, (call.provider, Arc::clone(&model)), apart);
            }
            add(&self.reported, (call.provider, model), theirs);
        }
    }

    fn observe_attempt(&mut self, call: &CallRecord, attempt: &Attempt) {
        let error = attempt.error_type.as_ref().map(|error| self.words.word(error));
        let mut labels = vec![
            KeyValue::new(keys::HTTP_METHOD, self.words.word(&attempt.method)),
            KeyValue::new(keys::SERVER_ADDRESS, self.words.word(&attempt.host)),
            KeyValue::new(keys::SERVER_PORT, i64::from(attempt.port)),
            KeyValue::new(keys::PROTOCOL_VERSION, attempt.http_version),
        ];
        if let Some(status) = attempt.status {
            labels.push(KeyValue::new(keys::HTTP_STATUS, i64::from(status)));
        }
        if let Some(error) = &error {
            labels.push(KeyValue::new(keys::ERROR_TYPE, Arc::clone(error)));
        }
        self.http.record(schema::seconds(attempt.ended.since(attempt.started)), &labels);

        let model = self.models.word(call.model().unwrap_or("unknown"));
        let mut labels = vec![
            KeyValue::new("provider", attempt.provider),
            KeyValue::new("model", model),
            KeyValue::new("outcome", if error.is_some() { "failed" } else { "answered" }),
        ];
        if let Some(error) = error {
            labels.push(KeyValue::new(keys::ERROR_TYPE, error));
        }
        self.attempts.add(1, &labels);
    }
}

impl Latest {
    fn new(meter: &Meter) -> Latest {
        Latest {
            duration: seconds(meter, &super::DURATION),
            first_chunk: seconds(meter, &super::FIRST_CHUNK),
            input: counter(meter, &super::INPUT),
            output: counter(meter, &super::OUTPUT),
            cache_read: counter(meter, &super::CACHE_READ),
            cache_write: counter(meter, &super::CACHE_WRITE),
            reasoning: counter(meter, &super::REASONING),
            call_input: numbers(meter, &super::CALL_INPUT),
            call_output: numbers(meter, &super::CALL_OUTPUT),
        }
    }

    fn observe(
        &self,
        call: &CallRecord,
        labels: &mut Vec<KeyValue>,
        error: Option<&Arc<str>>,
        duration: f64,
        first_chunk: Option<f64>,
    ) {
        let usage = &call.tokens.reported();
        if let Some(first_chunk) = first_chunk {
            self.first_chunk.record(first_chunk, labels);
        }
        with(labels, keys::ERROR_TYPE, error, |labels| {
            self.duration.record(duration, labels);
            if let Some(tokens) = usage.total_prompt() {
                self.call_input.record(tokens, labels);
            }
            if let Some(tokens) = usage.total_answer() {
                self.call_output.record(tokens, labels);
            }
        });
        let audio = |side: fn(TokenMeter) -> bool| {
            usage.sum(|meter| side(meter) && meter.modality() == Modality::Audio)
        };
        let (audio_in, audio_out) = (audio(TokenMeter::is_prompt), audio(TokenMeter::is_answer));
        by_modality(&self.input, usage.total_prompt(), audio_in, labels);
        by_modality(&self.output, usage.total_answer(), audio_out, labels);
        by_modality(&self.cache_read, usage.total_cached(), usage.get(TokenMeter::CacheReadAudio), labels);
        by_modality(&self.cache_write, schema::cache_write(call), None, labels);
        by_modality(&self.reasoning, schema::reasoning(call), None, labels);
    }
}

/// Adds tokens. What is not known to be audio is of unknown modality: an image in a prompt is counted among its tokens.
/// A call whose count is unknown adds nothing but makes its series exist, as the conventions ask.
fn by_modality(counter: &Counter<u64>, total: Option<u64>, audio: Option<u64>, labels: &mut Vec<KeyValue>) {
    let total = total.unwrap_or(0);
    let audio = audio.unwrap_or(0).min(total);
    with(labels, keys::TOKEN_MODALITY, Some(&"unknown"), |labels| counter.add(total - audio, labels));
    if audio > 0 {
        with(labels, keys::TOKEN_MODALITY, Some(&"audio"), |labels| counter.add(audio, labels));
    }
}

impl V1_41 {
    fn new(meter: &Meter) -> V1_41 {
        V1_41 {
            duration: seconds(meter, &super::OLD_DURATION),
            first_chunk: seconds(meter, &super::OLD_FIRST_CHUNK),
            tokens: numbers(meter, &super::OLD_TOKENS),
        }
    }

    fn observe(
        &self,
        call: &CallRecord,
        labels: &mut Vec<KeyValue>,
        error: Option<&Arc<str>>,
        duration: f64,
        first_chunk: Option<f64>,
    ) {
        if let Some(first_chunk) = first_chunk {
            self.first_chunk.record(first_chunk, labels);
        }
        with(labels, keys::ERROR_TYPE, error, |labels| self.duration.record(duration, labels));
        let usage = &call.tokens.reported();
        for (kind, tokens) in [("input", usage.total_prompt()), ("output", usage.total_answer())] {
            if let Some(tokens) = tokens {
                with(labels, keys::TOKEN_TYPE, Some(&kind), |labels| self.tokens.record(tokens, labels));
            }
        }
    }
}

/// Lends the labels out with one more, if there is one.
fn with<V>(labels: &mut Vec<KeyValue>, key: &'static str, value: Option<&V>, record: impl FnOnce(&[KeyValue]))
where
    V: Clone + Into<opentelemetry::Value>,
{
    let plain = labels.len();
    labels.extend(value.map(|value| KeyValue::new(key, value.clone())));
    record(labels);
    labels.truncate(plain);
}

fn counter(meter: &Meter, row: &Metric) -> Counter<u64> {
    meter.u64_counter(row.name).with_unit(row.unit).with_description(row.help).build()
}

fn seconds(meter: &Meter, row: &Metric) -> Histogram<f64> {
    meter
        .f64_histogram(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_boundaries(bounds(row))
        .build()
}

fn numbers(meter: &Meter, row: &Metric) -> Histogram<u64> {
    meter
        .u64_histogram(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_boundaries(bounds(row))
        .build()
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

fn add(money: &Mutex<Money>, key: (&'static str, Arc<str>), amount: Atto) {
    let mut money = money.lock().unwrap_or_else(PoisonError::into_inner);
    let sum = money.entry(key).or_default();
    // The range is 1.7e20 dollars.
    *sum = sum.checked_add(amount).unwrap_or(*sum);
}

/// Money is summed exactly here and becomes a double only when it is read.
fn observe_money(meter: &Meter, row: &Metric, money: Arc<Mutex<Money>>) {
    let _registered = meter
        .f64_observable_counter(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_callback(move |observer| {
            for ((provider, model), sum) in money.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let labels =
                    [KeyValue::new("provider", *provider), KeyValue::new("model", Arc::clone(model))];
                observer.observe(sum.to_f64(), &labels);
            }
        })
        .build();
}

fn observe_telemetry(meter: &Meter, row: &Metric, tallies: Arc<Tallies>, part: fn(&Count) -> u64) {
    let _registered = meter
        .u64_observable_counter(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_callback(move |observer| {
            for (kind, count) in tallies.snapshot().each() {
                observer.observe(part(&count), &[KeyValue::new("signal", kind)]);
            }
        })
        .build();
}

/// Every cause has its series from the start, so that a first loss is a rise and not a new series.
fn observe_drops(meter: &Meter, tallies: Arc<Tallies>) {
    let row = &super::DROPPED;
    let _registered = meter
        .u64_observable_counter(row.name)
        .with_unit(row.unit)
        .with_description(row.help)
        .with_callback(move |observer| {
            for (kind, count) in tallies.snapshot().each() {
                for (cause, lost) in count.dropped.each() {
                    let labels = [KeyValue::new("signal", kind), KeyValue::new("cause", cause.as_str())];
                    observer.observe(lost, &labels);
                }
            }
        })
        .build();
}
