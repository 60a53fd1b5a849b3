//! The rows against the conventions, as the tests wrote them down, and against the documents.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::exposition::scraped_as;
use super::*;

/// Name, instrument, unit, buckets and labels of the conventions' metrics, written down from their text.
const CONVENTIONS: &str = include_str!("../../../../../tests/data/otel-metrics.tsv");
/// A bucket that we add to theirs, where calls are called slow.
const SLOW: f64 = 30.0;

fn kind(row: &Metric) -> &'static str {
    match row.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    }
}

fn buckets(row: &Metric) -> &'static [f64] {
    match row.kind {
        Kind::Counter | Kind::Gauge => &[],
        Kind::Histogram(bounds) => bounds,
    }
}

#[test]
fn names_types_units_buckets_and_labels_are_the_conventions() {
    let mut met = BTreeSet::new();
    for line in CONVENTIONS.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let [name, instrument, unit, bounds, labels] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("five columns: {line}");
        };
        let row = METRICS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((kind(row), row.unit), (instrument, unit), "{name}");
        let theirs: Vec<f64> = bounds.split_whitespace().map(|bound| bound.parse().unwrap()).collect();
        let ours: Vec<f64> = buckets(row).to_vec();
        let without: Vec<f64> = ours.iter().copied().filter(|bound| *bound != SLOW).collect();
        assert!(ours == theirs || without == theirs, "{name}: {ours:?}");
        let allowed: BTreeSet<&str> = labels.split_whitespace().collect();
        for label in row.labels {
            assert!(allowed.contains(label) || label.starts_with("outrigger."), "{name} has {label}");
        }
        met.insert(name);
    }
    let foreign: Vec<&str> = METRICS
        .iter()
        .map(|row| row.name)
        .filter(|name| !name.starts_with("outrigger.") && !met.contains(name))
        .collect();
    assert!(foreign.is_empty(), "names of others that no convention has: {foreign:?}");
}

#[test]
fn no_two_rows_are_one_metric_to_a_scraper() {
    let mut names = BTreeSet::new();
    for row in METRICS {
        assert!(names.insert(scraped_as(row)), "{}", row.name);
    }
    for (row, name) in [
        (COST, "outrigger_cost_usd_total"),
        (CALLS, "outrigger_calls_total"),
        (DURATION, "gen_ai_client_inference_duration_seconds"),
        (INPUT, "gen_ai_client_inference_usage_input_tokens_total"),
        (CA_EXPIRY, "outrigger_ca_expiry_seconds"),
        (BUILD, "outrigger_build_info"),
    ] {
        assert_eq!(scraped_as(&row), name);
    }
}

/// The tables of the document, from the rows.
fn tables() -> Vec<String> {
    let of = |wanted: &[Set]| {
        let mut table =
            "| metric | in Prometheus | | unit | labels | |\n|---|---|---|---|---|---|\n".to_owned();
        for row in METRICS.iter().filter(|row| wanted.contains(&row.set)) {
            let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(
                table,
                "| `{}` | `{}` | {} | {} | {} | {} |",
                row.name,
                scraped_as(row),
                kind(row),
                if row.unit.is_empty() { String::new() } else { format!("`{}`", row.unit) },
                labels.join(" "),
                row.help
            )
            .unwrap();
        }
        table
    };
    vec![of(&[Set::GenAiLatest]), of(&[Set::GenAiV1_41]), of(&[Set::Http]), of(&[Set::Own])]
}

#[test]
fn the_document_has_every_row() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let text = std::fs::read_to_string(path).unwrap();
    for table in tables() {
        assert!(text.contains(&table), "docs/metrics.md lacks this table, or has an older one:\n{table}");
    }
}
