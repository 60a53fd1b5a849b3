//! What calls do to metrics, read back as OTLP.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use outrigger_ledger::{
    CallRecord, ChunkTimes, Identity, JoinedBy, Logical, Outcome, Provenance, Retried, Source, Timestamp,
    Used,
};
use outrigger_pricing::estimate::Estimate;
use outrigger_pricing::{Atto, Completeness, Meter};
use outrigger_providers::{FailureClass, Operation, Who};
use prost::Message as _;

use super::exposition::scraped_as;
use super::*;

mod documented;
mod limits;

use crate::counts::Tallies;
use crate::schema::Schema;
use crate::testing::began;
use crate::testing::calls::{answered, failed, named, routed};
use crate::{DropCause, GenAiMetrics, Settings, Signal, Temporality};

/// Points by metric: labels in words, value (the sum of a histogram), count of a histogram.
type Points = BTreeMap<String, Vec<(BTreeMap<String, String>, f64, u64)>>;

const KEPT: Kept = Kept {
    set: GenAiMetrics::Both,
    pushed: Some(Temporality::Cumulative),
    scraped: true,
    series: 500,
    by_step: false,
    by_chunk: false,
    exponential: false,
};

struct Bench {
    metrics: Metrics,
    tallies: Arc<Tallies>,
    schema: Schema,
}

/// A program of which everything is known.
fn about() -> About {
    let about = About::default();
    about.rules("4f2a", "act");
    about.authority_until(1_795_000_000);
    about.configuration_rejected();
    about.settings_left_out(2);
    about.verdict(&began());
    about
}

impl Bench {
    fn new(set: GenAiMetrics, temporality: Temporality) -> Bench {
        Bench::kept(Kept { set, pushed: Some(temporality), ..KEPT })
    }

    fn kept(kept: Kept) -> Bench {
        let settings = Settings::from_env(Some("http://collector:4318"), |_| None).unwrap().unwrap();
        let tallies = Arc::new(Tallies::default());
        tallies.spool.named(Path::new("/spool"));
        let metrics = Metrics::new(kept, Arc::clone(&tallies), &about());
        Bench { metrics, tallies, schema: Schema::new(&settings) }
    }

    fn of(calls: &[CallRecord]) -> Bench {
        let mut bench = Bench::new(GenAiMetrics::Both, Temporality::Cumulative);
        calls.iter().for_each(|call| bench.metrics.observe(call));
        bench
    }

    fn points(&self) -> Points {
        let request =
            ExportMetricsServiceRequest::decode(self.schema.metrics(self.metrics.collect())).unwrap();
        assert_eq!(request.resource_metrics.len(), 1);
        let resource = request.resource_metrics[0].resource.as_ref().unwrap();
        assert!(resource.attributes.iter().any(|field| field.key == "service.name"), "our resource is on it");
        let mut points = Points::new();
        for metric in
            request.resource_metrics.iter().flat_map(|it| &it.scope_metrics).flat_map(|it| &it.metrics)
        {
            let row = METRICS.iter().find(|row| row.name == metric.name).expect("a metric without a row");
            assert_eq!((metric.unit.as_str(), metric.description.as_str()), (row.unit, row.help));
            let of_metric = points.entry(metric.name.clone()).or_default();
            match (metric.data.as_ref().unwrap(), row.kind) {
                (Data::Sum(sum), Kind::Counter) => {
                    assert!(sum.is_monotonic);
                    of_metric.extend(sum.data_points.iter().map(|point| {
                        let value = match point.value.unwrap() {
                            Number::AsInt(value) => value as f64,
                            Number::AsDouble(value) => value,
                        };
                        (labels(&point.attributes), value, 1)
                    }));
                }
                (Data::Gauge(gauge), Kind::Gauge) => {
                    of_metric.extend(gauge.data_points.iter().map(|point| {
                        let Some(Number::AsInt(value)) = point.value else { panic!("{point:?}") };
                        (labels(&point.attributes), value as f64, 1)
                    }));
                }
                (Data::Histogram(histogram), Kind::Histogram(bounds)) => {
                    of_metric.extend(histogram.data_points.iter().map(|point| {
                        assert_eq!(point.explicit_bounds, bounds);
                        (labels(&point.attributes), point.sum.unwrap(), point.count)
                    }));
                }
                (data, kind) => panic!("{} is {data:?}, not {kind:?}", metric.name),
            }
        }
        points
    }
}

fn labels(fields: &[KeyValue]) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|field| {
            let value = match field.value.as_ref().unwrap().value.as_ref().unwrap() {
                Value::StringValue(text) => text.clone(),
                Value::IntValue(number) => number.to_string(),
                other => panic!("unexpected {other:?}"),
            };
            (field.key.clone(), value)
        })
        .collect()
}

fn only<'a>(points: &'a Points, name: &str) -> &'a (BTreeMap<String, String>, f64, u64) {
    let of_metric = &points[name];
    assert_eq!(of_metric.len(), 1, "{name}: {of_metric:?}");
    &of_metric[0]
}

fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Samples of a page, and the sum of those that belong to a metric.
fn samples(page: &str) -> usize {
    page.lines().filter(|line| !line.starts_with('#')).count()
}

fn sum(page: &str, metric: &str) -> f64 {
    let of_metric = page.lines().filter(|line| line.split(['{', ' ']).next() == Some(metric));
    of_metric.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[test]
fn an_answered_call_is_counted_to_the_last_token_and_cent() {
    let points = Bench::of(&[answered(), answered()]).points();
    let genai = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-5.1"),
        ("gen_ai.response.model", "gpt-5.1-2025-11-13"),
        ("openai.response.service_tier", "default"),
        ("server.address", "api.openai.com"),
        ("server.port", "443"),
    ];
    for (name, sum) in [
        ("gen_ai.client.inference.duration", 5.0),
        ("gen_ai.client.inference.time_to_first_chunk", 1.0),
        ("gen_ai.client.inference.operation.input_tokens", 2468.0),
        ("gen_ai.client.inference.operation.output_tokens", 760.0),
        ("gen_ai.client.operation.duration", 5.0),
        ("gen_ai.client.operation.time_to_first_chunk", 1.0),
    ] {
        assert_eq!(*only(&points, name), (words(&genai), sum, 2), "{name}");
    }
    let mut modal = genai.to_vec();
    modal.push(("gen_ai.token.modality", "unknown"));
    for (name, sum) in [
        ("gen_ai.client.inference.usage.input_tokens", 2468.0),
        ("gen_ai.client.inference.usage.output_tokens", 760.0),
        ("gen_ai.client.inference.usage.cache_read.input_tokens", 2048.0),
        ("gen_ai.client.inference.usage.cache_write.input_tokens", 0.0),
        ("gen_ai.client.inference.usage.reasoning.output_tokens", 160.0),
    ] {
        assert_eq!(*only(&points, name), (words(&modal), sum, 1), "{name}");
    }
    let model = [("provider", "openai"), ("model", "gpt-5.1-2025-11-13")];
    assert_eq!(*only(&points, "outrigger.cost.usd"), (words(&model), 0.008381, 1));
    let mut calls = model.to_vec();
    calls.extend([("operation", "chat"), ("outcome", "answered")]);
    assert_eq!(*only(&points, "outrigger.calls"), (words(&calls), 2.0, 1));
    let mut attempts = model.to_vec();
    attempts.push(("outcome", "answered"));
    assert_eq!(*only(&points, "outrigger.attempts"), (words(&attempts), 2.0, 1));
    let http = [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "2"),
        ("server.address", "api.openai.com"),
        ("server.port", "443"),
    ];
    assert_eq!(only(&points, "http.client.request.duration").0, words(&http));
    assert!(
        !points.contains_key("outrigger.unpriced_calls")
            && !points.contains_key("outrigger.unaccounted_calls")
    );
}

#[test]
fn a_failed_call_has_its_cause_and_no_invented_numbers() {
    let points = Bench::of(&[failed()]).points();
    let calls = &only(&points, "outrigger.calls").0;
    assert_eq!((calls["outcome"].as_str(), calls["cause"].as_str()), ("failed", "authentication"));
    assert_eq!(only(&points, "gen_ai.client.inference.duration").0["error.type"], "invalid_api_key");
    assert_eq!(only(&points, "outrigger.unpriced_calls").0["status"], "unpriced");
    assert_eq!(only(&points, "outrigger.unaccounted_calls").1, 1.0);
    assert_eq!(only(&points, "outrigger.attempts").0["error.type"], "401");
    // The conventions: a failed operation adds nothing to usage, but its series is there.
    let (labels, tokens, _) = only(&points, "gen_ai.client.inference.usage.input_tokens");
    assert_eq!((labels["gen_ai.token.modality"].as_str(), *tokens), ("unknown", 0.0));
    for absent in
        ["outrigger.cost.usd", "gen_ai.client.inference.operation.input_tokens", "gen_ai.client.token.usage"]
    {
        assert!(!points.contains_key(absent), "{absent}");
    }
}

#[test]
fn audio_is_told_apart() {
    let mut call = answered();
    call.tokens.usage = call.tokens.usage.with(Meter::InputAudio, 66);
    let points = Bench::of(&[call]).points();
    let mut by_modality: Vec<(&str, f64)> = points["gen_ai.client.inference.usage.input_tokens"]
        .iter()
        .map(|(labels, tokens, _)| (labels["gen_ai.token.modality"].as_str(), *tokens))
        .collect();
    by_modality.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(by_modality, [("audio", 66.0), ("unknown", 1234.0)]);
}

#[test]
fn what_names_no_user_is_summed_apart() {
    let mut unnamed = answered();
    unnamed.identity = Identity::default();
    let points = Bench::of(&[answered(), unnamed.clone(), unnamed]).points();
    assert_eq!(only(&points, "outrigger.cost.usd").1, 0.0125715);
    assert_eq!(only(&points, "outrigger.cost_without_user.usd").1, 0.008381);
}

#[test]
fn what_failed_attempts_cost_and_which_deadlines_passed_is_counted() {
    let mut call = answered();
    let mut before = call.attempts[0].clone();
    (before.provider, before.error_type) = ("azure", Some("server_error".to_owned()));
    before.used = Some(Box::new(Used { tokens: call.tokens.clone(), cost: call.cost.clone() }));
    call.attempts[0].number = 2;
    call.attempts.insert(0, before);
    call.routed = Some(routed(2));
    let points = Bench::of(&[call]).points();
    let cost: BTreeMap<&str, f64> = points["outrigger.cost.usd"]
        .iter()
        .map(|(labels, cost, _)| (labels["provider"].as_str(), *cost))
        .collect();
    assert_eq!(cost, BTreeMap::from([("azure", 0.0041905), ("openai", 0.0041905)]));
    let (labels, calls, _) = only(&points, "outrigger.exceeded_deadlines");
    assert_eq!((labels["deadline"].as_str(), *calls), ("firstToken", 1.0));
}

#[test]
fn after_a_failover_each_metric_names_the_model_that_it_is_about() {
    let mut call = answered();
    let mut before = call.attempts[0].clone();
    (before.status, before.error_type) = (Some(500), Some("500".to_owned()));
    call.attempts[0].number = 2;
    call.attempts[0].model = Some("claude-sonnet-4-5".to_owned());
    call.attempts.insert(0, before);
    call.served_model = Some("claude-sonnet-4-5-20250929".to_owned());
    let points = Bench::of(&[call]).points();
    let models: BTreeSet<&str> =
        points["outrigger.attempts"].iter().map(|(labels, ..)| labels["model"].as_str()).collect();
    assert_eq!(models, BTreeSet::from(["claude-sonnet-4-5-20250929", "gpt-5.1"]));
    let (labels, ..) = only(&points, "gen_ai.client.inference.duration");
    assert_eq!(labels["gen_ai.request.model"], "claude-sonnet-4-5");
}

#[test]
fn calls_that_rules_decide_are_told_by_what_the_app_asked_for() {
    // Addressed, failed there; then the backup's.
    let mut moved = answered();
    let mut before = moved.attempts[0].clone();
    (before.class, before.error_type) = (Some(FailureClass::Overloaded), Some("503".to_owned()));
    moved.attempts[0].number = 2;
    moved.attempts[0].backup = Some("azure-eu".into());
    moved.attempts.insert(0, before.clone());
    (moved.provider, moved.served_model) = ("azure", Some("our-gpt".to_owned()));
    moved.routed = Some(routed(2));
    // Its place was left alone.
    let mut left_alone = moved.clone();
    left_alone.attempts.remove(0);
    // All failed.
    let mut exhausted = failed();
    exhausted.attempts = vec![before];
    exhausted.routed = Some(routed(1));
    exhausted.facts.model = Some("gpt-5.1".to_owned());
    let mut direct = answered();
    direct.routed = Some(routed(1));
    let it = direct.routed.as_mut().unwrap();
    (it.exhausted, it.retry_denied) = (false, false);
    let mut bench = Bench::kept(Kept { series: 2000, ..KEPT });
    [moved, left_alone, exhausted, direct, answered()].iter().for_each(|call| bench.metrics.observe(call));
    let points = bench.points();
    let asked = [("rule", "chat"), ("provider", "openai"), ("model", "gpt-5.1")];
    let mut expected = Vec::new();
    for more in [
        &[("result", "moved"), ("reason", "overloaded"), ("backup", "azure-eu")][..],
        &[("result", "moved"), ("reason", "left_alone"), ("backup", "azure-eu")],
        &[("result", "exhausted"), ("reason", "overloaded")],
        &[("result", "direct")],
    ] {
        expected.push((words(&[&asked[..], more].concat()), 1.0, 1));
    }
    let mut told = points["outrigger.routed_calls"].clone();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(told, expected);
    assert_eq!(*only(&points, "outrigger.retries_denied"), (words(&asked), 1.0, 1));
}

#[test]
fn what_is_estimated_is_money_and_no_tokens_of_the_conventions() {
    let mut call = answered();
    call.tokens.answer = Some(Estimate { tokens: 380, low: 300, high: 500 });
    call.tokens.provenance = Provenance::Estimated;
    call.cost.completeness = Completeness::Estimated;
    let points = Bench::of(&[call, answered()]).points();
    assert_eq!(only(&points, "outrigger.cost.usd").1, 0.008381);
    assert_eq!(only(&points, "outrigger.cost_estimated.usd").1, 0.0041905);
    assert_eq!(only(&points, "gen_ai.client.inference.usage.input_tokens").1, 2468.0);
    assert_eq!(only(&points, "gen_ai.client.inference.usage.output_tokens").1, 380.0, "of the other alone");
    assert_eq!(only(&points, "outrigger.unaccounted_calls").0["provenance"], "estimated");
    assert!(!points.contains_key("outrigger.unpriced_calls"));
}

#[test]
fn the_providers_own_figure_is_summed_beside_ours_with_how_far_they_lie_apart() {
    let told = |cost: &str, completeness| {
        let mut call = answered();
        call.reported_cost = Some(Atto::parse(cost).unwrap());
        call.cost.completeness = completeness;
        call
    };
    let calls = [
        told("0.0051905", Completeness::Exact),
        told("0.0041900", Completeness::Exact),
        // Nothing whole of ours to compare with.
        told("0.1", Completeness::Partial),
        answered(),
    ];
    let points = Bench::of(&calls).points();
    assert_eq!(only(&points, "outrigger.cost_reported.usd").1, 0.1093805);
    assert_eq!(only(&points, "outrigger.cost_difference.usd").1, 0.0010005);
}

/// Twenty thousand times a tenth of a nanodollar: a sum of doubles is off by then.
#[test]
fn money_is_summed_exactly() {
    let mut call = answered();
    call.cost.total = Some(Atto::parse("0.0000000001").unwrap());
    let bench = {
        let mut bench = Bench::new(GenAiMetrics::Both, Temporality::Cumulative);
        (0..20_000).for_each(|_| bench.metrics.observe(&call));
        bench
    };
    assert_eq!(only(&bench.points(), "outrigger.cost.usd").1, 0.000002);
}

#[test]
fn each_generation_of_names_can_be_had_alone() {
    let names = |set| {
        let mut bench = Bench::new(set, Temporality::Cumulative);
        bench.metrics.observe(&answered());
        bench.points().into_keys().collect::<BTreeSet<String>>()
    };
    let (latest, old, both) =
        (names(GenAiMetrics::Latest), names(GenAiMetrics::V1_41), names(GenAiMetrics::Both));
    assert!(latest.contains(DURATION.name) && !latest.contains(OLD_DURATION.name));
    assert!(!old.contains(DURATION.name) && old.contains(OLD_DURATION.name) && old.contains(OLD_TOKENS.name));
    assert_eq!(both, latest.union(&old).cloned().collect());
}

#[test]
fn every_row_is_sent_and_no_point_carries_a_label_that_its_row_lacks() {
    let mut partial = answered();
    partial.tokens.usage = partial.tokens.usage.with(Meter::InputAudio, 1);
    partial.outcome = Outcome::Cancelled;
    partial.tokens.answer = Some(Estimate { tokens: 380, low: 300, high: 500 });
    partial.reported_cost = partial.cost.total;
    partial.identity = Identity::default();
    partial.routed = Some(routed(1));
    let retried = Retried { call: partial.id, span: partial.span, failed: true, by: JoinedBy::SameRequest };
    partial.logical = Logical { attempt: 2, retried: Some(retried), ..partial.logical };
    let mut embeddings = answered();
    embeddings.operation = Operation::Embeddings;
    let mut streamed = answered();
    let mut times = ChunkTimes::since(Timestamp(0));
    times.piece(Timestamp(1));
    streamed.chunk_times = Some(Box::new(times));
    let mut bench = Bench::kept(Kept { series: 2000, by_chunk: true, ..KEPT });
    [streamed, failed(), partial, embeddings].iter().for_each(|call| bench.metrics.observe(call));
    let points = bench.points();
    let missing: Vec<&str> =
        METRICS.iter().map(|row| row.name).filter(|name| !points.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let secret = ["u_81", "conv_42", "plan", "req_1", "chatcmpl-1"];
    for row in METRICS {
        for (labels, _, _) in &points[row.name] {
            for (label, value) in labels {
                assert!(row.labels.contains(&label.as_str()), "{} has {label}", row.name);
                assert!(!secret.contains(&value.as_str()), "{} names {value}", row.name);
            }
        }
    }
}

#[test]
fn steps_are_labels_where_they_are_asked_for() {
    let step = |by_step, metric: &str, label: &str| {
        let mut bench = Bench::kept(Kept { by_step, ..KEPT });
        bench.metrics.observe(&answered());
        only(&bench.points(), metric).0.get(label).cloned()
    };
    for (metric, label) in [
        ("outrigger.cost.usd", "step"),
        ("gen_ai.client.inference.usage.input_tokens", "outrigger.step"),
        ("gen_ai.client.inference.usage.output_tokens", "outrigger.step"),
    ] {
        assert_eq!(step(true, metric, label).as_deref(), Some("plan"), "{metric}");
        assert_eq!(step(false, metric, label), None, "{metric}");
    }
}

#[test]
fn an_operation_is_told_by_the_metric_that_the_conventions_have_for_it() {
    let durations = |operation, set| {
        let mut call = answered();
        call.operation = operation;
        let mut bench = Bench::new(set, Temporality::Cumulative);
        bench.metrics.observe(&call);
        let points = bench.points();
        let all = [DURATION.name, EMBEDDINGS.name, OLD_DURATION.name];
        all.into_iter().filter(|name| points.contains_key(*name)).collect::<Vec<_>>()
    };
    let latest = GenAiMetrics::Latest;
    assert_eq!(durations(Operation::GenerateContent, latest), [DURATION.name]);
    assert_eq!(durations(Operation::Embeddings, latest), [EMBEDDINGS.name]);
    assert_eq!(durations(Operation::Rerank, latest), [OLD_DURATION.name]);
    assert_eq!(durations(Operation::Embeddings, GenAiMetrics::Both), [EMBEDDINGS.name, OLD_DURATION.name]);
    assert_eq!(durations(Operation::Embeddings, GenAiMetrics::V1_41), [OLD_DURATION.name]);
}

#[test]
fn histograms_can_have_exponential_buckets() {
    let mut bench = Bench::kept(Kept { exponential: true, ..KEPT });
    let scrape = bench.metrics.scrape(Vec::new()).unwrap();
    bench.metrics.observe(&answered());
    let request = bench.metrics.collect();
    let metrics = request.resource_metrics.iter().flat_map(|it| &it.scope_metrics).flat_map(|it| &it.metrics);
    let histograms: Vec<_> = metrics.filter(|one| one.name.ends_with("duration")).collect();
    assert!(!histograms.is_empty());
    for histogram in histograms {
        let Some(Data::ExponentialHistogram(it)) = &histogram.data else { panic!("{histogram:?}") };
        assert_eq!(it.data_points[0].count, 1);
    }
    // The text has none: what it can say of them is how many there were and their sum.
    let page = scrape.page(Exposition::Text);
    assert_eq!(sum(&page, "gen_ai_client_inference_duration_seconds_sum"), 2.5);
    assert_eq!(sum(&page, "gen_ai_client_inference_duration_seconds_count"), 1.0);
}

#[test]
fn what_became_of_telemetry_is_a_metric_too() {
    let bench = Bench::of(&[]);
    bench.tallies.of(Signal::Logs).saw(9);
    bench.tallies.of(Signal::Logs).exported(4);
    bench.tallies.of(Signal::Logs).dropped(DropCause::Partial, 3);
    bench.tallies.calls.saw(1);
    let points = bench.points();
    let value = |name: &str, wanted: &[(&str, &str)]| {
        points[name].iter().find(|(labels, ..)| *labels == words(wanted)).unwrap().1
    };
    assert_eq!(value("outrigger.telemetry.seen", &[("signal", "logs")]), 9.0);
    assert_eq!(value("outrigger.telemetry.exported", &[("signal", "logs")]), 4.0);
    let dropped = |cause| value("outrigger.telemetry.dropped", &[("signal", "logs"), ("cause", cause)]);
    assert_eq!((dropped("partial_success"), dropped("no_room")), (3.0, 0.0));
    assert_eq!(value("outrigger.telemetry.seen", &[("signal", "calls")]), 1.0);
}

#[test]
fn a_spool_that_fills_can_be_told_from_its_limit() {
    let bench = Bench::of(&[]);
    bench.tallies.of(Signal::Logs).recovered(5);
    bench.tallies.of(Signal::Logs).kept(5);
    bench.tallies.of(Signal::Logs).left(2);
    bench.tallies.spool.opened(1000);
    bench.tallies.spool.holds(400);
    bench.tallies.spool.broken(7);
    let points = bench.points();
    let of_logs = |name: &str| {
        points[name].iter().find(|(labels, ..)| *labels == words(&[("signal", "logs")])).unwrap().1
    };
    assert_eq!(of_logs("outrigger.telemetry.spooled"), 3.0);
    assert_eq!(of_logs("outrigger.telemetry.recovered"), 5.0);
    let sizes = ["bytes", "limit", "broken"]
        .map(|size| only(&points, &format!("outrigger.telemetry.spool.{size}")).1);
    assert_eq!(sizes, [400.0, 1000.0, 7.0]);
}

#[test]
fn deltas_hold_only_what_came_since() {
    let mut bench = Bench::new(GenAiMetrics::Both, Temporality::Delta);
    bench.metrics.observe(&answered());
    assert_eq!(only(&bench.points(), "outrigger.calls").1, 1.0);
    bench.metrics.observe(&answered());
    bench.metrics.observe(&answered());
    let points = bench.points();
    assert_eq!(only(&points, "outrigger.calls").1, 2.0);
    assert_eq!(only(&points, "outrigger.cost.usd").1, 0.008381);
}

#[test]
fn what_is_scraped_is_the_whole_sum_although_deltas_are_pushed() {
    let mut bench = Bench::new(GenAiMetrics::Both, Temporality::Delta);
    let scrape = bench.metrics.scrape(vec![("service.name".to_owned(), "shop".to_owned())]).unwrap();
    bench.metrics.observe(&answered());
    assert_eq!(only(&bench.points(), "outrigger.calls").1, 1.0);
    bench.metrics.observe(&answered());
    for _ in 0..2 {
        let page = scrape.page(Exposition::Text);
        let line = page.lines().find(|line| line.starts_with("outrigger_calls_total{")).unwrap();
        assert!(line.ends_with("} 2"), "{line}");
        assert!(page.contains("target_info{service_name=\"shop\"} 1.0"), "{page}");
    }
    assert_eq!(only(&bench.points(), "outrigger.calls").1, 1.0);
    drop(bench);
    assert!(scrape.page(Exposition::Text).contains("outrigger_calls_total{"), "also at its end");
}

#[test]
fn the_program_tells_of_itself() {
    let bench = Bench::of(&[]);
    let points = bench.points();
    let build = words(&[("version", outrigger_contract::VERSION)]);
    assert_eq!(*only(&points, "outrigger.build.info"), (build, 1.0, 1));
    let rules = words(&[("hash", "4f2a"), ("mode", "act")]);
    assert_eq!(*only(&points, "outrigger.rules.info"), (rules, 1.0, 1));
    assert_eq!(only(&points, "outrigger.ca.expiry").1, 1_795_000_000.0);
    assert_eq!(only(&points, "outrigger.config.rejected").1, 1.0);
    assert_eq!(only(&points, "outrigger.settings.left_out").1, 2.0);
}

#[test]
fn the_times_between_chunks_are_told_where_they_are_asked_for() {
    const MS: u64 = 1_000_000;
    let mut call = answered();
    let mut times = ChunkTimes::since(Timestamp(0));
    let mut at = 0;
    for took in [3 * MS, 10 * MS, 15 * MS, 90_000 * MS] {
        at += took;
        times.piece(Timestamp(at));
    }
    call.chunk_times = Some(Box::new(times));
    for by_chunk in [true, false] {
        let mut bench = Bench::kept(Kept { by_chunk, ..KEPT });
        let scrape = bench.metrics.scrape(Vec::new()).unwrap();
        bench.metrics.observe(&call);
        let (points, page) = (bench.points(), scrape.page(Exposition::Text));
        for row in [PER_CHUNK, OLD_PER_CHUNK] {
            let all =
                points.get(row.name).map(|_| only(&points, row.name)).map(|(_, sum, count)| (*sum, *count));
            assert_eq!(all, by_chunk.then_some((90.028, 4)), "{}", row.name);
            let buckets: Vec<&str> = page
                .lines()
                .filter(|line| line.starts_with(&format!("{}_bucket", scraped_as(&row))))
                .filter_map(|line| line.rsplit(' ').next())
                .collect();
            let up_to = [vec!["2"], vec!["3"; 13], vec!["4"]].concat();
            assert_eq!(buckets, if by_chunk { up_to } else { vec![] }, "{page}");
        }
    }
}
