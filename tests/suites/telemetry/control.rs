//! The sidecar's own work as spans, for who asks for them, beside those of calls.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::{Received, Receiver, attributes};
use outrigger_tests::sidecar::Volumes;

const GOOD: &str = "version: 1\nmode: observe\n";
const BAD: &str = "version: 1\nmode: loud\n";

fn named<'a>(received: &'a Received, name: &str) -> Vec<&'a Span> {
    received.spans.iter().filter(|span| span.name == name).collect()
}

fn refused(received: &Received) -> Option<&Span> {
    let failed =
        |span: &&Span| span.status.as_ref().is_some_and(|status| status.code == i32::from(StatusCode::Error));
    named(received, "reload").into_iter().find(failed)
}

/// A sidecar whose rules go from good to bad, and what its endpoint had received at its end.
fn reloaded(asked: Option<&str>) -> (Received, String) {
    let receiver = Receiver::start();
    let volumes = Volumes::new();
    let rules = volumes.write("rules.yaml", GOOD);
    let (url, path) = (receiver.url(), rules.display().to_string());
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
        ("OUTRIGGER_RULES", &path),
        // The level of the log is the log's alone.
        ("OUTRIGGER_LOG", "outrigger_sidecar=info"),
    ];
    variables.extend(asked.map(|asked| ("OUTRIGGER_CONTROL_TRACES", asked)));
    let sidecar = volumes.sidecar(&variables);
    let _rules = volumes.write("rules.yaml", BAD);
    let line = sidecar.error_line(DEADLINE, |line| line.contains("NOT in force"));
    let line = line.expect("it is refused");
    assert!(sidecar.status().is_object());
    if asked.is_some() {
        receiver.wait_for(DEADLINE, |received| refused(received).is_some()).expect("a span of the refusal");
    }
    let ended = sidecar.end();
    assert!(ended.status.success(), "{}", ended.errors);
    (receiver.received(), line)
}

#[test]
fn rules_that_are_refused_are_a_failed_span_of_their_own() {
    let (received, line) = reloaded(Some("on"));
    assert!(!line.contains("reload"), "lines are as without spans: {line}");
    let span = refused(&received).expect("it has come");
    let status = span.status.as_ref().expect("it failed");
    assert!(status.message.contains("loud"), "{}", status.message);
    let told = attributes(&span.attributes);
    assert_eq!(told["outcome"], "refused", "{told:?}");
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
    for key in told.keys() {
        assert!(["start", "outcome"].contains(&&**key), "{key} says where in the code it was");
    }

    let start = named(&received, "start");
    assert_eq!(start.len(), 1);
    for name in ["settings", "authority", "publishing"] {
        let part = named(&received, name);
        assert_eq!(part.len(), 1, "{name}");
        assert_eq!(part[0].parent_span_id, start[0].span_id, "{name}");
        assert_eq!(part[0].trace_id, start[0].trace_id, "{name}");
    }
    assert!(!named(&received, "admin").is_empty());
    assert_eq!(named(&received, "drain").len(), 1);
    let mut ids: Vec<_> = received.spans.iter().map(|span| span.span_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), received.spans.len(), "each comes once");
}

#[test]
fn nobody_who_did_not_ask_gets_such_spans() {
    let (received, _) = reloaded(None);
    assert!(received.spans.is_empty(), "{:?}", received.spans);
}
