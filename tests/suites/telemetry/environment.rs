//! The standard's variables in front of a real program: where telemetry goes, whose trace a call is in, whose name is kept.

use std::io::Write;
use std::process::{Command, Stdio};

use outrigger_tests::DEADLINE;
use outrigger_tests::http::{free_address, get};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::prometheus::{tool, until};
use outrigger_tests::{file, setting};
use serde_json::Value;

use crate::{calls, exec, simulator};

const CALLER: &str =
    r#"{"b3": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", "x-outrigger-user": "zoe@example.org"}"#;

/// Lines of OTLP in JSON, by what they hold.
fn shown(errors: &str, what: &str) -> Vec<Value> {
    let lines = errors.lines().filter(|line| line.starts_with('{'));
    let requests = lines.map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    requests.filter_map(|request| request.get(what).cloned()).collect()
}

#[test]
fn the_console_is_standard_error_and_the_programs_output_stays_its_own() {
    let simulator = simulator(Vec::new());
    let exec = exec(&simulator)
        .variable("OTEL_TRACES_EXPORTER", "console")
        .variable("OTEL_LOGS_EXPORTER", "console")
        .variable("OTEL_METRICS_EXPORTER", "none");
    let ended = calls(exec, &["chat"]);
    assert_eq!(ended.json_lines().len(), 1, "{}", ended.output);
    let spans = shown(&ended.errors, "resourceSpans");
    let span = &spans[0][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"].as_str().map(str::len), Some(32), "{span}");
    let records = shown(&ended.errors, "resourceLogs");
    assert_eq!(records[0][0]["scopeLogs"][0]["logRecords"][0]["eventName"], "outrigger.call");
    assert!(shown(&ended.errors, "resourceMetrics").is_empty());
    assert!(ended.errors.contains("1 seen = 1 exported"), "{}", ended.errors);
}

#[test]
fn a_call_is_in_the_trace_that_a_listed_header_names() {
    for (propagators, parent) in [("b3", "00f067aa0ba902b7"), ("tracecontext", "")] {
        let receiver = Receiver::start();
        let simulator = simulator(Vec::new());
        let exec = exec(&simulator)
            .option("--otlp", &receiver.url())
            .variable("OTEL_PROPAGATORS", propagators)
            .variable("TEST_HEADERS", CALLER);
        let ended = calls(exec, &["chat"]);
        let received = receiver.wait_for(DEADLINE, |received| received.spans.len() == 2);
        let received = received.unwrap_or_else(|| panic!("no spans: {}", ended.errors));
        let span =
            received.spans.iter().find(|span| span.name.starts_with("chat ")).expect("the call's span");
        let hex: String = span.parent_span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, parent, "{propagators}");
    }
}

#[test]
fn in_a_cluster_nobodys_address_is_kept_unless_it_is_asked_for() {
    let user = |in_cluster: bool| {
        let receiver = Receiver::start();
        let simulator = simulator(Vec::new());
        let mut exec = exec(&simulator).option("--otlp", &receiver.url()).variable("TEST_HEADERS", CALLER);
        if in_cluster {
            exec = exec.variable("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        }
        let ended = calls(exec, &["chat"]);
        let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1);
        let received = received.unwrap_or_else(|| panic!("no record: {}", ended.errors));
        let raw = String::from_utf8_lossy(&received.raw).contains("zoe@example.org");
        (received.calls[0]["user.id"].as_str().unwrap_or_default().to_owned(), raw)
    };
    assert_eq!(user(false), ("zoe@example.org".to_owned(), true));
    let (hashed, raw) = user(true);
    assert!(hashed.len() == 32 && hashed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hashed}");
    assert!(!raw, "nowhere in what was sent");
}

#[test]
fn what_cannot_be_understood_is_said_and_the_program_runs() {
    let simulator = simulator(Vec::new());
    for (variable, value, mend) in
        [("OTEL_PROPAGATORS", "xray", "b3multi"), ("OTEL_TRACES_EXPORTER", "pigeon", "otlp, console or none")]
    {
        let exec = exec(&simulator).variable(variable, value).variable("SSL_CERT_FILE", "");
        let ended = exec.run(&["/bin/echo", "here"]);
        assert_eq!(ended.output.trim(), "here");
        assert!(ended.errors.contains(&format!("{variable}={value:?}")), "{}", ended.errors);
        assert!(
            ended.errors.contains(mend) && ended.errors.contains("runs without Outrigger"),
            "{}",
            ended.errors
        );
    }
}

/// promtool has no complaint of it, and every name is ours or of the conventions as the suite wrote them down.
#[test]
fn the_page_of_a_program_is_valid_bounded_and_named_by_the_conventions() {
    let simulator = simulator(Vec::new());
    let address = free_address();
    let (python, script) =
        (setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/calls.py").display().to_string());
    let command =
        [&[python.as_str(), script.as_str()][..], &["chat", "chat_stream", "messages", "wait"]].concat();
    let running = exec(&simulator)
        .variable("OUTRIGGER_METRICS_CHUNKS", "true")
        .option("--metrics", &address.to_string())
        .start(&command);
    assert!(running.program.error_line(DEADLINE, |line| line.contains("metrics at")).is_some());
    let mut page = String::new();
    until(&running.program, "three calls on the page", || {
        page = get(address, "/metrics").map(|(_, page)| page).unwrap_or_default();
        let calls = page.lines().filter(|line| line.starts_with("outrigger_calls_total{"));
        calls.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>() == 3
    });
    let mut check = Command::new(tool("promtool"));
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().expect("promtool runs");
    check.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads");
    let checked = check.wait_with_output().expect("promtool ends");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(page.lines().filter(|line| !line.starts_with('#')).count() <= 500);
    let data = std::fs::read_to_string(file("data/otel-metrics.tsv")).expect("the conventions' metrics");
    let known: Vec<String> =
        data.lines().filter_map(|line| line.split('\t').next()).map(|name| name.replace('.', "_")).collect();
    // Asked for: the times between the chunks of the one stream.
    let chunks = "gen_ai_client_inference_time_per_output_chunk_seconds_count";
    assert!(page.lines().any(|line| line.starts_with(chunks) && !line.ends_with(" 0")), "{page}");
    for family in
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| line.split(' ').next())
    {
        let ours = family.starts_with("outrigger_") || family == "target_info";
        assert!(ours || known.iter().any(|name| family.starts_with(name.as_str())), "{family}");
    }
    assert!(running.program.end().status.success());
}
