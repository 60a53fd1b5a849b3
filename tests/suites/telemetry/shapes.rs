//! The shapes of traces in a real Jaeger: app > call > attempts, however a call ends.

use outrigger_simulator::{Answer, Cut, ErrorKind, Rule};
use outrigger_tests::jaeger::{Jaeger, tag};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::{Ended, Exec};
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::{Value, json};

use crate::{calls, exec, simulator};

fn rule(model: &str, answer: Answer) -> Rule {
    Rule { model: Some(model.to_owned()), answer, ..Rule::default() }
}

fn script() -> Vec<Rule> {
    let busy = Answer { error: Some(ErrorKind::ServerError), ..Answer::default() };
    vec![
        Rule { nth: Some(1), ..rule("gpt-retry", busy.clone()) },
        Rule { nth: Some(3), ..rule("gpt-retry", busy) },
        rule("gpt-error", Answer { error: Some(ErrorKind::Authentication), ..Answer::default() }),
        rule("gpt-cut", Answer { cut_after: Some(3), cut: Cut::Broken, ..Answer::default() }),
        rule("gpt-hang_up", Answer { endless: true, pace_ms: 1, ..Answer::default() }),
    ]
}

/// Runs an app with traces of its own.
fn traced(exec: Exec, traces: &str, names: &[&str]) -> Ended {
    let (python, script) =
        (setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/traced.py").display().to_string());
    let ended = exec
        .variable("TEST_TRACES", traces)
        .run(&[vec![python.as_str(), script.as_str()], names.to_vec()].concat());
    assert!(ended.status.success(), "{}", ended.errors);
    ended
}

/// The spans of a trace whose parent is this one, in the order of their beginnings.
fn children<'a>(trace: &'a Value, parent: &Value) -> Vec<&'a Value> {
    let spans = trace["spans"].as_array().expect("spans");
    let mut found: Vec<&Value> = spans
        .iter()
        .filter(|span| {
            let references = span["references"].as_array().into_iter().flatten();
            references
                .filter(|reference| reference["refType"] == "CHILD_OF")
                .any(|reference| reference["spanID"] == parent["spanID"])
        })
        .collect();
    found.sort_by_key(|span| span["startTime"].as_u64());
    found
}

/// The attempts of a call: their statuses and whether they are errors.
fn attempts(trace: &Value, call: &Value) -> Vec<(Value, Value)> {
    let posts = children(trace, call).into_iter().filter(|span| span["operationName"] == "POST");
    posts.map(|span| (tag(span, "http.response.status_code").clone(), tag(span, "error").clone())).collect()
}

#[test]
fn jaeger_shows_app_call_and_attempts_however_a_call_ends() {
    let jaeger = Jaeger::start();
    let simulator = simulator(script());
    let exec = exec(&simulator)
        .option("--otlp", &format!("http://{}", jaeger.grpc))
        .variable("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .variable("OTEL_SERVICE_NAME", "shapes");
    let shapes = ["success", "error", "cut", "hang_up", "tools", "retry", "retry_untraced"];
    let ended = traced(exec, &format!("http://{}", jaeger.http), &shapes);
    // The last one's calls are in a trace of their own.
    let traces = jaeger.traces("shapes", shapes.len());
    let of_app = |name: &str| {
        let found = traces.iter().find_map(|trace| {
            let spans = trace["spans"].as_array()?;
            Some((trace, spans.iter().find(|span| span["operationName"] == format!("app {name}"))?))
        });
        found.unwrap_or_else(|| panic!("no trace of {name}: {}", ended.errors))
    };
    let good = || (json!(200), Value::Null);
    let bad = |status: u16| (json!(status), json!(true));

    for (shape, outcome, error, finish, expected) in [
        ("success", "answered", None, "stop", good()),
        ("error", "failed", Some("invalid_api_key"), "error", bad(401)),
        ("cut", "failed", Some("stream_interrupted"), "error", bad(200)),
        ("hang_up", "cancelled", None, "error", good()),
        ("tools", "answered", None, "tool_call", good()),
    ] {
        let (trace, app) = of_app(shape);
        let calls = children(trace, app);
        assert_eq!(calls.len(), 1, "{shape}: {trace}");
        let call = calls[0];
        assert_eq!(call["operationName"], format!("chat gpt-{shape}"));
        assert_eq!(*tag(call, "outrigger.outcome"), outcome, "{shape}");
        assert_eq!(tag(call, "error.type").as_str(), error, "{shape}");
        assert_eq!(*tag(call, "error") == true, error.is_some(), "{shape}");
        let reasons = tag(call, "gen_ai.response.finish_reasons").to_string();
        assert!(reasons.contains(finish), "{shape}: {reasons}");
        assert_eq!(attempts(trace, call), [expected], "{shape}");
        assert_eq!(trace["spans"].as_array().expect("spans").len(), 3, "{shape}: {trace}");
    }

    let (trace, app) = of_app("retry");
    let calls = children(trace, app);
    assert_eq!(calls.len(), 2, "each where the app put it: {trace}");
    assert_retried(trace, calls[0], calls[1]);

    let untraced = traces
        .iter()
        .find(|trace| trace["spans"].as_array().is_some_and(|spans| spans.len() == 4))
        .unwrap_or_else(|| panic!("both attempts are in one trace: {traces:#?}"));
    let spans = untraced["spans"].as_array().expect("spans");
    let root = spans.iter().filter(|span| span["references"].as_array().is_none_or(Vec::is_empty));
    let root: Vec<&Value> = root.collect();
    assert_eq!(root.len(), 1, "{untraced}");
    let retry = children(untraced, root[0]).into_iter().find(|span| span["operationName"] != "POST");
    assert_retried(
        untraced,
        root[0],
        retry.unwrap_or_else(|| panic!("the retry stands under its first attempt: {untraced}")),
    );
}

fn assert_retried(trace: &Value, first: &Value, second: &Value) {
    assert_eq!(attempts(trace, first), [(json!(500), json!(true))]);
    assert_eq!(attempts(trace, second), [(json!(200), Value::Null)]);
    assert_eq!(tag(first, "outrigger.logical.id"), tag(second, "outrigger.logical.id"));
    assert_eq!(*tag(second, "outrigger.logical.attempt"), 2);
    assert_eq!(*tag(second, "error.type"), Value::Null);
    let post = children(trace, second).into_iter().find(|span| span["operationName"] == "POST");
    assert_eq!(*tag(post.expect("its request"), "http.request.resend_count"), 1);
    let references = second["references"].as_array().expect("references");
    assert!(references.iter().any(|reference| reference["spanID"] == first["spanID"]), "{second}");
    // What it used stands on one of them.
    let used: Vec<&Value> = [first, second]
        .into_iter()
        .map(|span| tag(span, "gen_ai.usage.output_tokens"))
        .filter(|tokens| tokens.as_u64().is_some_and(|tokens| tokens > 0))
        .collect();
    assert_eq!(used.len(), 1, "{used:?}");
}

#[test]
fn a_trace_that_is_not_sampled_has_no_span_and_its_call_has_its_record() {
    let receiver = Receiver::start();
    let simulator = simulator(Vec::new());
    let unsampled = r#"{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}"#;
    let exec = exec(&simulator).option("--otlp", &receiver.url()).variable("TEST_HEADERS", unsampled);
    let ended = calls(exec, &["chat", "messages"]);
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 2).expect("the records");
    assert!(received.spans.is_empty(), "{:?}", received.spans);
    assert!(ended.errors.contains("telemetry  2 seen = 2 exported"), "{}", ended.errors);
}

/// Sums an attribute over the spans of everybody.
fn sum(spans: &[opentelemetry_proto::tonic::trace::v1::Span], key: &str) -> u64 {
    let attributes = spans.iter().map(|span| outrigger_tests::otlp::attributes(&span.attributes));
    attributes.filter_map(|attributes| attributes.get(key)?.as_u64()).sum()
}

#[test]
fn what_anthropics_sdk_counts_in_a_span_of_its_own_is_not_counted_twice() {
    let usage = outrigger_simulator::Usage { input: 100, cache_read: 20, output: 30, ..Default::default() };
    for (mode, times, ours) in [("both", 2, 3), ("link", 1, 3), ("metrics_only", 1, 0)] {
        let receiver = Receiver::start();
        let good = Rule { answer: Answer { usage: Some(usage), ..Answer::default() }, ..Rule::default() };
        // The SDK's span is one over both attempts.
        let busy = Answer { error: Some(ErrorKind::Overloaded), ..Answer::default() };
        let busy = Rule { nth: Some(1), answer: busy, ..Rule::default() };
        let simulator = simulator(vec![busy, good]);
        let exec =
            exec(&simulator).option("--otlp", &receiver.url()).variable("OUTRIGGER_APP_TELEMETRY", mode);
        let ended = traced(exec, &receiver.url(), &["anthropic", "anthropic_stream"]);
        let received = receiver
            .wait_for(DEADLINE, |received| received.calls.len() == 3)
            .unwrap_or_else(|| panic!("{mode}: {}", ended.errors));
        let spans = &received.spans;
        // Two calls of 120 and 30 tokens.
        assert_eq!(sum(spans, "gen_ai.usage.input_tokens"), times * 240, "{mode}");
        assert_eq!(sum(spans, "gen_ai.usage.output_tokens"), times * 60, "{mode}");
        let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
        let (theirs, calls) = (named("anthropic.messages.create"), named("chat claude-sonnet-5-5"));
        assert_eq!((theirs.len(), calls.len()), (2, ours), "{mode}");
        for call in &received.calls {
            assert_eq!(call["outrigger.app_instrumentation"], "anthropic_sdk", "{mode}");
        }
        for call in calls {
            assert!(theirs.iter().any(|span| span.span_id == call.parent_span_id), "{mode}: {call:?}");
            if mode == "link" {
                let attributes = outrigger_tests::otlp::attributes(&call.attributes);
                assert_eq!(attributes["outrigger.usage.counted_by"], "parent_span");
                let answered = attributes["outrigger.outcome"] == "answered";
                assert_eq!(attributes["outrigger.usage.output"], if answered { 30 } else { 0 });
            }
        }
    }
}
