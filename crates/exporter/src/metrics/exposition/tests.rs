//! Pages of made-up metrics, and hostile labels.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Histogram, ResourceMetrics, ScopeMetrics, Sum};
use proptest::prelude::*;

use super::*;

fn pair(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn point(labels: &[(&str, &str)], value: Number) -> NumberDataPoint {
    let attributes = labels.iter().map(|(key, value)| pair(key, value)).collect();
    NumberDataPoint { attributes, value: Some(value), ..NumberDataPoint::default() }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: "What \"it\" is.".to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn counter(points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points: points, is_monotonic: true, ..Sum::default() })
}

fn gauge(value: i64) -> Data {
    Data::Gauge(Gauge { data_points: vec![point(&[], Number::AsInt(value))] })
}

fn collected(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope = ScopeMetrics { metrics, ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }
}

fn all() -> ExportMetricsServiceRequest {
    let histogram = HistogramDataPoint {
        attributes: vec![pair("gen_ai.provider.name", "openai")],
        explicit_bounds: vec![0.5, 1.0],
        bucket_counts: vec![2, 1, 4],
        count: 7,
        sum: Some(31.5),
        ..HistogramDataPoint::default()
    };
    let histogram = Data::Histogram(Histogram { data_points: vec![histogram], ..Histogram::default() });
    collected(vec![
        metric(
            "outrigger.cost.usd",
            "{USD}",
            counter(vec![
                point(&[("provider", "openai"), ("model", "b")], Number::AsDouble(0.25)),
                point(&[("model", "a"), ("provider", "openai")], Number::AsDouble(2.0)),
            ]),
        ),
        metric("outrigger.calls", "{call}", counter(vec![point(&[], Number::AsInt(3))])),
        metric("gen_ai.client.inference.duration", "s", histogram),
        metric("outrigger.ca.expiry", "s", gauge(1_795_000_000)),
        metric("outrigger.build.info", "", gauge(1)),
    ])
}

const TARGET: [(&str, &str); 3] = [("service.name", "shop"), ("k8s.pod.name", "a\\b"), ("k8s_pod.name", "c")];

fn page(form: Exposition, collected: &ExportMetricsServiceRequest) -> String {
    form.page(collected, &TARGET.map(|(key, value)| (key.to_owned(), value.to_owned())))
}

#[test]
fn prometheus_own_text() {
    let expected = r#"# HELP target_info What these metrics are about: the resource's attributes.
# TYPE target_info gauge
target_info{k8s_pod_name="a\\b;c",service_name="shop"} 1.0
# HELP outrigger_cost_usd_total What "it" is.
# TYPE outrigger_cost_usd_total counter
outrigger_cost_usd_total{model="a",provider="openai"} 2.0
outrigger_cost_usd_total{model="b",provider="openai"} 0.25
# HELP outrigger_calls_total What "it" is.
# TYPE outrigger_calls_total counter
outrigger_calls_total 3
# HELP gen_ai_client_inference_duration_seconds What "it" is.
# TYPE gen_ai_client_inference_duration_seconds histogram
gen_ai_client_inference_duration_seconds_bucket{gen_ai_provider_name="openai",le="0.5"} 2
gen_ai_client_inference_duration_seconds_bucket{gen_ai_provider_name="openai",le="1.0"} 3
gen_ai_client_inference_duration_seconds_bucket{gen_ai_provider_name="openai",le="+Inf"} 7
gen_ai_client_inference_duration_seconds_count{gen_ai_provider_name="openai"} 7
gen_ai_client_inference_duration_seconds_sum{gen_ai_provider_name="openai"} 31.5
# HELP outrigger_ca_expiry_seconds What "it" is.
# TYPE outrigger_ca_expiry_seconds gauge
outrigger_ca_expiry_seconds 1795000000
# HELP outrigger_build_info What "it" is.
# TYPE outrigger_build_info gauge
outrigger_build_info 1
"#;
    assert_eq!(page(Exposition::Text, &all()), expected);
}

#[test]
fn openmetrics_names_families_without_their_endings_and_has_an_end() {
    let page = page(Exposition::OpenMetrics, &all());
    for line in [
        "# TYPE target info",
        "# HELP outrigger_cost_usd What \\\"it\\\" is.",
        "# TYPE outrigger_cost_usd counter",
        "outrigger_cost_usd_total{model=\"a\",provider=\"openai\"} 2.0",
        "# UNIT gen_ai_client_inference_duration_seconds seconds",
        "# TYPE outrigger_ca_expiry_seconds gauge",
        "# TYPE outrigger_build info",
        "outrigger_build_info 1",
    ] {
        assert!(page.lines().any(|one| one == line), "{line}\n{page}");
    }
    assert!(page.ends_with("\n# EOF\n"), "{page}");
}

#[test]
fn the_form_is_what_the_scraper_asks_for() {
    let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    assert_eq!(Exposition::accepted(prometheus), Exposition::OpenMetrics);
    for plain in ["", "*/*", "text/plain", "application/json, text/html"] {
        assert_eq!(Exposition::accepted(plain), Exposition::Text, "{plain}");
    }
}

#[test]
fn units_become_words_once() {
    let name = |name: &str, unit: &str, kind| Name::of(&metric(name, unit, gauge(0)), kind).whole();
    for (expected, otlp, unit, kind) in [
        ("http_client_request_duration_seconds", "http.client.request.duration", "s", Kind::Histogram),
        ("a_seconds", "a.seconds", "s", Kind::Gauge),
        ("a_used_ratio", "a.used", "1", Kind::Gauge),
        ("a_total", "a", "1", Kind::Counter),
        ("a_bytes_total", "a.total", "By", Kind::Counter),
        ("gen_ai_client_token_usage", "gen_ai.client.token.usage", "{token}", Kind::Histogram),
    ] {
        assert_eq!(name(otlp, unit, kind), expected);
    }
}

proptest! {
    /// Whatever stands in a label, the page keeps one line per sample, and a reader gets the label back.
    #[test]
    fn hostile_labels_stay_in_their_quotes(value in any::<String>(), key in "[a-z0-9._-]{0,8}") {
        let sample = metric("a", "", counter(vec![point(&[(key.as_str(), &value)], Number::AsInt(1))]));
        let page = Exposition::Text.page(&collected(vec![sample]), &[]);
        let lines: Vec<&str> = page.split('\n').collect();
        prop_assert_eq!(lines.len(), 4, "{}", page);
        let (_, quoted) = lines[2].split_once("=\"").unwrap();
        let quoted = quoted.strip_suffix("\"} 1").unwrap();
        let (mut read, mut chars) = (String::new(), quoted.chars());
        while let Some(c) = chars.next() {
            prop_assert_ne!(c, '"');
            read.push(match c {
                '\\' => match chars.next() {
                    Some('n') => '\n',
                    Some(escaped @ ('\\' | '"')) => escaped,
                    other => panic!("no escape: {other:?}"),
                },
                c => c,
            });
        }
        prop_assert_eq!(read, value);
    }
}
