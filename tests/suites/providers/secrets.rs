//! No secret appears in any log, span, error or panic.

use outrigger_simulator::{Answer, ErrorKind, Rule};
use outrigger_tests::DEADLINE;
use outrigger_tests::http::{free_address, get, post};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::sidecar::Volumes;
use serde_json::json;

use super::{CALLS, KEY, OTHER_KEY, exec, python, refs, scripted};

const PROMPT: &str = "When does the tide turn?";
const MISTYPED: &str = "sk-mistyped-5566778899-qrstuvwx";

#[test]
fn no_key_and_no_prompt_in_anything_that_leaves_us() {
    let failing = Rule {
        every: Some(2),
        answer: Answer { error: Some(ErrorKind::ServerError), ..Answer::default() },
        ..Rule::default()
    };
    for (openai, mode) in [(KEY, "proxy"), (MISTYPED, "proxy"), (KEY, "base-url")] {
        let simulator = scripted(vec![failing.clone()]);
        let receiver = Receiver::start();
        let ended = exec(&simulator)
            .option("--otlp", &receiver.url())
            .option("--mode", mode)
            .variable("OUTRIGGER_LOG", "trace")
            .variable("RUST_BACKTRACE", "1")
            .variable("OPENAI_API_KEY", openai)
            .run(&refs(&python(
                CALLS,
                &["chat", "chat_stream", "responses", "messages", "messages_stream", "messages"],
            )));
        let received =
            receiver.wait_for(DEADLINE, |received| received.calls.len() == 6).expect("six records");
        assert!(!received.spans.is_empty() && !received.metrics.is_empty());
        let raw = String::from_utf8_lossy(&received.raw);
        for secret in [KEY, OTHER_KEY, MISTYPED, PROMPT] {
            assert!(!ended.errors.contains(secret), "{secret} in the log:\n{}", ended.errors);
            assert!(!raw.contains(secret), "{secret} in the telemetry");
        }
        assert!(
            ended.errors.contains("TRACE") || ended.errors.contains("DEBUG"),
            "the log was not at its most talkative"
        );
    }
}

/// A key may stand in a header, a query, a path, a body, where it belongs or not; another one pays the endpoint of telemetry.
#[test]
fn a_key_leaves_us_from_nowhere_in_a_request() {
    const SECRET: &str = "sk-harbour-0123456789-planted";
    let marked = |place: &str| format!("{SECRET}-{place}");
    let simulator = scripted(vec![Rule {
        every: Some(2),
        answer: Answer { error: Some(ErrorKind::Authentication), ..Answer::default() },
        ..Rule::default()
    }]);
    let (receiver, volumes) = (Receiver::start(), Volumes::new());
    let ca = volumes.write("provider.pem", simulator.ca_pem()).display().to_string();
    let upstreams: Vec<String> = ["api.openai.com", "generativelanguage.googleapis.com"]
        .map(|host| format!("{host}={}", simulator.address()))
        .to_vec();
    let metrics = free_address();
    // What the endpoint is shown, and nobody else.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let headers = folder.path().join("otlp-headers");
    std::fs::write(&headers, format!("authorization=Bearer {}", marked("endpoint")))
        .expect("a temporary file");
    let sidecar = volumes.sidecar(&[
        ("OUTRIGGER_OTLP_HEADERS_FILE", &headers.to_string_lossy()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OUTRIGGER_EXTRA_CAS", &ca),
        ("OUTRIGGER_UPSTREAMS", &upstreams.join(",")),
        ("OUTRIGGER_METRICS", &metrics.to_string()),
        ("OUTRIGGER_LOG", "trace"),
        ("OUTRIGGER_LOG_CALLS", "all"),
    ]);
    let (authorization, other) = (format!("Bearer {}", marked("header")), marked("other"));
    let headers =
        [("Authorization", authorization.as_str()), ("x-secret", &other), ("x-outrigger-step", "plan")];
    let chat = json!({
        "model": "gpt-5-mini", "api_key": marked("body"),
        "messages": [{"role": "user", "content": marked("prompt")}],
        "metadata": {"token": marked("metadata")},
    });
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": marked("part")}]}]});
    let generate = "/gemini/v1beta/models/gemini-3.5-flash:generateContent";
    let asked = [
        ("/openai/v1/chat/completions".to_owned(), &chat),
        (format!("/openai/v1/chat/completions?api_key={}", marked("query")), &chat),
        (format!("/openai/v1/files/{}", marked("path")), &chat),
        (format!("{generate}?key={}", marked("key")), &gemini),
        (format!("/nobody/{}?key={}", marked("nowhere"), marked("nobody")), &gemini),
    ];
    for (path, body) in asked.iter().chain(&asked) {
        post(sidecar.base_url(), path, &headers, body).expect("an answer");
    }
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 6).expect("six records");
    let page = get(metrics, "/metrics").expect("metrics").1;
    let log = sidecar.end().errors;
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "{log}");
    assert!(page.contains("outrigger_calls_total") && !received.spans.is_empty());
    for (what, text) in
        [("log", log.as_str()), ("metrics", &page), ("telemetry", &String::from_utf8_lossy(&received.raw))]
    {
        assert!(!text.contains(SECRET), "{what}: {text}");
    }
}
