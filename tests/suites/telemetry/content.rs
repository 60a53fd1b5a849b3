//! What Python's official SDKs say and hear: on spans and events where that is asked for, nowhere else.

use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::{Received, Receiver, attributes};
use serde_json::{Value, json};

use crate::{calls, exec, simulator};

const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
const DETAILS: &str = "gen_ai.client.inference.operation.details";
const CALLS: [&str; 4] = ["chat", "chat_stream", "messages", "responses_stream"];
const QUESTION: &str = "When does the tide turn?";
const INPUT: &str = "gen_ai.input.messages";
const OUTPUT: &str = "gen_ai.output.messages";

/// What a receiver has of these calls when everything about them is there.
fn received(capture: Option<&str>, events: usize) -> Received {
    let (simulator, receiver) = (simulator(vec![]), Receiver::start());
    let exec = exec(&simulator).option("--otlp", &receiver.url());
    let exec = match capture {
        Some(word) => exec.variable(CAPTURE, word),
        None => exec,
    };
    let ended = calls(exec, &CALLS);
    let all = |received: &Received| {
        // A span for each call and one for its request.
        received.calls.len() == CALLS.len()
            && received.spans.len() == 2 * CALLS.len()
            && details(received).count() == events
    };
    receiver.wait_for(DEADLINE, all).unwrap_or_else(|| panic!("not everything came: {}", ended.errors))
}

fn details(received: &Received) -> impl Iterator<Item = &std::collections::BTreeMap<String, Value>> {
    received.events.iter().filter(|(name, _)| name == DETAILS).map(|(_, attributes)| attributes)
}

/// The spans' content, as the JSON that it is.
fn on_spans(received: &Received, name: &str) -> Vec<Value> {
    let spans = received.spans.iter().map(|span| attributes(&span.attributes));
    spans
        .filter_map(|span| {
            Some(serde_json::from_str(span.get(name)?.as_str().expect("a text")).expect("valid JSON"))
        })
        .collect()
}

/// The messages of one call: asked as the script asks, answered with some text.
fn check(input: &Value, output: &Value) {
    assert_eq!(*input, json!([{ "role": "user", "parts": [{ "type": "text", "content": QUESTION }] }]));
    let answer = &output[0];
    assert_eq!((&answer["role"], &answer["parts"][0]["type"]), (&json!("assistant"), &json!("text")));
    assert!(answer["parts"][0]["content"].as_str().is_some_and(|text| !text.is_empty()), "{output}");
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn nothing_of_what_is_said_is_sent_unless_asked_for() {
    let received = received(None, 0);
    assert!(!holds(&received.raw, QUESTION) && !holds(&received.raw, INPUT));
}

#[test]
fn content_stands_on_spans_as_json_and_on_events_as_a_structure() {
    let received = received(Some("SPAN_AND_EVENT"), CALLS.len());
    let (inputs, outputs) = (on_spans(&received, INPUT), on_spans(&received, OUTPUT));
    assert_eq!((inputs.len(), outputs.len()), (CALLS.len(), CALLS.len()));
    inputs.iter().zip(&outputs).for_each(|(input, output)| check(input, output));
    for event in details(&received) {
        check(&event[INPUT], &event[OUTPUT]);
    }
    for record in &received.calls {
        assert!(!record.contains_key(INPUT) && !json!(record).to_string().contains(QUESTION));
    }
}

#[test]
fn content_stands_where_it_is_asked_for_alone() {
    let spans = received(Some("span_only"), 0);
    assert_eq!(on_spans(&spans, INPUT).len(), CALLS.len());
    let events = received(Some("EVENT_ONLY"), CALLS.len());
    assert!(on_spans(&events, INPUT).is_empty());
    assert_eq!(details(&events).filter(|event| event.contains_key(INPUT)).count(), CALLS.len());
}
