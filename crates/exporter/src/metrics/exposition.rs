//! Collected metrics as the text that Prometheus scrapes, in its own format and as OpenMetrics. Names follow the
//! translation by which Prometheus takes OTLP, so that what is pushed and what is scraped are called the same. Per scrape.
//!
//! Of our own because what there is goes through a registry of another library, knows no OpenMetrics, or writes labels that
//! hold control characters in a way that no reader takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
};

/// A text that metrics are exposed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Labels in words, sorted by name, so that pages can be compared.
type Labels = BTreeMap<String, String>;

impl Exposition {
    /// What an `Accept` header asks for: OpenMetrics where it is named at all, since who names it prefers it.
    #[must_use]
    pub fn accepted(accept: &str) -> Exposition {
        let openmetrics = accept.split(',').filter_map(|one| one.split(';').next());
        if openmetrics.map(str::trim).any(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text")) {
            Exposition::OpenMetrics
        } else {
            Exposition::Text
        }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Exposition::Text => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The page. `target` are the resource attributes, which stand in `target_info`.
    pub(super) fn page(self, collected: &ExportMetricsServiceRequest, target: &[(String, String)]) -> String {
        let mut page = Page { out: String::new(), form: self };
        let target: Labels = labels(target.iter().map(|(key, value)| (key.as_str(), value.clone())));
        if !target.is_empty() {
            page.head(
                "target_info",
                "info",
                "What these metrics are about: the resource's attributes.",
                None,
            );
            page.sample("target_info", &target, None, 1.0);
        }
        let metrics = collected.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        for metric in metrics.flat_map(|scope| &scope.metrics) {
            page.metric(metric);
        }
        if self == Exposition::OpenMetrics {
            page.out.push_str("# EOF\n");
        }
        page.out
    }
}

struct Page {
    out: String,
    form: Exposition,
}

impl Page {
    fn metric(&mut self, metric: &Metric) {
        let help = metric.description.as_str();
        match &metric.data {
            Some(Data::Sum(sum)) if sum.is_monotonic => {
                let name = Name::of(metric, Kind::Counter);
                self.head(&name.whole(), "counter", help, name.unit);
                self.numbers(&name.whole(), &sum.data_points);
            }
            Some(Data::Sum(sum)) => self.gauge(metric, &sum.data_points),
            Some(Data::Gauge(gauge)) => self.gauge(metric, &gauge.data_points),
            Some(Data::Histogram(histogram)) => {
                let name = Name::of(metric, Kind::Histogram);
                self.head(&name.whole(), "histogram", help, name.unit);
                for (labels, point) in sorted(&histogram.data_points, |point| &point.attributes) {
                    self.histogram(&name.whole(), &labels, point);
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let name = Name::of(metric, Kind::Histogram);
                self.head(&name.whole(), "histogram", help, name.unit);
                for (labels, point) in sorted(&histogram.data_points, |point| &point.attributes) {
                    self.exponential(&name.whole(), &labels, point);
                }
            }
            Some(Data::Summary(_)) | None => {}
        }
    }

    fn gauge(&mut self, metric: &Metric, points: &[NumberDataPoint]) {
        let name = Name::of(metric, Kind::Gauge);
        let kind = if name.base.ends_with("_info") { "info" } else { "gauge" };
        self.head(&name.whole(), kind, &metric.description, name.unit);
        self.numbers(&name.whole(), points);
    }

    fn numbers(&mut self, name: &str, points: &[NumberDataPoint]) {
        for (labels, point) in sorted(points, |point| &point.attributes) {
            match point.value {
                Some(Number::AsInt(value)) => {
                    self.name_and_labels(name, &labels, None);
                    let _infallible = writeln!(self.out, " {value}");
                }
                Some(Number::AsDouble(value)) => self.sample(name, &labels, None, value),
                None => {}
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &Labels, point: &HistogramDataPoint) {
        let (bucket, mut below) = (format!("{name}_bucket"), 0);
        for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
            below += count;
            self.count(&bucket, labels, Some(*bound), below);
        }
        self.count(&bucket, labels, Some(f64::INFINITY), point.count);
        self.count(&format!("{name}_count"), labels, None, point.count);
        self.sample(&format!("{name}_sum"), labels, None, point.sum.unwrap_or_default());
    }

    /// The text has no exponential buckets: count and sum alone.
    fn exponential(&mut self, name: &str, labels: &Labels, point: &ExponentialHistogramDataPoint) {
        self.count(&format!("{name}_bucket"), labels, Some(f64::INFINITY), point.count);
        self.count(&format!("{name}_count"), labels, None, point.count);
        self.sample(&format!("{name}_sum"), labels, None, point.sum.unwrap_or_default());
    }

    /// What is said before the samples of a metric. In OpenMetrics the family of a counter or an info lacks its ending.
    fn head(&mut self, name: &str, kind: &str, help: &str, unit: Option<&str>) {
        let (family, kind) = match (self.form, kind) {
            (Exposition::Text, "info") => (name, "gauge"),
            (Exposition::OpenMetrics, "info") => (name.trim_end_matches("_info"), kind),
            (Exposition::OpenMetrics, "counter") => (name.trim_end_matches("_total"), kind),
            _ => (name, kind),
        };
        let _infallible = write!(self.out, "# HELP {family} ");
        escape(&mut self.out, help, self.form == Exposition::OpenMetrics);
        let _infallible = writeln!(self.out, "\n# TYPE {family} {kind}");
        if let Some(unit) = unit.filter(|_| self.form == Exposition::OpenMetrics) {
            let _infallible = writeln!(self.out, "# UNIT {family} {unit}");
        }
    }

    fn sample(&mut self, name: &str, labels: &Labels, bound: Option<f64>, value: f64) {
        self.name_and_labels(name, labels, bound);
        self.out.push(' ');
        number(&mut self.out, value);
        self.out.push('\n');
    }

    fn count(&mut self, name: &str, labels: &Labels, bound: Option<f64>, count: u64) {
        self.name_and_labels(name, labels, bound);
        let _infallible = writeln!(self.out, " {count}");
    }

    fn name_and_labels(&mut self, name: &str, labels: &Labels, bound: Option<f64>) {
        self.out.push_str(name);
        let mut before = '{';
        for (label, value) in labels {
            let _infallible = write!(self.out, "{before}{label}=\"");
            escape(&mut self.out, value, true);
            self.out.push('"');
            before = ',';
        }
        if let Some(bound) = bound {
            let _infallible = write!(self.out, "{before}le=\"");
            number(&mut self.out, bound);
            self.out.push('"');
            before = ',';
        }
        if before == ',' {
            self.out.push('}');
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric's name in Prometheus: `gen_ai_client_inference_duration_seconds`, `outrigger_calls_total`.
struct Name {
    base: String,
    unit: Option<&'static str>,
    counter: bool,
}

impl Name {
    fn of(metric: &Metric, kind: Kind) -> Name {
        Name::translated(&metric.name, &metric.unit, kind)
    }

    fn translated(name: &str, unit_of: &str, kind: Kind) -> Name {
        let counter = kind == Kind::Counter;
        let words = |name: &str| -> Vec<String> {
            name.split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let mut words = words(name);
        let unit = unit(unit_of, kind).filter(|unit| !words.iter().any(|word| word == unit));
        if counter {
            words.retain(|word| word != "total");
        }
        Name { base: words.join("_"), unit, counter }
    }

    fn whole(&self) -> String {
        let unit = self.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        format!("{}{unit}{}", self.base, if self.counter { "_total" } else { "" })
    }
}

/// How a scraper calls the metric of a row.
#[cfg(test)]
pub(super) fn scraped_as(row: &super::Metric) -> String {
    let kind = match row.kind {
        super::Kind::Counter => Kind::Counter,
        super::Kind::Gauge => Kind::Gauge,
        super::Kind::Histogram(_) => Kind::Histogram,
    };
    Name::translated(row.name, row.unit, kind).whole()
}

/// The word for a unit that our rows use. What stands in braces is a note for people and has none.
fn unit(unit: &str, kind: Kind) -> Option<&'static str> {
    match unit {
        "s" => Some("seconds"),
        "By" => Some("bytes"),
        "1" if kind == Kind::Gauge => Some("ratio"),
        _ => None,
    }
}

/// Points with their labels, in the labels' order.
fn sorted<T>(points: &[T], attributes: impl Fn(&T) -> &Vec<KeyValue>) -> Vec<(Labels, &T)> {
    let mut sorted: Vec<(Labels, &T)> = points
        .iter()
        .map(|point| {
            let pairs = attributes(point).iter().map(|pair| (pair.key.as_str(), text(pair)));
            (labels(pairs), point)
        })
        .collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    sorted
}

/// Attributes as labels. Of names that become one the values stand together, as the translation has it.
fn labels<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Labels {
    let mut pairs: Vec<(&str, String)> = pairs.collect();
    pairs.sort_by_key(|(key, _)| *key);
    let mut labels = Labels::new();
    for (key, value) in pairs {
        labels
            .entry(label(key))
            .and_modify(|all| {
                all.push(';');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    labels
}

fn label(key: &str) -> String {
    let mut label: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if label.is_empty() || label.starts_with(|first: char| first.is_ascii_digit()) {
        label.insert_str(0, "key_");
    }
    label
}

fn text(pair: &KeyValue) -> String {
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        // Our labels are words and numbers.
        _ => String::new(),
    }
}

/// Always with a point, as OpenMetrics writes bounds.
fn number(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        // `1.0`, not `1`; all its digits.
        let _infallible =
            if value.fract() == 0.0 { write!(out, "{value:.1}") } else { write!(out, "{value}") };
    }
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
