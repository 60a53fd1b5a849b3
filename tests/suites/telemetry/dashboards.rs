//! The dashboards of the chart as Grafana's schema wants them, and every expression in them and in the rules against what a
//! real sidecar exposes. Grafana itself is not run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use outrigger_simulator::{Answer, ErrorKind, Rule, Usage};
use outrigger_tests::chart::{self, Parameters};
use outrigger_tests::collector::Collector;
use outrigger_tests::http::{escape, get, post};
use outrigger_tests::prometheus::Prometheus;
use outrigger_tests::promql::named;
use outrigger_tests::sidecar::Volumes;
use serde_json::{Value, json};

use crate::{KEY, alerts, observed, simulator};

/// Panels that are rightly empty where nothing is lost.
const EMPTY: [&str; 1] = ["Telemetry lost, by cause"];

/// What is done about two models; the others' calls are left as they are.
const RULES: &str = "\
version: 1
mode: act
backups:
  mini: { provider: openai, model: gpt-5-mini, credential: { file: openai } }
rules:
  - { name: moved, match: { model: o3 }, breaker: { consecutive: 2, probeEvery: 5m }, failover: { to: [mini] } }
  - { name: lost, match: { model: o4-mini }, retry: { backoff: { initial: 1ms, max: 1ms } } }
";

/// The dashboards by the names of their files.
fn dashboards() -> BTreeMap<String, Value> {
    let read = |file: std::path::PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a dashboard");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, serde_json::from_str(&text).expect("a dashboard is JSON"))
    };
    chart::dashboards().into_iter().map(read).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn dashboards_have_what_grafanas_schema_needs() {
    let dashboards = dashboards();
    let names: Vec<&str> = dashboards.keys().map(String::as_str).collect();
    assert_eq!(names, ["cost", "failover", "fleet", "latency", "quality", "reliability"]);
    for (name, board) in &dashboards {
        assert_eq!(text(&board["uid"]), format!("outrigger-{name}"));
        assert!(board["schemaVersion"].as_u64().is_some_and(|version| version >= 36), "{name}");
        assert!(!text(&board["title"]).is_empty() && !text(&board["description"]).is_empty(), "{name}");
        assert!(board["time"]["from"].is_string() && board["time"]["to"].is_string(), "{name}");
        assert!(board["annotations"]["list"].is_array() && board["id"].is_null(), "{name}");
        let variables = list(&board["templating"]["list"]);
        assert_eq!((text(&variables[0]["name"]), text(&variables[0]["type"])), ("datasource", "datasource"));
        let (mut ids, mut places) = (BTreeSet::new(), Vec::<[u64; 4]>::new());
        for panel in list(&board["panels"]) {
            let title = text(&panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{name}: {title}: an id twice");
            assert!(!title.is_empty() && !text(&panel["description"]).is_empty(), "{name}: {panel}");
            assert!(["stat", "timeseries", "table"].contains(&text(&panel["type"])), "{name}: {title}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{name}: {title}: no unit");
            let place = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a place"));
            let [x, y, w, h] = place;
            assert!(w > 0 && h > 0 && x + w <= 24, "{name}: {title} does not fit");
            let over = places.iter().find(|[a, b, c, d]| x < a + c && *a < x + w && y < b + d && *b < y + h);
            assert_eq!(over, None, "{name}: {title} lies over another");
            places.push(place);
            let mut letters = BTreeSet::new();
            for target in list(&panel["targets"]) {
                assert!(letters.insert(text(&target["refId"])), "{name}: {title}: a letter twice");
                for source in [&panel["datasource"], &target["datasource"]] {
                    assert_eq!(*source, json!({"type": "prometheus", "uid": "${datasource}"}), "{title}");
                }
            }
            assert!(!letters.is_empty(), "{name}: {title} asks nothing");
        }
    }
}

/// What a person may look up in Prometheus for a dashboard: the expression, and whether it has to yield something.
fn questions(dashboards: &BTreeMap<String, Value>) -> Vec<(String, String, bool)> {
    let fill = |expression: &str| {
        [("$provider", ".*"), ("$model", ".*"), ("$__rate_interval", "2m"), ("$__range", "5m")]
            .iter()
            .fold(expression.to_owned(), |expression, (variable, value)| expression.replace(variable, value))
    };
    let mut questions = Vec::new();
    for (name, board) in dashboards {
        for panel in list(&board["panels"]) {
            let title = text(&panel["title"]);
            for target in list(&panel["targets"]) {
                let asked = fill(text(&target["expr"]));
                questions.push((format!("{name}: {title}"), asked, !EMPTY.contains(&title)));
            }
        }
        for variable in list(&board["templating"]["list"]).iter().filter(|one| text(&one["type"]) == "query")
        {
            // `label_values(SELECTOR, LABEL)`
            let query = fill(text(&variable["query"]["query"]));
            let inner = query.strip_prefix("label_values(").and_then(|query| query.strip_suffix(')'));
            let (selector, label) = inner.and_then(|inner| inner.rsplit_once(", ")).expect("label_values");
            questions.push((format!("{name}: a variable"), format!("count by ({label}) ({selector})"), true));
        }
    }
    questions
}

#[test]
fn every_expression_names_what_a_real_sidecar_exposes_and_yields_what_it_should() {
    let simulator = simulator(script());
    let (collector, volumes) = (Collector::start(), Volumes::new());
    let (endpoint, spool) = (format!("http://{}", collector.http), volumes.folder("spool"));
    let (rules, credentials) = (volumes.write("rules.yaml", RULES), volumes.credential("openai", KEY));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        // Room for a dozen models in full.
        ("OUTRIGGER_METRICS_SERIES", "5000"),
        ("OUTRIGGER_SPOOL_DIR", spool.to_str().expect("a plain path")),
        ("OUTRIGGER_RULES", rules.to_str().expect("a plain path")),
        ("OUTRIGGER_CREDENTIALS", credentials.to_str().expect("a plain path")),
    ];
    let (sidecar, metrics) = observed(&volumes, &simulator, &variables);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let parameters = [
        ("interval", "1s"),
        ("short_window", "2m"),
        ("long_window", "3m"),
        ("slow_short_window", "4m"),
        ("slow_long_window", "5m"),
        ("outage_for", "1s"),
        ("outage_min_instances", "1"),
        ("first_token_min_streams", "1"),
        ("baseline_window", "30s"),
        ("baseline_offset", "1s"),
    ];
    let parameters = parameters.iter().fold(Parameters::chart(), |all, (name, value)| all.with(name, value));
    let rules = parameters.write_rules(directory.path());
    let prometheus = Prometheus::start(&[metrics], &rules, None);
    // A rate needs series that were there before they rise.
    let traffic = || traffic(sidecar.base_url()) + decided(sidecar.base_url());
    let calls = traffic();
    prometheus.wait_for(&format!("sum(outrigger_calls_total) >= {calls}"));
    traffic();
    prometheus.wait_for(&format!("sum(outrigger_calls_total) >= {}", 2 * calls));
    for late in [
        "outrigger:first_token_seconds:usual",
        "ALERTS{alertstate=\"firing\"}",
        "outrigger:instances_failing:count",
    ] {
        prometheus.wait_for(late);
    }

    let rules = alerts::expressions(&parameters);
    for (place, expression, yields) in rules.into_iter().chain(questions(&dashboards())) {
        let samples = prometheus.query(&expression).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(!yields || !samples.is_empty(), "{place} yields nothing: {expression}");
        let named = named(&expression);
        let mut known = BTreeSet::new();
        if expression.contains("label_replace") {
            known.extend(["provider".to_owned(), "model".to_owned()]);
        }
        for (metric, labels) in &named.metrics {
            let series = prometheus.ask(&format!("/api/v1/series?match[]={}", escape(metric)));
            let series = list(&series["data"]);
            assert!(!series.is_empty(), "{place}: nobody exposes {metric}");
            let exposed: BTreeSet<String> =
                series.iter().flat_map(|one| one.as_object().expect("labels").keys().cloned()).collect();
            let missing: Vec<_> = labels.difference(&exposed).collect();
            assert!(missing.is_empty(), "{place}: {metric} has no {missing:?}");
            known.extend(exposed);
        }
        let missing: Vec<_> = named.grouping.difference(&known).collect();
        assert!(missing.is_empty(), "{place} groups by {missing:?}, which nothing has");
    }

    // By the way of a Collector the metrics are called the same.
    let names = |address: SocketAddr| {
        let (_, page) = get(address, "/metrics").expect("a page of metrics");
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(collector.metrics), names(metrics));
    assert!(sidecar.end().status.success());
}

/// Models of OpenAI and what becomes of their calls; the others' calls are well.
pub(crate) fn script() -> Vec<Rule> {
    let of = |model: &str, answer: Answer| Rule { model: Some(model.to_owned()), answer, ..Rule::default() };
    let error = |error| Answer { error: Some(error), ..Answer::default() };
    vec![
        of("gpt-5", error(ErrorKind::ServerError)),
        of("o3", error(ErrorKind::ServerError)),
        of("o4-mini", error(ErrorKind::ServerError)),
        of("gpt-4.1", error(ErrorKind::Authentication)),
        of("gpt-4o", error(ErrorKind::RateLimit)),
        of("gpt-4o-mini", error(ErrorKind::Quota)),
        of("gpt-5-nano", Answer { cut_after: Some(3), ..Answer::default() }),
        of("gpt-4.1-mini", Answer { gated: true, ..Answer::default() }),
        of("z-ai/glm-4.6", Answer { reported_cost: Some("0.01".to_owned()), ..Answer::default() }),
        Rule {
            answer: Answer {
                usage: Some(Usage {
                    input: 100,
                    cache_read: 900,
                    output: 50,
                    reasoning: 10,
                    ..Usage::default()
                }),
                ..Answer::default()
            },
            ..Rule::default()
        },
    ]
}

fn chat(model: &str, stream: bool) -> Value {
    let question = json!([{"role": "user", "content": "When does the tide turn?"}]);
    json!({"model": model, "stream": stream, "max_tokens": 64, "messages": question})
}

/// Makes calls that rules decide, until one place is left alone and one rule's retries are used up; how many they were.
fn decided(sidecar: SocketAddr) -> usize {
    let models = [["o3"; 4].as_slice(), &["o4-mini"; 6]].concat();
    for model in &models {
        let key = format!("Bearer {KEY}");
        let path = "/openai/v1/chat/completions";
        let (status, _) =
            post(sidecar, path, &[("Authorization", &key)], &chat(model, false)).expect("an answer");
        assert_eq!(status, if *model == "o3" { 200 } else { 500 });
    }
    models.len()
}

/// Makes a call of every kind; how many they were.
pub(crate) fn traffic(sidecar: SocketAddr) -> usize {
    let key = format!("Bearer {KEY}");
    let call = |path: &str, more: &[(&str, &str)], body: &Value| {
        let headers = [
            &[("Authorization", key.as_str()), ("x-api-key", KEY), ("anthropic-version", "2023-06-01")],
            more,
        ];
        // Some answers are meant to break off.
        drop(post(sidecar, path, &headers.concat(), body));
    };
    let openai = "/openai/v1/chat/completions";
    let mut calls = 0;
    for (path, body) in [
        (openai, chat("gpt-5-mini", false)),
        (openai, chat("gpt-5-mini", true)),
        (openai, chat("gpt-5", false)),
        (openai, chat("gpt-4.1", false)),
        (openai, chat("gpt-4o", false)),
        (openai, chat("gpt-4o-mini", false)),
        (openai, chat("gpt-5-nano", true)),
        (openai, chat("gpt-unheard-of", false)),
        ("/openai/v1/embeddings", json!({"model": "text-embedding-3-small", "input": ["ebb", "flood"]})),
        ("/anthropic/v1/messages", chat("claude-sonnet-5-5", true)),
        ("/openrouter/api/v1/chat/completions", chat("z-ai/glm-4.6", false)),
    ] {
        call(path, &[], &body);
        calls += 1;
    }
    call(openai, &[("x-stainless-retry-count", "1")], &chat("gpt-5", false));
    leave(sidecar, openai, &key, &chat("gpt-4.1-mini", true));
    calls + 2
}

/// Begins a stream and hangs up when its head is there.
fn leave(sidecar: SocketAddr, path: &str, key: &str, body: &Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(sidecar).expect("the sidecar listens");
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {sidecar}\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the sidecar reads");
    assert!(stream.read(&mut [0; 64]).expect("an answer") > 0);
}
