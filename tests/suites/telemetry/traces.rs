//! What Jaeger shows, and endpoints that misbehave.

use outrigger_simulator::{Answer, ErrorKind, Rule};
use outrigger_tests::http::free_address;
use outrigger_tests::jaeger::{Jaeger, attempt, logical, tag};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::{file, setting};
use serde_json::{Value, json};

use crate::{calls, exec, simulator};

const TRACEPARENT: &str = r#"{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x-outrigger-step": "plan"}"#;

#[test]
fn jaeger_shows_one_trace_per_call_by_the_conventions() {
    let jaeger = Jaeger::start();
    let usage = outrigger_simulator::Usage {
        input: 1808,
        cache_read: 8192,
        output: 360,
        reasoning: 640,
        ..outrigger_simulator::Usage::default()
    };
    for (service, url, protocol) in [
        ("over-grpc", format!("http://{}", jaeger.grpc), "grpc"),
        ("over-http", format!("http://{}", jaeger.http), "http/protobuf"),
    ] {
        let failing = Rule {
            nth: Some(3),
            answer: Answer { error: Some(ErrorKind::RateLimit), ..Answer::default() },
            ..Rule::default()
        };
        let good = Rule { answer: Answer { usage: Some(usage), ..Answer::default() }, ..Rule::default() };
        let simulator = simulator(vec![failing, good]);
        let exec = exec(&simulator)
            .option("--otlp", &url)
            .variable("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .variable("OTEL_SERVICE_NAME", service)
            .variable("TEST_OPENAI_MODEL", "gpt-5");
        let ended = calls(exec, &["chat_stream", "messages", "chat"]);
        let traces = jaeger.traces(service, 3);
        assert_eq!(traces.len(), 3, "one trace per call: {}", ended.errors);
        let named = |name: &str, failed: bool| {
            traces
                .iter()
                .find(|trace| {
                    logical(trace)["operationName"] == name
                        && tag(logical(trace), "error.type").is_string() == failed
                })
                .unwrap_or_else(|| panic!("no {name}"))
        };

        let trace = named("chat gpt-5", false);
        let span = logical(trace);
        for (name, value) in [
            ("span.kind", json!("client")),
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.provider.name", json!("openai")),
            ("gen_ai.request.model", json!("gpt-5")),
            ("gen_ai.response.model", json!("gpt-5")),
            ("gen_ai.request.stream", json!(true)),
            ("gen_ai.usage.input_tokens", json!(10_000)),
            ("gen_ai.usage.output_tokens", json!(1000)),
            ("gen_ai.usage.cache_read.input_tokens", json!(8192)),
            ("gen_ai.usage.reasoning.output_tokens", json!(640)),
            ("gen_ai.usage.cost", json!(0.013_284)),
            ("openai.api.type", json!("chat_completions")),
            ("server.address", json!("api.openai.com")),
            ("server.port", json!(443)),
        ] {
            assert_eq!(*tag(span, name), value, "{name} of {span}");
        }
        assert!(
            tag(span, "gen_ai.response.id").as_str().is_some_and(|id| id.starts_with("chatcmpl-")),
            "{span}"
        );
        assert!(tag(span, "gen_ai.response.finish_reasons").to_string().contains("stop"), "{span}");
        assert!(
            tag(span, "gen_ai.response.time_to_first_chunk").as_f64().is_some_and(|time| time > 0.0),
            "{span}"
        );
        assert_eq!(*tag(span, "error"), Value::Null);

        let child = attempt(trace);
        assert_eq!(child["references"][0]["spanID"], span["spanID"]);
        for (name, value) in [
            ("http.request.method", json!("POST")),
            ("http.response.status_code", json!(200)),
            ("url.full", json!("https://api.openai.com/v1/chat/completions")),
            ("server.address", json!("api.openai.com")),
        ] {
            assert_eq!(*tag(child, name), value, "{name} of {child}");
        }
        let tags = child["tags"].as_array().expect("tags");
        assert!(
            tags.iter().all(|tag| !tag["key"].as_str().unwrap_or_default().starts_with("gen_ai.")),
            "{child}"
        );

        let anthropic = logical(named("chat claude-sonnet-5-5", false));
        assert_eq!(*tag(anthropic, "gen_ai.provider.name"), "anthropic");
        assert_eq!(*tag(anthropic, "openai.api.type"), Value::Null);
        assert_eq!(*tag(anthropic, "gen_ai.usage.input_tokens"), 10_000);

        let failed = logical(named("chat gpt-5", true));
        assert_eq!(*tag(failed, "error"), true);
        assert_eq!(*tag(failed, "error.type"), "rate_limit_exceeded");
        let words = tag(failed, "otel.status_description").as_str().unwrap_or_default();
        assert!(words.contains("too many requests"), "{failed}");

        // Jaeger takes traces only: that is said once per signal, counted, and the traces go on.
        for signal in ["logs", "metrics"] {
            let said = ended
                .errors
                .lines()
                .filter(|line| line.contains("does not take this signal") && line.contains(signal))
                .count();
            assert_eq!(said, 1, "{signal}: {}", ended.errors);
        }
        assert!(
            ended.errors.contains("telemetry  3 seen = 3 exported + 0 waiting + 0 dropped"),
            "{}",
            ended.errors
        );
        // Three calls, and the event of the failure.
        assert!(ended.errors.contains("not taken by the endpoint: 4 records"), "{}", ended.errors);
    }
}

#[test]
fn the_apps_span_is_the_parent_of_ours() {
    let jaeger = Jaeger::start();
    let simulator = simulator(Vec::new());
    let exec = exec(&simulator)
        .option("--otlp", &format!("http://{}", jaeger.grpc))
        .variable("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .variable("OTEL_SERVICE_NAME", "parented")
        .variable("TEST_HEADERS", TRACEPARENT);
    let ended = calls(exec, &["chat"]);
    let traces = jaeger.traces("parented", 1);
    assert_eq!(traces[0]["traceID"], "4bf92f3577b34da6a3ce929d0e0e4736", "{}", ended.errors);
    let span = logical(&traces[0]);
    assert_eq!(span["references"][0]["spanID"], "00f067aa0ba902b7", "{span}");
    assert_eq!(*tag(span, "outrigger.step"), "plan");
    assert!(!simulator.received()[0].headers.contains_key("x-outrigger-step"));
}

#[test]
fn a_bad_endpoint_costs_the_calls_nothing_and_what_is_lost_is_counted() {
    let down = format!("http://{}", free_address());
    let refusing = Receiver::refusing(400);
    let silent = Receiver::silent();
    for (what, url) in [("down", down), ("refusing", refusing.url()), ("silent", silent.url())] {
        let simulator = simulator(Vec::new());
        let exec = exec(&simulator).option("--otlp", &url).variable("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        let ended = calls(exec, &["chat", "chat_stream", "messages"]);
        for line in ended.json_lines() {
            assert_eq!(line["error"], Value::Null, "{what}: {line}");
        }
        assert!(ended.status.success(), "{what}: {}", ended.errors);
        assert!(
            ended.errors.contains("telemetry  3 seen = 0 exported + 0 waiting + 3 dropped"),
            "{what}: {}",
            ended.errors
        );
    }
}

#[test]
fn records_spans_and_metrics_arrive_while_the_program_runs() {
    let receiver = Receiver::start();
    let simulator = simulator(Vec::new());
    let (python, script) =
        (setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/calls.py").display().to_string());
    let running = exec(&simulator)
        .option("--otlp", &receiver.url())
        .variable("OTEL_METRIC_EXPORT_INTERVAL", "500")
        .start(&[python.as_str(), script.as_str(), "chat", "wait"]);
    let received = receiver
        .wait_for(outrigger_tests::DEADLINE, |received| {
            received.calls.len() == 1 && received.spans.len() == 2 && !received.metrics.is_empty()
        })
        .expect("all three signals, the program still running");
    for metric in [
        "gen_ai.client.inference.duration",
        "gen_ai.client.operation.duration",
        "outrigger.calls",
        "outrigger.cost.usd",
    ] {
        assert!(
            received.metrics.iter().any(|name| name == metric),
            "{metric} is not in {:?}",
            received.metrics
        );
    }
    assert!(running.program.end().status.success());
}
